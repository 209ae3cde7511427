import PerigeeTesting
import PerigeeJournal

/// Makes operations that are mostly sound, from names that repeat so that they meet.
struct OperationMaker {
    var random: SeededGenerator
    private var made = 0
    /// The runs that there are.
    private var known: [RunRecord] = []
    /// The batch that was created last.
    private var lastBatch = "bat_1"
    /// The limits of `concurrency` that versions have.
    var limits: [Int?] = [nil, 1, 2, 3]
    private let hosts = ["host-1", "host-2", "host-3"]
    private let types = ["lead.created", "deal.won"]

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func pick<Value>(_ values: [Value]) -> Value {
        values[Int.random(in: values.indices, using: &random)]
    }

    /// - Parameters:
    ///   - runs: all runs as they stand.
    ///   - waits: ids of waits and approvals that exist or existed.
    ///   - missing: names of operations that have not succeeded yet, which it aims at.
    mutating func operation(
        runs: [RunRecord], waits: [String], missing: Set<String> = [], now: Timestamp
    ) -> Operation {
        known = runs
        if !missing.isEmpty, chance(40), let aimed = aimed(at: pick(missing.sorted()), runs, now: now) {
            return aimed
        }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<4: return .heartbeat(host: pick(hosts), lease: Int64.random(in: 1...20_000, using: &random))
        case 4..<6: return .release(host: pick(hosts))
        case 6..<28:
            let only = chance(20) ? runs.randomElement(using: &random)?.number : nil
            return .claim(host: pick(hosts), limit: Int.random(in: 1...4, using: &random), only: only)
        case 28..<67:
            let count = Int.random(in: 1...3, using: &random)
            return .commit((0..<count).compactMap { _ in commit(runs: runs, waits: waits, now: now) })
        case 67..<70: return .advance(advance(now: now), isStale: chance(10))
        case 70..<86:
            let count = Int.random(in: 1...3, using: &random)
            let claimant =
                chance(50) ? Claimant(host: pick(hosts), limit: Int.random(in: 0...2, using: &random)) : nil
            return .submit((0..<count).map { _ in submission(now: now) }, claimant: claimant)
        case 86..<88: return chance(50) ? batchOperation(runs: runs) : secretOperation(now: now)
        case 88..<91: return action(runs: runs)
        case 91..<93:
            let count = Int.random(in: 1...3, using: &random)
            return .remind(
                (0..<count).map { _ in reminder(chance(50) ? asked() : pick(waits + ["none"]), now: now) })
        case 93..<95: return .decide(chance(50) ? asked() : pick(waits + ["none"]), decision(now: now))
        case 95..<96:
            return .cancel(runs.randomElement(using: &random)?.id ?? "none", isForced: chance(20))
        case 96..<98:
            let rules = WorkflowRules(
                concurrencyLimit: pick(limits),
                keep: pick([nil, nil, .forever, .milliseconds(Int64.random(in: 0...60_000, using: &random))]),
                breaker: chance(50)
                    ? BreakerRule(
                        failures: pick([1, 2]), ratio: nil, overMilliseconds: 10_000,
                        pauseMilliseconds: pick([2000, 6000])) : nil)
            return .saveVersion(pick(["a", "b"]), text: pick(["x", "y", "z"]), rules: rules)
        case 98:
            let keep = Keep.milliseconds(Int64.random(in: 0...90_000, using: &random))
            return .removeExpired(
                Expiry(
                    namespace: chance(90) ? "main" : "second", keep: chance(90) ? keep : .forever,
                    limit: chance(70) ? 1000 : Int.random(in: 1...20, using: &random),
                    cursor: chance(40) ? expiryCursor(runs) : nil))
        default: return chance(50) ? .checkWritable : .compact
        }
    }

    private mutating func expiryCursor(_ runs: [RunRecord]) -> Expiry.Cursor {
        guard chance(50), let run = runs.filter({ $0.endedAt != nil }).randomElement(using: &random),
            let endedAt = run.endedAt
        else { return chance(30) ? .idle : .event(Int64.random(in: 0...100, using: &random)) }
        return .run(workflow: run.workflow, endedAt: endedAt, number: run.number)
    }

    /// An operation that runs take which are few among the many.
    private mutating func aimed(at name: String, _ runs: [RunRecord], now: Timestamp) -> Operation? {
        switch name {
        case "saveSecret", "removeSecret": return secretOperation(now: now)
        case "createBatch", "steerBatch", "refuseItem": return batchOperation(runs: runs)
        case "removeExpired":
            return .removeExpired(Expiry(namespace: "main", keep: .milliseconds(0), limit: 1000))
        case "remind": return .remind([reminder(asked(), now: now)])
        case "decide": return .decide(asked(), decision(now: now))
        case "a pause that goes over": return pausedContinuation(runs, now: now)
        default: break
        }
        let fitting = runs.filter { run in
            switch name {
            case "pause": run.pausedAt == nil && [.queued, .waiting, .running].contains(run.status)
            case "resume": run.pausedAt != nil
            case "retry": run.status.canBeRetried
            case "setResult": !run.waits.isEmpty
            case "retryNow": run.waits.contains { $0.kind == .retry }
            default: false
            }
        }
        guard let run = fitting.randomElement(using: &random) else { return nil }
        let wait = run.waits.first { $0.kind == .retry || name != "retryNow" }
        let address = wait?.address ?? address()
        let actions: [String: RunAction] = [
            "pause": .pause, "resume": .resume, "setResult": .setResult(address, data().bytes),
            "retry": .retry(Reopening(entryCount: run.entryCount, reset: [])), "retryNow": .retryNow(address),
        ]
        return actions[name].map { .act(run.id, $0, batch: nil) }
    }

    /// Asks to pause a run that a host works on; one of which that was asked goes on afresh.
    private mutating func pausedContinuation(_ runs: [RunRecord], now: Timestamp) -> Operation? {
        let owned = runs.filter { $0.owner != nil }
        guard let paused = owned.first(where: { $0.pausedAt != nil }) else {
            return owned.randomElement(using: &random).map { .act($0.id, .pause, batch: nil) }
        }
        var next = child(of: paused.number, now: now)
        next.workflow = paused.workflow
        return .commit([
            Commit(
                run: paused.number, epoch: paused.epoch, at: now, continuation: next,
                next: .ended(.continued, output: nil, error: nil))
        ])
    }

    private mutating func action(runs: [RunRecord]) -> Operation {
        let batch = chance(30) ? pick(["bat_1", "bat_2", "bat_3"]) : nil
        // Runs that take the rarer actions are few among the many.
        let groups = [
            runs, runs.filter { $0.pausedAt != nil }, runs.filter(\.status.canBeRetried),
            runs.filter { !$0.waits.isEmpty }, runs.filter { $0.owner != nil },
        ]
        let group = Int.random(in: groups.indices, using: &random)
        let run = groups[group].randomElement(using: &random)
        let address = run?.waits.randomElement(using: &random)?.address ?? address()
        let retry = Reopening(
            entryCount: (run?.entryCount ?? 0) + (chance(10) ? 1 : 0), reset: chance(50) ? [1, 2] : [],
            move: chance(30) ? Commit.Move(version: 2, bundle: "y") : nil,
            locks: chance(20) ? ["l1"] : [],
            result: chance(30) ? Reopening.StepResult(address: address, value: data().bytes) : nil,
            awaits: awaits(runs))
        let actions: [RunAction] = [
            .pause, .resume, .retry(retry), .setResult(address, data().bytes), .retryNow(address),
            .cancel(error: Array("{}".utf8), isForced: chance(10)),
        ]
        let fitting: RunAction = [pick(actions), .resume, actions[2], actions[3], .pause][group]
        return .act(run?.id ?? "none", chance(60) ? fitting : pick(actions), batch: batch)
    }

    private mutating func awaits(_ runs: [RunRecord]) -> [Wait] {
        guard chance(30), let other = runs.randomElement(using: &random) else { return [] }
        let opened = Timestamp(milliseconds: 1)
        return [
            Wait(
                id: name("again"), address: address(), kind: .child(run: other.id), openedAt: opened,
                dueAt: nil)
        ]
    }

    private mutating func secretOperation(now: Timestamp) -> Operation {
        let name = pick(["TOKEN", "PASSWORD"])
        if chance(30) { return .removeSecret(name) }
        let secret = SealedSecret(
            namespace: chance(90) ? "main" : "second", name: name,
            hosts: pick([[], ["api.example"], ["*.example", "a.example:8443"]]), keyID: pick(["k1", "k2"]),
            sealed: (0..<5).map { _ in UInt8.random(in: 1...255, using: &random) }, createdAt: now,
            updatedAt: now)
        return .saveSecret(secret, replaces: pick([nil, true, false]))
    }

    private mutating func batchOperation(runs: [RunRecord]) -> Operation {
        let batch = pick(["bat_1", "bat_2", "bat_3", name("bat")])
        switch Int.random(in: 0..<3, using: &random) {
        case 0:
            let chosen = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                runs.randomElement(using: &random)?.id ?? "none"
            }
            lastBatch = batch
            return .createBatch(batch, runs: chosen)
        case 1:
            // The others may all have ended.
            return .steerBatch(chance(50) ? lastBatch : batch, pick(Batch.Status.allCases))
        default: return .refuseItem(batch: batch, run: runs.randomElement(using: &random)?.id ?? "none")
        }
    }

    private mutating func name(_ prefix: String) -> String {
        made += 1
        return "\(prefix)_\(made)"
    }

    /// An approval that can be decided, if there is one.
    private mutating func asked() -> String {
        let open = known.flatMap(\.waits).filter {
            if case .approval = $0.kind { true } else { false }
        }
        return open.randomElement(using: &random)?.id ?? "none"
    }

    private mutating func data() -> JSON {
        pick([
            ["n": 1, "s": "a"], ["n": 1.0], ["n": 2.5, "deep": ["n": 1]], ["s": "ab", "flag": true], [], 7,
            ["deep": ["n": 3]], ["n": nil],
        ])
    }

    private mutating func match() -> EventMatch {
        EventMatch(
            pick([
                [:], ["n": 1], ["n": 1, "s": "a"], ["deep.n": 1], ["s": ["prefix": "a"]], ["n": ["gt": 1]],
                ["n": [1, 2.5]], ["n": ["exists": false]], ["flag": true], ["s": ["ne": "a"]],
            ]))
    }

    mutating func submission(now: Timestamp) -> Submission {
        let namespace = chance(90) ? "main" : "second"
        var submission = Submission(namespace: namespace, starts: [])
        if chance(70) {
            // Few source ids make duplicates; a namespace that is not the submission's is refused.
            submission.event = EventRecord(
                id: name("evt"), namespace: chance(95) ? namespace : "other", source: pick(["crm", "shop"]),
                sourceID: chance(80) ? name("id") : pick(["id_1", "id_2"]), type: pick(types),
                data: data().bytes, at: now, correlationID: chance(30) ? name("c") : nil,
                causationID: chance(30) ? name("cause") : nil)
        }
        if chance(15) {
            submission.idempotencyKey = pick(["k1", "k2", "k3", name("k")])
            submission.requestDigest = pick(["d1", "d2"])
        }
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let isBroken = chance(10)
            submission.starts.append(
                NewRun(
                    id: chance(96) ? name("run") : "run_1", workflow: pick(["a", "b"]), version: 1,
                    bundle: "x",
                    key: chance(20) ? pick(["key1", "key2", name("key")]) : nil,
                    onConflict: pick([
                        .useExisting, .reject, .queue, .cancelExisting(error: Array(#"{"k":1}"#.utf8)),
                    ]),
                    concurrencyKey: chance(40) ? pick(["", "slot1", "slot2"]) : nil, input: data().bytes,
                    trigger: Array("{}".utf8), correlationID: "c", status: isBroken ? .attention : .queued,
                    error: isBroken ? Array("{}".utf8) : nil,
                    timeoutMilliseconds: chance(20) ? Int64.random(in: 1...30_000, using: &random) : nil,
                    entries: chance(10) ? [entry(1, now: now), entry(chance(90) ? 3 : 1, now: now)] : [],
                    startedBy: chance(20) ? ActionNote(by: "ana", action: "start") : nil,
                    forkOf: chance(5) ? "run_2" : nil))
        }
        return submission
    }

    mutating func advance(now: Timestamp) -> ScheduleAdvance {
        var submission = submission(now: now)
        let isNew = chance(50)
        let schedule = ScheduleRecord(
            namespace: submission.namespace, id: pick(["sch_1", "sch_2"]), workflow: pick(["a", "b"]),
            lastOccurrence: now, lastStarted: isNew ? now : nil,
            pending: (0..<(chance(3) ? 1001 : pick([0, 0, 1, 3]))).map { now.adding(milliseconds: $0) },
            withdrawnAt: chance(20) ? now : nil, note: chance(30) ? name("note") : nil)
        if chance(20) { submission.starts = [] }
        return ScheduleAdvance(
            schedule: schedule, starts: submission.starts, terminates: chance(30) ? Array("{}".utf8) : nil)
    }

    mutating func commit(runs: [RunRecord], waits: [String], now: Timestamp) -> Commit? {
        let owned = runs.filter { $0.owner != nil }
        guard let run = (chance(93) ? owned : runs).randomElement(using: &random) else { return nil }
        var commit = Commit(
            run: run.number, epoch: run.epoch - (chance(3) ? 1 : 0), at: now, next: next())
        let first = run.entryCount + (chance(3) ? 2 : 1)
        for offset in 0..<Int.random(in: 0...2, using: &random) {
            commit.entries.append(entry(first + offset, now: now))
        }
        for _ in 0..<Int.random(in: 0...2, using: &random) { commit.opens.append(wait(waits, now: now)) }
        for _ in 0..<Int.random(in: 0...3, using: &random) where !waits.isEmpty {
            commit.closes.append(pick(waits))
            if chance(70), let closed = commit.closes.last { commit.failures[closed] = chance(50) }
        }
        relate(&commit, waits, now: now)
        if chance(25) { commit.emits.append(submission(now: now)) }
        if chance(8) { commit.emits.append(submission(now: now)) }
        if chance(20) { commit.annotations.append(annotation(now: now)) }
        if chance(10) { commit.tags = Array(#"{"t":"\#(made)"}"#.utf8) }
        if chance(10) { commit.statusText = name("status") }
        if chance(30) { commit.watches = true }
        if chance(8) { commit.prunes = [pick(["p", "p/q", "x"])] }
        if chance(5) { commit.move = Commit.Move(version: 2, bundle: "y") }
        return commit
    }

    /// Locks, values and runs that the commit's run starts.
    private mutating func relate(_ commit: inout Commit, _ waits: [String], now: Timestamp) {
        for _ in 0..<Int.random(in: 0...2, using: &random) where !waits.isEmpty {
            commit.releases.append(pick(waits))
        }
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let change: StateWrite.Change =
                switch Int.random(in: 0..<6, using: &random) {
                case 0: .delete
                case 1: .set(data().bytes)
                case 2: .add(.double(0.5))
                default: .add(.int(chance(90) ? 1 : .max))
                }
            commit.writes.append(StateWrite(key: pick(["s1", "s2"]), change: change, isShared: chance(20)))
        }
        if chance(25) { commit.starts.append(child(of: commit.run, now: now)) }
        let isContinued = if case .ended(.continued, _, _) = commit.next { true } else { false }
        if isContinued != chance(4) {
            commit.continuation = child(of: commit.run, now: now)
            if chance(95), let own = known.first(where: { $0.number == commit.run }) {
                commit.continuation?.workflow = own.workflow
            }
        }
        guard let start = commit.starts.first, chance(50) else { return }
        let kind: Wait.Kind = chance(60) ? .child(run: start.id) : .started(run: start.id)
        commit.opens.append(
            Wait(id: name("wait"), address: address(), kind: kind, openedAt: now, dueAt: nil))
    }

    /// A run that another one starts; `known` are the ids of all runs.
    private mutating func child(of number: Int64, now: Timestamp) -> NewRun {
        let parent = known.first { $0.number == number }
        return NewRun(
            id: chance(97) ? name("run") : "run_1", workflow: pick(["a", "b"]), version: 1, bundle: "x",
            key: chance(20) ? pick(["key1", "key2"]) : nil,
            onConflict: pick([.useExisting, .reject, .queue, .cancelExisting(error: Array(#"{"k":1}"#.utf8))]
            ),
            concurrencyKey: chance(40) ? pick(["", "slot1"]) : nil, input: data().bytes,
            trigger: Array("{}".utf8),
            correlationID: "c", startAt: chance(20) ? now.adding(milliseconds: 3000) : nil,
            parent: parent.map {
                RunParent(
                    run: $0.id, step: address(), onEnd: pick(ParentEndPolicy.allCases),
                    depth: ($0.parent?.depth ?? 0) + 1)
            })
    }

    private mutating func next() -> Commit.Next {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35: .running
        case 35..<72: .waiting
        case 72..<78: .paused
        case 78..<82: .attention(error: Array(#"{"kind":"x"}"#.utf8))
        case 82..<84: .ended(.waiting, output: nil, error: nil)
        case 84..<87: .ended(.continued, output: nil, error: nil)
        case 87..<92: .ended(.completed, output: Array("1".utf8), error: nil)
        default: .ended(.failed, output: nil, error: Array("{}".utf8))
        }
    }

    private mutating func address() -> StepAddress {
        StepAddress(path: pick(["", "p/q"]), label: pick(["A", "B"]), occurrence: made)
    }

    private mutating func entry(_ sequence: Int, now: Timestamp) -> Entry {
        let step = Step(address: address(), verb: "http.get", arguments: data().bytes, line: sequence)
        let fact: Fact =
            switch Int.random(in: 0..<7, using: &random) {
            case 6: .attemptBegun(step)
            case 4: .endRequested(pick([.cancelled, .timed_out]), error: data().bytes)
            case 5: .reset([sequence - 1])
            case 0: .waitOpened(step, wait: "w", attempts: made % 3)
            case 1: .versionMoved(from: 1, to: 2, bundle: "y")
            case 2: .stepCompleted(step, .failure(data().bytes), attempts: 2, startedAt: now)
            default: .stepCompleted(step, .success(data().bytes), attempts: 1, startedAt: now)
            }
        return Entry(sequence: sequence, recordedAt: now, fact: fact)
    }

    private mutating func wait(_ waits: [String], now: Timestamp) -> Wait {
        let due = now.adding(milliseconds: Int64.random(in: -1000...30_000, using: &random))
        let kind: Wait.Kind =
            switch Int.random(in: 0..<10, using: &random) {
            case 0: .timer
            case 8, 9: .gate(ticket())
            case 7: .retry
            case 1:
                .approval(request(now: now))
            case 2, 3: .lock(key: pick(["l1", "l2"]))
            case 4: .child(run: known.randomElement(using: &random)?.id ?? "none")
            default: .event(type: pick(types), match: match())
            }
        let id = chance(95) || waits.isEmpty ? name("wait") : pick(waits)
        return Wait(id: id, address: address(), kind: kind, openedAt: now, dueAt: chance(60) ? due : nil)
    }

    private mutating func ticket() -> GateTicket {
        GateTicket(
            key: pick(["g1", "g2"]),
            throttle: chance(50) ? GateTicket.Throttle(limit: pick([1, 2]), milliseconds: 5000) : nil,
            atOnce: chance(50) ? pick([1, 2]) : nil,
            breaker: chance(50)
                ? BreakerRule(
                    failures: pick([1, 2]), ratio: pick([nil, 0.5]), overMilliseconds: 10_000,
                    pauseMilliseconds: 4000) : nil,
            holdMilliseconds: pick([1000, 20_000]), isImpatient: chance(30))
    }

    private mutating func request(now: Timestamp) -> ApprovalRequest {
        let times = (0..<Int.random(in: 0...3, using: &random)).map { _ in
            now.adding(milliseconds: Int64.random(in: -1000...20_000, using: &random))
        }
        return ApprovalRequest(
            kind: pick(ApprovalKind.allCases), to: data().bytes, show: data().bytes, choices: ["yes", "no"],
            details: data().bytes, remindAt: times.sorted())
    }

    private mutating func reminder(_ approval: String, now: Timestamp) -> Reminder {
        Reminder(
            approval: approval, number: chance(75) ? 1 : 2, submission: submission(now: now),
            annotation: annotation(now: now))
    }

    private mutating func annotation(now: Timestamp) -> Annotation {
        Annotation(
            ordinal: chance(70) ? Int.random(in: 1...5, using: &random) : nil, at: now,
            kind: pick([.log, .note, .attempt, .metric]), text: name("text"),
            data: chance(50) ? data().bytes : nil,
            step: chance(50) ? address() : nil)
    }

    private mutating func decision(now: Timestamp) -> Decision {
        Decision(
            outcome: pick(["yes", "no"]), by: "boss", at: now, comment: chance(50) ? name("comment") : nil,
            form: chance(50) ? data().bytes : nil, data: chance(30) ? data().bytes : nil,
            via: chance(50) ? "page" : nil, shown: chance(50) ? name("hash") : nil)
    }
}
