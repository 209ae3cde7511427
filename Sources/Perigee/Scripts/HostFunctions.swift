public import Foundation
import PerigeeJournal
import PerigeeLua

/// What the stdlib can ask of the host, by the name it has there.
///
/// Only some may suspend the script (``maySuspend``).
enum HostFunction: String, CaseIterable {
    case await_step, await_join, await_checkpoint, step, end_checkpoint
    case begin_branch, stop_branches, branch_line, shield, enter, leave, changed, release
    case note, tag, status, now, clock, today, uuid, random, run_info
    case unknown_name, nearest, duration, time
    case time_text, zone_offset, zone_time, regex, text_case, sha256

    static let names = allCases.map(\.rawValue)

    /// Whether it is called with a verb, a label and arguments.
    var isStep: Bool {
        switch self {
        case .await_step, .await_checkpoint, .step, .end_checkpoint: true
        default: false
        }
    }

    /// The arguments of a call.
    static func values(_ arguments: Bytes) -> [JSON] {
        (try? JSON(parsing: arguments, maxDepth: 80))?.array ?? []
    }

    var maySuspend: Bool {
        switch self {
        case .await_step, .await_join, .await_checkpoint: true
        default: false
        }
    }

    /// The answer of a function that depends on nothing but its arguments; `nil` for any other function.
    func pureReply(_ arguments: [JSON]) -> LuaReply? {
        switch self {
        case .unknown_name: .value(UnknownName(arguments.first?.string ?? "?").fields.bytes)
        case .nearest: HostFunction.nearest(arguments)
        case .duration:
            HostFunction.value(arguments.first?.string.flatMap(DurationText.milliseconds(in:)).map(JSON.int))
        case .time:
            HostFunction.value(
                arguments.first?.string.flatMap(Timestamp.init(rfc3339:)).map { .int($0.milliseconds) })
        case .time_text:
            HostFunction.value(
                arguments.first?.int.map { .string(Timestamp(milliseconds: $0).description) })
        case .zone_offset: ZoneCall(arguments)?.offset ?? .nothing
        case .zone_time: ZoneCall(arguments)?.moment ?? .nothing
        case .regex: RegexCall(arguments)?.reply ?? .nothing
        case .text_case: HostFunction.value(TextCall.changeCase(arguments))
        case .sha256: HostFunction.value(TextCall.sha256(arguments))
        default: nil
        }
    }

    static func value(_ value: JSON?) -> LuaReply {
        value.map { .value($0.bytes) } ?? .nothing
    }

    private static func nearest(_ arguments: [JSON]) -> LuaReply {
        guard arguments.count == 2, let name = arguments[0].string, let candidates = arguments[1].array else {
            return .nothing
        }
        return value(NearestName.of(name, among: candidates.compactMap(\.string)).map(JSON.string))
    }
}

/// An error as scripts get it and as a run shows it.
struct ScriptError: Error, Hashable {
    var code: String
    var kind: String
    var message: String
    var hint: String
    /// Further fields: `status`, `response`, `attempt` and so on.
    var fields: [String: JSON] = [:]

    var json: JSON {
        let own: [String: JSON] = [
            "code": .string(code), "kind": .string(kind), "message": .string(message), "hint": .string(hint),
        ]
        return .object(own.merging(fields) { own, _ in own })
    }

    var bytes: Payload { json.bytes }
}

/// Secrets and settings of a deployment.
public struct Settings: Sendable {
    /// A secret by its name; `nil` if there is none.
    public var secret: @Sendable (String) -> ProvidedSecret?
    /// All secrets whose names are known; of one name, the one that counts comes first.
    public var secrets: @Sendable () -> [ProvidedSecret]
    /// The value of a setting; `nil` if there is none.
    public var config: @Sendable (String) -> String?

    /// Creates settings from look-ups.
    public init(
        secret: @escaping @Sendable (String) -> ProvidedSecret?,
        secrets: @escaping @Sendable () -> [ProvidedSecret], config: @escaping @Sendable (String) -> String?
    ) {
        self.secret = secret
        self.secrets = secrets
        self.config = config
    }

    /// Creates settings from two look-ups of values.
    ///
    /// The secrets may be sent to any host, and are in no list.
    public init(
        secret: @escaping @Sendable (String) -> String?, config: @escaping @Sendable (String) -> String?
    ) {
        self.init(
            secret: { name in
                secret(name).map { ProvidedSecret(name: name, value: $0, source: "program") }
            }, secrets: { [] }, config: config)
    }

    /// Reads `PERIGEE_SECRET_NAME` and `PERIGEE_CONFIG_NAME` from an environment.
    ///
    /// `PERIGEE_SECRET_HOSTS_NAME` has the hosts that the secret may be sent to, separated by commas; without it, it
    /// may be sent to any.
    public static func environment(_ values: [String: String] = ProcessInfo.processInfo.environment)
        -> Settings
    {
        let (prefix, hosts) = ("PERIGEE_SECRET_", "HOSTS_")
        let secret: @Sendable (String) -> ProvidedSecret? = { name in
            guard !name.hasPrefix(hosts), let value = values[prefix + name] else { return nil }
            return ProvidedSecret(
                name: name, value: value, hosts: values[prefix + hosts + name], source: "environment")
        }
        return Settings(
            secret: secret,
            secrets: {
                values.keys.filter { $0.hasPrefix(prefix) }.sorted().compactMap {
                    secret(String($0.dropFirst(prefix.count)))
                }
            }, config: { values["PERIGEE_CONFIG_\($0)"] })
    }

    func configReply(_ name: String) -> LuaReply {
        switch configOutcome(name) {
        case .success(let value): .value(value)
        case .failure(let error): .failure(error)
        }
    }

    func configOutcome(_ name: String) -> Outcome {
        if let value = config(name) { return .success(JSON.string(value).bytes) }
        return .failure(
            ScriptError(
                code: "PG2031", kind: "validation",
                message: "The setting \"\(name)\" is not set in this deployment.",
                hint: "Set the environment variable PERIGEE_CONFIG_\(name) and start the host again."
            ).bytes)
    }
}
