import Foundation
import PerigeeJournal

/// `call(label, "crm.update_deal", {…})`: a function that the host's own program registered.
struct CallFunction: Sendable {
    let name: String
    let input: Payload
    let context: CallContext

    init(_ arguments: JSON, step: Step, run: RunRecord) {
        name = arguments["function"]?.string ?? ""
        input = (arguments["input"] ?? .null).bytes
        context = CallContext(
            runID: run.id, workflow: run.workflow, label: step.address.label, address: "\(step.address)")
    }
}

/// What a registered function knows of the step that calls it.
public struct CallContext: Sendable {
    /// The run's id.
    public let runID: String
    /// The workflow's id.
    public let workflow: String
    /// The label that the script gave to the step.
    public let label: String
    fileprivate let address: String

    fileprivate init(runID: String, workflow: String, label: String, address: String) {
        self.runID = runID
        self.workflow = workflow
        self.label = label
        self.address = address
    }

    /// The same whenever this step is performed again after a crash, and different for every other step: use it to
    /// do a thing once.
    public var idempotencyKey: String { "\(runID)\(address)" }
}

/// The functions of a host, by name.
struct FunctionTable: Sendable {
    typealias Function = @Sendable (Payload, CallContext) async throws -> Payload

    private static let decoder = JSONDecoder()
    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }()

    private var functions: [String: Function] = [:]

    mutating func register<Input: Decodable & Sendable, Output: Encodable & Sendable>(
        _ name: String, _ body: @escaping @Sendable (Input, CallContext) async throws -> Output
    ) {
        functions[name] = { input, context in
            let value: Input
            do { value = try Self.decoder.decode(Input.self, from: Data(input)) } catch {
                throw ScriptError(
                    code: "PG2021", kind: "validation",
                    message: "The input of \"\(name)\" does not fit: \(describe(error)).",
                    hint: "Compare the fields with the ones that the function declares.")
            }
            return Payload(try Self.encoder.encode(try await body(value, context)))
        }
    }

    /// Calls a function; an error that it throws is the step's failure.
    func perform(_ call: CallFunction, ambient: any Ambient) async -> EffectResult {
        let startedAt = ambient.now
        let outcome: Outcome
        do {
            guard let function = functions[call.name] else { throw unknown(call.name) }
            outcome = .success(try await function(call.input, call.context))
        } catch let error as ScriptError {
            outcome = .failure(error.bytes)
        } catch {
            outcome = .failure(
                ScriptError(
                    code: "PG2022", kind: "call", message: "\"\(call.name)\" failed: \(error).",
                    hint: "See the program that registered it; try(call, …) lets a script go on without it.",
                    fields: ["retryable": false, "step": .string(call.context.label)]
                ).bytes)
        }
        return .outcome(outcome, attempts: 1, startedAt: startedAt)
    }

    private func unknown(_ name: String) -> ScriptError {
        let near = NearestName.of(name, among: functions.keys)
        return ScriptError(
            code: "PG2020", kind: "not_found", message: "This host has no function \"\(name)\".",
            hint: near.map { "Did you mean \"\($0)\"?" }
                ?? "Register it with WorkflowHost.register before the host runs.")
    }
}

private func describe(_ error: any Error) -> String {
    func place(_ path: [any CodingKey]) -> String {
        path.isEmpty ? "the input" : "`" + path.map(\.stringValue).joined(separator: ".") + "`"
    }
    switch error {
    case DecodingError.keyNotFound(let key, let context):
        return "\(place(context.codingPath + [key])) is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context),
        DecodingError.dataCorrupted(let context):
        return "\(place(context.codingPath)): \(context.debugDescription)"
    default: return "\(error)"
    }
}
