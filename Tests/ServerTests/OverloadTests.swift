import HTTPTypes
import PerigeeJournal
import PerigeeServer
import PerigeeTesting
import Testing

@testable import Perigee

@Suite(.timeLimit(.minutes(5)))
struct OverloadTests {
    private static let scripts = [
        "hooked.lua": #"return workflow { on = { http = "POST /orders" }, run = function() return 1 end }"#
    ]

    @Test func `what can't wait is answered with 429, when to try again, and why`() async throws {
        let (opened, arrived) = (Readiness(), Readiness())
        let journal = CrashingJournal(
            MemoryJournal(), at: nil, after: false,
            beforeSubmit: { submissions in
                guard submissions.count > 1 else { return }
                arrived.open()
                await opened.wait()
            })
        var options = HostOptions()
        options.maxPendingSubmissions = 1
        try await RunningServer.with(Self.scripts, options: options, journal: journal) { server in
            let count = Admission.mostAtStore.members
            let list = JSON.array(Array(repeating: ["type": "order.placed", "data": [:]], count: count))
            async let flood = server.post("/v1/events", list)
            await arrived.wait()
            async let last = server.post("/hooks/orders", [:])
            while server.host.intakeState.waiting < 1 { await Task.yield() }

            for path in ["/v1/events", "/v1/workflows/hooked/runs", "/hooks/orders"] {
                // It need not even be read to be refused.
                let answer = try await server.post(path, ["not": "looked at"])
                #expect(answer.status == 429)
                #expect(Int(answer.headers[.retryAfter] ?? "") ?? 0 >= 1)
                #expect(answer.headers[.contentType] == "application/problem+json")
                #expect(answer.json["code"] == "PG4080" && answer.json["instance"] == .string(path))
                #expect(answer.json["hint"]?.string?.hasPrefix("Send it again as it is in ") == true)
            }
            let health = try await server.get("/readyz?verbose")
            #expect(health.status == 200 && health.text.contains("[+]intake ok: 1 waiting, 3 refused\n"))

            opened.open()
            #expect(try await flood.json["items"]?.array?.count == count)
            #expect(try await last.status == 202)
            #expect(try await server.post("/hooks/orders", [:]).status == 202)
        }
    }
}
