import Foundation
public import PerigeeJournal

/// A call that the outside world saw and that an action sends again.
public struct ResentCall: Hashable, Sendable {
    public enum State: String, Sendable {
        /// Its outcome is recorded.
        case completed
        /// It was sent at least once, and its outcome is not known.
        case begun
    }

    public var address: StepAddress
    /// `http.post`, `call` …; empty where only its attempts are known.
    public var verb: String
    /// `POST quotes.example/quotes`, or the function's name.
    public var target: String
    /// When it ended, or was last tried.
    public var at: Timestamp
    public var state: State
}

extension ResentCall {
    /// The call that a recorded step made; `nil` if it is none that changes something.
    private init?(_ entry: Entry) {
        guard let step = entry.completedStep, let target = step.changingCall else { return nil }
        self.init(
            address: step.address, verb: step.verb, target: target, at: entry.recordedAt, state: .completed)
    }

    /// The calls of a run that are sent again.
    ///
    /// - Parameter isRepeated: whether a recorded step is done again.
    static func calls(in history: RunHistory, where isRepeated: (Entry) -> Bool) -> [ResentCall] {
        let valid = RunLog.valid(history.entries)
        let completed = Set(valid.compactMap(\.completedStep?.address))
        var begun: [StepAddress: ResentCall] = [:]
        for annotation in history.annotations where annotation.kind == .attempt {
            guard let address = annotation.step, !completed.contains(address) else { continue }
            let target = annotation.text.split(separator: " → ").first.map(String.init) ?? annotation.text
            guard !target.hasPrefix("GET "), !target.hasPrefix("HEAD ") else { continue }
            begun[address] = ResentCall(
                address: address, verb: "", target: target, at: annotation.at, state: .begun)
        }
        for entry in valid {
            guard case .attemptBegun(let step) = entry.fact, !completed.contains(step.address) else {
                continue
            }
            begun[step.address] = ResentCall(
                address: step.address, verb: step.verb, target: step.changingCall ?? "",
                at: entry.recordedAt, state: .begun)
        }
        return valid.filter(isRepeated).compactMap { ResentCall($0) } + begun.values.sorted { $0.at < $1.at }
    }
}

extension Step {
    /// What it calls, if that may change something outside: not GET and HEAD.
    fileprivate var changingCall: String? {
        let arguments = try? JSON(parsing: self.arguments, maxDepth: 80)
        if verb == "call" { return arguments?["function"]?.string ?? "" }
        guard verb.hasPrefix("http.") else { return nil }
        let method = arguments?["method"]?.string ?? "GET"
        guard method != "GET", method != "HEAD" else { return nil }
        return "\(method) \(HTTPCall.shown(arguments?["url"]?.string ?? ""))"
    }
}
