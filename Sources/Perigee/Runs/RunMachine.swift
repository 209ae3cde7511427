import PerigeeJournal
import PerigeeLua

/// What a script asked for by a durable verb.
struct StepRequest: Sendable {
    var verb: String
    var label: String
    var arguments: Payload
    var secrets: [SecretUse]
    var line: Int
    /// The outcome, for a verb that the host answers by itself.
    var known: Outcome?
}

/// Decides what a run does next.
///
/// It looks at no clock, performs nothing and waits for nothing: an event goes in, an action comes out, and
/// what is not yet durable is kept as ``Unsaved``.
struct RunMachine {
    /// What follows a script's request.
    enum Answer: Sendable {
        /// Goes on at once with this outcome.
        case deliver(Outcome)
        /// The script is suspended; ``suspended(at:)`` says what to do.
        case suspend
        /// The record and the script disagree.
        case diverged(Divergence)
    }

    /// What the driver does next.
    enum Action: Sendable {
        /// Makes this durable and says ``committed(at:)``.
        case commit(Commit)
        /// Performs this and says ``effectEnded(_:at:)``.
        case perform(Effect, Step)
        /// Resumes the script.
        case resume(Outcome)
        /// Lets the run go: it waits, needs attention or has ended, and that is durable.
        case release
    }

    /// Why a suspended script is suspended.
    private enum Suspension {
        case wait
        case effect(Effect, Step)
        case ending
    }

    private struct Recorded {
        var verb: String
        var outcome: Outcome
        var at: Timestamp
        var sequence: Int
    }

    let run: RunRecord
    private(set) var epoch: Int64
    /// The time that the script sees: when the last outcome that it was given was recorded.
    private(set) var scriptTime: Timestamp
    var random: SeededRandom

    private var recorded: [StepAddress: Recorded] = [:]
    private var openWaits: [StepAddress: String] = [:]
    private var answers: [String: WaitAnswer] = [:]
    private var occurrences: [String: Int] = [:]
    private var noteCount = 0
    private var noteBytes = 0
    private var notesAreKept = true
    private var nextSequence: Int
    private var suspension: Suspension?
    private var current: (step: Step, wait: String)?
    private(set) var unsaved = Unsaved()

    /// The most entries that a run may have.
    static let maxEntries = 100_000

    /// The base of links to pages.
    private let publicURL: String

    /// Takes a claimed run up with what the journal has of it.
    init(_ claimed: ClaimedRun, entries: [Entry], publicURL: String) {
        run = claimed.run
        self.publicURL = publicURL
        epoch = claimed.run.epoch
        scriptTime = claimed.run.startedAt ?? claimed.run.createdAt
        random = SeededRandom(run: claimed.run.id)
        nextSequence = (entries.last?.sequence ?? 0) + 1
        for entry in entries {
            switch entry.fact {
            case .stepCompleted(let step, let outcome, _, _):
                recorded[step.address] = Recorded(
                    verb: step.verb, outcome: outcome, at: entry.recordedAt, sequence: entry.sequence)
                openWaits[step.address] = nil
            case .waitOpened(let step, let wait): openWaits[step.address] = wait
            case .versionMoved: break
            }
        }
        take(claimed.answers)
    }

    /// Whether the script has not yet reached everything that is recorded.
    var isReplaying: Bool { !recorded.isEmpty || !openWaits.isEmpty }

    /// A step that is recorded and that the script has not yet asked for.
    var nextRecorded: StepAddress? {
        recorded.min { $0.value.sequence < $1.value.sequence }?.key ?? openWaits.keys.first
    }

    // MARK: The script asks

    /// Answers a durable verb.
    mutating func request(_ request: StepRequest, at now: Timestamp) -> Answer {
        occurrences[request.label, default: 0] += 1
        let address = StepAddress(label: request.label, occurrence: occurrences[request.label] ?? 1)
        let step = Step(
            address: address, verb: request.verb, arguments: request.arguments, line: request.line)
        if let found = recorded[address] { return replay(found, step) }
        if let wait = openWaits[address] { return rejoin(wait, step, at: now) }
        guard !isReplaying else { return .diverged(divergence(at: step)) }
        guard nextSequence <= RunMachine.maxEntries else {
            return .deliver(.failure(RunMachine.tooLong.bytes))
        }
        if let known = request.known { return finish(step, known, at: now) }
        do {
            return try begin(step, StepPlan(step, secrets: request.secrets, run: run, now: now), at: now)
        } catch {
            return .deliver(.failure(error.bytes))
        }
    }

    private mutating func replay(_ found: Recorded, _ step: Step) -> Answer {
        guard found.verb == step.verb else {
            return .diverged(Divergence(step: step, kind: .otherVerb(recorded: found.verb)))
        }
        recorded[step.address] = nil
        scriptTime = max(scriptTime, found.at)
        return .deliver(found.outcome)
    }

    private mutating func rejoin(_ wait: String, _ step: Step, at now: Timestamp) -> Answer {
        guard recorded.isEmpty, openWaits.count == 1 else { return .diverged(divergence(at: step)) }
        openWaits[step.address] = nil
        current = (step, wait)
        if let answer = answers.removeValue(forKey: wait) { return .deliver(settle(answer, at: now)) }
        suspension = .wait
        return .suspend
    }

    private mutating func begin(_ step: Step, _ plan: StepPlan, at now: Timestamp) -> Answer {
        switch plan {
        case .emit(let type, let data):
            unsaved.emits.append(Unsaved.Emit(type: type, data: data, sequence: nextSequence))
            return finish(step, .success(JSON.null.bytes), at: now)
        case .wait(let kind, let dueAt):
            let wait = WaitID.make(run: run.id, sequence: nextSequence, kind: kind)
            record(.waitOpened(step, wait: wait), at: now)
            unsaved.opens.append(
                Wait(id: wait, address: step.address, kind: kind, openedAt: now, dueAt: dueAt))
            current = (step, wait)
            suspension = .wait
            return .suspend
        case .effect(let effect):
            suspension = .effect(effect, step)
            return .suspend
        case .stop(let text):
            end(.stopped, output: JSON.object(text.map { ["reason": .string($0)] } ?? [:]).bytes, error: nil)
            return .suspend
        }
    }

    /// A step that ends at once.
    ///
    /// A failure is not recorded: what is missing may be there when the run is tried again.
    private mutating func finish(_ step: Step, _ outcome: Outcome, at now: Timestamp) -> Answer {
        if case .success = outcome {
            record(.stepCompleted(step, outcome, attempts: 1, startedAt: now), at: now)
        }
        return .deliver(outcome)
    }

    private mutating func settle(_ answer: WaitAnswer, at now: Timestamp) -> Outcome {
        guard let (step, wait) = current else { return .success(JSON.null.bytes) }
        current = nil
        let outcome = StepPlan.outcome(of: answer, verb: step.verb, publicURL: publicURL)
        unsaved.closes.append(wait)
        record(.stepCompleted(step, outcome, attempts: 1, startedAt: answer.at), at: now)
        return outcome
    }

    private mutating func record(_ fact: Fact, at now: Timestamp) {
        unsaved.entries.append(Entry(sequence: nextSequence, recordedAt: now, fact: fact))
        nextSequence += 1
        scriptTime = max(scriptTime, now)
    }

    private func divergence(at step: Step) -> Divergence {
        Divergence(step: step, kind: .recordedStepMissing(nextRecorded))
    }

    private static let tooLong = ScriptError(
        code: "PG2040", kind: "limit",
        message: "The run has \(maxEntries) recorded steps, the most that one run may have.",
        hint: "Do less in one run: split the work, or start one run for each item.")

    // MARK: The script shows something to people

    /// The most that one run may log and note: lines, and bytes of them.
    static let maxAnnotations = 10_000
    static let maxAnnotationBytes = 4 * 1_048_576

    /// Keeps an annotation, unless the run made it before or has made too many.
    mutating func annotate(
        _ kind: Annotation.Kind, level: String, text: String, data: Payload?, at now: Timestamp
    ) {
        guard notesAreKept else { return }
        noteCount += 1
        noteBytes += text.utf8.count + (data?.count ?? 0)
        notesAreKept = noteCount < RunMachine.maxAnnotations && noteBytes < RunMachine.maxAnnotationBytes
        guard !isReplaying else { return }
        var annotation = Annotation(
            ordinal: noteCount, at: now, kind: kind, level: level, text: text, data: data)
        if !notesAreKept {
            annotation.kind = .log
            annotation.level = "warning"
            annotation.text =
                "This run has logged \(noteCount) lines and notes, as much as is kept of one run; the rest is left out."
            annotation.data = nil
        }
        unsaved.annotations.append(annotation)
    }

    mutating func tag(_ tags: Payload) {
        if !isReplaying { unsaved.tags = tags }
    }

    mutating func setStatus(_ text: String) {
        if !isReplaying { unsaved.statusText = text }
    }

    // MARK: The world answers

    /// What follows once the script is suspended.
    mutating func suspended(at now: Timestamp) -> Action {
        switch suspension {
        case .effect(let effect, let step):
            guard unsaved.hasFacts else {
                suspension = nil
                return .perform(effect, step)
            }
            return .commit(commit(next: .running, at: now))
        case .wait: return .commit(commit(next: .waiting, at: now))
        case .ending, nil: return .commit(commit(next: unsaved.next ?? .waiting, at: now))
        }
    }

    /// What follows once the last commit is durable.
    mutating func committed(at now: Timestamp) -> Action {
        guard case .effect(let effect, let step) = suspension else { return .release }
        suspension = nil
        return .perform(effect, step)
    }

    /// An effect ended: its outcome goes to the script, and into the next commit.
    mutating func effectEnded(_ result: EffectResult, step: Step, at now: Timestamp) -> Action {
        switch result {
        case .outcome(let outcome, let attempts, let startedAt):
            record(.stepCompleted(step, outcome, attempts: attempts, startedAt: startedAt), at: now)
            return .resume(outcome)
        case .attention(let error):
            end(error: error.json, at: step)
            return suspended(at: now)
        }
    }

    /// The run was claimed again while it still waits in memory: it goes on under its new epoch, if it can.
    mutating func wake(_ claimed: ClaimedRun, at now: Timestamp) -> Action {
        epoch = claimed.run.epoch
        take(claimed.answers)
        if let wait = current?.wait, let answer = answers.removeValue(forKey: wait) {
            suspension = nil
            return .resume(settle(answer, at: now))
        }
        return .commit(commit(next: .waiting, at: now))
    }

    private mutating func take(_ new: [WaitAnswer]) {
        for answer in new where answers[answer.wait] == nil { answers[answer.wait] = answer }
    }

    // MARK: The run ends

    /// The script returned, failed or was ended; ``suspended(at:)`` then gives the last commit.
    mutating func end(_ status: RunStatus, output: Payload?, error: Payload?) {
        suspension = .ending
        unsaved.next = .ended(status, output: output, error: error)
    }

    /// The run can't go on until a person resolves this.
    mutating func end(error: JSON, at step: Step?) {
        var fields = error.object ?? [:]
        if let step { fields["step"] = .string(step.address.label) }
        suspension = .ending
        unsaved.next = .attention(error: JSON.object(fields).bytes)
    }

    /// What is to be shown at once although the script goes on; `nil` if there is nothing.
    mutating func besideCommit(at now: Timestamp) -> Commit? {
        guard unsaved.hasOnlyAnnotations else { return nil }
        return commit(next: .running, at: now)
    }

    private mutating func commit(next: Commit.Next, at now: Timestamp) -> Commit {
        defer { unsaved = Unsaved() }
        return unsaved.commit(of: self, next: next, at: now)
    }
}

/// What a run did that is not yet durable.
struct Unsaved: Sendable {
    struct Emit: Sendable {
        var type: String
        var data: Payload
        /// The entry that records it: its place makes the event's id, so that it is never told twice.
        var sequence: Int
    }

    var entries: [Entry] = []
    var opens: [Wait] = []
    var closes: [String] = []
    var emits: [Emit] = []
    var annotations: [Annotation] = []
    var tags: Payload?
    var statusText: String?
    var next: Commit.Next?

    var hasFacts: Bool { !entries.isEmpty || !closes.isEmpty }

    var hasOnlyAnnotations: Bool {
        !hasFacts && (!annotations.isEmpty || tags != nil || statusText != nil)
    }

    func commit(of machine: RunMachine, next: Commit.Next, at now: Timestamp) -> Commit {
        let emitted = emits.map { emit in
            Submission(
                namespace: machine.run.namespace,
                event: EventRecord(
                    id: "", namespace: machine.run.namespace, source: "perigee:\(machine.run.workflow)",
                    sourceID: "\(machine.run.id)/\(emit.sequence)", type: emit.type, data: emit.data, at: now),
                starts: [])
        }
        return Commit(
            run: machine.run.number, epoch: machine.epoch, at: now, entries: entries, opens: opens,
            closes: closes,
            emits: emitted, annotations: annotations, tags: tags, statusText: statusText, next: next)
    }
}

/// Where a script and the record of its run part.
struct Divergence: Error, Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// The script asks for a step that is not recorded, before it has asked for this one, which is.
        case recordedStepMissing(StepAddress?)
        /// The same label is another verb now.
        case otherVerb(recorded: String)
        /// The script ended before it asked for this recorded step.
        case ended(StepAddress?)
    }

    var step: Step?
    var kind: Kind

    /// A sentence for people.
    var reason: String {
        let asked = step.map { "\"\($0.address.label)\" (line \($0.line))" } ?? "the end"
        switch kind {
        case .recordedStepMissing(let missing):
            return "\"\(missing?.label ?? "a step")\" already ran, and the script now comes to \(asked) first"
        case .otherVerb(let recorded):
            return "\(asked) was \(recorded) when it ran, and is \(step?.verb ?? "another verb") now"
        case .ended(let missing):
            return "\"\(missing?.label ?? "a step")\" already ran, and the script now ends without it"
        }
    }
}
