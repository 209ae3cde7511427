import Foundation
import PerigeeJournal
import PerigeeLua

/// A run's script as it calls the host: every call goes through the run's machine.
final class RunHost: LuaHost {
    var machine: RunMachine
    /// Where the script and the record parted, if they did: the script is never resumed after that.
    private(set) var divergence: Divergence?
    private let compiled: CompiledBundle
    private let settings: Settings
    private let ambient: any Ambient
    private let findWorkflow: @Sendable (String) -> NamedWorkflow

    init(machine: RunMachine, compiled: CompiledBundle, context: RunContext) {
        self.machine = machine
        self.compiled = compiled
        settings = context.settings
        ambient = context.ambient
        findWorkflow = context.findWorkflow
    }

    func module(_ name: String) -> LuaChunk? { compiled.chunkForRun(name) }

    func call(
        function: Int, arguments: Bytes, secrets: [SecretUse], script: String, line: Int
    ) -> LuaCallResult {
        let function = HostFunction.allCases[function]
        if function.isStep { return step(function, arguments, secrets: secrets, line: line) }
        if function == .await_join { return answer(machine.join()) }
        let values = HostFunction.values(arguments)
        return .reply(
            function.pureReply(values) ?? branchReply(function, values, line) ?? reply(function, values))
    }

    // MARK: Durable verbs

    private func step(
        _ function: HostFunction, _ arguments: Bytes, secrets: [SecretUse], line: Int
    ) -> LuaCallResult {
        let parts = JSONElements.split(arguments)
        guard parts.count >= 3, let verb = JSONElements.text(parts[0]),
            let label = JSONElements.text(parts[1])
        else {
            return .reply(.failure(RunHost.malformed.bytes))
        }
        var request = StepRequest(
            verb: verb, label: label, arguments: Payload(parts[2]), secrets: secrets, line: line)
        if parts.count > 3 { request.was = JSONElements.text(parts[3]) }
        if verb == "config" { request.known = settings.configOutcome(label) }
        request.target = target(verb, parts[2])
        request.isImmediate = !function.maySuspend
        switch function {
        case .await_checkpoint: return answer(machine.beginCheckpoint(request))
        case .end_checkpoint:
            return answer(machine.endCheckpoint(request, at: ambient.now), maySuspend: false)
        default: return answer(machine.request(request, at: ambient.now), maySuspend: function.maySuspend)
        }
    }

    /// The workflow of which a verb starts a run.
    private func target(_ verb: String, _ arguments: ArraySlice<UInt8>) -> NamedWorkflow? {
        switch verb {
        case "flow.start", "flow.call":
            let name = (try? JSON(parsing: arguments, maxDepth: 80))?["workflow"]?.string
            return findWorkflow(name ?? "")
        case "flow.continue": return findWorkflow(machine.run.workflow)
        default: return nil
        }
    }

    private func answer(_ answer: RunMachine.Answer, maySuspend: Bool = true) -> LuaCallResult {
        switch answer {
        case .deliver(.success(let value)): return .reply(.value(value))
        case .deliver(.failure(let error)): return .reply(.failure(error))
        case .cancel(let error): return .reply(.cancellation(error))
        case .suspend: return .suspend
        case .diverged(let divergence):
            self.divergence = divergence
            // Verbs that can't suspend raise; the machine is ended as soon as the script comes back.
            return maySuspend ? .suspend : .reply(.failure(RunHost.diverged(divergence).bytes))
        }
    }

    /// What the stdlib's `parallel`, `each`, `saga` and `checkpoint` are made of.
    private func branchReply(_ function: HostFunction, _ values: [JSON], _ line: Int) -> LuaReply? {
        switch function {
        case .begin_branch: return .value(JSON.int(Int64(machine.fork(values.first?.string ?? ""))).bytes)
        case .stop_branches: machine.stopBranches((values.first ?? .null).bytes)
        case .shield: machine.shield(values.first == .bool(true))
        case .enter: machine.enter(values.first?.string ?? "")
        case .leave: machine.leave()
        case .branch_line:
            return .value(JSON.array(machine.branchLine.map { .int(Int64($0)) }).bytes)
        case .release: machine.release(values.first?.string ?? "")
        case .changed:
            let isChanged = machine.hasChanged(values.first?.string ?? "", line: line, at: ambient.now)
            return .value(JSON.bool(isChanged).bytes)
        default: return nil
        }
        return .nothing
    }

    private static let malformed = ScriptError(
        code: "PG1010", kind: "script", message: "A verb was called without its label and options.",
        hint: "The run's script is from another version of Perigee; run that version.")

    static func diverged(_ divergence: Divergence) -> ScriptError {
        ScriptError(
            code: "PG2050", kind: "conflict",
            message: "The script went another way than it did before: \(divergence.reason).",
            hint: "A script must do the same again when it is replayed; nothing was sent twice.")
    }

    // MARK: Everything else

    private func reply(_ function: HostFunction, _ values: [JSON]) -> LuaReply {
        switch function {
        case .note: annotate(values)
        case .tag: machine.tag((values.first ?? .object([:])).bytes)
        case .status: machine.setStatus(String((values.first?.string ?? "").prefix(500)))
        case .now: return .value(JSON.string(machine.scriptTime.description).bytes)
        case .clock: return .value(clock.bytes)
        case .uuid: return .value(JSON.string(machine.random.uuid()).bytes)
        case .random: return random(values)
        case .today: return today(values)
        case .run_info: return .value(info.bytes)
        default: break
        }
        return .nothing
    }

    /// The longest text of a note or a log line, in characters; the rest is cut.
    private static let maxNote = 8000

    private func annotate(_ values: [JSON]) {
        guard values.count >= 3 else { return }
        let kind = values[0].string.flatMap(Annotation.Kind.init) ?? .note
        let text = String((values[2].string ?? "").prefix(RunHost.maxNote))
        let data = values.count > 3 && values[3] != .null ? values[3].bytes : nil
        machine.annotate(kind, level: values[1].string ?? "info", text: text, data: data, at: ambient.now)
    }

    private func random(_ values: [JSON]) -> LuaReply {
        let bits = machine.random.next()
        guard let limit = values.first?.int, limit > 0 else {
            return .value(JSON.double(Double(bits >> 11) / Double(1 << 53)).bytes)
        }
        return .value(JSON.int(1 + Int64(bits % UInt64(limit))).bytes)
    }

    private func today(_ values: [JSON]) -> LuaReply {
        let name = values.first?.string ?? "UTC"
        guard let zone = TimeZone(identifier: name) else {
            return .failure(
                ScriptError(
                    code: "PG1013", kind: "validation", message: "flow.today: \"\(name)\" is no time zone.",
                    hint: "Write a name such as \"Europe/Paris\"."
                ).bytes)
        }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = zone
        let date = Date(timeIntervalSince1970: Double(machine.scriptTime.milliseconds) / 1000)
        let parts = calendar.dateComponents([.year, .month, .day], from: date)
        let text = String(format: "%04d-%02d-%02d", parts.year ?? 0, parts.month ?? 0, parts.day ?? 0)
        return .value(JSON.string(text).bytes)
    }

    /// The time that the script sees, and when the run began, in milliseconds since 1970.
    private var clock: JSON {
        let started = machine.run.scriptStart
        return .object([
            "now": .int(machine.scriptTime.milliseconds), "started": .int(started.milliseconds),
        ])
    }

    /// What `flow.run` holds.
    private var info: JSON {
        let run = machine.run
        var fields: [String: JSON] = [
            "id": .string(run.id), "attempt": 1, "version": .int(Int64(run.version)),
            "started_at": .string(run.scriptStart.description),
            "trigger": (try? JSON(parsing: run.trigger)) ?? .null, "namespace": .string(run.namespace),
            "correlation_id": .string(run.correlationID),
        ]
        if let key = run.key { fields["key"] = .string(key) }
        return .object(fields)
    }
}
