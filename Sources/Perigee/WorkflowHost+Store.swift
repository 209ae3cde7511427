public import PerigeeJournal

extension WorkflowHost {
    // MARK: The store's file

    /// So much is given back in one transaction: it takes a few milliseconds, so that others hardly wait for it.
    static let giveBackStep = 1 << 20
    /// After so many transactions ``compactStore()`` returns.
    private static let compactionSteps = 16

    /// What the store takes of the disk.
    ///
    /// - Throws: ``JournalError`` if the store can't be read.
    public func storeSpace() async throws -> StoreSpace { try await journal.space() }

    /// Gives free space back to the system for a while, up to 16 MiB, between the commits of runs.
    ///
    /// Call it again until it is done. At its end it copies the log into the file, which is shorter then.
    ///
    /// - Returns: what the store takes then, and whether there is nothing more to give back than what runs free and
    ///   take again as they go on, or nothing that can be given back while the store is in use.
    /// - Throws: ``JournalError`` if the store fails; what was given back stays so.
    public func compactStore() async throws -> (space: StoreSpace, isDone: Bool) {
        for _ in 0..<Self.compactionSteps {
            let space = try await journal.giveBack(bytes: Self.giveBackStep)
            if !space.givesBack || space.free < Self.giveBackStep {
                return (try await journal.copyLog(), true)
            }
        }
        return (try await journal.space(), false)
    }
}
