import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Why a host's name gave no address.
enum LookupFailure: Error {
    case unknownName
    case noAnswer
}

/// Finds every address of a host's name.
typealias HostLookup = @Sendable (_ host: String) async throws -> [IPAddress]

/// Asks the system's resolver, on a thread that may block.
///
/// The resolver can't be interrupted, so a cancelled caller leaves at once and the late answer is dropped.
/// - Throws: ``LookupFailure``, or `CancellationError` when the task is cancelled.
@Sendable func systemLookup(_ host: String) async throws -> [IPAddress] {
    let (answers, sink) = AsyncStream.makeStream(of: Result<[IPAddress], LookupFailure>.self)
    lookupQueue.async {
        sink.yield(Result { () throws(LookupFailure) in try addresses(of: host) })
        sink.finish()
    }
    for await answer in answers { return try answer.get() }
    throw CancellationError()
}

private let lookupQueue = DispatchQueue(label: "perigee.host-lookup", attributes: .concurrent)

private func addresses(of host: String) throws(LookupFailure) -> [IPAddress] {
    var hints = addrinfo()
    #if canImport(Glibc)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    #else
        hints.ai_socktype = SOCK_STREAM
    #endif
    var head: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(host, nil, &hints, &head)
    defer { if let head { freeaddrinfo(head) } }
    guard status == 0 else {
        throw status == EAI_AGAIN || status == EAI_SYSTEM || status == EAI_FAIL ? .noAnswer : .unknownName
    }
    let found = sequence(first: head, next: { $0?.pointee.ai_next }).compactMap { entry in
        entry.flatMap { address(of: $0.pointee) }
    }
    guard !found.isEmpty else { throw .unknownName }
    return found
}

private func address(of entry: addrinfo) -> IPAddress? {
    let raw = UnsafeRawPointer(entry.ai_addr)
    return switch entry.ai_family {
    case AF_INET: raw.map { IPAddress(v4: UInt32(bigEndian: $0.load(as: sockaddr_in.self).sin_addr.s_addr)) }
    case AF_INET6: raw.map { IPAddress($0.load(as: sockaddr_in6.self).sin6_addr) }
    default: nil
    }
}
