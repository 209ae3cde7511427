/// What a call keeps to at the gate of its destination.
public struct GateTicket: Hashable, Sendable {
    /// At most `limit` calls in any `milliseconds`.
    public struct Throttle: Hashable, Sendable {
        /// From 1.
        public var limit: Int
        /// From 1.
        public var milliseconds: Int64

        public init(limit: Int, milliseconds: Int64) {
            self.limit = limit
            self.milliseconds = milliseconds
        }
    }

    /// Names the gate: calls of a namespace with the same key pass through the same one.
    public var key: String
    public var throttle: Throttle?
    /// How many calls may be under way at once, from 1.
    public var atOnce: Int?
    public var breaker: BreakerRule?
    /// How long a place is kept for a call of which nothing more is heard, in milliseconds: longer than it may take.
    public var holdMilliseconds: Int64
    /// Whether it is told at once that calls are failing, instead of waiting until they do not.
    public var isImpatient: Bool

    public init(
        key: String, throttle: Throttle? = nil, atOnce: Int? = nil, breaker: BreakerRule? = nil,
        holdMilliseconds: Int64, isImpatient: Bool = false
    ) {
        self.key = key
        self.throttle = throttle
        self.atOnce = atOnce
        self.breaker = breaker
        self.holdMilliseconds = holdMilliseconds
        self.isImpatient = isImpatient
    }
}

/// A run's wait for its turn at a gate, and how that stands.
public struct AwaitedGate: Hashable, Sendable {
    public var key: String
    /// How many wait before it.
    public var ahead: Int
    /// Until when no calls are made because too many failed; `nil` if that is not why.
    public var openUntil: Timestamp?
    /// When the next may be let through by the time alone, as far as is known.
    public var nextAt: Timestamp?

    public init(key: String, ahead: Int, openUntil: Timestamp?, nextAt: Timestamp?) {
        self.key = key
        self.ahead = ahead
        self.openUntil = openUntil
        self.nextAt = nextAt
    }
}

/// Lets calls through to a destination: so many in a time, so many at once, and none while too many fail.
///
/// All of it is in the facts that it keeps: who is under way and until when at the longest, and what has ended. A call
/// counts from the moment in which it is let through until a whole period after it has ended, so that its receiver,
/// who sees it somewhere in between, never sees more than the limit in any period.
package struct Gate: Hashable, Sendable {
    /// A call that was let through.
    struct Flight: Hashable, Sendable {
        var wait: String
        var until: Timestamp
        var isProbe: Bool
    }

    /// Calls that ended between two moments; they count until a period after the later one.
    struct Ended: Hashable, Sendable {
        var from: Timestamp
        var to: Timestamp
        var count: Int
    }

    /// A call that waits.
    package struct Candidate: Hashable, Sendable {
        package var wait: String
        package var workflow: String
        /// Rises with every wait that is opened.
        package var place: Int64
        package var ticket: GateTicket

        package init(wait: String, workflow: String, place: Int64, ticket: GateTicket) {
            self.wait = wait
            self.workflow = workflow
            self.place = place
            self.ticket = ticket
        }
    }

    package enum Answer: Hashable, Sendable {
        case admitted
        /// Too many calls fail; the next one is tried at this moment.
        case refused(until: Timestamp)
    }

    var flights: [Flight] = []
    var ended: [Ended] = []
    /// The longest period that a throttle asked for, in milliseconds.
    var longestPeriod: Int64 = 0
    var breaker = Breaker()
    /// When each workflow's last turn was, counted from 1.
    var turns: [String: Int64] = [:]
    var lastTurn: Int64 = 0
    /// When the next can be let through by the time alone; `nil` if nobody waits.
    package private(set) var dueAt: Timestamp?

    package init() {}

    /// Lets one of those who wait through, or tells it why not: the workflow comes first whose turn is longest ago.
    ///
    /// - Parameter candidates: of each workflow the call that has waited longest.
    /// - Returns: `nil` if none can be answered now; ``dueAt`` says when to ask again.
    package mutating func next(
        of candidates: [Candidate], at now: Timestamp
    ) -> (candidate: Candidate, answer: Answer)? {
        prune(at: now)
        dueAt = nil
        let inOrder = candidates.sorted {
            (turns[$0.workflow] ?? 0, $0.place) < (turns[$1.workflow] ?? 0, $1.place)
        }
        for candidate in inOrder {
            switch admits(candidate.ticket, at: now) {
            case .now(let isProbe):
                let until = now.adding(milliseconds: candidate.ticket.holdMilliseconds)
                flights.append(Flight(wait: candidate.wait, until: until, isProbe: isProbe))
                longestPeriod = max(longestPeriod, candidate.ticket.throttle?.milliseconds ?? 0)
                takeTurn(candidate.workflow)
                return (candidate, .admitted)
            case .failing(let until) where candidate.ticket.isImpatient:
                return (candidate, .refused(until: until))
            case .failing(let moment), .later(let moment): dueAt = dueAt.map { min($0, moment) } ?? moment
            }
        }
        return nil
    }

    private enum Verdict {
        case now(isProbe: Bool)
        case later(Timestamp)
        case failing(until: Timestamp)
    }

    private func admits(_ ticket: GateTicket, at now: Timestamp) -> Verdict {
        var isProbe = false
        if ticket.breaker != nil, let openUntil = breaker.openUntil {
            if openUntil > now { return .failing(until: openUntil) }
            if let probe = flights.first(where: \.isProbe) { return .failing(until: probe.until) }
            isProbe = true
        }
        let firstUntil = flights.map(\.until).min() ?? now
        if let atOnce = ticket.atOnce, flights.count >= atOnce { return .later(firstUntil) }
        if let throttle = ticket.throttle {
            let recent = ended.filter { $0.to.adding(milliseconds: throttle.milliseconds) > now }
            guard flights.count + recent.reduce(0, { $0 + $1.count }) < throttle.limit else {
                let first = recent.first.map { $0.to.adding(milliseconds: throttle.milliseconds) }
                let until = firstUntil.adding(milliseconds: throttle.milliseconds)
                return .later(first.map { flights.isEmpty ? $0 : min($0, until) } ?? until)
            }
        }
        return .now(isProbe: isProbe)
    }

    /// A call that was let through has come to its end.
    ///
    /// - Parameters:
    ///   - hasFailed: whether the destination failed; `nil` if it was not asked.
    package mutating func end(_ wait: String, _ ticket: GateTicket, hasFailed: Bool?, at now: Timestamp) {
        guard let index = flights.firstIndex(where: { $0.wait == wait }) else { return }
        let flight = flights.remove(at: index)
        count(endedAt: now)
        if let rule = ticket.breaker, let hasFailed {
            breaker.take(hasFailed: hasFailed, isProbe: flight.isProbe, rule, at: now)
        }
        prune(at: now)
    }

    package var openUntil: Timestamp? { breaker.openUntil }

    /// How long a gate is kept at which nothing happens, in milliseconds.
    private static let idleMilliseconds: Int64 = 86_400_000
    private static let longAgo = Timestamp(milliseconds: 0)

    /// From when on the gate is as good as a new one; `nil` while somebody waits or is under way.
    package var forgetAt: Timestamp? {
        guard flights.isEmpty, dueAt == nil else { return nil }
        let last = ended.last.map { $0.to.adding(milliseconds: longestPeriod) }
        let idle = max(last ?? Gate.longAgo, breaker.openUntil ?? Gate.longAgo)
        return idle.adding(milliseconds: Gate.idleMilliseconds)
    }

    /// Keeps who had a turn last; what is long ago is as good as never.
    private mutating func takeTurn(_ workflow: String) {
        lastTurn += 1
        turns[workflow] = lastTurn
        if turns.count > 100, let oldest = turns.min(by: { $0.value < $1.value }) {
            turns[oldest.key] = nil
        }
    }

    private mutating func count(endedAt end: Timestamp) {
        // Moments are cut to whole milliseconds, and it must not count too short.
        let moment = end.adding(milliseconds: 1)
        // A hundredth of the period is told apart, so that a high limit takes no more room than a low one.
        let grain = longestPeriod / 100
        if let last = ended.indices.last, moment >= ended[last].to,
            moment.milliseconds - ended[last].from.milliseconds < grain
        {
            ended[last].to = moment
            ended[last].count += 1
        } else {
            ended.append(Ended(from: moment, to: moment, count: 1))
            ended.sort { $0.to < $1.to }
        }
    }

    private mutating func prune(at now: Timestamp) {
        for flight in flights where flight.until <= now { count(endedAt: flight.until) }
        flights.removeAll { $0.until <= now }
        ended.removeAll { $0.to.adding(milliseconds: longestPeriod) <= now }
    }
}

// MARK: - As it is stored

extension GateTicket {
    /// The ticket as a JSON object.
    package var json: JSON {
        var fields: [String: JSON] = [
            "key": .string(key), "hold": .int(holdMilliseconds), "impatient": .bool(isImpatient),
        ]
        if let throttle {
            fields["limit"] = .int(Int64(throttle.limit))
            fields["period"] = .int(throttle.milliseconds)
        }
        if let atOnce { fields["at_once"] = .int(Int64(atOnce)) }
        if let breaker { fields["breaker"] = breaker.json }
        return .object(fields)
    }

    /// Reads what ``json`` wrote; `nil` for anything else.
    package init?(_ json: JSON) {
        guard let key = json["key"]?.string, let hold = json["hold"]?.int else { return nil }
        self.init(
            key: key, atOnce: json["at_once"]?.int.map { Int($0) },
            breaker: json["breaker"].flatMap(BreakerRule.init), holdMilliseconds: hold,
            isImpatient: json["impatient"] == .bool(true))
        if let limit = json["limit"]?.int, let period = json["period"]?.int {
            throttle = Throttle(limit: Int(limit), milliseconds: period)
        }
    }
}

extension Gate {
    /// The gate as a JSON object, without ``dueAt``.
    package var json: JSON {
        [
            "flights": .array(
                flights.map { [.string($0.wait), .int($0.until.milliseconds), .bool($0.isProbe)] }),
            "ended": .array(
                ended.map { [.int($0.from.milliseconds), .int($0.to.milliseconds), .int(Int64($0.count))] }),
            "period": .int(longestPeriod), "breaker": breaker.json, "turn": .int(lastTurn),
            "turns": .object(turns.mapValues(JSON.int)),
        ]
    }

    /// Reads what ``json`` wrote; `nil` for anything else.
    package init?(_ json: JSON) {
        guard let flights = json["flights"]?.array, let ended = json["ended"]?.array,
            let period = json["period"]?.int, let breaker = json["breaker"].flatMap(Breaker.init),
            let turn = json["turn"]?.int, let turns = json["turns"]?.object
        else { return nil }
        self.flights = flights.compactMap { flight in
            guard let parts = flight.array, parts.count == 3, let wait = parts[0].string,
                let until = parts[1].int
            else { return nil }
            return Flight(wait: wait, until: Timestamp(milliseconds: until), isProbe: parts[2] == true)
        }
        self.ended = ended.compactMap { some in
            guard let parts = some.array?.compactMap(\.int), parts.count == 3 else { return nil }
            return Ended(
                from: Timestamp(milliseconds: parts[0]), to: Timestamp(milliseconds: parts[1]),
                count: Int(parts[2]))
        }
        self.breaker = breaker
        longestPeriod = period
        lastTurn = turn
        self.turns = turns.compactMapValues(\.int)
    }
}
