import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("An approval", .timeLimit(.minutes(5)))
struct ApprovalTests {
    /// Runs a script until it waits for a person, lets a test act, and gives the run's end.
    static func asking(
        _ body: String, _ setting: Setting = Setting(isSQLite: false, alwaysEvict: false),
        input: JSON = .object([:]),
        _ act: @escaping (TestHost, ApprovalRecord) async throws -> Void
    ) async throws -> RunRecord? {
        let test = try TestHost(setting, scripts: ["ask.lua": script(body)])
        nonisolated(unsafe) var run: RunRecord?
        try await test.run { test in
            let id = try await test.begin("ask", input).id
            let waiting = try await test.run(id, reaches: .waiting)
            let wait = try #require(waiting.waits.first)
            try await act(test, try await test.host.approval(id: wait.id))
            run = try await test.end(id)
        }
        return run
    }

    /// How a script fails whose question is wrong.
    static func refusal(_ body: String) async throws -> JSON {
        let test = try TestHost(scripts: ["ask.lua": script(body)])
        nonisolated(unsafe) var problem = JSON.null
        try await test.run { test in
            problem = try await test.end(try await test.begin("ask").id).problem ?? .null
        }
        return problem
    }

    @Test(
        "is not decided by those whom the script excludes, however they write themselves",
        arguments: Setting.all)
    func notBy(_ setting: Setting) async throws {
        let body = """
            local d = ask.approval("OK?", { to = "group:desk", not_by = input.by })
            return { d.outcome, d.by, d.via, #d.shown }
            """
        let input: JSON = ["by": ["Rep@acme.example", "boss@acme.example"]]
        let run = try await ApprovalTests.asking(body, setting, input: input) { test, approval in
            for person in ["rep@ACME.example", " boss@acme.example "] {
                let refused = await #expect(throws: HostError.self) {
                    try await test.host.decide(approval: approval.id, outcome: "approve", by: person)
                }
                #expect(refused?.code == "PG4120" && refused?.status == 403)
            }
            _ = try await test.host.decide(approval: approval.id, outcome: "APPROVE", by: "vp", via: "cli")
        }
        #expect(run?.result == ["approve", "vp", "cli", 64])
    }

    @Test("takes outcomes in any capitals, and gives them back as the script wrote them")
    func capitals() async throws {
        let body = """
            local d = ask.approval("OK?", { choices = { "Approve", "Ask more" }, comment_required_on = { "ask MORE" } })
            return { d.outcome, d.comment }
            """
        let run = try await ApprovalTests.asking(body) { test, approval in
            #expect(approval.request.commentRequiredOn == ["Ask more"])
            let refused = await #expect(throws: HostError.self) {
                try await test.host.decide(
                    approval: approval.id, outcome: "ask more", by: "ana", comment: "  ")
            }
            #expect(refused?.code == "PG4013")
            _ = try await test.host.decide(
                approval: approval.id, outcome: "ask more", by: "ana", comment: "why?")
        }
        #expect(run?.result == ["Ask more", "why?"])
    }

    @Test("says what follows from each choice")
    func effect() async throws {
        let body = """
            return ask.approval("OK?", { effect = { APPROVE = "Unlocks the quote" } }).outcome
            """
        _ = try await ApprovalTests.asking(body) { test, approval in
            #expect(ApprovalDetails(approval.request).effect == ["approve": "Unlocks the quote"])
            _ = try await test.host.decide(approval: approval.id, outcome: "reject", by: "ana")
        }
    }

    @Test("keeps a hash of what was shown, which differs where anything that was shown differs")
    func shown() async throws {
        nonisolated(unsafe) var hashes: Set<String> = []
        for options in ["show = { { \"A\", 1 } }", "show = { { \"A\", 2 } }", "effect = { approve = \"x\" }"]
        {
            _ = try await ApprovalTests.asking("return ask.approval(\"OK?\", { \(options) }).shown") {
                test, approval in
                let decided = try await test.host.decide(approval: approval.id, outcome: "approve", by: "ana")
                hashes.insert(try #require(decided.decision?.shown))
                #expect(try await test.host.approval(id: approval.id).decision == decided.decision)
            }
        }
        #expect(hashes.count == 3)
    }

    @Test(
        "whose clock runs in office hours is due on Monday when it was asked on Friday",
        arguments: Setting.all)
    func hours(_ setting: Setting) async throws {
        let body = """
            sleep("Until Friday", { at = "2026-09-25T15:00:00Z" })
            local d = ask.approval("OK?", { timeout = "8h", hours = "Mon-Fri 09:00-18:00 Europe/London" })
            return { d.outcome, d.at, #d.url > 10, next(d.form) == nil }
            """
        let test = try TestHost(setting, scripts: ["ask.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("ask").id
            _ = try await test.run(id, reaches: .waiting)
            let friday = try #require(Timestamp(rfc3339: "2026-09-25T15:00:00Z"))
            test.clock.advance(milliseconds: friday.milliseconds - test.clock.now.milliseconds)
            let waiting = try await test.until(id) { $0.waits.first?.address.label == "OK?" }
            let due = try #require(waiting.waits.first?.dueAt)
            #expect(due.description == "2026-09-28T14:00:00.000Z")
            test.clock.advance(milliseconds: due.milliseconds - test.clock.now.milliseconds)
            #expect(
                try await test.end(id).result == ["timeout", "2026-09-28T14:00:00.000Z", true, true])
        }
    }

    @Test(
        "that is asked wrongly is refused where it is asked",
        arguments: [
            ("choices = { \"yes\", \"YES\" }", "PG1011", "there already"),
            ("choices = { \"timeout\" }", "PG1011", "nobody answered"),
            ("choices = {}", "PG1011", "is empty"),
            ("comment_required_on = { \"rejcet\" }", "PG1011", "Did you mean \"reject\"?"),
            ("effect = { aprove = \"x\" }", "PG1011", "Did you mean \"approve\"?"),
            ("effect = { approve = 1 }", "PG1011", "should be text"),
            ("not_by = { 7 }", "PG1011", "not_by[1]"),
            ("to = { boss = true }", "PG1011", "no list of texts"),
            ("remind = { \"soon\" }", "PG1013", "no duration"), ("remind = { 8 }", "PG1011", "remind[1]"),
            ("timeout = \"1h\", hours = \"9 to 5\"", "PG1120", "\"9\" is no day"),
            ("timeout = \"9000d\", hours = \"Mon 09:00-10:00 UTC\"", "PG1120", "ten years"),
            ("not_bye = \"x\"", "PG1005", "Did you mean `not_by`?"),
        ])
    func refusals(options: String, code: String, text: String) async throws {
        let problem = try await ApprovalTests.refusal("ask.approval(\"OK?\", { \(options) })")
        #expect(problem["code"]?.string == code)
        let said = (problem["message"]?.string ?? "") + " " + (problem["hint"]?.string ?? "")
        #expect(said.contains(text), "\(said)")
        #expect(problem["line"] == 2)
    }
}
