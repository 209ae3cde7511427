import PerigeeJournal

/// Moments by seconds after the one at which every run of these tests was created.
func at(_ seconds: Int64) -> Timestamp {
    Timestamp(milliseconds: 1_795_000_000_000 + seconds * 1000)
}

func step(_ label: String, _ verb: String = "http.get", occurrence: Int = 1) -> Step {
    Step(
        address: StepAddress(label: label, occurrence: occurrence), verb: verb,
        arguments: JSON.object(["url": "https://crm.example"]).bytes, line: 9)
}

func completed(_ sequence: Int, _ step: Step, at seconds: Int64, from start: Int64, failed: Bool = false)
    -> Entry
{
    let error: JSON = ["message": "no answer", "code": "PG2014", "hint": "Look at it."]
    let outcome: Outcome = failed ? .failure(error.bytes) : .success(JSON.object(["status": 200]).bytes)
    return Entry(
        sequence: sequence, recordedAt: at(seconds),
        fact: .stepCompleted(step, outcome, attempts: failed ? 3 : 1, startedAt: at(start)))
}

func run(_ status: RunStatus, key: String? = nil, endedAt: Timestamp? = nil, waits: [Wait] = []) -> RunRecord
{
    RunRecord(
        id: "run_01J9ZK", number: 1, namespace: "default", workflow: "hello_approval", version: 2,
        bundle: "b",
        status: status, key: key, input: JSON.object(["id": 42]).bytes,
        trigger: JSON.object(["type": "manual"]).bytes,
        correlationID: "c", createdAt: at(0), startedAt: at(1), endedAt: endedAt, waits: waits)
}

func approval(
    show: JSON = [], status: ApprovalStatus = .waiting, decision: Decision? = nil,
    label: String = "Manager approval", kind: ApprovalKind = .approval, details: JSON = .object([:])
) -> ApprovalRecord {
    ApprovalRecord(
        id: "apr_3f", run: "run_01J9ZK", namespace: "default", workflow: "hello_approval",
        address: StepAddress(label: label, occurrence: 1),
        request: ApprovalRequest(
            kind: kind, to: JSON.array(["boss@acme.example"]).bytes, show: show.bytes,
            choices: ["approve", "reject", "ask_more"],
            commentRequiredOn: ["reject"], details: details.bytes),
        status: status, openedAt: at(5), dueAt: at(3605), decision: decision)
}
