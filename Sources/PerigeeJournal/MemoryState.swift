/// All facts of a ``MemoryJournal`` as one plain value.
struct MemoryState {
    /// A run with everything that belongs to it.
    struct Run {
        /// Its ``RunRecord/waits`` stay empty here; ``shown`` fills them in.
        var record: RunRecord
        /// When it can be claimed: only while nobody owns it, and not before its turn.
        var wakeAt: Timestamp?
        var concurrencyKey: String?
        /// Nothing is left of it but its place.
        var isRemoved = false
        /// Where it stands in line.
        var turn: Turn?
        /// The number of the run in whose place it stands in line, where that is not its own.
        var place: Int64?
        /// Its waits look back at events after this many.
        var eventsAfter: Int
        /// Of a run that goes on for another one: events after this many were recorded in its own time.
        var begunAfter: Int?
        /// How long it may take once it has started.
        var timeoutMilliseconds: Int64?
        /// Whether a request to end is among its entries: it unwinds, and no other request is told.
        var isEnding = false
        /// Whether its workflow's breaker holds it back.
        var isHeld = false
        var entries: [Entry] = []
        var annotations: [Annotation] = []
        /// In the order in which they were opened.
        var waits: [OpenWait] = []
        /// Events, by position, that answered one of its waits.
        var usedEvents: Set<Int> = []
    }

    struct OpenWait {
        var wait: Wait
        var answer: WaitAnswer?
        /// The run's how-manieth answer it is.
        var arrival = 0
        /// The event, by position, that answered it.
        var event: Int?
        /// The epoch in which a host was told of its answer; only of a gate's.
        var deliveredIn: Int64?
    }

    struct Event {
        var record: EventRecord
        var data: JSON
        var runs: [String] = []
        var refused: [KeyTaken] = []
        /// Nothing is left of it but its place.
        var isRemoved = false
    }

    /// Names that are unique together: a namespace and two more.
    struct Name: Hashable {
        var namespace: String
        var first: String
        var second = ""
    }

    /// By ``RunRecord/number``, which is the position plus one.
    var runs: [Run] = []
    var runNumbers: [String: Int64] = [:]
    /// By namespace, workflow and key, those that came first first.
    var runKeys: [Name: [Int64]] = [:]
    /// Runs that have not ended by namespace, workflow and concurrency key, those that came first first.
    var lines: [Name: [Int64]] = [:]
    /// Runs that can be claimed now or later.
    var wakeable: Set<Int64> = []
    /// The run of every open wait.
    var waitRuns: [String: Int64] = [:]
    var events: [Event] = []
    var eventIDs: Set<String> = []
    /// By namespace, source and source id, a position in `events`.
    var eventSources: [Name: Int] = [:]
    /// By namespace and idempotency key.
    var requests: [Name: (digest: String?, receipt: SubmissionReceipt)] = [:]
    var approvals: [String: ApprovalRecord] = [:]
    var approvalOrder: [String] = []
    /// By namespace and workflow, oldest first.
    var versions: [Name: [WorkflowVersion]] = [:]
    var bundles: [String: [String: String]] = [:]
    /// In the order in which they were granted.
    var locks: [Hold] = []
    /// By namespace and key, the waits for a lock that somebody holds, in the order of their arrival.
    var lockQueues: [Name: [String]] = [:]
    /// By namespace and workflow.
    var breakers: [Name: WorkflowBreaker] = [:]
    /// By namespace and key.
    var gates: [Name: GateLine] = [:]
    /// By a run's id, the waits for its end in the order in which they were opened.
    var endWaits: [String: [String]] = [:]
    /// The runs that each run started.
    var children: [Int64: [Int64]] = [:]
    /// By namespace, workflow and key, the values of `flow.state`.
    var values: [Name: Payload] = [:]
    /// By namespace and id.
    var schedules: [Name: Schedule] = [:]
    /// By namespace and name.
    var secrets: [Name: SealedSecret] = [:]
    /// What people did, oldest first; numbers are positions plus one.
    var audits: [AuditRecord] = []
    var batches: [String: Batch] = [:]
    var batchItems: [String: [BatchItem]] = [:]
    var batchOrder: [String] = []
    /// Until when each host's lease lasts.
    var leases: [String: Timestamp] = [:]
}

extension MemoryState {
    /// The run as callers see it.
    func shown(_ number: Int64) -> RunRecord {
        let run = self[number]
        var shown = run.record
        if [.waiting, .running, .paused].contains(shown.status) {
            shown.waits = run.waits.filter { $0.answer == nil }.map(\.wait)
        }
        shown.blockedBy = blockage(number) ?? heldBlockage(number)
        return shown
    }

    subscript(number: Int64) -> Run {
        get { runs[Int(number) - 1] }
        set { runs[Int(number) - 1] = newValue }
        _modify { yield &runs[Int(number) - 1] }
    }

    mutating func setWake(_ number: Int64, _ at: Timestamp?) {
        self[number].wakeAt = at
        if at == nil { wakeable.remove(number) } else { wakeable.insert(number) }
    }

    /// Ends a run: nothing can happen to it any more.
    @discardableResult
    mutating func end(
        _ number: Int64, _ status: RunStatus, output: Payload?, error: Payload?, at: Timestamp
    ) -> EndEffects {
        guard !self[number].record.status.isFinal else { return EndEffects() }
        letGo(number, status)
        let opensGate = dropWaits(number, now: at)
        self[number].record.output = output
        self[number].record.error = error
        self[number].record.endedAt = at
        self[number].record.cancelRequest = nil
        self[number].record.pausedAt = nil
        var effects = settleEnd(number, at: at)
        if tellBreaker(number, status, at: at) { effects.wakesRuns = true }
        if leaveLines(number, now: at) || opensGate { effects.wakesRuns = true }
        return effects
    }

    /// Nobody owns the run any more, and nothing wakes it yet.
    mutating func letGo(_ number: Int64, _ status: RunStatus) {
        self[number].record.owner = nil
        self[number].record.status = status
        setWake(number, nil)
    }

    /// Lets a run be claimed, or a paused one rest.
    mutating func free(_ number: Int64, now: Timestamp) {
        guard self[number].record.pausedAt == nil else { return letGo(number, .paused) }
        let wakeAt = self[number].wakeAt
        letGo(number, .queued)
        if self[number].turn == .waitsForTime {
            setWake(number, wakeAt)
        } else if !isInLine(number) {
            setWake(number, now)
        }
    }

    /// When something is to come for a run, as its waits stand.
    func wakeTime(of number: Int64, now: Timestamp) -> Timestamp? {
        let run = self[number]
        let isAsked = run.record.cancelRequest != nil && !run.isEnding
        guard !isAsked, !run.waits.contains(where: { $0.answer != nil }) else { return now }
        let deadline = run.isEnding ? nil : run.record.deadlineAt
        return (run.waits.compactMap(\.wait.dueAt) + [deadline].compactMap { $0 }).min()
    }
}
