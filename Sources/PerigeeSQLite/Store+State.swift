import GRDB
import PerigeeJournal

extension Store {
    func state(namespace: String, workflow: String, key: String) throws -> Payload? {
        try first(
            "SELECT value FROM state WHERE namespace = ? AND workflow = ? AND key = ?",
            [namespace, workflow, key]
        ) { try $0.payload() }
    }

    /// Changes values of a run's workflow or namespace; what can't be added is shown in the run.
    func write(_ writes: [StateWrite], of run: RunHead, at: Timestamp) throws {
        for write in writes {
            let workflow = write.owner(run.workflow)
            let place: [Value] = [run.namespace, workflow, write.key]
            let before: Payload? =
                if case .add = write.change {
                    try state(namespace: run.namespace, workflow: workflow, key: write.key)
                } else { nil }
            let after: Payload?
            do { after = try write.applied(to: before) } catch {
                try append(write.note(of: error, at: at), to: run.number)
                continue
            }
            guard let after else {
                try self.run("DELETE FROM state WHERE namespace = ? AND workflow = ? AND key = ?", place)
                continue
            }
            try self.run(
                """
                INSERT INTO state (namespace, workflow, key, value) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET value = excluded.value
                """, place + [after])
        }
    }
}
