/// The one seam to storage: the facts that a host keeps.
///
/// Every method is one transaction: when it returns, what it did is durable; when it throws, nothing was done.
/// Methods that take a batch answer each member by itself, so that a bad member does not fail the others.
/// Time comes in as a parameter; a journal never looks at a clock. A journal may be used from any number of tasks,
/// and, where the store is shared, by any number of processes. Writes are not undone by task cancellation.
public protocol Journal: Sendable {
    /// Renews a host's lease, and frees the runs of hosts that are gone.
    ///
    /// A host is gone when its lease has ended, or when the store knows so for another reason (a file that only one
    /// process can open). A host that has no lease yet is a new life of itself: what its id owned is freed, too.
    /// A freed run is `queued` and can be claimed at once. Call it once before the first claim.
    ///
    /// - Parameters:
    ///   - host: the host's id, the same for as long as its process lives.
    ///   - now: the present moment.
    ///   - leaseUntil: until when the host's runs are its own if it is not heard of again.
    func heartbeat(host: String, now: Timestamp, leaseUntil: Timestamp) async throws -> Heartbeat

    /// Gives up a host's lease and frees its runs at once; the orderly end of a host.
    func release(host: String, now: Timestamp) async throws

    /// Makes runs that can go on this host's own: those that are queued, freed, or have an answer for a wait.
    ///
    /// Waits whose time has come are answered by that first, at `now`; such an approval is `expired`. A claimed run
    /// is `running`, has a new epoch, and its `startedAt` and `deadlineAt` are set at the first claim. Every answer
    /// that no commit has closed comes along, also when it came along before. A run can be claimed, too, when somebody
    /// asked to cancel it or its deadline has come, until a ``Fact/endRequested(_:error:)`` is among its entries. What
    /// comes for a run that the host owns already is told in ``Claim/told``. A run that stands in a line (see
    /// ``submit(_:now:claimant:)``) can't be claimed before its turn.
    ///
    /// - Parameters:
    ///   - limit: at most this many runs, 1 or more, those that could go on longest first.
    ///   - only: claim just this run, by number, even if nothing has answered its waits; it must be queued or
    ///     waiting, owned by nobody and in no line, or the claim is empty.
    func claim(host: String, namespace: String, now: Timestamp, limit: Int, only: Int64?) async throws
        -> Claim

    /// Records what happened in runs that the host owns.
    ///
    /// Each member stands for itself.
    ///
    /// A member is refused with ``JournalError/fenced(run:)`` when its epoch is not the run's present one or the run
    /// is no longer owned, and with ``JournalError/wrongSequence(run:expected:got:)`` when entries would leave a gap
    /// or stand twice. An event wait that opens looks back: the oldest event recorded after the run was created
    /// that matches, and that has not answered another wait of this run, answers it at once.
    /// After ``Commit/Next/waiting`` a run that has an answer can be claimed at once; one with nothing to wait for is
    /// refused with ``JournalError/invalid(_:)``, and so are a wait id that is taken and an emitted event that is
    /// refused. At an end, and where it needs attention, its waits are gone and its open approvals are `cancelled`.
    /// A run that needs attention and was asked to end before is cancelled instead, if it has not begun to unwind.
    /// One that waits, or is let go of as paused, is `paused` while somebody asks for it (``RunRecord/pausedAt``).
    ///
    /// However a run ends, in the same transaction its locks go to those who wait for them, its end answers those who
    /// wait for it, and its children that have not ended are left, cancelled or terminated as each one's
    /// ``RunParent/onEnd`` says. A run that needs attention keeps the locks that it has taken over.
    ///
    /// It runs where it is called from, so that a shard's thread hands its batch to the writer itself.
    nonisolated(nonsending) func commit(_ commits: [Commit]) async throws -> [Result<
        CommitReceipt, JournalError
    >]

    /// Accepts events and runs.
    ///
    /// All members of one call become durable together; each is answered by itself.
    ///
    /// An event whose namespace, source and source id are known already does nothing and gives the earlier receipt.
    /// So does an idempotency key with the same digest (which is looked at first); with another digest it is
    /// refused with
    /// ``JournalError/idempotencyKeyReused(key:)``. A new event answers every open wait of its namespace that it
    /// matches, of each run the oldest one; a run that it starts does not see it as a later event.
    ///
    /// A run whose key another run of its workflow has follows its ``NewRun/onConflict``. One that is rejected is
    /// ``SubmissionReceipt/refused`` where an event starts it, and fails a submission without an event with
    /// ``JournalError/keyTaken(_:)``. One with a ``NewRun/concurrencyKey`` waits in line while as many runs with that
    /// key as the workflow's newest version allows hold a slot. Its turn comes in the order of arrival, in the
    /// transaction in which another one ends; from then on until its own end it holds a slot. A run that waits for
    /// its key stands in that line only once no run with its key is before it.
    ///
    /// - Parameter claimant: makes new runs its own that it could claim at `now`, as a claim does
    ///   (``SubmissionReceipt/claimed``); `nil` if they are to be claimed later. Its lease has to be good.
    func submit(_ submissions: [Submission], now: Timestamp, claimant: Claimant?) async throws -> [Result<
        SubmissionReceipt, JournalError
    >]

    /// Records a decision, if the approval still waits for one.
    ///
    /// - Returns: the approval as it stands now: with this decision, or with what ended it before (then
    ///   `isNew` is false and nothing was done); `nil` if there is no such approval.
    func decide(approval: String, _ decision: Decision) async throws -> (
        approval: ApprovalRecord, isNew: Bool
    )?

    /// Tells reminders: each event with the runs it starts, the note in the approval's run, and that it was told,
    /// all in one transaction.
    ///
    /// Each member stands for itself. One whose number is not the next one of a waiting approval does nothing, so
    /// that a reminder is told once whoever tells it; one whose event is refused is refused and stays due.
    func remind(_ reminders: [Reminder], now: Timestamp) async throws -> [Result<
        ReminderReceipt, JournalError
    >]

    /// Asks a run to end; the next ``claim(host:namespace:now:limit:only:)`` says so to the host that works on it.
    ///
    /// A run that has not started, or that needs attention, is `cancelled` at once. One that was asked before, or is
    /// forced, is `terminated` at once: its host's next commit is refused.
    ///
    /// - Parameters:
    ///   - error: why, as the run will show it: `{kind: "cancelled", code, message, by, …}`.
    ///   - isForced: without asking its script.
    /// - Returns: `nil` if there is no such run.
    func cancel(run: String, error: Payload, isForced: Bool, now: Timestamp) async throws -> Cancellation?

    /// Does something to a run for a person, with its audit record and a note on the run.
    ///
    /// Where the note names a batch, its item is done with it, and nothing is done twice; an item that is refused stays
    /// pending until ``refuseItem(batch:run:error:now:)``.
    ///
    /// - Returns: what became of it; `nil` if there is no such run.
    func act(on run: String, _ action: RunAction, note: ActionNote, now: Timestamp) async throws
        -> ActionResult?

    /// A page of what people did, newest first.
    func audit(_ query: AuditQuery) async throws -> AuditPage

    /// Keeps a batch and the runs that it is about, which do not change any more, with its audit record.
    ///
    /// - Parameter runs: public ids, each once; one that is twice counts once.
    /// - Throws: ``JournalError/invalid(_:)`` if its id is taken.
    func createBatch(_ batch: Batch, runs: [String]) async throws -> Batch

    /// Lets a batch go on, pauses it or ends it, with its audit record.
    ///
    /// - Returns: the batch, and whether it was changed: one that has ended is not; `nil` if there is none.
    func steerBatch(_ id: String, to status: Batch.Status, note: ActionNote, now: Timestamp) async throws
        -> (batch: Batch, isChanged: Bool)?

    /// Says that a run of a batch can't be acted on.
    func refuseItem(batch: String, run: String, error: Payload, now: Timestamp) async throws

    /// A batch as it stands; `nil` if there is none.
    func batch(id: String) async throws -> Batch?

    /// Batches, newest first.
    ///
    /// - Parameters:
    ///   - isFinal: only those that have ended, or that have not; `nil` for all.
    ///   - limit: at most this many, 1 to 500.
    func batches(namespace: String, isFinal: Bool?, limit: Int) async throws -> [Batch]

    /// The runs of a batch in their order.
    func batchItems(_ query: BatchItemQuery) async throws -> [BatchItem]

    /// How many runs that a batch acted on are queued or running.
    func activeRuns(batch: String) async throws -> Int

    /// A version of a workflow by its number; `nil` if there is none.
    func version(namespace: String, workflow: String, number: Int) async throws -> WorkflowVersion?

    /// Keeps a version of a workflow.
    ///
    /// The same texts as in the newest version are that version.
    ///
    /// - Parameters:
    ///   - bundle: the hash of the texts.
    ///   - files: the texts by path, complete; at least one.
    ///   - rules: what counts from now on for the workflow's runs of every version. Runs whose turn has come by a new
    ///     limit can be claimed at `now`; with a lower one no further turn comes until enough runs have ended.
    /// - Throws: ``JournalError/invalid(_:)`` if there are no texts, or a rule is out of its bounds.
    func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String],
        rules: WorkflowRules, now: Timestamp
    ) async throws -> WorkflowVersion

    /// The texts of a bundle by path; `nil` if there is no such bundle.
    func files(bundle: String) async throws -> [String: String]?

    /// A part of a run's entries in order.
    ///
    /// - Parameters:
    ///   - after: the entries after this sequence, 0 for all.
    ///   - limit: at most this many, 1 or more.
    func entries(run: Int64, after: Int, limit: Int) async throws -> [Entry]

    /// A run by its public id; `nil` if there is none.
    func run(id: String) async throws -> RunRecord?

    /// How a run stands to others: its children, the locks that it holds, and those that it waits for; `nil` if there
    /// is no such run.
    func relations(run id: String) async throws -> RunRelations?

    /// A durable value of a workflow, or of the namespace (see ``Commit/writes`` and
    /// ``StateWrite/sharedWorkflow``); `nil` if there is none.
    func state(namespace: String, workflow: String, key: String) async throws -> Payload?

    /// A page of runs, newest first.
    ///
    /// - Throws: ``JournalError/invalid(_:)`` if the query's limit is out of its bounds; so do the other methods that
    ///   take a limit.
    func runs(_ query: RunQuery) async throws -> RunPage

    /// Everything that is recorded of a run; `nil` if there is none.
    func history(run id: String) async throws -> RunHistory?

    /// An approval by its id; `nil` if there is none.
    func approval(id: String) async throws -> ApprovalRecord?

    /// Approvals, those that are due first first, then the oldest.
    ///
    /// - Parameters:
    ///   - status: only these; `nil` for all.
    ///   - kinds: any of these; empty for all.
    ///   - limit: at most this many, 1 to 500.
    func approvals(
        namespace: String, status: ApprovalStatus?, kinds: Set<ApprovalKind>, limit: Int
    ) async throws -> [ApprovalRecord]

    /// Waiting approvals whose next reminder is due, without those whose time to decide is over.
    ///
    /// - Parameter limit: at most this many, 1 to 500.
    func dueReminders(namespace: String, now: Timestamp, limit: Int) async throws -> DueReminders

    /// Removes ended runs that need not be kept any longer, with all that belongs to them, and old events.
    ///
    /// A run goes when it ended longer ago than the newest version of its workflow says (``WorkflowRules/keep``), or
    /// than ``Expiry/keep`` where that says nothing; with it go its entries, annotations and approvals, and the
    /// idempotency keys of requests that started it alone. It is as if it had never been: its id and its key are free.
    /// Once all runs were looked at, events go that are older than ``Expiry/keep``, that started no run which is still
    /// there, and that no run which has not ended could look back at, and with them their idempotency keys.
    ///
    /// Gates go at which nothing happened for a day, and kept replies (``KeptReply``) that are too old to be given.
    ///
    /// Each call does about ``Expiry/limit`` rows of work; call it again while ``Removal/nextCursor`` is not `nil`.
    func removeExpired(_ expiry: Expiry, now: Timestamp) async throws -> Removal

    /// What the store takes of the disk; nothing where it is no file.
    func space() async throws -> StoreSpace

    /// Gives free space back to the system, in one short transaction.
    ///
    /// The file is shorter once the log is copied, at the latest by ``copyLog()``. It does nothing where nothing
    /// is free or the store can't give back while in use.
    ///
    /// - Parameter bytes: about how much at most, 1 or more; space comes in pages.
    /// - Returns: what the store takes then.
    func giveBack(bytes: Int) async throws -> StoreSpace

    /// Copies the log into the file, which then ends where its last page does, unless a read needs the log just now.
    ///
    /// The log keeps its length and is written from its beginning.
    ///
    /// - Returns: what the store takes then.
    func copyLog() async throws -> StoreSpace

    /// The schedules of a namespace in order of their ids, also those that no workflow declares any more.
    func schedules(namespace: String) async throws -> [ScheduleRecord]

    /// Moves a schedule on and starts the runs that are due, in one transaction.
    ///
    /// It is done only if the schedule still has the revision that was read (0 for one that is not stored), so that
    /// of two hosts that deal with the same occurrence one does it. The runs start as
    /// ``submit(_:now:claimant:)`` starts them.
    ///
    /// - Returns: `nil` if the schedule has another revision; then nothing was done.
    /// - Throws: ``JournalError/invalid(_:)`` if more than ``ScheduleRecord/mostPending`` occurrences are pending, or a
    ///   run can't be started; then nothing was done.
    func advance(_ advance: ScheduleAdvance, now: Timestamp) async throws -> ScheduleReceipt?

    /// Keeps a sealed secret, with its audit record.
    ///
    /// - Parameters:
    ///   - secret: the secret as it is to be. Its ``SealedSecret/createdAt`` counts only where there is none yet.
    ///   - replacing: the sealed bytes that it takes the place of; `nil` for whatever there is.
    /// - Returns: the secret as it stands now; `nil` if other bytes, or none, are stored than those that it was to
    ///   replace: then nothing was done.
    func saveSecret(_ secret: SealedSecret, replacing: Payload?, note: ActionNote, now: Timestamp)
        async throws
        -> SealedSecret?

    /// Removes a secret, with its audit record.
    ///
    /// - Returns: what was removed; `nil` if there was none, and nothing was recorded.
    func removeSecret(_ name: String, namespace: String, note: ActionNote, now: Timestamp) async throws
        -> SealedSecret?

    /// A secret as it is sealed; `nil` if there is none.
    func secret(_ name: String, namespace: String) async throws -> SealedSecret?

    /// The secrets of a namespace as they are sealed, in order of their names.
    func secrets(namespace: String) async throws -> [SealedSecret]

    /// Checks that the store can be written now.
    ///
    /// - Throws: ``JournalError`` where it can't.
    func checkWritable() async throws

    /// A number that was drawn when the store was made, and that nobody outside should know.
    ///
    /// The places of strings in the tables of scripts follow from it, in every replay alike.
    ///
    /// - Throws: ``JournalError`` where the store can't be read.
    func hashSeed() async throws -> UInt32
}

extension Journal {
    /// Accepts events and runs, which are claimed later.
    public func submit(_ submissions: [Submission], now: Timestamp) async throws -> [Result<
        SubmissionReceipt, JournalError
    >] {
        try await submit(submissions, now: now, claimant: nil)
    }

    /// Approvals of every kind, those that are due first first, then the oldest.
    ///
    /// - Parameters:
    ///   - status: only these; `nil` for all.
    ///   - limit: at most this many, 1 to 500.
    /// - Throws: ``JournalError`` if the store fails or the limit is out of its bounds.
    public func approvals(
        namespace: String, status: ApprovalStatus?, limit: Int
    ) async throws -> [ApprovalRecord] {
        try await approvals(namespace: namespace, status: status, kinds: [], limit: limit)
    }

    /// Keeps a version of a workflow that asks for nothing.
    public func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String], now: Timestamp
    ) async throws -> WorkflowVersion {
        try await saveVersion(
            namespace: namespace, workflow: workflow, bundle: bundle, files: files,
            rules: WorkflowRules(), now: now)
    }
}
