public import PerigeeJournal

/// A secret that comes with the deployment: of the environment, of a file, or of an embedding program.
public struct ProvidedSecret: Hashable, Sendable, CustomStringConvertible {
    public var name: String
    public var value: String
    /// The hosts that it may be sent to as they are written, separated by commas; `nil` if it may be sent to any.
    public var hosts: String?
    /// Where it comes from, for people: `environment`, or the path of a file.
    public var source: String
    /// When it was set, where that is known.
    public var updatedAt: Timestamp?

    public init(
        name: String, value: String, hosts: String? = nil, source: String, updatedAt: Timestamp? = nil
    ) {
        self.name = name
        self.value = value
        self.hosts = hosts
        self.source = source
        self.updatedAt = updatedAt
    }

    /// Its name and where it comes from, never its value.
    public var description: String { "secret \(name) from \(source)" }

    /// Where it may be sent; `nil` if its hosts can't be read, and it may be sent nowhere.
    var binding: HostBinding? { hosts.map { HostBinding(list: $0) } ?? .anywhere }
}
