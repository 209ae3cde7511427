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
    /// comes for a run that the host owns already is told in ``Claim/told``.
    ///
    /// - Parameters:
    ///   - limit: at most this many runs, 1 or more, those that could go on longest first.
    ///   - only: claim just this run, by number, even if nothing has answered its waits; it must be queued or
    ///     waiting and owned by nobody, or the claim is empty.
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
    ///
    /// However a run ends, in the same transaction its locks go to those who wait for them, its end answers those who
    /// wait for it, and its children that have not ended are left, cancelled or terminated as each one's
    /// ``RunParent/onEnd`` says. A run that needs attention keeps the locks that it has taken over.
    func commit(_ commits: [Commit]) async throws -> [Result<CommitReceipt, JournalError>]

    /// Accepts events and runs.
    ///
    /// All members of one call become durable together; each is answered by itself.
    ///
    /// An event whose namespace, source and source id are known already does nothing and gives the earlier receipt.
    /// So does an idempotency key with the same digest (which is looked at first); with another digest it is
    /// refused with
    /// ``JournalError/idempotencyKeyReused(key:)``. A new event answers every open wait of its namespace that it
    /// matches, of each run the oldest one; a run that it starts does not see it as a later event.
    func submit(_ submissions: [Submission], now: Timestamp) async throws -> [Result<
        SubmissionReceipt, JournalError
    >]

    /// Records a decision, if the approval still waits for one.
    ///
    /// - Returns: the approval as it stands now: with this decision, or with what ended it before (then
    ///   `isNew` is false and nothing was done); `nil` if there is no such approval.
    func decide(approval: String, _ decision: Decision) async throws -> (
        approval: ApprovalRecord, isNew: Bool
    )?

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

    /// Keeps a version of a workflow.
    ///
    /// The same texts as in the newest version are that version.
    ///
    /// - Parameters:
    ///   - bundle: the hash of the texts.
    ///   - files: the texts by path, complete; at least one.
    /// - Throws: ``JournalError/invalid(_:)`` if there are no texts.
    func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String], now: Timestamp
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

    /// A durable value of a workflow (see ``Commit/writes``); `nil` if there is none.
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
    /// - Parameter limit: at most this many, 1 to 500.
    func approvals(namespace: String, status: ApprovalStatus?, limit: Int) async throws -> [ApprovalRecord]

    /// The schedules of a namespace in order of their ids, also those that no workflow declares any more.
    func schedules(namespace: String) async throws -> [ScheduleRecord]

    /// Moves a schedule on and starts the runs that are due, in one transaction.
    ///
    /// It is done only if the schedule still has the revision that was read (0 for one that is not stored), so that
    /// of two hosts that deal with the same occurrence one does it. The runs start as ``submit(_:now:)`` starts them.
    ///
    /// - Returns: `nil` if the schedule has another revision; then nothing was done.
    /// - Throws: ``JournalError/invalid(_:)`` if more than ``ScheduleRecord/mostPending`` occurrences are pending, or a
    ///   run can't be started; then nothing was done.
    func advance(_ advance: ScheduleAdvance, now: Timestamp) async throws -> ScheduleReceipt?

    /// Checks that the store can be written now.
    ///
    /// - Throws: ``JournalError`` where it can't.
    func checkWritable() async throws
}
