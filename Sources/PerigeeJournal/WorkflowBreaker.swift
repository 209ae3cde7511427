/// The breaker of a workflow: while too many of its runs fail, none begins.
package struct WorkflowBreaker: Hashable, Sendable {
    package var rule: BreakerRule
    var breaker = Breaker()
    /// The number of the run that was tried after a pause, and until when it alone decides.
    var probe: Int64?
    var probeUntil: Timestamp?

    package init(_ rule: BreakerRule) {
        self.rule = rule
    }

    package var openUntil: Timestamp? { breaker.openUntil }

    /// When a run may be tried; `nil` while all may begin.
    package var dueAt: Timestamp? { breaker.openUntil.map { max($0, probeUntil ?? $0) } }

    /// Whether a run may begin now; one that may after a pause is the one that is tried.
    package mutating func admits(_ run: Int64, at now: Timestamp) -> Bool {
        guard let dueAt else { return true }
        guard dueAt <= now else { return false }
        // A run that waits for days decides nothing meanwhile: after another pause the next one is tried.
        (probe, probeUntil) = (run, now.adding(milliseconds: rule.pauseMilliseconds))
        return true
    }

    /// A run ended, or needs attention.
    ///
    /// - Parameter hasFailed: `nil` for an end that somebody asked for, which says nothing.
    package mutating func take(_ run: Int64, hasFailed: Bool?, at now: Timestamp) {
        let isProbe = probe == run
        if isProbe { (probe, probeUntil) = (nil, nil) }
        if let hasFailed { breaker.take(hasFailed: hasFailed, isProbe: isProbe, rule, at: now) }
    }

    /// What the run shows whose end opened it.
    package func annotation(at now: Timestamp) -> Annotation {
        let until = openUntil.map { " before \($0)" } ?? ""
        return Annotation(
            ordinal: nil, at: now, kind: .note, level: "warning",
            text: "Too many runs of this workflow failed: its breaker lets none begin\(until).")
    }
}

extension RunStatus {
    /// Whether a run that came to this failed, for its workflow's breaker; `nil` if it says nothing.
    package var isFailure: Bool? {
        switch self {
        case .completed: false
        case .failed, .timed_out, .attention: true
        default: nil
        }
    }
}

extension WorkflowBreaker {
    /// The breaker as a JSON object.
    package var json: JSON {
        var fields: [String: JSON] = ["rule": rule.json, "breaker": breaker.json]
        if let probe { fields["probe"] = .int(probe) }
        if let probeUntil { fields["probe_until"] = .int(probeUntil.milliseconds) }
        return .object(fields)
    }

    /// Reads what ``json`` wrote; `nil` for anything else.
    package init?(_ json: JSON) {
        guard let rule = json["rule"].flatMap(BreakerRule.init),
            let breaker = json["breaker"].flatMap(Breaker.init)
        else { return nil }
        self.rule = rule
        self.breaker = breaker
        probe = json["probe"]?.int
        probeUntil = json["probe_until"]?.int.map(Timestamp.init(milliseconds:))
    }
}
