/// Which hosts the calls of workflows may reach.
///
/// Without rules these are the addresses of the public internet: nothing on this machine, in a private
/// network or of a cloud's metadata service, whatever name leads there. A host of workflows has one policy, and so
/// has its namespace.
public struct EgressPolicy: Sendable {
    /// What may be called though its address is private.
    public var allowedHosts: [HostRule]
    /// What may not be called, also where another rule has it.
    public var deniedHosts: [HostRule]
    /// What alone may be called, when there are any; they open no private address.
    public var onlyHosts: [HostRule]
    /// Whether this machine itself (127.0.0.0/8, ::1) may be called, under any name and port.
    public var allowsLoopback: Bool

    public init(
        allowedHosts: [HostRule] = [], deniedHosts: [HostRule] = [], onlyHosts: [HostRule] = [],
        allowsLoopback: Bool = false
    ) {
        self.allowedHosts = allowedHosts
        self.deniedHosts = deniedHosts
        self.onlyHosts = onlyHosts
        self.allowsLoopback = allowsLoopback
    }

    /// Why something may not be called.
    enum Refusal: Error, Hashable {
        case denied(HostRule)
        case unlisted
        case isPrivate
    }

    /// What the name of a host settles before its addresses are known.
    struct Standing: Hashable, Sendable {
        let scheme: String
        /// Whether no rule needs to list its addresses any more.
        let isListed: Bool
        /// Whether its addresses may be private.
        let isOpened: Bool

        static let all = ["http", "https"].flatMap { scheme in
            [true, false].flatMap { isListed in
                [true, false].map { Standing(scheme: scheme, isListed: isListed, isOpened: $0) }
            }
        }
    }

    /// Decides by the name, so that a host that can't be permitted is not even looked up.
    func standing(of destination: Destination) throws(Refusal) -> Standing {
        if let rule = deniedHosts.first(where: { $0.names(destination) }) { throw .denied(rule) }
        let isListed = onlyHosts.isEmpty || onlyHosts.contains { $0.names(destination) }
        let mayBeListed = onlyHosts.contains {
            $0.network != nil && $0.covers(scheme: destination.scheme, port: destination.port)
        }
        guard isListed || mayBeListed else { throw .unlisted }
        return Standing(
            scheme: destination.scheme, isListed: isListed,
            isOpened: allowedHosts.contains { $0.names(destination) })
    }

    /// Decides by an address that a host leads to.
    func refusal(of address: IPAddress, port: Int, _ standing: Standing) -> Refusal? {
        func hold(_ rule: HostRule, _ address: IPAddress) -> Bool {
            rule.covers(scheme: standing.scheme, port: port) && rule.network?.contains(address) ?? false
        }
        if let rule = deniedHosts.first(where: { hold($0, address) || hold($0, address.real) }) {
            return .denied(rule)
        }
        guard standing.isListed || onlyHosts.contains(where: { hold($0, address) }) else { return .unlisted }
        let isOpen =
            address.isPublic || standing.isOpened || (allowsLoopback && address.isLoopback)
            || allowedHosts.contains { hold($0, address) }
        return isOpen ? nil : .isPrivate
    }
}
