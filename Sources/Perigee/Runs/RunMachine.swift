import PerigeeJournal
import PerigeeLua

/// What a script asked for by a durable verb.
struct StepRequest: Sendable {
    var verb: String
    var label: String
    /// What the label was in an earlier version.
    var was: String?
    var arguments: Payload
    var secrets: [SecretUse]
    var line: Int
    /// The outcome, for a verb that the host answers by itself.
    var known: Outcome?
    /// For a verb that starts another run.
    var target: NamedWorkflow?
    /// Whether the verb can't suspend the script.
    var isImmediate = false
}

/// Decides what a run does next.
///
/// It looks at no clock, performs nothing and waits for nothing: an event goes in, an action comes out, and
/// what is not yet durable is kept as ``Unsaved``. The script's branches run one after the other, each until it comes
/// to a step; when all have come to a stop, ``settle(at:)`` says what follows.
struct RunMachine {
    /// What follows a script's request.
    enum Answer: Sendable {
        /// Goes on at once with this outcome.
        case deliver(Outcome)
        case cancel(Payload)
        /// The branch is suspended.
        case suspend
        /// The record and the script disagree.
        case diverged(Divergence)
    }

    /// An effect that is to begin.
    struct Start: Sendable {
        var effect: Effect
        var step: Step
        var token: Int
    }

    /// What the driver does next.
    enum Action: Sendable {
        /// Makes this durable and says ``committed(_:)``.
        case commit(Commit)
        /// Performs these and says ``receive(_:)`` as each ends.
        case perform([Start])
        /// Lets the run go: it waits, needs attention or has ended, and that is durable.
        case release
        /// Waits for the effects that are under way.
        case rest
    }

    /// What follows when every branch has come to a stop.
    enum Settled: Sendable {
        /// A branch can go on.
        case advance
        case act(Action)
        case diverged(Divergence)
    }

    /// What the world told the run.
    enum Input: Sendable {
        case effectEnded(token: Int, EffectEnd)
        case endRequested(RunStatus, error: Payload)
        case pauseRequested
    }

    var run: RunRecord
    var epoch: Int64 { run.epoch }
    /// The time that the script sees: when the last outcome that it was given was recorded.
    var scriptTime: Timestamp
    var random: SeededRandom
    /// The base of links to pages.
    let publicURL: String

    var log: RunLog
    var branches: [Int: Branch]
    var branchCount = 1
    /// Branches that can go on, in order.
    var ready: [(branch: Int, delivery: Branch.Delivery)] = [(0, .start)]
    /// The branch that runs or ran last.
    var current = 0
    /// Branches whose outcomes are in the journal and wait for their turn.
    var replaying: [StepAddress: Int] = [:]
    /// Branches with a step that has not begun, in order.
    var fresh: [Int] = []
    var waiting: [String: Int] = [:]
    var answers: [WaitAnswer] = []
    var effects: [Int: (branch: Int, step: Step, effect: Effect)] = [:]
    var effectCount = 0
    var starting: [Start] = []
    var droppedEffects: [Int] = []
    var inbox: [Input] = []
    /// Why the run is ending by request.
    var ending: RunLog.EndRequest?
    /// Nothing begins any more, because somebody asked to pause the run.
    var isPausing = false
    var next: Commit.Next?
    var notes: RunNotes
    var changes: [String: Bool] = [:]
    var unsaved = Unsaved()
    /// Locks that the script gave back before it did anything new.
    var replayedUnlocks: Set<String> = []

    /// Takes a claimed run up with what the journal has of it.
    init(_ claimed: ClaimedRun, entries: [Entry], publicURL: String) {
        run = claimed.run
        self.publicURL = publicURL
        scriptTime = claimed.run.scriptStart
        random = SeededRandom(run: claimed.run.seed)
        log = RunLog(entries)
        notes = RunNotes(generation: log.resets)
        branches = [0: Branch(number: 0, path: "")]
        unsaved.releases = Lock.takenBack(entries)
        take(claimed)
    }

    var isFull: Bool { log.nextSequence > RunMachine.maxEntries || log.bytes > RunMachine.maxBytes }

    /// Whether the branch that runs has not yet reached everything that is recorded.
    ///
    /// Where entries were taken back, that is everything of the branch itself; otherwise, of the whole run.
    var isReplaying: Bool {
        !log.isConsumed && log.isRecorded(inside: branches[current]?.frames[0].path ?? "")
    }

    /// A step that is recorded and that the script has not yet asked for.
    var nextRecorded: StepAddress? { log.next }

    var hasOpenWaits: Bool { !waiting.isEmpty }

    // MARK: The script asks

    /// Answers a durable verb.
    mutating func request(_ request: StepRequest, at now: Timestamp) -> Answer {
        guard let (branch, address) = nextAddress(request.label) else { return .suspend }
        if let error = cancellation(of: branch) { return .cancel(error) }
        let step = Step(
            address: address, verb: request.verb, arguments: request.arguments, line: request.line)
        if let recorded = recordedAddress(address, was: request.was) {
            return replay(recorded, step, request, at: now)
        }
        if request.isImmediate || request.known != nil { return finish(step, request.known, at: now) }
        guard !isFull else { return .deliver(.failure(RunMachine.tooLong.bytes)) }
        do {
            let plan = try StepPlan(
                step, secrets: request.secrets, run: run, target: request.target, now: now)
            branches[current]?.block = .fresh(step, plan)
            fresh.append(current)
            return .suspend
        } catch {
            return .deliver(.failure(error.bytes))
        }
    }

    /// The branch that asks, and the address of its next use of a label.
    mutating func nextAddress(_ label: String) -> (branch: Branch, address: StepAddress)? {
        // Counted in its place: what a branch has counted may be long, and a copy of it would be made anew.
        guard let address = branches[current]?.address(label), let branch = branches[current] else {
            return nil
        }
        return (branch, address)
    }

    mutating func recordedAddress(_ address: StepAddress, was: String?) -> StepAddress? {
        if log.isRecorded(address) { return address }
        guard let was else { return nil }
        let before = StepAddress(path: address.path, label: was, occurrence: address.occurrence)
        return log.isRecorded(before) ? before : nil
    }

    mutating func replay(
        _ address: StepAddress, _ step: Step, _ request: StepRequest, at now: Timestamp
    ) -> Answer {
        if let open = log.openWait(at: address) {
            log.takeOpenWait(address)
            return goOnWaiting(open, step, request, at: now)
        }
        guard let found = log.completed(at: address) else { return .suspend }
        guard found.verb == step.verb else {
            return .diverged(Divergence(step: step, kind: .otherVerb(recorded: found.verb)))
        }
        // What was recorded after a request to end is given out after the script has been told of that.
        let isNext = !log.isEndDue && (branches.count == 1 || log.nextCompleted == address)
        guard request.isImmediate || isNext else {
            branches[current]?.block = .recorded(address)
            replaying[address] = current
            return .suspend
        }
        return .deliver(takeRecorded(address))
    }

    mutating func takeRecorded(_ address: StepAddress) -> Outcome {
        guard let found = log.takeCompleted(address) else { return .success(JSON.null.bytes) }
        scriptTime = max(scriptTime, found.at)
        return found.outcome
    }

    /// A step that ends at once.
    ///
    /// A failure is not recorded: what is missing may be there when the run is tried again.
    mutating func finish(_ step: Step, _ known: Outcome?, at now: Timestamp) -> Answer {
        guard !isReplaying else { return .diverged(divergence(at: step)) }
        guard !isFull else { return .deliver(.failure(RunMachine.tooLong.bytes)) }
        var outcome = known ?? .success(JSON.null.bytes)
        if known == nil {
            do {
                let plan = try StepPlan(step, secrets: [], run: run, now: now)
                if case .emit(let type, let data) = plan {
                    unsaved.emits.append(
                        Unsaved.Emit(type: type, data: data, sequence: log.nextSequence))
                }
                if case .write(let write) = plan { unsaved.writes.append(write) }
            } catch {
                outcome = .failure(error.bytes)
            }
        }
        if case .success = outcome { complete(step, outcome, attempts: 1, startedAt: now, at: now) }
        return .deliver(outcome)
    }

    func divergence(at step: Step?) -> Divergence {
        Divergence(step: step, kind: .recordedStepMissing(nextRecorded))
    }

    // MARK: The record

    mutating func complete(
        _ step: Step, _ outcome: Outcome, attempts: Int, startedAt: Timestamp, at now: Timestamp
    ) {
        record(.stepCompleted(step, outcome, attempts: attempts, startedAt: startedAt), at: now)
        scriptTime = max(scriptTime, now)
    }

    mutating func record(_ fact: Fact, at now: Timestamp) {
        let before = (log.nextSequence, log.bytes)
        unsaved.entries.append(log.place(fact, at: now))
        if let warning = RunMachine.warning(before, (log.nextSequence, log.bytes)) {
            unsaved.annotations.append(
                Annotation(ordinal: nil, at: now, kind: .log, level: "warning", text: warning))
        }
    }

    // MARK: Shown to people

    /// Keeps an annotation, unless the run made it before or has made too many.
    mutating func annotate(
        _ kind: Annotation.Kind, level: String, text: String, data: Payload?, at now: Timestamp
    ) {
        let annotation = notes.add(
            Annotation(ordinal: nil, at: now, kind: kind, level: level, text: text, data: data))
        if let annotation, !isReplaying { unsaved.annotations.append(annotation) }
    }

    mutating func tag(_ tags: Payload) {
        if !isReplaying { unsaved.tags = tags }
    }

    mutating func setStatus(_ text: String) {
        if !isReplaying { unsaved.statusText = text }
    }
}
