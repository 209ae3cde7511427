import PerigeeJournal

/// One call of the journal, and how it is made.
enum Operation: CustomStringConvertible {
    case heartbeat(host: String, lease: Int64)
    case release(host: String)
    case claim(host: String, limit: Int, only: Int64?)
    case commit([Commit])
    case submit([Submission], claimant: Claimant? = nil)
    case decide(String, Decision)
    case remind([Reminder])
    case cancel(String, isForced: Bool)
    case act(String, RunAction, batch: String?)
    case createBatch(String, runs: [String])
    case steerBatch(String, Batch.Status)
    case refuseItem(batch: String, run: String)
    case saveVersion(String, text: String, rules: WorkflowRules)
    case removeExpired(Expiry)
    case advance(ScheduleAdvance, isStale: Bool)
    case saveSecret(SealedSecret, replaces: Bool?)
    case removeSecret(String)
    case checkWritable
    case compact

    static let names = [
        "heartbeat", "release", "claim", "commit", "submit", "decide", "remind", "cancel", "saveVersion",
        "advance", "checkWritable", "removeExpired", "pause", "resume", "retry", "setResult", "retryNow",
        "createBatch", "steerBatch", "refuseItem", "saveSecret", "removeSecret", "compact",
    ]

    var name: String {
        switch self {
        case .heartbeat: "heartbeat"
        case .release: "release"
        case .claim: "claim"
        case .commit: "commit"
        case .submit: "submit"
        case .decide: "decide"
        case .remind: "remind"
        case .cancel: "cancel"
        case .act(_, let action, _): action.name
        case .createBatch: "createBatch"
        case .steerBatch: "steerBatch"
        case .refuseItem: "refuseItem"
        case .saveVersion: "saveVersion"
        case .removeExpired: "removeExpired"
        case .advance: "advance"
        case .saveSecret: "saveSecret"
        case .removeSecret: "removeSecret"
        case .checkWritable: "checkWritable"
        case .compact: "compact"
        }
    }

    /// What it hands in to be accepted, by itself or from a run.
    var submissions: [Submission] {
        switch self {
        case .submit(let submissions, _): submissions
        case .commit(let commits): commits.flatMap(\.emits)
        case .advance(let advance, _):
            [Submission(namespace: advance.schedule.namespace, starts: advance.starts)]
        default: []
        }
    }

    var description: String {
        switch self {
        case .commit(let commits): "commit \(commits)"
        case .submit(let submissions, let claimant): "submit \(submissions) by \(claimant as Any)"
        case .claim(let host, let limit, let only): "claim \(host) limit \(limit) only \(only as Any)"
        case .decide(let id, let decision): "decide \(id) \(decision)"
        case .remind(let reminders): "remind \(reminders)"
        case .cancel(let id, let isForced): "cancel \(id)\(isForced ? " at once" : "")"
        case .act(let id, let action, let batch): "\(action) on \(id) of \(batch as Any)"
        case .createBatch(let id, let runs): "createBatch \(id) of \(runs)"
        case .steerBatch(let id, let status): "steerBatch \(id) to \(status)"
        case .refuseItem(let batch, let run): "refuseItem \(run) of \(batch)"
        case .heartbeat(let host, let lease): "heartbeat \(host) \(lease)"
        case .release(let host): "release \(host)"
        case .saveVersion(let workflow, _, let rules): "saveVersion \(workflow) \(rules)"
        case .removeExpired(let expiry): "\(expiry)"
        case .advance(let advance, let isStale): "advance \(advance)\(isStale ? " stale" : "")"
        case .saveSecret(let secret, let replaces): "save \(secret) over \(replaces as Any)"
        case .removeSecret(let name): "remove secret \(name)"
        case .checkWritable: "checkWritable"
        case .compact: "compact"
        }
    }
}

/// What an operation gave, in a form that can be compared.
struct Answer: Equatable {
    var value: AnyHashable
    /// Whether it did something, so that a test knows that it has tried the operation and not only its
    /// refusal.
    var succeeded: Bool
}

extension Journal {
    func perform(_ operation: Operation, now: Timestamp) async -> Answer {
        do {
            return try await attempt(operation, now: now)
        } catch let error as JournalError {
            return Answer(value: error.withoutWording, succeeded: false)
        } catch {
            return Answer(value: "\(error)", succeeded: false)
        }
    }

    private func attempt(_ operation: Operation, now: Timestamp) async throws -> Answer {
        switch operation {
        case .heartbeat(let host, let lease):
            let answer = try await heartbeat(
                host: host, now: now, leaseUntil: now.adding(milliseconds: lease))
            return Answer(value: answer, succeeded: true)
        case .release(let host):
            try await release(host: host, now: now)
            return Answer(value: true, succeeded: true)
        case .claim(let host, let limit, let only):
            let claim = try await claim(host: host, namespace: "main", now: now, limit: limit, only: only)
            return Answer(value: claim, succeeded: !claim.runs.isEmpty || !claim.told.isEmpty)
        case .commit(let commits):
            return Answer(results: try await commit(commits))
        case .submit(let submissions, let claimant):
            return Answer(results: try await submit(submissions, now: now, claimant: claimant))
        case .decide(let id, let decision):
            let answer = try await decide(approval: id, decision)
            let value: [AnyHashable] = answer.map { [$0.approval, $0.isNew] } ?? []
            return Answer(value: value, succeeded: answer?.isNew ?? false)
        case .remind(let reminders):
            let results = try await remind(reminders, now: now)
            let isTold = results.contains { (try? $0.get())?.isNew == true }
            return Answer(value: results.map { $0.mapError(\.withoutWording) }, succeeded: isTold)
        case .cancel(let id, let isForced):
            let answer = try await cancel(
                run: id, error: Array("{}".utf8), isForced: isForced, now: now)
            return Answer(value: answer, succeeded: answer != nil)
        case .act(let id, let action, let batch):
            let note = ActionNote(by: "ana", action: action.name, batch: batch)
            let answer = try await act(on: id, action, note: note, now: now)
            if case .done? = answer { return Answer(value: answer, succeeded: true) }
            return Answer(value: answer, succeeded: false)
        case .createBatch(let id, let runs):
            let batch = Batch(
                id: id, namespace: "main", action: "pause", options: [], search: "", by: "ana",
                perMinute: 7, createdAt: now)
            return Answer(value: try await createBatch(batch, runs: runs), succeeded: true)
        case .steerBatch(let id, let status):
            let note = ActionNote(by: "ana", action: "batch.\(status)")
            let answer = try await steerBatch(id, to: status, note: note, now: now)
            let value: [AnyHashable] = answer.map { [$0.batch, $0.isChanged] } ?? []
            return Answer(value: value, succeeded: answer?.isChanged ?? false)
        case .refuseItem(let batch, let run):
            try await refuseItem(batch: batch, run: run, error: Array("{}".utf8), now: now)
            return Answer(value: true, succeeded: true)
        case .saveVersion(let workflow, let text, let rules):
            let version = try await saveVersion(
                namespace: "main", workflow: workflow, bundle: "bundle of \(text)", files: ["main.lua": text],
                rules: rules, now: now)
            return Answer(value: version, succeeded: true)
        case .removeExpired(let expiry):
            let removal = try await removeExpired(expiry, now: now)
            return Answer(value: removal, succeeded: removal.runs > 0)
        case .advance(var advance, let isStale):
            let stored = try await schedules(namespace: advance.schedule.namespace)
            let revision = stored.first { $0.id == advance.schedule.id }?.revision ?? 0
            advance.schedule.revision = isStale ? revision + 1 : revision
            let receipt = try await self.advance(advance, now: now)
            return Answer(value: receipt, succeeded: receipt != nil)
        case .saveSecret(let secret, let replaces): return try await save(secret, replaces, now: now)
        case .removeSecret(let name): return try await remove(secret: name, now: now)
        case .checkWritable:
            try await checkWritable()
            return Answer(value: true, succeeded: true)
        case .compact: return try await compact()
        }
    }

    private func remove(secret name: String, now: Timestamp) async throws -> Answer {
        let note = ActionNote(by: "ana", action: "secret.remove", reason: "old")
        let removed = try await removeSecret(name, namespace: "main", note: note, now: now)
        return Answer(value: removed, succeeded: removed != nil)
    }

    private func compact() async throws -> Answer {
        _ = try await giveBack(bytes: 65_536)
        _ = try await copyLog()
        return Answer(value: true, succeeded: true)
    }

    private func save(_ secret: SealedSecret, _ replaces: Bool?, now: Timestamp) async throws -> Answer {
        let stored = try await self.secret(secret.name, namespace: secret.namespace)?.sealed
        let replacing = replaces.map { $0 ? stored ?? [] : [0] }
        let note = ActionNote(by: "ana", action: "secret.set")
        let saved = try await saveSecret(secret, replacing: replacing, note: note, now: now)
        return Answer(value: saved, succeeded: saved != nil)
    }
}

extension RunAction {
    fileprivate var name: String {
        switch self {
        case .cancel: "cancel"
        case .pause: "pause"
        case .resume: "resume"
        case .retry: "retry"
        case .setResult: "setResult"
        case .retryNow: "retryNow"
        }
    }
}

extension Answer {
    init<Receipt: Hashable>(results: [Result<Receipt, JournalError>]) {
        self.init(
            value: results.map { $0.mapError(\.withoutWording) },
            succeeded: results.contains { (try? $0.get()) != nil })
    }
}

extension JournalError {
    /// The words of a refusal are no part of the contract.
    fileprivate var withoutWording: JournalError {
        if case .invalid = self { .invalid("") } else { self }
    }
}
