import PerigeeJournal

/// A journal with short ways to say what the contract's checks do with it.
struct Scene {
    let journal: any Journal

    func submit(_ submission: Submission, at: Timestamp = at(0)) async throws -> SubmissionReceipt {
        let results = try await journal.submit([submission], now: at)
        return try require(results.first, "a result").get()
    }

    func send(_ event: EventRecord, starts: [NewRun] = [], at: Timestamp = at(0)) async throws {
        _ = try await submit(Submission(namespace: event.namespace, event: event, starts: starts), at: at)
    }

    /// Creates a run and returns its number.
    func start(_ run: NewRun, at: Timestamp = at(0)) async throws -> Int64 {
        _ = try await submit(Submission(namespace: "main", starts: [run]), at: at)
        return try await self.run(run.id).number
    }

    func run(_ id: String) async throws -> RunRecord {
        try require(try await journal.run(id: id), "run \(id)")
    }

    func claim(
        by host: String = "host-1", at: Timestamp = at(0), limit: Int = 100, only: Int64? = nil
    ) async throws -> [ClaimedRun] {
        try await journal.claim(host: host, namespace: "main", now: at, limit: limit, only: only).runs
    }

    /// What a host is told of the runs that it owns.
    func told(by host: String = "host-1", at: Timestamp) async throws -> [ClaimedRun] {
        try await journal.claim(host: host, namespace: "main", now: at, limit: 100, only: nil).told
    }

    func cancel(
        _ id: String, _ error: String, isForced: Bool = false, at now: Timestamp
    ) async throws -> Cancellation? {
        try await journal.cancel(run: id, error: payload(error), isForced: isForced, now: now)
    }

    /// Creates a run and claims it: its first epoch is 1.
    func startClaimed(_ id: String, key: String? = nil, at: Timestamp = at(0)) async throws -> Int64 {
        let number = try await start(newRun(id, key: key), at: at)
        let claimed = try await claim(at: at, only: number)
        try expectEqual(claimed.map(\.run.epoch), [1])
        return number
    }

    /// Creates a run that waits.
    func startWaiting(_ id: String, _ waits: [Wait], at: Timestamp = at(0)) async throws -> Int64 {
        let number = try await startClaimed(id, at: at)
        try await commit(Commit(run: number, epoch: 1, at: at, opens: waits, next: .waiting))
        return number
    }

    @discardableResult
    func commit(_ commit: Commit) async throws -> CommitReceipt {
        try require(try await journal.commit([commit]).first, "a result").get()
    }

    func beat(_ host: String = "host-1", at now: Timestamp = at(0), lease seconds: Int64 = 30) async throws
        -> Heartbeat
    {
        try await journal.heartbeat(
            host: host, now: now, leaseUntil: now.adding(milliseconds: seconds * 1000))
    }
}

/// A moment this many seconds after the contract's beginning.
func at(_ seconds: Int64) -> Timestamp {
    Timestamp(milliseconds: 1_790_000_000_000 + seconds * 1000)
}

func payload(_ text: String) -> Payload { Array(text.utf8) }

func newRun(
    _ id: String, workflow: String = "onboarding", key: String? = nil,
    _ onConflict: KeyConflict = .useExisting,
    slot: String? = nil
) -> NewRun {
    NewRun(
        id: id, workflow: workflow, version: 1, bundle: "b1", key: key, onConflict: onConflict,
        concurrencyKey: slot, input: payload(#"{"n":1}"#),
        trigger: payload(#"{"type":"manual"}"#), correlationID: "c-\(id)")
}

func event(_ id: String, type: String = "lead.created", data: JSON = [:], sourceID: String? = nil)
    -> EventRecord
{
    EventRecord(
        id: "evt_\(id)", namespace: "main", source: "crm", sourceID: sourceID ?? id, type: type,
        data: data.bytes, at: at(0))
}

func address(_ label: String) -> StepAddress { StepAddress(path: "main/branch", label: label, occurrence: 2) }

func timer(_ id: String, due: Timestamp?) -> Wait {
    Wait(id: id, address: address(id), kind: .timer, openedAt: at(0), dueAt: due)
}

func eventWait(
    _ id: String, type: String = "lead.created", _ conditions: [String: JSON] = [:], due: Timestamp? = nil
) -> Wait {
    Wait(
        id: id, address: address(id), kind: .event(type: type, match: EventMatch(conditions)),
        openedAt: at(0),
        dueAt: due)
}

func approvalWait(
    _ id: String, kind: ApprovalKind = .approval, due: Timestamp? = nil, openedAt: Timestamp = at(0),
    remindAt: [Timestamp] = []
) -> Wait {
    let request = ApprovalRequest(
        kind: kind, to: payload(#"["boss"]"#), show: payload("[]"), choices: ["approve", "reject"],
        commentRequiredOn: ["reject"], details: payload(#"{"hours":"x"}"#), remindAt: remindAt)
    return Wait(id: id, address: address(id), kind: .approval(request), openedAt: openedAt, dueAt: due)
}

func completed(_ sequence: Int, _ label: String = "Call", at: Timestamp = at(0)) -> Entry {
    let step = Step(address: address(label), verb: "http.get", arguments: payload(#"{"url":"x"}"#), line: 7)
    return Entry(
        sequence: sequence, recordedAt: at,
        fact: .stepCompleted(step, .success(payload("\(sequence)")), attempts: 1, startedAt: at))
}
