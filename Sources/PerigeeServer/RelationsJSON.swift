import PerigeeJournal

extension RunRecord {
    /// The run with what it has to do with others, as `GET /v1/runs/{id}` gives it.
    func json(_ relations: RunRelations) -> JSON {
        var fields = json.object ?? [:]
        fields["children"] = [
            "count": .int(Int64(relations.childCount)), "items": .array(relations.children.map(\.json)),
        ]
        fields["locks"] = .array(relations.heldLocks.map(\.json))
        fields["waits"] = .array(
            waits.map { wait in
                .object((wait.json.object ?? [:]).merging(relations.details(of: wait)) { $1 })
            })
        return .object(fields)
    }
}

extension RunRelations {
    /// What others have to do with a wait: who holds the lock, or how its gate stands.
    fileprivate func details(of wait: Wait) -> [String: JSON] {
        switch wait.kind {
        case .lock(let key):
            guard let lock = awaitedLocks.first(where: { $0.key == key }) else { return [:] }
            return ["holder": .string(lock.holder), "ahead": .int(Int64(lock.ahead))]
        case .gate(let ticket):
            guard let gate = awaitedGates.first(where: { $0.key == ticket.key }) else { return [:] }
            return [
                "ahead": .int(Int64(gate.ahead)), "open_until": JSON(gate.openUntil),
                "next_at": JSON(gate.nextAt),
            ]
        default: return [:]
        }
    }
}

extension RunParent {
    /// `{run, label, path, on_parent_end, depth}`.
    var json: JSON {
        [
            "run": .string(run), "label": .string(step.label), "path": .string(step.path),
            "on_parent_end": .string(onEnd.rawValue), "depth": .int(Int64(depth)),
        ]
    }
}

extension ChildRun {
    /// `{id, workflow, status, label, path}`.
    var json: JSON {
        [
            "id": .string(id), "workflow": .string(workflow), "status": .string(status.rawValue),
            "label": .string(step.label), "path": .string(step.path),
        ]
    }
}

extension HeldLock {
    /// `{key, label, path, since}`.
    var json: JSON {
        [
            "key": .string(key), "label": .string(step.label), "path": .string(step.path),
            "since": JSON(since),
        ]
    }
}
