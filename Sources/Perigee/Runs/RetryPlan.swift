import PerigeeJournal

/// What is taken back of a run that came to a stop, so that it goes on from there.
///
/// Taken back are the steps whose failure stopped it, the steps of its hooks, the request to end, and waits that
/// nobody answers any more. What other branches did stays, and so do waits for runs that go on.
struct RetryPlan: Hashable {
    /// The sequences of the entries that are taken back, rising.
    var reset: [Int] = []
    /// The steps whose failure is taken back.
    var failed: [Step] = []
    /// What the script did to unwind after the request to end: labels.
    var unwound: [String] = []

    /// - Parameters:
    ///   - entries: everything that is recorded of the run.
    ///   - error: why it came to a stop.
    ///   - kept: waits that stand.
    init(_ entries: [Entry], error: JSON?, keeping kept: [AwaitedRun] = []) {
        let valid = RunLog.valid(entries)
        let own = valid.filter { !$0.isOfHook }
        var taken = Set(valid.filter(\.isOfHook).map(\.sequence))
        let completed = Set(own.compactMap(\.completedStep?.address))
        var isUnwinding = false
        for entry in own {
            switch entry.fact {
            case .endRequested:
                isUnwinding = true
                taken.insert(entry.sequence)
            case .waitOpened(let step, _, _) where !completed.contains(step.address),
                .attemptBegun(let step) where !completed.contains(step.address):
                taken.insert(entry.sequence)
            case .stepCompleted(let step, _, _, _) where isUnwinding: unwound.append(step.address.label)
            default: break
            }
        }
        if let error {
            for entry in RetryPlan.failures(in: own, meant: error) {
                taken.insert(entry.sequence)
                if let step = entry.completedStep { failed.append(step) }
            }
        }
        reset = taken.subtracting(kept.map(\.sequence)).sorted()
    }

    /// The failures that an error stems from, after which nothing followed on their lines.
    private static func failures(in entries: [Entry], meant error: JSON) -> [Entry] {
        var linesAfter: Set<String> = []
        var found: [Entry] = []
        for entry in entries.reversed() {
            guard case .stepCompleted(let step, let outcome, _, _) = entry.fact else { continue }
            let path = step.address.path
            if case .failure(let failure) = outcome, error.stems(from: step, failure),
                !linesAfter.contains(where: { StepPath.areOnOneLine($0, path) })
            {
                found.append(entry)
            } else {
                linesAfter.insert(path)
            }
        }
        return found.reversed()
    }
}

/// A wait for the end of a run that another one called, and that goes on while that one needs attention.
struct AwaitedRun {
    /// Where the wait stands in the record.
    var sequence: Int
    var wait: Wait

    /// Those of a run.
    ///
    /// What it called with a key is left out: the key says which run is meant when it is called again.
    static func all(in history: RunHistory) -> [AwaitedRun] {
        guard history.run.status == .attention else { return [] }
        let own = RunLog.valid(history.entries).filter { !$0.isOfHook }
        let completed = Set(own.compactMap(\.completedStep?.address))
        return own.compactMap { entry in
            guard case .waitOpened(let step, let wait, _) = entry.fact, step.verb == "flow.call",
                !completed.contains(step.address),
                let arguments = try? JSON(parsing: step.arguments, maxDepth: 80),
                arguments["key"]?.string == nil
            else { return nil }
            let at = entry.recordedAt
            let called = Child.id(parent: history.run.id, sequence: entry.sequence, at: at)
            let due = arguments["timeout_milliseconds"]?.int.map { at.adding(milliseconds: $0) }
            return AwaitedRun(
                sequence: entry.sequence,
                wait: Wait(
                    id: wait, address: step.address, kind: .child(run: called), openedAt: at, dueAt: due))
        }
    }
}

extension Entry {
    /// Whether it was done by `on_failure` or `on_cancel`.
    var isOfHook: Bool {
        switch fact {
        case .stepCompleted(let step, _, _, _), .waitOpened(let step, _, _), .attemptBegun(let step):
            ["on_failure", "on_cancel"].contains { StepPath.areOnOneLine($0, step.address.path, below: true) }
        case .versionMoved, .endRequested, .reset: false
        }
    }

    var completedStep: Step? {
        if case .stepCompleted(let step, _, _, _) = fact { step } else { nil }
    }
}

extension StepPath {
    /// Whether one path is the other or inside it.
    ///
    /// - Parameter below: only whether the second is the first or inside it.
    static func areOnOneLine(_ first: String, _ second: String, below: Bool = false) -> Bool {
        func isInside(_ outer: String, _ inner: String) -> Bool {
            outer.isEmpty || inner == outer || inner.hasPrefix(outer + "/")
        }
        return isInside(first, second) || !below && isInside(second, first)
    }
}

extension JSON {
    /// Whether the error that stopped a run is the failure of this step.
    fileprivate func stems(from step: Step, _ failure: Payload) -> Bool {
        if let label = self["step"]?.string { return label == step.address.label }
        guard let failed = try? JSON(parsing: failure), let message = failed["message"] else { return false }
        return self["message"] == message && self["code"] == failed["code"]
    }
}
