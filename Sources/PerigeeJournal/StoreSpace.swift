/// What a store takes of the disk, in bytes.
public struct StoreSpace: Hashable, Sendable {
    /// The file that holds the facts.
    public var file: Int
    /// The log beside it, which holds what was written last until it is copied into the file.
    ///
    /// It is used again from its beginning, and goes when the store is closed.
    public var log: Int
    /// What of the file holds facts.
    public var used: Int
    /// What of the file holds nothing and waits for new facts.
    public var free: Int
    /// Whether free space can be given back to the system while the store is in use.
    public var givesBack: Bool

    public init(file: Int = 0, log: Int = 0, used: Int = 0, free: Int = 0, givesBack: Bool = true) {
        self.file = file
        self.log = log
        self.used = used
        self.free = free
        self.givesBack = givesBack
    }
}
