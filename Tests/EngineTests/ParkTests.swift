import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Parked data", .timeLimit(.minutes(5)))
struct ParkTests {
    private static let body = """
        local fixed = flow.park("CRM refused the record", { reason = "no such plan", retryable = false,
          category = "bad data", data = input, response = { status = 422 } })
        if fixed == nil then return "discarded" end
        return fixed
        """

    @Test("comes back repaired, and the script goes on with it", arguments: Setting.all)
    func repaired(_ setting: Setting) async throws {
        let run = try await ApprovalTests.asking(ParkTests.body, setting, input: ["plan": "gold", "n": 1]) {
            test, approval in
            #expect(approval.request.kind == .park && approval.request.choices == ["retry", "discard"])
            #expect(approval.dueAt == nil)
            let details = ApprovalDetails(approval.request)
            #expect(details.reason == "no such plan" && details.category == "bad data")
            #expect(details.isRetryable == false && details.data == ["plan": "gold", "n": 1])
            #expect(details.response == ["status": 422])
            #expect(
                try await test.host.approvals(status: .waiting, kinds: [.park], limit: 9).map(\.id) == [
                    approval.id
                ])
            #expect(try await test.host.approvals(status: .waiting, kinds: [.approval], limit: 9).isEmpty)
            let decided = try await test.host.decide(
                approval: approval.id, outcome: "Retry", by: "ana", data: ["plan": "silver"])
            #expect(decided.decision?.data == JSON.object(["plan": "silver"]).bytes)
        }
        #expect(run?.result == ["plan": "silver"])
    }

    @Test("that nobody changed comes back as it was")
    func unchanged() async throws {
        let input: JSON = ["list": [1, 2.5, "x"], "deep": ["on": true]]
        let run = try await ApprovalTests.asking(ParkTests.body, input: input) { test, approval in
            _ = try await test.host.decide(approval: approval.id, outcome: "retry", by: "ana")
        }
        #expect(run?.result == input)
    }

    @Test("that is discarded is nil", arguments: Setting.all)
    func discarded(_ setting: Setting) async throws {
        let run = try await ApprovalTests.asking(ParkTests.body, setting, input: ["a": 1]) { test, approval in
            _ = try await test.host.decide(
                approval: approval.id, outcome: "discard", by: "ana", data: ["b": 2])
        }
        #expect(run?.result == "discarded")
    }

    @Test("is nil when nobody cared in time")
    func timeout() async throws {
        let body = "return flow.park(\"Refused\", { data = {}, timeout = \"1h\" }) == nil"
        let run = try await ApprovalTests.asking(body) { test, _ in
            test.clock.advance(milliseconds: 3_600_000)
        }
        #expect(run?.result == true)
    }

    @Test("comes back as what it was, or is refused")
    func unusable() async throws {
        _ = try await ApprovalTests.asking(ParkTests.body, input: ["a": 1]) { test, approval in
            let large = JSON.object(["a": .string(String(repeating: "x", count: 1_048_576))])
            for (data, reason) in [
                ([1, 2], "it is a list, and was an object"), (7, "a number"), (.null, "null"),
                (large, "are the most"),
            ] as [(JSON, String)] {
                let refused = await #expect(throws: HostError.self) {
                    try await test.host.decide(approval: approval.id, outcome: "retry", by: "ana", data: data)
                }
                #expect(refused?.code == "PG4122" && refused?.faults.first?.pointer == "/data")
                #expect(refused?.message.contains(reason) == true)
            }
            // Lua has one empty table.
            _ = try await test.host.decide(
                approval: approval.id, outcome: "retry", by: "ana", data: .array([]))
        }
        _ = try await ApprovalTests.asking("return ask.approval(\"OK?\", {}).outcome") { test, approval in
            let refused = await #expect(throws: HostError.self) {
                try await test.host.decide(
                    approval: approval.id, outcome: "approve", by: "ana", data: ["a": 1])
            }
            #expect(refused?.code == "PG4122")
            _ = try await test.host.decide(approval: approval.id, outcome: "approve", by: "ana")
        }
    }

    @Test(
        "that can't be parked is refused where it is parked",
        arguments: [
            ("reason = \"x\"", "PG1011", "`data`"), ("data = 1, reson = \"x\"", "PG1005", "`reason`"),
            ("data = { x = (\"x\"):rep(1048577) }", "PG1020", "larger than 1024 KiB"),
        ])
    func refusals(options: String, code: String, text: String) async throws {
        let problem = try await ApprovalTests.refusal("flow.park(\"Refused\", { \(options) })")
        #expect(problem["code"]?.string == code)
        let said = (problem["message"]?.string ?? "") + " " + (problem["hint"]?.string ?? "")
        #expect(said.contains(text), "\(said)")
    }
}
