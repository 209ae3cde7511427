import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Gates of destinations", .timeLimit(.minutes(5)))
struct GateTests {
    /// A call as its receiver sees it: somewhere between the moment in which it was let through and its end.
    private struct Call {
        var wait: String
        var begun: Timestamp
        var received: Timestamp
        var ends: Timestamp
        /// Whether its host is gone before it hears of the end.
        var isLost: Bool
    }

    @Test("no receiver sees more than the limit in any period, however calls come, last and get lost")
    func exact() {
        var random = SeededGenerator.printingSeed()
        for _ in 0..<200 {
            let limit = Int.random(in: 1...250, using: &random)
            let period = Int64.random(in: 100...20_000, using: &random)
            let ticket = GateTicket(
                key: "g", throttle: GateTicket.Throttle(limit: limit, milliseconds: period),
                holdMilliseconds: 5000)
            let received = play(ticket, &random)
            for (index, first) in received.enumerated() where index + limit < received.count {
                let span = received[index + limit].milliseconds - first.milliseconds
                #expect(span >= period, "\(limit + 1) calls within \(span) of \(period) ms")
            }
            #expect(received.count >= min(limit, 300))
        }
    }

    /// Moments in which 300 calls were received, in order; the gate is stored and read again on the way.
    private func play(_ ticket: GateTicket, _ random: inout SeededGenerator) -> [Timestamp] {
        var gate = Gate()
        var now = Timestamp(milliseconds: 1_000_000)
        var waiting = (0..<300).map {
            Gate.Candidate(wait: "w\($0)", workflow: "a", place: Int64($0), ticket: ticket)
        }
        var underWay: [Call] = []
        var received: [Timestamp] = []
        while !waiting.isEmpty {
            if Int.random(in: 0..<10, using: &random) == 0 { gate = Gate(gate.json) ?? Gate() }
            while let (candidate, answer) = gate.next(of: Array(waiting.prefix(1)), at: now) {
                #expect(answer == .admitted)
                waiting.removeAll { $0.wait == candidate.wait }
                let lasts = Int64.random(in: 0...4000, using: &random)
                let call = Call(
                    wait: candidate.wait, begun: now,
                    received: now.adding(milliseconds: Int64.random(in: 0...lasts, using: &random)),
                    ends: now.adding(milliseconds: lasts),
                    isLost: Int.random(in: 0..<20, using: &random) == 0)
                underWay.append(call)
                received.append(call.received)
            }
            let ends = underWay.filter { !$0.isLost }.map(\.ends).min()
            guard let next = [ends, gate.dueAt].compactMap({ $0 }).min() else { break }
            now = max(now, next)
            for call in underWay where !call.isLost && call.ends <= now {
                gate.end(call.wait, ticket, hasFailed: nil, at: call.ends)
            }
            underWay.removeAll { !$0.isLost && $0.ends <= now }
        }
        return received.sorted()
    }

    @Test("a high limit is kept in as little room as a low one")
    func room() {
        let throttle = GateTicket.Throttle(limit: 100_000, milliseconds: 60_000)
        let ticket = GateTicket(key: "g", throttle: throttle, holdMilliseconds: 5000)
        var gate = Gate()
        for number in 0..<20_000 {
            let now = Timestamp(milliseconds: Int64(number) * 3)
            let candidate = Gate.Candidate(wait: "w", workflow: "a", place: 1, ticket: ticket)
            #expect(gate.next(of: [candidate], at: now)?.answer == .admitted)
            gate.end("w", ticket, hasFailed: false, at: now)
        }
        #expect(gate.json.bytes.count < 8000)
    }

    @Test("a breaker opens by the part that fails, once enough have ended in its time")
    func ratio() {
        let rule = BreakerRule(failures: nil, ratio: 0.5, overMilliseconds: 60_000, pauseMilliseconds: 30_000)
        func breaker(_ outcomes: [Bool], every milliseconds: Int64) -> Breaker {
            var breaker = Breaker()
            for (index, hasFailed) in outcomes.enumerated() {
                let now = Timestamp(milliseconds: Int64(index) * milliseconds)
                breaker.take(hasFailed: hasFailed, isProbe: false, rule, at: now)
            }
            return breaker
        }
        let half = (0..<10).map { $0 % 2 == 1 }
        #expect(breaker(half, every: 1000).openUntil == Timestamp(milliseconds: 39_000))
        #expect(breaker(Array(half.dropLast()), every: 1000).openUntil == nil)
        #expect(breaker(half, every: 10_000).openUntil == nil)
        #expect(breaker((0..<100).map { $0 % 3 == 0 }, every: 100).openUntil == nil)
    }
}
