import Crypto
import Foundation
public import PerigeeJournal
import Synchronization

/// An event that somebody tells the host.
public struct NewEvent: Hashable, Sendable {
    /// What happened: `lead.created`.
    public var type: String
    public var data: JSON
    /// The sender's id of it, which with `source` tells duplicates; `nil` if every sending is a new event.
    public var id: String?
    /// Who tells it; `nil` for the API itself.
    public var source: String?
    /// What it belongs to, in 1 to 512 bytes, as the runs that it starts; `nil` for the event's own id.
    public var correlationID: String?
    /// What it came of, in 1 to 512 bytes, as its sender names it.
    public var causationID: String?

    public init(
        type: String, data: JSON, id: String? = nil, source: String? = nil, correlationID: String? = nil,
        causationID: String? = nil
    ) {
        self.type = type
        self.data = data
        self.id = id
        self.source = source
        self.correlationID = correlationID
        self.causationID = causationID
    }
}

/// What became of an event.
public struct EventReceipt: Hashable, Sendable {
    public var eventID: String
    /// The runs that it started, or that a key named.
    public var runs: [String]
    /// Whether it had been accepted before.
    public var isDuplicate: Bool
    /// The runs that it did not start because their keys are taken (`on_conflict = "reject"`).
    public var refused: [KeyTaken]
}

/// A run that somebody starts by hand.
public struct NewStart: Hashable, Sendable {
    public var workflow: String
    public var input: JSON
    /// The business key; `nil` for the one that the workflow makes of the input.
    public var key: String?
    /// Stands for exactly this request: sent again, it gives the same run.
    public var idempotencyKey: String?
    /// Who starts it; an audit record says so.
    public var by: String?
    /// Why, for those who look at it later.
    public var reason: String?

    public init(
        workflow: String, input: JSON, key: String? = nil, idempotencyKey: String? = nil, by: String? = nil,
        reason: String? = nil
    ) {
        self.workflow = workflow
        self.input = input
        self.key = key
        self.idempotencyKey = idempotencyKey
        self.by = by
        self.reason = reason
    }
}

/// A run that was started.
public struct RunHandle: Sendable {
    /// The run's id.
    public let id: String
    let host: WorkflowHost

    /// The run's result, once it has ended, or that of the last run that went on for it.
    ///
    /// - Parameter type: what the result is read as.
    /// - Throws: ``RunFailure`` if the run needs attention or did not complete; an error of decoding if the result is
    ///   of another shape; `CancellationError` if the task is cancelled.
    public func result<Output: Decodable>(as type: Output.Type = Output.self) async throws -> Output {
        var run = try await host.waitForEnd(run: id, timeoutMilliseconds: .max)
        while let next = run.continuedAs {
            run = try await host.waitForEnd(run: next, timeoutMilliseconds: .max)
        }
        guard run.status == .completed, let output = run.output else { throw RunFailure(run) }
        return try JSONDecoder().decode(Output.self, from: Data(output))
    }
}

/// A run that did not complete.
public struct RunFailure: ExplainedError {
    /// The run as it ended.
    public let run: RunRecord
    public let code: String
    public let message: String
    public let hint: String

    init(_ run: RunRecord) {
        self.run = run
        let error = run.error.flatMap { try? JSON(parsing: $0) }
        code = error?["code"]?.string ?? "PG2000"
        message =
            "The run \(run.id) is \(run.status.rawValue): \(error?["message"]?.string ?? "no reason was given")"
        hint = error?["hint"]?.string ?? "Look at the run's history."
    }
}

extension WorkflowHost {
    // MARK: Starting

    /// Starts runs, all in one durable commit.
    ///
    /// - Returns: for each start its run, new or found by its key, or why it was refused.
    /// - Throws: ``HostError`` if too much waits for the store already (`PG4080`, <doc:Overload>) or the host is about
    ///   to end, ``JournalError`` if the store fails; then nothing was started.
    public func start(_ starts: [NewStart]) async throws -> [Result<RunRecord, HostError>] {
        let checked = starts.map { start in Result { () throws(HostError) in try submission(start) } }
        let receipts = try await submit(checked)
        var runs: [Result<RunRecord, HostError>] = []
        for receipt in receipts {
            switch receipt {
            case .failure(let error): runs.append(.failure(error))
            case .success(let receipt): runs.append(.success(try await run(receipt)))
            }
        }
        return runs
    }

    /// The run that a submission started or named.
    private func run(_ receipt: SubmissionReceipt) async throws -> RunRecord {
        if let claimed = receipt.claimed.first { return claimed.run }
        return try await run(id: receipt.runs.first ?? "")
    }

    /// Starts a run.
    ///
    /// - Parameters:
    ///   - workflow: the workflow's id.
    ///   - input: the argument of its `run`.
    ///   - key: the business key; `nil` for the one that the workflow makes of the input.
    /// - Returns: the run, new or found by its key.
    /// - Throws: ``HostError`` for an unknown workflow, an input that does not fit, a key that is taken where the
    ///   workflow rejects a second run, or where too much waits for the store already (`PG4080`); ``JournalError`` if
    ///   the store fails.
    public func start(_ workflow: String, input: some Encodable & Sendable, key: String? = nil) async throws
        -> RunHandle
    {
        let encoded = try JSONEncoder().encode(input)
        let started = try await start([
            NewStart(workflow: workflow, input: try JSON(parsing: encoded), key: key)
        ])
        guard let run = try started.first?.get() else { throw HostError.unknownWorkflow(workflow, near: nil) }
        return RunHandle(id: run.id, host: self)
    }

    private func submission(_ start: NewStart) throws(HostError) -> Submission {
        let target = try target(start.workflow)
        let input = start.input.bytes
        guard input.count <= options.maxEventBytes else { throw HostError.tooLarge(options.maxEventBytes) }
        if let key = start.key, key.isEmpty || key.utf8.count > 512 {
            throw HostError.invalid("`key` has \(key.utf8.count) bytes.", hint: "A key has 1 to 512 bytes.")
        }
        let run = RunStart(
            target: target, input: start.input, bytes: input, trigger: ["type": "manual"], key: start.key)
        let faults = run.faults
        guard faults.isEmpty else { throw HostError.invalidInput(faults) }
        var new = run.newRun(correlationID: nil, ambient: ambient)
        new.startedBy = try note("start", by: start.by ?? "", reason: start.reason)
        let digest = start.idempotencyKey.map { _ in
            let request = Array(start.workflow.utf8) + [0] + input + [0] + Array((start.key ?? "").utf8)
            return "\(SHA256.hash(data: request))"
        }
        return Submission(
            namespace: namespace, starts: [new],
            idempotencyKey: start.idempotencyKey, requestDigest: digest
        )
    }

    private func target(_ workflow: String) throws(HostError) -> TriggerIndex.Target {
        if let target = registry.target(workflow) { return target }
        let known = registry.workflows
        if let problem = known.first(where: { $0.id == workflow })?.error {
            throw HostError.notLoaded(workflow, problem)
        }
        throw HostError.unknownWorkflow(
            workflow, near: NearestName.of(workflow, among: known.filter { !$0.isDeleted }.map(\.id)))
    }

    /// Tells the host events, all in one durable commit.
    ///
    /// - Returns: for each event its receipt, or why it was refused.
    /// - Throws: ``HostError`` if too much waits for the store already (`PG4080`, <doc:Overload>) or the host is about
    ///   to end, ``JournalError`` if the store fails; then nothing was accepted.
    public func send(_ events: [NewEvent]) async throws -> [Result<EventReceipt, HostError>] {
        let checked = events.map { event in Result { () throws(HostError) in try submission(event) } }
        return try await submit(checked).map { result in
            result.map {
                EventReceipt(
                    eventID: $0.eventID ?? "", runs: $0.runs, isDuplicate: $0.isDuplicate, refused: $0.refused
                )
            }
        }
    }

    private func submission(_ new: NewEvent) throws(HostError) -> Submission {
        guard !new.type.isEmpty, new.type.utf8.count <= 256 else {
            throw HostError.invalid(
                "`type` has \(new.type.utf8.count) bytes.", hint: "Name what happened: \"lead.created\".")
        }
        let names = [new.id, new.source, new.correlationID, new.causationID].compactMap { $0 }
        guard names.allSatisfy({ (1...512).contains($0.utf8.count) }) else {
            throw HostError.invalid(
                "`id`, `source`, `correlation_id` and `causation_id` have 1 to 512 bytes.",
                hint: "Shorten them, or leave out what is empty.")
        }
        // They go into headers and logs.
        let traces = [new.correlationID, new.causationID].compactMap { $0 }
        guard traces.allSatisfy({ $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } }) else {
            throw HostError.invalid(
                "`correlation_id` and `causation_id` are ASCII without spaces.",
                hint: "Send an id such as \"order-7\", or leave it out.")
        }
        let data = new.data.bytes
        guard data.count <= options.maxEventBytes else { throw HostError.tooLarge(options.maxEventBytes) }
        let id = ambient.identifier("evt")
        let event = EventRecord(
            id: id, namespace: namespace, source: new.source ?? "api", sourceID: new.id ?? id, type: new.type,
            data: data, at: ambient.now, correlationID: new.correlationID, causationID: new.causationID)
        let starts = registry.triggers.starts(for: event, data: new.data, ambient: ambient)
        return Submission(namespace: namespace, event: event, starts: starts)
    }

    /// Starts the workflow whose hook a request is for.
    ///
    /// - Parameters:
    ///   - path: what follows `/hooks/`.
    ///   - body: the request's body, which is the run's input.
    /// - Returns: the run; `nil` if no workflow has this path.
    /// - Throws: ``HostError`` for a wrong method, an input that does not fit, a key that is taken where the
    ///   workflow rejects a second run, or where too much waits for the store already (`PG4080`); ``JournalError`` if
    ///   the store fails.
    public func hook(method: String, path: String, body: JSON) async throws -> RunRecord? {
        switch registry.triggers.hook(method: method, path: path) {
        case .unknown: return nil
        case .wrongMethod(let allowed): throw HostError.methodNotAllowed(method, allowed)
        case .target(let target):
            let trigger: JSON = [
                "type": "http", "method": .string(method), "path": .string("/" + path.trimmingPathSlashes()),
            ]
            let start = RunStart(target: target, input: body, trigger: trigger)
            guard start.faults.isEmpty else { throw HostError.invalidInput(start.faults) }
            let submission = Submission(
                namespace: namespace, starts: [start.newRun(correlationID: nil, ambient: ambient)])
            guard let receipt = try await submit([.success(submission)]).first else { return nil }
            return try await run(try receipt.get())
        }
    }

    /// Submits those that were found good, in one transaction, and answers each in its place.
    func submit(
        _ checked: [Result<Submission, HostError>]
    ) async throws -> [Result<SubmissionReceipt, HostError>] {
        guard !phase.withLock({ $0.isEnding }) else { throw HostError.shuttingDown }
        let good = checked.compactMap { try? $0.get() }
        let size = Admission.Size(members: good.count, bytes: good.reduce(0) { $0 + $1.size })
        var receipts = good.isEmpty ? [] : try await intake.pass(size) { try await accept(good) }
        receipts.reverse()
        for case .success(let receipt) in receipts {
            activityHub.send(cancelled: receipt.cancelled, to: waiters)
        }
        return checked.map { result in
            switch result {
            case .failure(let error): .failure(error)
            case .success: (receipts.popLast() ?? .failure(.invalid("no receipt"))).mapError { HostError($0) }
            }
        }
    }

    /// Hands submissions in, and takes up at once the runs that there is room for.
    private func accept(
        _ submissions: [Submission]
    ) async throws -> [Result<SubmissionReceipt, JournalError>] {
        let starts = submissions.flatMap(\.starts)
        let room = dispatcher.reserve(starts.count, mayStandInLine: starts.allSatisfy(mayStandInLine))
        let receipts: [Result<SubmissionReceipt, JournalError>]
        do {
            receipts = try await journal.submit(
                submissions, now: ambient.now, claimant: Claimant(host: options.hostID, limit: room))
        } catch {
            dispatcher.accepted([], of: room)
            throw error
        }
        let accepted = receipts.compactMap { try? $0.get() }
        let claimed = accepted.flatMap(\.claimed)
        dispatcher.accepted(claimed, of: room)
        hand(claimed)
        if let due = claimed.compactMap(\.run.deadlineAt).min() { dispatcher.note(due: due) }
        if accepted.contains(where: \.wakesRuns) { dispatcher.poke() }
        return receipts
    }

    /// The most bytes of an input that is kept in memory for long.
    private static let mostInLine = 4096

    /// Whether a run may be taken long before it begins: its time would run, and a breaker would hold it no more.
    private func mayStandInLine(_ run: NewRun) -> Bool {
        run.input.count <= Self.mostInLine && run.timeoutMilliseconds == nil
            && registry.target(run.workflow)?.definition.breaker == nil
    }
}
