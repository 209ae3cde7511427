import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("A form", .timeLimit(.minutes(5)))
struct FormTests {
    private static let fields = """
        form = {
          { name = "amount", "Amount", type = "number", min = 0, max = 40 },
          { name = "count", "Count", type = "integer", min = 1, required = false },
          { name = "sure", "Sure?", type = "boolean" },
          { name = "mail", "E-mail", type = "email", required = false },
          { name = "day", "Day", type = "date", required = false },
          { name = "size", "Size", one_of = { "small", "large" }, default = "small" },
          { name = "why", "Why", type = "text", max = 10, required = false },
          { name = "code", "Code", min = 2, max = 4, required = false },
        }
        """

    private func fill(_ form: JSON?, _ setting: Setting = Setting(isSQLite: false, alwaysEvict: false))
        async throws
        -> (faults: [String], result: JSON?)
    {
        nonisolated(unsafe) var faults: [String] = []
        let body = "local d = ask.form(\"Data\", { \(FormTests.fields) }) return { d.outcome, d.form }"
        let run = try await ApprovalTests.asking(body, setting) { test, approval in
            do {
                _ = try await test.host.decide(
                    approval: approval.id, outcome: "submit", by: "ana", form: form)
            } catch let error as HostError {
                #expect(error.code == "PG4121" && error.status == 422)
                faults = error.faults.map { "\($0.pointer) \($0.detail)" }
                #expect(try await test.host.approval(id: approval.id).status == .waiting)
                _ = try await test.host.cancel(run: approval.run, by: "test")
            }
        }
        return (faults, run?.result)
    }

    @Test("gives the script typed values, whether text or JSON came in", arguments: Setting.all)
    func typed(_ setting: Setting) async throws {
        let text: JSON = [
            "amount": " 15.0", "count": "3", "sure": "True", "mail": "a@b.example", "day": "2028-02-29",
            "size": "large", "why": "a\r\nb", "code": "ab ",
        ]
        let wanted: JSON = [
            "amount": 15, "count": 3, "sure": true, "mail": "a@b.example", "day": "2028-02-29",
            "size": "large",
            "why": "a\nb", "code": "ab",
        ]
        #expect(try await fill(text, setting).result == ["submit", wanted])
        #expect(try await fill(wanted, setting).result == ["submit", wanted])
    }

    @Test("takes the default of what nobody spoke of, and nothing for what was left empty")
    func standard() async throws {
        let filled = try await fill(["amount": 12.5, "sure": false, "count": "", "why": .null])
        #expect(filled.result == ["submit", ["amount": 12.5, "sure": false, "size": "small"]])
    }

    @Test("names every fault with its field")
    func faults() async throws {
        let wrong: JSON = [
            "amount": "41", "count": 1.5, "sure": "perhaps", "mail": "nobody", "day": "2026-02-29",
            "size": "huge", "why": "12345678901", "code": "a", "cuont": 1,
        ]
        #expect(
            try await fill(wrong).faults == [
                "/form/amount should be a number from 0 to 40, and is \"41\"",
                "/form/count should be a whole number of at least 1, and is 1.5",
                "/form/sure should be true or false, and is \"perhaps\"",
                "/form/mail should be an e-mail address, and is \"nobody\"",
                "/form/day should be a date such as 2026-11-21, and is \"2026-02-29\"",
                "/form/size should be one of small, large, and is \"huge\"",
                "/form/why should be text of at most 10 characters, and is \"12345678901\"",
                "/form/code should be text from 2 to 4 characters, and is \"a\"",
                "/form/cuont is no field of this form; did you mean count?",
            ])
        let kinds: JSON = ["amount": true, "sure": 1, "why": 7, "mail": .object([:])]
        #expect(
            try await fill(kinds).faults.map { $0.prefix { $0 != " " } } == [
                "/form/amount", "/form/sure", "/form/mail", "/form/why",
            ])
        #expect(
            try await fill(nil).faults == [
                "/form/amount is missing; a number from 0 to 40 is needed",
                "/form/sure is missing; true or false is needed",
            ])
    }

    @Test("has fields that only one choice needs, and leaves them out of the others")
    func on() async throws {
        let body = """
            local d = ask.approval("OK?", { choices = { "approve", "counter" },
              form = { counter = { "Counter-offer", type = "number", max = 40, on = { "Counter" } } } })
            return { d.outcome, d.form }
            """
        let approved = try await ApprovalTests.asking(body) { test, approval in
            let missing = await #expect(throws: HostError.self) {
                try await test.host.decide(approval: approval.id, outcome: "counter", by: "ana")
            }
            #expect(missing?.faults.map(\.pointer) == ["/form/counter"])
            _ = try await test.host.decide(
                approval: approval.id, outcome: "approve", by: "ana", form: ["counter": "nonsense"])
        }
        #expect(
            approved?.result == ["approve", .array([])] || approved?.result == ["approve", .object([:])])
        let countered = try await ApprovalTests.asking(body) { test, approval in
            _ = try await test.host.decide(
                approval: approval.id, outcome: "counter", by: "ana", form: ["counter": "15"])
        }
        #expect(countered?.result == ["counter", ["counter": 15]])
    }

    @Test("takes no field where the script asks for none")
    func none() async throws {
        _ = try await ApprovalTests.asking("return ask.approval(\"OK?\", {}).outcome") { test, approval in
            let refused = await #expect(throws: HostError.self) {
                try await test.host.decide(
                    approval: approval.id, outcome: "approve", by: "ana", form: ["x": 1])
            }
            #expect(refused?.code == "PG4121")
            _ = try await test.host.decide(approval: approval.id, outcome: "approve", by: "ana")
        }
    }

    @Test("that times out has no fields", arguments: Setting.all)
    func timeout(_ setting: Setting) async throws {
        let body =
            "local d = ask.form(\"Data\", { form = { a = \"A\" }, timeout = \"1h\" }) return { d.outcome, d.form.a }"
        let run = try await ApprovalTests.asking(body, setting) { test, approval in
            #expect(approval.request.kind == .form && approval.request.choices == ["submit"])
            test.clock.advance(milliseconds: 3_600_000)
        }
        #expect(run?.result == ["timeout"])
    }

    @Test(
        "that is declared wrongly is refused where it is asked for",
        arguments: [
            ("form = { a = { \"A\", type = \"numbr\" } }", "PG1121", "Did you mean \"number\"?"),
            ("form = { a = { \"A\", type = \"choice\" } }", "PG1121", "a choice of nothing"),
            ("form = { a = { \"A\", type = \"number\", one_of = { \"x\" } } }", "PG1121", "one_of"),
            (
                "form = { a = { \"A\", type = \"number\", min = 2, max = 1 } }", "PG1121",
                "larger than its `max`"
            ),
            ("form = { a = { \"A\", type = \"date\", min = 2 } }", "PG1121", "no `min`"),
            ("form = { a = { \"A\", type = \"number\", default = \"x\" } }", "PG1121", "should be a number"),
            ("form = { a = { \"A\", requierd = true } }", "PG1005", "Did you mean `required`?"),
            ("form = { a = 7 }", "PG1011", "should be a table"),
            ("form = { { \"A\" } }", "PG1011", "has no name"),
            ("form = { { name = \"a\" }, { name = \"a\" } }", "PG1011", "twice"),
            ("form = {}", "PG1011", "no fields"),
            ("form = { a = { \"A\", on = { \"x\" } } }", "PG1011", "no choice"),
            ("show = {}", "PG1011", "`form`"),
        ])
    func refusals(options: String, code: String, text: String) async throws {
        let problem = try await ApprovalTests.refusal("ask.form(\"Data\", { \(options) })")
        #expect(problem["code"]?.string == code)
        let said = (problem["message"]?.string ?? "") + " " + (problem["hint"]?.string ?? "")
        #expect(said.contains(text), "\(said)")
    }
}
