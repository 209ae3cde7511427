import PerigeeJournal

/// What a run's journal holds that its script has not come to yet.
///
/// Outcomes are given to the script in the order in which they were recorded, whatever branch asks first; so a replay
/// goes the same way as the run did.
struct RunLog {
    struct Completed {
        var address: StepAddress
        var verb: String
        var outcome: Outcome
        var at: Timestamp
        var sequence: Int
    }

    /// A wait that was opened and whose end is not recorded.
    struct OpenWait {
        /// `nil` for a step that began and is done at most once: whether it was done is not known.
        var id: String?
        /// How many attempts were made at its step before it.
        var attempts: Int
        /// When the run first waited at this step.
        var since: Timestamp
    }

    /// Somebody, or its time, asked the run to end: what its script does from there on is its unwinding.
    struct EndRequest {
        var status: RunStatus
        var error: Payload
        var sequence: Int
    }

    /// Completed steps in the order of their sequence; those that the script has come to are `nil`.
    private var completed: [Completed?] = []
    /// The first of them that the script has not come to, and how many there are.
    private var cursor = 0
    private var remaining = 0
    /// Where the steps stand in `completed`: made when a script first asks for another step than the next one, as those
    /// with branches do, for most never ask for one.
    private var places: [StepAddress: Int]?
    private var openWaits: [StepAddress: OpenWait] = [:]
    /// The names that the run saw as changed, and when.
    ///
    /// A script need not come to them: they may stand in a checkpoint that has ended, or have been taken out.
    private(set) var changes: [String: Timestamp] = [:]
    private(set) var endRequest: EndRequest?
    /// The place of the next entry.
    private(set) var nextSequence = 1
    /// How many bytes the entries hold.
    private(set) var bytes = 0
    /// How often a person took entries back.
    private(set) var resets = 0
    /// Where entries were taken back: how much is recorded of each branch, with the branches inside it.
    private var left: [String: Int] = [:]

    init(_ entries: [Entry]) {
        nextSequence = (entries.last?.sequence ?? 0) + 1
        completed.reserveCapacity(entries.count)
        for entry in RunLog.valid(entries) {
            bytes += entry.fact.byteCount
            switch entry.fact {
            case .stepCompleted(let step, _, _, _) where step.verb == "flow.changed":
                changes[step.address.label] = entry.recordedAt
            case .stepCompleted(let step, let outcome, _, _):
                completed.append(
                    Completed(
                        address: step.address, verb: step.verb, outcome: outcome, at: entry.recordedAt,
                        sequence: entry.sequence))
                openWaits[step.address] = nil
            case .waitOpened(let step, let wait, let attempts):
                let since = openWaits[step.address]?.since ?? entry.recordedAt
                openWaits[step.address] = OpenWait(id: wait, attempts: attempts, since: since)
            case .attemptBegun(let step):
                openWaits[step.address] = OpenWait(
                    id: nil, attempts: 1, since: openWaits[step.address]?.since ?? entry.recordedAt)
            case .endRequested(let status, let error):
                endRequest = EndRequest(status: status, error: error, sequence: entry.sequence)
            case .versionMoved, .reset: break
            }
        }
        remaining = completed.count
        resets = entries.count { if case .reset = $0.fact { true } else { false } }
        guard resets > 0 else { return }
        for case let step? in completed { count(step.address, by: 1) }
        for address in openWaits.keys { count(address, by: 1) }
    }

    /// Whether the script may come to steps that are not recorded before it has come to all that are: entries of one
    /// branch were taken back, and what others did stayed.
    var hasHoles: Bool { resets > 0 }

    /// Whether something is recorded of a branch, or of one inside it, that the script has not come to.
    func isRecorded(inside path: String) -> Bool {
        if path.isEmpty || !hasHoles { return !isConsumed }
        return left[path, default: 0] > 0
    }

    private mutating func count(_ address: StepAddress, by change: Int) {
        guard hasHoles else { return }
        var path = address.path[...]
        while !path.isEmpty {
            left[String(path), default: 0] += change
            path = path.lastIndex(of: "/").map { path[..<$0] } ?? ""
        }
    }

    /// The entries that count: those that no reset took back.
    static func valid(_ entries: [Entry]) -> [Entry] {
        guard let taken = takenBack(entries) else { return entries }
        return entries.filter { entry in
            if case .reset = entry.fact { false } else { !taken.contains(entry.sequence) }
        }
    }

    /// The sequences of the entries that resets took back; `nil` if there is no reset.
    static func takenBack(_ entries: [Entry]) -> Set<Int>? {
        var taken: Set<Int>?
        for entry in entries {
            if case .reset(let sequences) = entry.fact { taken = (taken ?? []).union(sequences) }
        }
        return taken
    }

    /// Whether the script has come to everything that is recorded.
    var isConsumed: Bool { remaining == 0 && openWaits.isEmpty && endRequest == nil }

    /// The recorded step that comes first, of those that the script has not come to; a wait that is open comes last.
    var next: StepAddress? { nextCompleted ?? openWaits.keys.min { "\($0)" < "\($1)" } }

    /// The address of the completed step that is to be given to the script next.
    var nextCompleted: StepAddress? { cursor < completed.count ? completed[cursor]?.address : nil }

    /// Whether everything that was recorded before the request to end has been taken.
    var isEndDue: Bool {
        guard let endRequest else { return false }
        guard cursor < completed.count, let step = completed[cursor] else { return true }
        return step.sequence > endRequest.sequence
    }

    mutating func completed(at address: StepAddress) -> Completed? {
        place(of: address).flatMap { completed[$0] }
    }

    mutating func isRecorded(_ address: StepAddress) -> Bool {
        place(of: address) != nil || openWaits[address] != nil
    }

    /// Where a completed step stands that the script has not come to.
    private mutating func place(of address: StepAddress) -> Int? {
        guard cursor < completed.count else { return nil }
        if completed[cursor]?.address == address { return cursor }
        if places == nil {
            let left = completed.enumerated().dropFirst(cursor)
            places = Dictionary(
                left.compactMap { place, step in step.map { ($0.address, place) } },
                uniquingKeysWith: { first, _ in first })
        }
        return places?[address].flatMap { completed[$0] == nil ? nil : $0 }
    }

    func openWait(at address: StepAddress) -> OpenWait? { openWaits[address] }

    mutating func takeCompleted(_ address: StepAddress) -> Completed? {
        guard let place = place(of: address), let found = completed[place] else { return nil }
        completed[place] = nil
        remaining -= 1
        count(address, by: -1)
        while cursor < completed.count, completed[cursor] == nil { cursor += 1 }
        return found
    }

    mutating func takeOpenWait(_ address: StepAddress) {
        if openWaits.removeValue(forKey: address) != nil { count(address, by: -1) }
    }

    mutating func takeEndRequest() -> EndRequest? {
        defer { endRequest = nil }
        return endRequest
    }

    /// Gives an entry its place.
    mutating func place(_ fact: Fact, at now: Timestamp) -> Entry {
        defer { nextSequence += 1 }
        bytes += fact.byteCount
        return Entry(sequence: nextSequence, recordedAt: now, fact: fact)
    }
}

extension Fact {
    /// How many bytes of arguments and outcomes it holds.
    var byteCount: Int {
        switch self {
        case .stepCompleted(let step, .success(let value), _, _),
            .stepCompleted(let step, .failure(let value), _, _):
            step.arguments.count + value.count
        case .waitOpened(let step, _, _), .attemptBegun(let step): step.arguments.count
        case .endRequested(_, let error): error.count
        case .versionMoved, .reset: 0
        }
    }
}
