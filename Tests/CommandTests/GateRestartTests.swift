import Foundation
import PerigeeJournal
import Testing

/// What calls keep to at their destination, measured there, while the built service is killed and started again.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct GateRestartTests {
    private static func script(_ name: String, port: Int, _ options: String) -> String {
        """
        local api = http.client { base = "http://127.0.0.1:\(port)", \(options) }
        return workflow {
          on = { event = "order.placed" },
          input = { id = "string" },
          run = function(input)
            return api.post("Send", { path = "/\(name)-" .. input.id }).status
          end,
        }
        """
    }

    private static func send(_ place: Workplace, _ ids: ClosedRange<Int>) throws {
        for id in ids {
            let said = try place.run("send", "order.placed", "--data", "id=\(id)", "--id", "order-\(id)")
            try #require(said.status == 0, "\(said.errors)")
        }
    }

    private static func runs(_ place: Workplace, _ query: String) throws -> [JSON] {
        let said = try place.run("runs", "list", "-q", query, "--limit", "100", "-o", "json")
        try #require(said.status == 0, "\(said.errors)")
        return try JSON(parsing: said.output.utf8)["items"]?.array ?? []
    }

    private static func waitForCompleted(_ place: Workplace, count: Int) throws {
        for _ in 0..<300 { if try runs(place, "status:completed").count == count { return } }
        Issue.record("\(try runs(place, "status:completed").count) of \(count) runs are completed")
    }

    @Test func `a receiver never sees more than the limit of a throttle, also while the service is killed`()
        async throws
    {
        let limit = 5
        let period = Duration.seconds(1)
        let held = 13
        let server = ArrivalServer(heldRequest: held)
        try await server.run { port in
            // Two workflows, which share the throttle: each event starts a run of both.
            let options = #"throttle = { limit = 5, period = "1s" }"#
            let place = try Workplace(scripts: [
                "a.lua": Self.script("a", port: port, options),
                "b.lua": Self.script("b", port: port, options),
            ])
            let allow = ["PERIGEE_ALLOW_HOSTS": "127.0.0.1:\(port)"]
            try place.serve(environment: allow)
            try Self.send(place, 1...20)
            // This one is under way when the service is killed.
            try server.wait(untilCount: held)
            place.killServer()
            server.letGo()
            try place.serve(environment: allow)
            try server.wait(untilCount: 41)
            try Self.waitForCompleted(place, count: 40)
        }
        let arrivals = server.arrivals
        #expect(Set(arrivals.map(\.path)).count == 40)
        let times = arrivals.map(\.at).sorted()
        for (first, next) in zip(times, times.dropFirst(limit)) {
            #expect(next - first >= period, "\(limit + 1) requests came within \(next - first)")
        }
    }

    @Test func `a breaker that is open stays so while the service is killed, and then one call is tried`()
        async throws
    {
        let pause = Duration.seconds(2)
        let server = ArrivalServer(isBroken: true)
        try await server.run { port in
            let script = Self.script(
                "a", port: port,
                """
                breaker = { failures = 3, pause = "2s" }, at_once = 1,
                  retry = { max_attempts = 20, initial_interval = "50ms", backoff_coefficient = 1 }
                """)
            let place = try Workplace(scripts: ["a.lua": script])
            let allow = ["PERIGEE_ALLOW_HOSTS": "127.0.0.1:\(port)"]
            try place.serve(environment: allow)
            try Self.send(place, 1...5)
            try server.wait(untilCount: 3)
            try Self.waitUntilOpen(place)
            place.killServer()
            try place.serve(environment: allow)
            try server.wait(untilCount: 4)
            // The probe failed, so that another pause begins.
            server.mend()
            try server.wait(untilCount: 5)
            try Self.waitForCompleted(place, count: 5)
        }
        let times = server.arrivals.map(\.at)
        for probe in 3...4 {
            #expect(times[probe] - times[probe - 1] >= pause, "request \(probe + 1)")
        }
        #expect(times.count == 4 + 5)
    }

    /// Waits until a run says that it is held back because too many calls failed.
    private static func waitUntilOpen(_ place: Workplace) throws {
        for _ in 0..<300 {
            for run in try runs(place, "status:waiting") {
                let id = try #require(run["id"]?.string)
                let said = try place.run("runs", "show", id, "-o", "json")
                let waits = try JSON(parsing: said.output.utf8)["waits"]?.array ?? []
                if waits.contains(where: { $0["open_until"]?.string != nil }) { return }
            }
        }
        Issue.record("no run says that the breaker is open")
    }
}
