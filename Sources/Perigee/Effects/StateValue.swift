import PerigeeJournal

/// `flow.state.get|set|add|delete`: durable values of the workflow.
enum StateValue {
    /// The largest value, in bytes of JSON.
    static let maxBytes = 256 * 1024

    static func plan(_ verb: String, _ arguments: JSON) throws(ScriptError) -> StepPlan {
        let key = arguments["key"]?.string ?? ""
        switch verb {
        case "flow.state.get": return .read(key)
        case "flow.state.delete": return .write(StateWrite(key: key, change: .delete))
        case "flow.state.add": return .write(StateWrite(key: key, change: .add(arguments["number"] ?? 0)))
        default:
            let value = (arguments["value"] ?? .null).bytes
            guard value.count <= maxBytes else {
                throw ScriptError(
                    code: "PG1133", kind: "limit",
                    message: "flow.state.set: the value of \"\(key)\" has \(value.count / 1024) KiB of JSON; "
                        + "256 KiB are the most.",
                    hint: "Keep less, spread it over several keys, or keep it elsewhere and its address here."
                )
            }
            return .write(StateWrite(key: key, change: .set(value)))
        }
    }

    /// What a run's own writes make of a value, in their order.
    enum Known: Equatable {
        /// They say nothing of it.
        case untouched
        /// They change what only the store knows.
        case changed
        case value(Payload?)
    }

    static func known(_ key: String, after writes: [StateWrite]) -> Known {
        var known = Known.untouched
        for write in writes where write.key == key && !write.isShared {
            switch (write.change, known) {
            case (.set(let value), _): known = .value(value)
            case (.delete, _): known = .value(nil)
            case (.add, .value(let before)):
                // What is no number stays as it is, as in the store.
                known = .value((try? write.applied(to: before)) ?? before)
            case (.add, .untouched), (.add, .changed): known = .changed
            }
        }
        return known
    }

    /// Reads a value.
    static func read(
        _ key: String, of run: RunRecord, in journal: any Journal, _ reader: StoreReader
    ) async throws -> EffectResult {
        let startedAt = reader.ambient.now
        let value = try await reader.read {
            try await journal.state(namespace: run.namespace, workflow: run.workflow, key: key)
        }
        return .outcome(.success(value ?? JSON.null.bytes), attempts: 1, startedAt: startedAt)
    }
}
