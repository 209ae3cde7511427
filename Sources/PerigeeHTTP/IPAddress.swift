#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// An IPv4 or IPv6 address; an IPv4 one is kept in its IPv6 form (`::ffff:a.b.c.d`), so that both spellings
/// of it are the same value.
struct IPAddress: Hashable, Sendable {
    let bits: UInt128

    init(bits: UInt128) { self.bits = bits }

    init(v4: UInt32) { bits = 0xFFFF << 32 | UInt128(v4) }

    /// Reads the usual spellings (`192.0.2.1`, `2001:db8::1`, no brackets, no zone), nothing looser.
    init?(_ text: String) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4.s_addr))
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            self.init(v6)
        } else {
            return nil
        }
    }

    /// Reads the 4 or 16 bytes of an address, the first one first.
    init?(octets: some Collection<UInt8>) {
        switch octets.count {
        case 4: self.init(v4: octets.reduce(0) { $0 << 8 | UInt32($1) })
        case 16: self.init(bits: octets.reduce(0) { $0 << 8 | UInt128($1) })
        default: return nil
        }
    }

    init(_ v6: in6_addr) {
        self.init(
            bits: withUnsafeBytes(of: v6) { bytes in bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) } })
    }
}

extension IPAddress: CustomStringConvertible {
    var description: String {
        if Network.v4Mapped.contains(self) {
            return (0..<4).reversed().map { String(bits >> (8 * $0) & 0xFF) }.joined(separator: ".")
        }
        var address = in6_addr()
        withUnsafeMutableBytes(of: &address) { bytes in
            for index in 0..<16 { bytes[index] = UInt8(truncatingIfNeeded: bits >> (8 * (15 - index))) }
        }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(AF_INET6, &address, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension IPAddress {
    /// This very machine.
    var isLoopback: Bool {
        let real = self.real
        return Network.loopback.contains { $0.contains(real) }
    }

    /// On the public internet: no private, local, shared, multicast or reserved range.
    var isPublic: Bool {
        let real = self.real
        return !Network.closed.contains { $0.contains(real) }
    }

    /// The IPv4 address that a translating form (NAT64, 6to4, IPv4-compatible) carries traffic to, or itself.
    var real: IPAddress {
        if Network.nat64.contains(self) { return IPAddress(v4: UInt32(truncatingIfNeeded: bits)) }
        if Network.sixToFour.contains(self) { return IPAddress(v4: UInt32(truncatingIfNeeded: bits >> 80)) }
        // `::` and `::1` lie in the IPv4-compatible range, but mean something else.
        if Network.v4Compatible.contains(self), bits > 1 {
            return IPAddress(v4: UInt32(truncatingIfNeeded: bits))
        }
        return self
    }
}

/// A range of addresses that share their first bits.
struct Network: Hashable, Sendable {
    let first: UInt128
    let length: Int

    private init(first: UInt128, length: Int) {
        self.first = first
        self.length = length
    }

    /// One address.
    init(_ address: IPAddress) { self.init(first: address.bits, length: 128) }

    /// Reads `10.0.0.0/8`, `fd00::/8` or `[fd00::]/8`; bits behind the length count for nothing.
    init?(_ text: Substring) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let digits = Int(parts[1]), parts[1] == "\(digits)" else { return nil }
        let isBracketed = parts[0].hasPrefix("[") && parts[0].hasSuffix("]")
        let inside = isBracketed ? parts[0].dropFirst().dropLast() : parts[0]
        let isV4 = !inside.contains(":")
        guard let address = IPAddress(String(inside)), !(isBracketed && isV4),
            (0...(isV4 ? 32 : 128)).contains(digits)
        else { return nil }
        let length = isV4 ? 96 + digits : digits
        let mask: UInt128 = length == 0 ? 0 : .max << (128 - length)
        self.init(first: address.bits & mask, length: length)
    }

    static func v4(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8, _ length: Int) -> Network {
        let address = [a, b, c, d].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        return Network(first: IPAddress(v4: address).bits, length: 96 + length)
    }

    /// `groups` are the leading 16-bit groups of the address; the others are zero.
    static func v6(_ groups: [UInt16], _ length: Int) -> Network {
        let high = groups.reduce(UInt128(0)) { $0 << 16 | UInt128($1) }
        return Network(first: high << (16 * (8 - groups.count)), length: length)
    }

    func contains(_ address: IPAddress) -> Bool {
        (address.bits ^ first) >> (128 - length) == 0
    }

    static let v4Mapped = v6([0, 0, 0, 0, 0, 0xFFFF], 96)
    static let v4Compatible = v6([0], 96)
    static let nat64 = v6([0x64, 0xFF9B], 96)
    static let sixToFour = v6([0x2002], 16)

    static let loopback = [v4(127, 0, 0, 0, 8), v6([0, 0, 0, 0, 0, 0, 0, 1], 128)]

    static let closed =
        loopback + [
            v4(0, 0, 0, 0, 8),  // unspecified, "this network"
            v4(10, 0, 0, 0, 8), v4(172, 16, 0, 0, 12), v4(192, 168, 0, 0, 16),  // private, RFC 1918
            v4(100, 64, 0, 0, 10),  // shared behind a provider's NAT, RFC 6598
            v4(169, 254, 0, 0, 16),  // link-local, with the clouds' metadata service at 169.254.169.254
            v4(192, 0, 0, 0, 24),  // protocol assignments
            v4(198, 18, 0, 0, 15),  // benchmarks between devices
            v4(224, 0, 0, 0, 4),  // multicast
            v4(240, 0, 0, 0, 4),  // reserved, and broadcast
            v6([0, 0, 0, 0, 0, 0, 0, 0], 128),  // unspecified
            v6([0x64, 0xFF9B, 1], 48),  // NAT64 inside one network
            v6([0x2001, 0], 32),  // Teredo: the address in it is scrambled
            v6([0xFC00], 7),  // private, with the metadata service at fd00:ec2::254
            v6([0xFE80], 10), v6([0xFEC0], 10),  // link-local and its older sibling
            v6([0xFF00], 8),  // multicast
        ]
}
