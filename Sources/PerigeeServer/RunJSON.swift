import Perigee
import PerigeeJournal

extension JSON {
    /// What a journal keeps as JSON text.
    init(_ payload: Payload) {
        self =
            (try? JSON(parsing: payload, maxDepth: 512)) ?? .string(String(decoding: payload, as: UTF8.self))
    }

    init(_ text: String?) {
        self = text.map { .string($0) } ?? .null
    }

    init(_ time: Timestamp?) {
        self = time.map { .string($0.description) } ?? .null
    }

    init(optional payload: Payload?) {
        self = payload.map { JSON($0) } ?? .null
    }
}

extension RunRecord {
    /// The run as the API gives it.
    ///
    /// Every field is always there, `null` where it has no value.
    var json: JSON {
        [
            "id": .string(id), "workflow": .string(workflow), "version": .int(Int64(version)),
            "status": .string(status.rawValue), "status_text": JSON(statusText), "key": JSON(key),
            "input": JSON(input), "output": JSON(optional: output), "error": JSON(optional: error),
            "tags": JSON(optional: tags), "trigger": JSON(trigger), "correlation_id": .string(correlationID),
            "event_id": JSON(eventID), "parent": parent?.json ?? .null,
            "continued_from": JSON(continuedFrom), "continued_as": JSON(continuedAs),
            "waiting_for": JSON(blockedBy == nil ? waits.first?.address.label : "its turn"),
            "waits": .array(waits.map(\.json)), "blocked_by": blockedBy?.json ?? .null,
            "created_at": JSON(createdAt), "started_at": JSON(startedAt),
            "ended_at": JSON(endedAt), "paused_at": JSON(pausedAt),
        ]
    }
}

extension Blockage {
    /// Why a run can't begin yet, as `{kind, key, limit, runs}`, of a breaker `{kind, key, until}`.
    var json: JSON {
        let fields: [String: JSON] = ["kind": .string(kind.rawValue), "key": .string(key)]
        let more: [String: JSON] =
            switch kind {
            case .breaker: ["until": JSON(until)]
            case .key, .concurrency:
                ["limit": .int(Int64(limit)), "runs": .array(runs.map { .string($0) })]
            }
        return .object(fields.merging(more) { $1 })
    }

    /// `waits for its turn: 1 at a time for "acct_1"`.
    var sentence: String {
        switch kind {
        case .key: "waits for its turn: earlier runs with the key \"\(key)\" have not ended"
        case .concurrency:
            "waits for its turn: \(limit) at a time" + (key.isEmpty ? "" : " for \"\(key)\"")
        case .breaker:
            "waits: too many runs of its workflow failed" + (until.map { "; one is tried at \($0)" } ?? "")
        }
    }
}

extension Wait {
    /// The wait as `{label, path, type, since, due_at, …}`, with the event, the approval, the lock or the run.
    var json: JSON {
        var fields: [String: JSON] = [
            "label": .string(address.label), "path": .string(address.path), "since": JSON(openedAt),
            "due_at": JSON(dueAt), "type": .string(kind.name),
        ]
        switch kind {
        case .timer, .retry: break
        case .event(let type, _): fields["event"] = .string(type)
        case .approval(let request):
            fields["approval"] = .string(id)
            fields["kind"] = .string(request.kind.rawValue)
        case .lock(let key): fields["lock"] = .string(key)
        case .gate(let ticket): fields["gate"] = .string(ticket.key)
        case .child(let run), .started(let run): fields["run"] = .string(run)
        }
        return .object(fields)
    }
}

extension Wait.Kind {
    var name: String {
        switch self {
        case .timer: "timer"
        case .retry: "retry"
        case .event: "event"
        case .approval: "approval"
        case .lock: "lock"
        case .gate: "gate"
        case .child: "child"
        case .started: "start"
        }
    }
}

extension ApprovalRecord {
    /// The approval as the API gives it; a list leaves out what was parked, which may be long.
    func json(isWhole: Bool) -> JSON {
        let details = JSON(request.details)
        var names = ["not_by", "form", "effect", "hours", "reason", "category", "retryable"]
        if isWhole { names += ["data", "response"] }
        let fields = names.reduce(into: common) { $0[$1] = details[$1] ?? .null }
        return .object(fields)
    }

    private var common: [String: JSON] {
        [
            "kind": .string(request.kind.rawValue), "remind_at": JSON(nextReminderAt),
            "reminders_told": .int(Int64(remindersTold)), "id": .string(id), "run": .string(run),
            "workflow": .string(workflow),
            "label": .string(address.label),
            "to": JSON(request.to), "show": JSON(request.show),
            "choices": .array(request.choices.map { .string($0) }),
            "comment_required_on": .array(request.commentRequiredOn.map { .string($0) }),
            "status": .string(status.rawValue), "created_at": JSON(openedAt), "due_at": JSON(dueAt),
            "decision": JSON(optional: decision?.payload),
        ]
    }
}

extension WorkflowInfo {
    var json: JSON {
        [
            "id": .string(id), "name": JSON(name), "about": JSON(about),
            "version": version.map { .int(Int64($0)) } ?? .null, "triggers": .array(triggers),
            "input": input ?? .null, "sample": sample ?? .null, "deleted": .bool(isDeleted),
            "error": error?.json ?? .null,
        ]
    }
}

extension ScriptProblem {
    var json: JSON {
        [
            "code": .string(code), "message": .string(message), "hint": .string(hint), "file": .string(file),
            "line": .int(Int64(line)), "column": .int(Int64(column)), "excerpt": .string(excerpt),
        ]
    }
}
