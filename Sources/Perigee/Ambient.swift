import Foundation
public import PerigeeJournal

/// The one door through which time and chance enter the host.
public protocol Ambient: Sendable {
    /// The present moment.
    var now: Timestamp { get }
    /// Returns when a moment has come.
    ///
    /// - Throws: `CancellationError` if the task is cancelled first.
    func sleep(until moment: Timestamp) async throws
    /// 64 random bits.
    func randomUInt64() -> UInt64
}

/// The machine's own clock and randomness.
public struct SystemAmbient: Ambient {
    public init() {}

    public var now: Timestamp {
        Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
    }

    public func sleep(until moment: Timestamp) async throws {
        // The wall clock may be set while we wait, so long waits are taken in parts.
        while true {
            let left = moment.milliseconds - now.milliseconds
            guard left > 0 else { return }
            try await Task.sleep(for: .milliseconds(min(left, 60_000)))
        }
    }

    public func randomUInt64() -> UInt64 {
        UInt64.random(in: .min ... .max)
    }
}

extension Ambient {
    /// A new id: the prefix and 26 characters of Crockford's base 32 that sort by time (the layout of a ULID: 48 bits
    /// of milliseconds, 80 random bits).
    func identifier(_ prefix: String) -> String {
        Identifier.text(prefix, at: now, high: randomUInt64(), low: randomUInt64())
    }
}

enum Identifier {
    /// The prefix, the time, and 40 bits of each number.
    static func text(_ prefix: String, at moment: Timestamp, high: UInt64, low: UInt64) -> String {
        let time = UInt64(clamping: max(0, moment.milliseconds)) & 0xFFFF_FFFF_FFFF
        var text: [UInt8] = []
        text.reserveCapacity(prefix.utf8.count + 27)
        text += prefix.utf8
        text.append(UInt8(ascii: "_"))
        for (bits, top) in [(time, 45), (high, 35), (low, 35)] {
            for shift in stride(from: top, through: 0, by: -5) {
                text.append(base32[Int(bits >> shift & 31)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

private let base32 = Array("0123456789ABCDEFGHJKMNPQRSTVWXYZ".utf8)

/// A stream of random numbers that is a function of its seed (SplitMix64, Steele, Lea and Flood 2014).
struct SeededRandom {
    private var state: UInt64

    /// The stream of a run: the same in every replay.
    init(run id: String) {
        // FNV-1a spreads the id's characters over the seed.
        state = id.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A random UUID (RFC 9562, version 4).
    mutating func uuid() -> String {
        let high = next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        func hex(_ value: UInt64, _ width: Int) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: width - digits.count) + digits
        }
        return [
            hex(high >> 32, 8), hex(high >> 16 & 0xFFFF, 4), hex(high & 0xFFFF, 4), hex(low >> 48, 4),
            hex(low & 0xFFFF_FFFF_FFFF, 12),
        ].joined(separator: "-")
    }
}
