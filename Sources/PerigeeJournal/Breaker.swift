/// When a breaker opens, and for how long.
public struct BreakerRule: Hashable, Sendable {
    /// It opens after so many failures in a row; `nil` if they don't count.
    public var failures: Int?
    /// It opens when at least this part fails, above 0 to 1; `nil` if that does not count.
    public var ratio: Double?
    /// The time over which the part is counted, in milliseconds.
    public var overMilliseconds: Int64
    /// How long it stays open before the next is tried, in milliseconds.
    public var pauseMilliseconds: Int64

    /// How many must have ended within the time before their part counts.
    public static let fewest = 10

    public init(failures: Int?, ratio: Double?, overMilliseconds: Int64, pauseMilliseconds: Int64) {
        self.failures = failures
        self.ratio = ratio
        self.overMilliseconds = overMilliseconds
        self.pauseMilliseconds = pauseMilliseconds
    }
}

/// A circuit breaker: closed while things go well, open for a pause when too many fail, then one is tried.
package struct Breaker: Hashable, Sendable {
    /// What ended from a moment on.
    struct Tally: Hashable, Sendable {
        var from: Timestamp
        var ended: Int
        var failed: Int
    }

    var tallies: [Tally] = []
    /// How many failed in a row.
    var failures = 0
    /// Set while it is open; once that moment has come, one is tried.
    package private(set) var openUntil: Timestamp?

    package init() {}

    /// Something ended.
    ///
    /// - Parameter isProbe: whether it is the one that was tried after a pause. What else ends while it is open began
    ///   before, and says nothing new.
    package mutating func take(hasFailed: Bool, isProbe: Bool, _ rule: BreakerRule, at now: Timestamp) {
        guard openUntil == nil || isProbe else { return }
        if openUntil != nil {
            self = Breaker()
            if hasFailed { open(rule, at: now) }
            return
        }
        failures = hasFailed ? failures + 1 : 0
        count(hasFailed, rule, at: now)
        let ended = tallies.reduce(0) { $0 + $1.ended }
        let failed = tallies.reduce(0) { $0 + $1.failed }
        let isTooMany = rule.ratio.map { Double(failed) >= $0 * Double(ended) } ?? false
        if rule.failures.map({ failures >= $0 }) ?? false || isTooMany && ended >= BreakerRule.fewest {
            self = Breaker()
            open(rule, at: now)
        }
    }

    private mutating func open(_ rule: BreakerRule, at now: Timestamp) {
        openUntil = now.adding(milliseconds: rule.pauseMilliseconds)
    }

    private mutating func count(_ hasFailed: Bool, _ rule: BreakerRule, at now: Timestamp) {
        guard rule.ratio != nil else { return }
        let start = now.adding(milliseconds: -rule.overMilliseconds)
        tallies.removeAll { $0.from <= start }
        // A tenth of the time is told apart.
        if let last = tallies.last, now.milliseconds - last.from.milliseconds < rule.overMilliseconds / 10 {
            tallies[tallies.count - 1].ended += 1
            tallies[tallies.count - 1].failed += hasFailed ? 1 : 0
        } else {
            tallies.append(Tally(from: now, ended: 1, failed: hasFailed ? 1 : 0))
        }
    }
}

extension BreakerRule {
    /// The rule as a JSON object.
    package var json: JSON {
        var fields: [String: JSON] = ["over": .int(overMilliseconds), "pause": .int(pauseMilliseconds)]
        if let failures { fields["failures"] = .int(Int64(failures)) }
        if let ratio { fields["ratio"] = .double(ratio) }
        return .object(fields)
    }

    /// Reads what ``json`` wrote; `nil` for anything else.
    package init?(_ json: JSON) {
        guard let over = json["over"]?.int, let pause = json["pause"]?.int else { return nil }
        self.init(
            failures: json["failures"]?.int.map { Int($0) }, ratio: json["ratio"]?.double,
            overMilliseconds: over, pauseMilliseconds: pause)
    }
}

extension Breaker {
    /// The breaker as a JSON object.
    package var json: JSON {
        var fields: [String: JSON] = [
            "failures": .int(Int64(failures)),
            "tallies": .array(
                tallies.map { [.int($0.from.milliseconds), .int(Int64($0.ended)), .int(Int64($0.failed))] }),
        ]
        if let openUntil { fields["open_until"] = .int(openUntil.milliseconds) }
        return .object(fields)
    }

    /// Reads what ``json`` wrote; `nil` for anything else.
    package init?(_ json: JSON) {
        guard let failures = json["failures"]?.int, let tallies = json["tallies"]?.array else { return nil }
        self.failures = Int(failures)
        openUntil = json["open_until"]?.int.map(Timestamp.init(milliseconds:))
        self.tallies = tallies.compactMap { tally in
            guard let parts = tally.array?.compactMap(\.int), parts.count == 3 else { return nil }
            return Tally(
                from: Timestamp(milliseconds: parts[0]), ended: Int(parts[1]), failed: Int(parts[2]))
        }
    }
}
