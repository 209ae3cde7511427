import PerigeeJournal

/// What the world tells the run, what the run does to the world, and its end.
extension RunMachine {
    /// Keeps what the world told; ``settle(at:)`` gives it to the script.
    mutating func receive(_ input: Input) {
        inbox.append(input)
    }

    /// What the journal had for the run when it was claimed, or while it went on.
    mutating func take(_ claimed: ClaimedRun) {
        run.epoch = claimed.run.epoch
        for answer in claimed.answers where !answers.contains(where: { $0.wait == answer.wait }) {
            answers.append(answer)
        }
    }

    private var isAskedToEnd: Bool {
        inbox.contains { if case .endRequested = $0 { true } else { false } }
    }

    /// Whether the world has told what the script has not been given.
    var hasInput: Bool { !inbox.isEmpty || answers.contains { waiting[$0.wait] != nil || $0.isResult } }

    /// What follows when every branch has come to a stop.
    mutating func settle(at now: Timestamp) -> Settled {
        if let next { return .act(.commit(commit(next: next, at: now))) }
        if !log.isConsumed {
            if replayNext() { return .advance }
            // A request to end that finds every branch shielded was all that was left.
            guard log.isConsumed || canGoBeyond else {
                return .diverged(divergence(at: fresh.first.flatMap { step(of: $0) }))
            }
        }
        while !inbox.isEmpty || !answers.isEmpty {
            if takeAnswer(at: now) || takeInput(at: now) { return .advance }
            if next != nil { return settle(at: now) }
        }
        begin(at: now)
        if let next { return .act(.commit(commit(next: next, at: now))) }
        if !ready.isEmpty { return .advance }
        return .act(action(at: now))
    }

    /// Whether what was taken back is done again now, although the script has not come to all that is recorded: other
    /// branches begin when these have ended.
    private var canGoBeyond: Bool {
        guard log.hasHoles, !(fresh.isEmpty && effects.isEmpty && waiting.isEmpty) else { return false }
        return fresh.allSatisfy { !log.isRecorded(inside: branches[$0]?.frames[0].path ?? "") }
    }

    func step(of branch: Int) -> Step? {
        switch branches[branch]?.block {
        case .fresh(let step, _)?, .wait(let step, _, _)?, .effect(let step, _)?: step
        case .recorded?, .join?, nil: nil
        }
    }

    /// The steps at which branches are, in the order of the branches.
    var underWay: [StepAddress] { branches.keys.sorted().compactMap { step(of: $0)?.address } }

    /// Gives a branch what is recorded for it, the oldest first.
    mutating func replayNext() -> Bool {
        if log.isEndDue, let request = log.takeEndRequest(), requestEnd(request) { return true }
        var address = log.nextCompleted
        if address.flatMap({ replaying[$0] }) == nil { address = firstReplaying() }
        guard let address, let branch = replaying.removeValue(forKey: address) else {
            return log.hasHoles && log.takeEndRequest().map { requestEnd($0) } ?? false
        }
        makeReady(branch, .outcome(takeRecorded(address)))
        return true
    }

    /// Of an edited script, that asks in another order: what was recorded first among what it asked for.
    private mutating func firstReplaying() -> StepAddress? {
        let sequences = replaying.keys.map { ($0, log.completed(at: $0)?.sequence ?? .max) }
        return sequences.min { $0.1 < $1.1 }?.0
    }

    /// Takes over the oldest answer that a branch waits for.
    mutating func takeAnswer(at now: Timestamp) -> Bool {
        while !answers.isEmpty {
            let answer = answers.removeFirst()
            if answer.isResult {
                if takeResult(answer, at: now) { return true }
                continue
            }
            guard let branch = waiting.removeValue(forKey: answer.wait) else { continue }
            guard case .wait(let step, _, let next)? = branches[branch]?.block else { continue }
            if let next {
                goOn(next, step, answer, for: branch, at: now)
                continue
            }
            let outcome = StepPlan.outcome(of: answer, verb: step.verb, publicURL: publicURL)
            unsaved.closes.append(answer.wait)
            complete(step, outcome, attempts: 1, startedAt: answer.at, at: now)
            makeReady(branch, .outcome(outcome))
            return true
        }
        return false
    }

    /// Takes over the outcome that a person gave to a step; returns whether a branch can go on.
    private mutating func takeResult(_ answer: WaitAnswer, at now: Timestamp) -> Bool {
        unsaved.closes.append(answer.wait)
        let found = branches.keys.sorted().first { step(of: $0)?.address == answer.address }
        guard let branch = found, let step = step(of: branch) else {
            unsaved.annotations.append(
                Annotation(
                    ordinal: nil, at: now, kind: .note, level: "warning",
                    text: "The result that was set by hand came too late: the step had ended.",
                    step: answer.address))
            return false
        }
        let outcome = Outcome.success(answer.payload ?? JSON.null.bytes)
        waiting[answer.wait] = nil
        complete(step, outcome, attempts: 1, startedAt: answer.at, at: now)
        makeReady(branch, .outcome(outcome))
        return true
    }

    mutating func takeInput(at now: Timestamp) -> Bool {
        guard !inbox.isEmpty else { return false }
        switch inbox.removeFirst() {
        case .effectEnded(let token, let end): return takeEnd(of: token, end, at: now)
        case .pauseRequested:
            isPausing = ending == nil
            return false
        case .endRequested(let status, let error):
            guard ending == nil else { return false }
            isPausing = false
            let sequence = log.nextSequence
            record(.endRequested(status, error: error), at: now)
            return requestEnd(RunLog.EndRequest(status: status, error: error, sequence: sequence))
        }
    }

    /// Lets the script unwind; returns whether a branch can go on.
    mutating func requestEnd(_ request: RunLog.EndRequest) -> Bool {
        ending = request
        cancelBlocked { _ in true }
        return !ready.isEmpty
    }

    /// Begins the steps at which branches have come to a stop.
    mutating func begin(at now: Timestamp) {
        guard !isPausing else { return }
        let numbers = fresh
        fresh = []
        for number in numbers {
            guard next == nil, case .fresh(let step, let plan)? = branches[number]?.block else { continue }
            switch plan {
            case .wait(let kind, let dueAt): wait(kind, dueAt: dueAt, step, for: number, at: now)
            case .effect(let effect): begin(effect, step, for: number, at: now)
            case .read(let key): read(key, step, for: number, at: now)
            case .child(let child): start(child, step, for: number, at: now)
            case .goOn(let continuation): goOn(continuation, step, for: number, at: now)
            case .stop(let text):
                let reason = JSON.object(text.map { ["reason": .string($0)] } ?? [:])
                next = .ended(.stopped, output: reason.bytes, error: nil)
            case .attention(let error): attention(error.json, at: step)
            case .emit, .write: break
            }
        }
    }

    /// - Parameters:
    ///   - attempts: how many were made at the step before.
    ///   - then: the effect that begins when the wait has ended; without one, the step has ended with it.
    mutating func wait(
        _ kind: Wait.Kind, dueAt: Timestamp?, _ step: Step, for branch: Int, attempts: Int = 0,
        then: Effect? = nil, at now: Timestamp
    ) {
        let wait = WaitID.make(run: run.id, sequence: log.nextSequence, kind: kind)
        record(.waitOpened(step, wait: wait, attempts: attempts), at: now)
        unsaved.opens.append(
            Wait(id: wait, address: step.address, kind: kind, openedAt: now, dueAt: dueAt))
        waiting[wait] = branch
        branches[branch]?.block = .wait(step, id: wait, then: then)
    }

    mutating func perform(_ effect: Effect, _ step: Step, for branch: Int) {
        effectCount += 1
        effects[effectCount] = (branch, step, effect)
        starting.append(Start(effect: effect, step: step, token: effectCount))
        branches[branch]?.block = .effect(step, token: effectCount)
    }

    mutating func action(at now: Timestamp) -> Action {
        if effects.isEmpty { return .commit(commit(next: isPausing ? .paused : .waiting, at: now)) }
        let needsRecord = starting.isEmpty || starting.contains(where: needsRecord)
        if unsaved.hasFacts, needsRecord { return .commit(commit(next: .running, at: now)) }
        return starting.isEmpty ? .rest : .perform(takeStarting())
    }

    mutating func takeStarting() -> [Start] {
        defer { starting = [] }
        return starting
    }

    /// What follows once the last commit is durable.
    mutating func committed(_ commit: Commit) -> Action {
        guard commit.next == .running else { return .release }
        // Nothing begins any more that a request to end is going to break off.
        guard !isAskedToEnd else { return .rest }
        return starting.isEmpty ? .rest : .perform(takeStarting())
    }

    /// The script returned, failed or was ended; ``settle(at:)`` then gives the last commit.
    mutating func end(_ end: Commit.Next) {
        // A run that is tried again goes on inside the locks that it had.
        if case .attention = end { unsaved.unlocks = [] }
        next = end
    }

    /// The run can't go on until a person resolves this.
    mutating func attention(_ error: JSON, at step: Step?) {
        var fields = error.object ?? [:]
        if let step { fields["step"] = .string(step.address.label) }
        end(.attention(error: JSON.object(fields).bytes))
    }

    /// A hook of the workflow runs before the end that was decided.
    ///
    /// Its steps have addresses of their own, and nothing cancels it.
    mutating func beginHook(_ name: String) {
        for number in branches.keys.sorted() { makeReady(number, .start) }
        branches = [0: Branch(number: 0, path: name, shield: 1)]
        ready = [(0, .start)]
        next = nil
    }

    /// What the script's end comes to.
    var decided: Commit.Next? { next }

    /// What is to be shown at once although the script goes on; `nil` if there is nothing.
    mutating func besideCommit(at now: Timestamp) -> Commit? {
        guard !unsaved.hasFacts, unsaved.isShown else { return nil }
        // Locks are given back by a commit that the run waits for.
        let (releases, unlocks) = (unsaved.releases, unsaved.unlocks)
        defer { (unsaved.releases, unsaved.unlocks) = (releases, unlocks) }
        (unsaved.releases, unsaved.unlocks) = ([], [])
        return commit(next: .running, at: now)
    }

    mutating func commit(next: Commit.Next, at now: Timestamp) -> Commit {
        defer { unsaved = Unsaved() }
        return unsaved.commit(of: self, next: next, at: now)
    }
}
