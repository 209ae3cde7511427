import PerigeeJournal

/// Which workflows start at what, as the scripts stand now.
struct TriggerIndex: Sendable {
    /// The version of a workflow that new runs start on.
    final class Target: Sendable {
        let version: WorkflowVersion
        let definition: WorkflowDefinition

        init(version: WorkflowVersion, definition: WorkflowDefinition) {
            self.version = version
            self.definition = definition
        }
    }

    private struct EventTrigger: Sendable {
        let target: Target
        let match: EventMatch
        let changed: [String]
    }

    /// A schedule of a workflow.
    struct ScheduledTarget: Sendable {
        let id: String
        let schedule: Schedule
        let target: Target
    }

    /// In order of the workflows.
    private(set) var schedules: [ScheduledTarget] = []
    private var byEvent: [String: [EventTrigger]] = [:]
    private var byPath: [String: [(method: String, target: Target)]] = [:]

    init(_ targets: [Target]) {
        for target in targets.sorted(by: { $0.version.workflow < $1.version.workflow }) {
            for trigger in target.definition.triggers {
                switch trigger {
                case .event(let type, let match, let changed):
                    byEvent[type, default: []].append(
                        EventTrigger(target: target, match: match, changed: changed))
                case .http(let method, let path): byPath[path, default: []].append((method, target))
                case .schedule(let schedule):
                    let id = schedule.id(workflow: target.version.workflow)
                    schedules.append(ScheduledTarget(id: id, schedule: schedule, target: target))
                case .manual: break
                }
            }
        }
    }

    /// The runs that an event starts, at most one of each workflow.
    ///
    /// - Parameter data: the event's data where it is known as a value already.
    func starts(for event: EventRecord, data: JSON? = nil, ambient: any Ambient) -> [NewRun] {
        guard let triggers = byEvent[event.type] else { return [] }
        let data = data ?? (try? JSON(parsing: event.data)) ?? .null
        var started: Set<String> = []
        return triggers.compactMap { trigger in
            guard trigger.match.matches(data, now: event.at), TriggerIndex.hasChanged(data, trigger.changed),
                started.insert(trigger.target.version.workflow).inserted
            else { return nil }
            var source: [String: JSON] = [
                "type": "event", "event": .string(event.type), "id": .string(event.sourceID),
                "source": .string(event.source),
            ]
            if let cause = event.causationID { source["causation_id"] = .string(cause) }
            let run = RunStart(
                target: trigger.target, input: data, bytes: event.data, trigger: .object(source))
            return run.newRun(correlationID: event.correlationID, ambient: ambient)
        }
    }

    /// Whether one of the fields differs between `before` and `after`.
    private static func hasChanged(_ data: JSON, _ fields: [String]) -> Bool {
        fields.isEmpty || fields.contains { data["before"]?[$0] != data["after"]?[$0] }
    }

    /// What a request to a hook starts.
    enum Hook {
        case target(Target)
        case wrongMethod(allowed: [String])
        case unknown
    }

    func hook(method: String, path: String) -> Hook {
        guard let candidates = byPath[path.trimmingPathSlashes()] else { return .unknown }
        guard let found = candidates.first(where: { $0.method == method.uppercased() }) else {
            return .wrongMethod(allowed: candidates.map(\.method))
        }
        return .target(found.target)
    }
}

/// A run that is about to be created: its input is checked against what the workflow declares.
struct RunStart {
    let target: TriggerIndex.Target
    let input: JSON
    /// The input as it is stored.
    let bytes: Payload
    let trigger: JSON
    let key: String?
    /// Every fault of the input.
    let faults: [InputFault]

    init(
        target: TriggerIndex.Target, input: JSON, bytes: Payload? = nil, trigger: JSON, key: String? = nil
    ) {
        self.target = target
        self.input = input
        self.bytes = bytes ?? input.bytes
        self.trigger = trigger
        self.key = key ?? target.definition.key?.key(for: input)
        faults = target.definition.input?.faults(of: input) ?? []
    }

    /// The run; one whose input has faults is created all the same and needs attention, so that nothing is lost.
    func newRun(correlationID: String?, ambient: any Ambient) -> NewRun {
        newRun(id: ambient.identifier("run"), correlationID: correlationID)
    }

    func newRun(id: String, correlationID: String?) -> NewRun {
        let error = faults.isEmpty ? nil : RunStart.error(faults).bytes
        return NewRun(
            id: id, workflow: target.version.workflow, version: target.version.number,
            bundle: target.version.bundle,
            key: faults.isEmpty ? key : nil, onConflict: onConflict(id),
            concurrencyKey: faults.isEmpty ? concurrencyKey : nil, input: bytes, trigger: trigger.bytes,
            correlationID: correlationID ?? id, status: error == nil ? .queued : .attention, error: error,
            timeoutMilliseconds: target.definition.timeoutMilliseconds)
    }

    private func onConflict(_ id: String) -> KeyConflict {
        switch target.definition.onConflict {
        case .use_existing: .useExisting
        case .reject: .reject
        case .queue: .queue
        case .cancel_existing:
            .cancelExisting(
                error: Cancelled.error(by: "the run \(id)", reason: "it has the same key and is newer.").bytes
            )
        }
    }

    /// Runs whose input lacks the key's field share one line, so that they are not more at once either.
    private var concurrencyKey: String? {
        target.definition.concurrency.map { $0.key?.key(for: input) ?? "" }
    }

    static func error(_ faults: [InputFault]) -> ScriptError {
        let list = faults.map {
            "\($0.pointer.isEmpty ? "the input" : "`\($0.pointer.dropFirst())`") \($0.detail)"
        }
        return ScriptError(
            code: "PG4022", kind: "validation",
            message: "The input does not fit: \(list.joined(separator: "; ")).",
            hint: "Send it again with these fields corrected.",
            fields: [
                "errors": .array(
                    faults.map { ["pointer": .string($0.pointer), "detail": .string($0.detail)] })
            ])
    }
}
