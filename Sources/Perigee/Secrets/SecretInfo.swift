public import PerigeeJournal

/// What may be known of a secret: all but its value.
public struct SecretInfo: Hashable, Sendable {
    public var name: String
    /// `store`, `environment`, or the path of a file.
    public var source: String
    /// The hosts that it may be sent to; empty where ``goesAnywhere`` is true or they can't be read.
    public var hosts: [String]
    public var goesAnywhere: Bool
    /// Whether calls get this one; another one of its name that comes before it hides it.
    public var isUsed: Bool
    /// The id of the master key that seals it, in the store.
    public var keyID: String?
    public var createdAt: Timestamp?
    public var updatedAt: Timestamp?

    init(_ secret: SealedSecret) {
        name = secret.name
        source = "store"
        hosts = secret.hosts
        goesAnywhere = secret.hosts.isEmpty
        isUsed = true
        keyID = secret.keyID
        createdAt = secret.createdAt
        updatedAt = secret.updatedAt
    }

    init(_ secret: ProvidedSecret, isUsed: Bool) {
        name = secret.name
        source = secret.source
        hosts = secret.binding?.hosts ?? []
        goesAnywhere = secret.binding == .anywhere
        self.isUsed = isUsed
        updatedAt = secret.updatedAt
    }
}
