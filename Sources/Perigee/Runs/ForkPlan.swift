import PerigeeJournal

/// What a new run takes over of another one's record.
struct ForkPlan {
    /// The entries before the step: outcomes, and waits that were answered.
    var entries: [Entry]
    /// From this sequence on everything is done again.
    var cut: Int

    /// - Parameter address: the step from which on it is done again; `nil` for the beginning.
    /// - Returns: `nil` if there is no such step in the record.
    init?(_ recorded: [Entry], from address: StepAddress?) {
        let valid = RunLog.valid(recorded)
        guard let address else {
            (entries, cut) = ([], 1)
            return
        }
        guard let first = valid.first(where: { $0.address == address }) else { return nil }
        cut = first.sequence
        let before = valid.prefix { $0.sequence < first.sequence }.filter { !$0.isOfHook }
        let completed = Set(before.compactMap(\.completedStep?.address))
        entries = before.filter { entry in
            switch entry.fact {
            case .stepCompleted: true
            case .waitOpened(let step, _, _), .attemptBegun(let step): completed.contains(step.address)
            case .versionMoved, .endRequested, .reset: false
            }
        }
    }
}

extension Entry {
    /// The step that it is about.
    var address: StepAddress? {
        switch fact {
        case .stepCompleted(let step, _, _, _), .waitOpened(let step, _, _), .attemptBegun(let step):
            step.address
        case .versionMoved, .endRequested, .reset: nil
        }
    }
}

extension RunRecord {
    /// The trigger of a run that goes on with a part of another one's record.
    ///
    /// Its script must see the time and the randomness that the other one saw.
    static func rerunTrigger(of run: RunRecord, from step: StepAddress?) -> JSON {
        var fields: [String: JSON] = ["type": "rerun", "run": .string(run.id)]
        if let step {
            fields["step"] = .string(step.label)
            fields["first"] = .string(run.seed)
            fields["started_at"] = .string(run.scriptStart.description)
        }
        return .object(fields)
    }

    /// How a trigger ends that ``rerunTrigger(of:from:)`` has made, as its keys are in order: few have to be parsed.
    private static let rerunEnd = Array(#""type":"rerun"}"#.utf8)

    private var rerun: JSON? {
        guard trigger.suffix(Self.rerunEnd.count).elementsEqual(Self.rerunEnd) else { return nil }
        return try? JSON(parsing: trigger)
    }

    /// The id of the run whose randomness its script sees: its own, or that of the run whose record it began with.
    var seed: String { rerun?["first"]?.string ?? id }

    /// When the script began, as it sees it.
    var scriptStart: Timestamp {
        rerun?["started_at"]?.string.flatMap { Timestamp(rfc3339: $0) } ?? startedAt ?? createdAt
    }
}
