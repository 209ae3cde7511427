import PerigeeJournal

/// Parts of the script that keep one value, and lines that an older run does not see.
extension RunMachine {
    /// Goes into a checkpoint: gives `[value]` if it has ended before, otherwise null, and what follows is inside.
    mutating func beginCheckpoint(_ request: StepRequest) -> Answer {
        guard let (branch, address) = nextAddress(request.label) else { return .suspend }
        if let error = cancellation(of: branch) { return .cancel(error) }
        guard let recorded = recordedAddress(address, was: request.was) else {
            branches[current]?.enter(request.label)
            return .deliver(.success(JSON.null.bytes))
        }
        let step = Step(
            address: address, verb: request.verb, arguments: request.arguments, line: request.line)
        return replay(recorded, step, request, at: scriptTime)
    }

    /// Comes out of a checkpoint with its value: the steps inside are not kept.
    mutating func endCheckpoint(_ request: StepRequest, at now: Timestamp) -> Answer {
        guard !isReplaying else { return .diverged(divergence(at: nil)) }
        guard let branch = branches[current], branch.frames.count > 1 else {
            return .deliver(.success(JSON.null.bytes))
        }
        let inside = branch.frames[branch.frames.count - 1].path
        branches[current]?.leave()
        let frame = branch.frames[branch.frames.count - 2]
        let address = StepAddress(
            path: frame.path, label: request.label, occurrence: frame.occurrences[request.label] ?? 1)
        let step = Step(
            address: address, verb: "checkpoint", arguments: JSON.object([:]).bytes, line: request.line)
        let outcome = Outcome.success([UInt8(ascii: "[")] + request.arguments + [UInt8(ascii: "]")])
        unsaved.prunes.append(inside)
        complete(step, outcome, attempts: 1, startedAt: now, at: now)
        return .deliver(outcome)
    }

    /// Whether the run comes to this line for the first time in a version that has it.
    mutating func hasChanged(_ name: String, line: Int, at now: Timestamp) -> Bool {
        if let known = changes[name] { return known }
        let recordedAt = log.changes[name]
        let isChanged = recordedAt != nil || !isReplaying
        changes[name] = isChanged
        if let recordedAt {
            scriptTime = max(scriptTime, recordedAt)
        } else if isChanged {
            let step = Step(
                address: StepAddress(label: name, occurrence: 0), verb: "flow.changed",
                arguments: JSON.object([:]).bytes, line: line)
            complete(step, .success(JSON.bool(true).bytes), attempts: 1, startedAt: now, at: now)
        }
        return isChanged
    }
}
