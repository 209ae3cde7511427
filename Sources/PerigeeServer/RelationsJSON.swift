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
                guard case .lock(let key) = wait.kind,
                    let lock = relations.awaitedLocks.first(where: { $0.key == key })
                else { return wait.json }
                var waiting = wait.json.object ?? [:]
                waiting["holder"] = .string(lock.holder)
                waiting["ahead"] = .int(Int64(lock.ahead))
                return .object(waiting)
            })
        return .object(fields)
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
