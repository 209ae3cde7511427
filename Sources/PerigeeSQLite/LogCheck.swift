import Foundation
import PerigeeJournal

/// Looks for damage in a write-ahead log that SQLite would take for its end.
///
/// SQLite reads a log up to the first page whose checksum is wrong, because a transaction that was not synced ends
/// so. Each page's checksum goes on from the one before it: a page that goes on from the end of a transaction was
/// written when that transaction was on the disk. Such a page behind the wrong one shows that what is wrong was
/// right before. Damage in the last transactions of the log can't be told from a loss of power.
struct LogCheck {
    private static let headerSize = 32
    private static let frameHeaderSize = 24

    private let path: String
    private let handle: FileHandle
    private let isBigEndian: Bool
    private let pageSize: Int
    private let salts: Data

    /// - Parameter path: the database file, whose log is beside it.
    /// - Throws: ``JournalError/damaged(path:detail:)``, or what went wrong with reading it.
    static func run(path: String) throws {
        let log = path + "-wal"
        guard FileManager.default.fileExists(atPath: log) else { return }
        let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: log))
        defer { try? handle.close() }
        // While a host works the log may begin anew under the check.
        var header = try Self.header(handle)
        while true {
            let result = Result { try LogCheck(path: path, handle: handle, header: header)?.checkPages() }
            let now = try Self.header(handle)
            if now == header { return try result.get() ?? () }
            header = now
        }
    }

    private static func header(_ handle: FileHandle) throws -> Data {
        try handle.seek(toOffset: 0)
        return try handle.read(upToCount: headerSize) ?? Data()
    }

    /// `nil` for a log that was given up before its first page.
    private init?(path: String, handle: FileHandle, header: Data) throws {
        let magic = header.count == Self.headerSize ? header.word(0) : 0
        pageSize = header.count == Self.headerSize ? Int(header.word(8)) : 0
        isBigEndian = magic & 1 == 1
        let sums = header.prefix(24).checksum(after: (0, 0), isBigEndian: isBigEndian)
        salts = header.dropFirst(16).prefix(8)
        self.path = path
        self.handle = handle
        let isSound =
            magic & ~1 == 0x377F_0682 && (512...65536).contains(pageSize) && pageSize.nonzeroBitCount == 1
            && sums == (header.word(24), header.word(28))
        guard !isSound else { return }
        // The header is synced before the first page is written.
        guard try handle.seekToEnd() <= 512 else {
            throw JournalError.damaged(path: path, detail: "the header of its log \(path)-wal is wrong")
        }
        return nil
    }

    private func checkPages() throws {
        let size = Self.frameHeaderSize + pageSize
        try handle.seek(toOffset: 24)
        var before = try handle.read(upToCount: 8) ?? Data()
        var number = 0
        var firstWrong: Int?
        var endsTransaction = false
        while let frame = try handle.read(upToCount: size), frame.count == size {
            number += 1
            let body = frame.prefix(8) + frame.dropFirst(Self.frameHeaderSize)
            let seed = (before.word(0), before.word(4))
            let sums = body.checksum(after: seed, isBigEndian: isBigEndian)
            let isOfThisLog = frame.dropFirst(8).prefix(8) == salts
            let isSound = isOfThisLog && sums == (frame.word(16), frame.word(20))
            if let firstWrong, isSound, endsTransaction {
                throw JournalError.damaged(
                    path: path,
                    detail: "page \(firstWrong) of its log \(path)-wal is wrong, and later ones are right")
            }
            if !isSound, firstWrong == nil { firstWrong = number }
            endsTransaction = isOfThisLog && frame.word(4) != 0
            before = frame.dropFirst(16).prefix(8)
        }
    }
}

extension Data {
    /// The four bytes from an offset on, the first one being the highest.
    fileprivate func word(_ offset: Int) -> UInt32 {
        dropFirst(offset).prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// SQLite's checksum of a log, going on from an earlier one.
    fileprivate func checksum(after seed: (UInt32, UInt32), isBigEndian: Bool) -> (UInt32, UInt32) {
        var (first, second) = seed
        withUnsafeBytes { bytes in
            for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
                let one = bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                let two = bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                first &+= (isBigEndian ? UInt32(bigEndian: one) : UInt32(littleEndian: one)) &+ second
                second &+= (isBigEndian ? UInt32(bigEndian: two) : UInt32(littleEndian: two)) &+ first
            }
        }
        return (first, second)
    }
}
