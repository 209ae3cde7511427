import Logging
import PerigeeJournal

/// `flow.state.get|set|add|delete`: durable values of the workflow.
enum StateValue {
    /// The largest value, in bytes of JSON.
    static let maxBytes = 256 * 1024
    private static let retryMilliseconds: Int64 = 1000

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

    /// Reads a value; while the store can't be read, it is tried again.
    ///
    /// - Parameter workflow: whose value it is; that of the run if it is left out.
    /// - Returns: `nil` if the task was cancelled.
    static func read(
        _ key: String, of run: RunRecord, workflow: String? = nil, in journal: any Journal,
        ambient: any Ambient, logger: Logger
    ) async -> EffectResult? {
        let startedAt = ambient.now
        while true {
            do {
                let value = try await journal.state(
                    namespace: run.namespace, workflow: workflow ?? run.workflow, key: key)
                return .outcome(.success(value ?? JSON.null.bytes), attempts: 1, startedAt: startedAt)
            } catch {
                guard !Task.isCancelled else { return nil }
                logger.error("the database can't be read; trying again in 1 s: \(error)")
                let again = ambient.now.adding(milliseconds: retryMilliseconds)
                guard (try? await ambient.sleep(until: again)) != nil else { return nil }
            }
        }
    }
}
