import PerigeeJournal

/// What a run does to values of its workflow, to locks and to other runs.
extension RunMachine {
    /// Reads a value: at once where the run's own writes tell it, else by an effect.
    mutating func read(_ key: String, _ step: Step, for branch: Int, at now: Timestamp) {
        if case .value(let value) = StateValue.known(key, after: unsaved.writes) {
            end(step, .success(value ?? JSON.null.bytes), of: branch, at: now)
        } else {
            perform(.state(key: key), step, for: branch)
        }
    }

    /// Whether an effect needs what the run has done to be durable before it begins.
    ///
    /// A read shows nothing to anybody; it only has to see what the run itself wrote.
    func needsRecord(_ start: Start) -> Bool {
        guard case .state(let key) = start.effect else { return true }
        return StateValue.known(key, after: unsaved.writes) != .untouched
    }

    mutating func start(
        _ child: Result<ChildStart, ScriptError>, _ step: Step, for branch: Int, at now: Timestamp
    ) {
        switch child {
        case .failure(let error): end(step, .failure(error.bytes), of: branch, at: now)
        case .success(let child):
            let id = Child.id(parent: run.id, sequence: log.nextSequence, at: now)
            unsaved.starts.append(child.run(id: id))
            switch child.awaited {
            case .nothing: end(step, .success(JSON.string(id).bytes), of: branch, at: now)
            case .id: wait(.started(run: id), dueAt: nil, step, for: branch, at: now)
            case .end(let dueAt): wait(.child(run: id), dueAt: dueAt, step, for: branch, at: now)
            }
        }
    }

    mutating func goOn(
        _ continuation: Result<NewRun, ScriptError>, _ step: Step, for branch: Int, at now: Timestamp
    ) {
        switch continuation {
        case .failure(let error): end(step, .failure(error.bytes), of: branch, at: now)
        case .success(var run):
            run.id = Child.id(parent: self.run.id, sequence: log.nextSequence, at: now)
            unsaved.continuation = run
            next = .ended(.continued, output: nil, error: nil)
        }
    }

    /// A step of a suspended branch ends without anybody outside.
    private mutating func end(_ step: Step, _ outcome: Outcome, of branch: Int, at now: Timestamp) {
        complete(step, outcome, attempts: 1, startedAt: now, at: now)
        branches[branch]?.block = nil
        makeReady(branch, .outcome(outcome))
    }

    /// The script gives a lock back.
    ///
    /// It is no step: a replay may say it again, and a lock that is not held is not given back.
    mutating func release(_ token: String) {
        unsaved.unlocks.append(token)
        if unsaved.entries.isEmpty { replayedUnlocks.insert(token) }
        if !isReplaying { unsaved.releasesNow = true }
    }

    /// The number of the branch that runs, and of those that it belongs to, up to the main line.
    var branchLine: [Int] {
        var line: [Int] = []
        var number: Int? = current
        while let at = number {
            line.append(at)
            number = branches[at]?.parent?.number
        }
        return line
    }
}
