import PerigeeJournal

/// Which branch of the script runs, and which are cancelled.
extension RunMachine {
    /// The branch that goes on now, with what it is given; `nil` when all have come to a stop.
    mutating func nextReady() -> (branch: Int, delivery: Branch.Delivery)? {
        guard next == nil, !ready.isEmpty else { return nil }
        let chosen = ready.removeFirst()
        current = chosen.branch
        branches[current]?.block = nil
        return chosen
    }

    mutating func makeReady(_ branch: Int, _ delivery: Branch.Delivery) {
        if case .effect(_, let token)? = branches[branch]?.block,
            let dropped = effects.removeValue(forKey: token)
        {
            unsaved.closes += dropped.effect.turns
            droppedEffects.append(token)
            starting.removeAll { $0.token == token }
        }
        if case .wait(let step, let id, _)? = branches[branch]?.block, waiting.removeValue(forKey: id) != nil
        {
            unsaved.closes.append(id)
            // It may have been granted meanwhile.
            if step.verb == "flow.lock" { unsaved.releases.append(id) }
        }
        if case .recorded(let address)? = branches[branch]?.block { replaying[address] = nil }
        if case .fresh(_, let plan)? = branches[branch]?.block {
            if case .effect(let effect) = plan { unsaved.closes += effect.turns }
            fresh.removeAll { $0 == branch }
        }
        branches[branch]?.block = nil
        ready.append((branch, delivery))
    }

    /// The effects that nobody waits for any more, by token; they are to be broken off.
    mutating func takeDroppedEffects() -> [Int] {
        defer { droppedEffects = [] }
        return droppedEffects
    }

    /// Begins a branch of the present one; it runs when that has come to a stop.
    mutating func fork(_ name: String) -> Int {
        let number = branchCount
        branchCount += 1
        guard let parent = branches[current] else { return number }
        let frame = parent.frames.count - 1
        let path = StepPath.joined(parent.frames[frame].path, StepPath.component(name))
        var branch = Branch(
            number: number, path: path, parent: (current, frame), shield: parent.shield > 0 ? 1 : 0)
        branch.stopped = parent.stopped
        branches[number] = branch
        branches[current]?.frames[frame].live.insert(number)
        ready.append((number, .start))
        return number
    }

    /// Waits for the end of a branch that the present one began; gives its number, or null when there is none.
    mutating func join() -> Answer {
        guard let frame = branches[current]?.frames.last else { return .deliver(.success(JSON.null.bytes)) }
        if let number = frame.finished.first {
            let top = (branches[current]?.frames.count ?? 1) - 1
            branches[current]?.frames[top].finished.removeFirst()
            return .deliver(.success(JSON.int(Int64(number)).bytes))
        }
        guard !frame.live.isEmpty else { return .deliver(.success(JSON.null.bytes)) }
        branches[current]?.block = .join
        return .suspend
    }

    /// The branch that ran has come to its end.
    mutating func branchEnded() {
        guard let branch = branches.removeValue(forKey: current), let (parent, frame) = branch.parent else {
            return
        }
        branches[parent]?.frames[frame].live.remove(branch.number)
        let isAwaited = branches[parent].map { $0.frames.count - 1 == frame } ?? false
        if isAwaited, case .join? = branches[parent]?.block {
            makeReady(parent, .outcome(.success(JSON.int(Int64(branch.number)).bytes)))
        } else {
            branches[parent]?.frames[frame].finished.append(branch.number)
        }
    }

    /// Cancels the branches that the present one began and that go on.
    mutating func stopBranches(_ error: Payload) {
        var stopped = branches[current]?.frames.last?.live ?? []
        var added = stopped
        while !added.isEmpty {
            added = Set(added.flatMap { branches[$0]?.frames.flatMap(\.live) ?? [] }).subtracting(stopped)
            stopped.formUnion(added)
        }
        for number in stopped.sorted() { branches[number]?.stopped = error }
        cancelBlocked { stopped.contains($0) }
    }

    /// Cancels what suspended branches wait for, unless they are shielded.
    ///
    /// One that waits for branches of its own is left: it ends after they do. So is one whose outcome is recorded: it
    /// was not cancelled when it ran.
    mutating func cancelBlocked(where isMeant: (Int) -> Bool) {
        for number in branches.keys.sorted() where isMeant(number) {
            guard let branch = branches[number], let block = branch.block else { continue }
            switch block {
            case .join, .recorded: continue
            case .fresh, .effect, .wait: break
            }
            if let error = cancellation(of: branch) { makeReady(number, .cancellation(error)) }
        }
    }

    func cancellation(of branch: Branch) -> Payload? {
        branch.shield > 0 ? nil : branch.stopped ?? ending?.error
    }

    mutating func shield(_ on: Bool) {
        branches[current]?.shield += on ? 1 : -1
    }

    mutating func enter(_ label: String) { branches[current]?.enter(label) }

    mutating func leave() { branches[current]?.leave() }
}
