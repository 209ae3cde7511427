import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A port of 127.0.0.1 where nobody listens and, for the length of a test, nobody else can.
struct ClosedPort: ~Copyable {
    let port: Int
    private let descriptor: CInt

    /// - Parameter isSilent: whether the system takes connections all the same, which nobody will ever read.
    init(isSilent: Bool = false) throws { (descriptor, port) = try boundSocket(listens: isSilent) }

    deinit { close(descriptor) }
}

/// A socket on a free port of 127.0.0.1, to be closed by the caller; no child of this process inherits it.
func boundSocket(listens: Bool) throws -> (descriptor: CInt, port: Int) {
    #if canImport(Glibc)
        let type = CInt(SOCK_STREAM.rawValue)
    #else
        let type = SOCK_STREAM
    #endif
    let descriptor = socket(AF_INET, type, 0)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, length) + getsockname(descriptor, pointer, &length)
        }
    }
    guard status == 0, !listens || listen(descriptor, 511) == 0 else {
        let failure = errno
        close(descriptor)
        throw IOError(errnoCode: failure, reason: "bind")
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
}
