@testable import Perigee
import Foundation
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Scripts", .timeLimit(.minutes(5)))
struct ScriptTests {
    private func problem(_ text: String, files: [String: String] = [:]) throws -> ScriptProblem? {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "perigee-\(UUID().uuidString)")
        for (name, text) in files.merging(["bad.lua": text], uniquingKeysWith: { $1 }) {
            try TestHost.write(text, to: name, in: folder)
        }
        return try #require(ScriptCheck.run(folder: folder.path)).first { $0.workflow == "bad" }?.problem
    }

    @Test(
        "that can't be loaded say why, where, and what to do",
        arguments: [
            (
                "return workflow { run = function() htpp.post(\"A\", {}) end }", "PG1001",
                "did you mean \"http\"?", 1
            ),
            ("local t = {\n  a = \n}", "PG1009", "near `}`", 3),
            ("return workflow { run = function()", "PG1009", "end of the file", 1),
            ("local x = 1", "PG1016", "does not return a workflow", 1),
            ("return 5", "PG1016", "does not return a workflow", 1),
            (
                "return workflow {\n  nmae = \"X\",\n  run = function() end }", "PG1005",
                "Did you mean `name`?", 2
            ),
            ("return workflow { name = \"X\" }", "PG1011", "needs the option `run`", 1),
            (
                "return workflow { run = function() end,\n debounce = { period = \"1s\" } }", "PG1007",
                "not available", 2
            ),
            ("return workflow { run = function() end, on = { at = \"7d\" } }", "PG1007", "at", 1),
            (
                "return workflow {\n on = { cron = \"0 25 * * *\" }, run = function() end }", "PG1100",
                "\"25\" is no hour", 2
            ),
            (
                "return workflow {\n on = { cron = \"0 2 * * *\",\n tz = \"Europe/Pariss\" }, run = function() end }",
                "PG1101", "Did you mean \"Europe/Paris\"?", 3
            ),
            ("return workflow {\n on = { every = \"10ms\" }, run = function() end }", "PG1102", "shorter", 2),
            (
                "return workflow {\n on = { every = \"1h\", overlap = \"skipp\" }, run = function() end }",
                "PG1102",
                "Did you mean \"skip\"?", 2
            ),
            ("return workflow {\n on = { every = 15 }, run = function() end }", "PG1013", "15 what?", 2),
            (
                "return workflow {\n on = { manual = true, tz = \"UTC\" }, run = function() end }", "PG1011",
                "goes with `cron`", 2
            ),
            (
                "return workflow {\n on = { { every = \"60m\" }, { every = \"1h\" } }, run = function() end }",
                "PG1102", "declared twice", 2
            ),
            (
                "return workflow { run = function() end, on = { http = \"orders\" } }", "PG1011",
                "method and path", 1
            ),
            (
                "return workflow { run = function() end, on = { event = \"a\", match = { x = { gtt = 1 } } } }",
                "PG1014", "gtt", 1
            ),
            (
                "return workflow { run = function() end, input = { id = \"strin\" } }", "PG1014",
                "Did you mean \"string\"?", 1
            ),
            (
                "sleep(\"1h\")\nreturn workflow { run = function() end }", "PG1008",
                "while the script is loaded", 1
            ),
            ("counter = 1\nreturn workflow { run = function() end }", "PG1004", "local counter", 1),
            ("io.open(\"x\")\nreturn workflow { run = function() end }", "PG1002", "no files", 1),
            (
                "local m = require \"lib.gone\"\nreturn workflow { run = function() end }", "PG1006",
                "lib/gone.lua", 1
            ),
            (
                "local m = require \"../etc/passwd\"\nreturn workflow { run = function() end }", "PG1006",
                "no name of a module", 1
            ),
            ("while true do end", "PG1030", "too long", 1),
            ("error('own words')", "PG1012", "failed while it was loaded", 1),
            ("error({ code = 5 })", "PG1065", "It has: code", 1),
            ("local t = { name = 1 }\nprint(t.nmae.x)", "PG1050", "Did you mean `t.name`?", 2),
        ])
    func problems(_ text: String, _ code: String, _ words: String, _ line: Int) throws {
        let problem = try #require(try problem(text))
        #expect(problem.code == code)
        let said = problem.message + problem.hint
        #expect(said.contains(words), "\(problem)")
        #expect(problem.line == line)
        if line > 0 { #expect(problem.excerpt.contains("^")) }
    }

    @Test("point at the word that is wrong")
    func caret() throws {
        let text = "return workflow { run = function()\n  local x = 1\n  htpp.post(\"Tell sales\", {})\nend }"
        let problem = try #require(try problem(text))
        #expect(problem.column == 3)
        #expect(
            problem.excerpt == """
                  2 |   local x = 1
                  3 |   htpp.post("Tell sales", {})
                    |   ^^^^
                """)
    }

    @Test("name the module that is wrong, not the script")
    func moduleProblem() throws {
        let problem = try problem(
            "local m = require \"lib.m\"\nreturn workflow { run = function() end }",
            files: ["lib/m.lua": "return {\n oops("])
        #expect(problem?.file == "lib/m.lua")
    }

    @Test("require modules, which require others, and are loaded once")
    func modules() async throws {
        let test = try TestHost(scripts: [
            "a.lua": "local b = require \"lib.b\" local c = require(\"lib.c\")\n"
                + script("return { b.value, c.count, b == require \"lib.b\" }"),
            "lib/b.lua": "local c = require \"lib.c\" c.count = c.count + 1 return { value = \"b\" }",
            "lib/c.lua": "return { count = 0 }",
        ])
        try await test.run { test in
            let run = try await test.end(try await test.begin("a").id)
            #expect(run.result == ["b", 1, true])
        }
    }

    @Test("call functions of the host with typed input and output")
    func functions() async throws {
        struct Deal: Codable, Sendable { var id: String, amount: Int }
        let body = """
            local done = call("Update deal", "crm.update", { id = "D1", amount = 5 })
            local _, missing = try(call, "Misspelt", "crm.updte", {})
            local _, input = try(call, "Bad input", "crm.update", { id = "D1" })
            return { done.amount, missing.hint, input.code }
            """
        let test = try TestHost(scripts: ["c.lua": script(body)])
        test.host.register("crm.update") { (deal: Deal, context: CallContext) in
            #expect(context.label == "Update deal")
            return Deal(id: deal.id, amount: deal.amount * 2)
        }
        try await test.run { test in
            let run = try await test.end(try await test.begin("c").id)
            #expect(run.result == [10, "Did you mean \"crm.update\"?", "PG2021"])
        }
    }

    @Test("keep tags, a status line, notes and logs once", arguments: Setting.all)
    func annotations(_ setting: Setting) async throws {
        let body = """
            flow.tag { company = "Acme" } flow.status("Working") flow.note("Chose", { why = "size" })
            log.warn("careful") sleep("1h") print("a", 1) flow.status("Done") return flow.run.workflow
            """
        let test = try TestHost(setting, scripts: ["n.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("n").id
            let waiting = try await test.run(id, reaches: .waiting)
            #expect(waiting.statusText == "Working")
            #expect(waiting.tags.map { String(decoding: $0, as: UTF8.self) } == #"{"company":"Acme"}"#)
            test.clock.advance(milliseconds: 3_600_000)
            let run = try await test.end(id)
            #expect(run.statusText == "Done")
            let history = try await test.host.history(run: id)
            #expect(history.annotations.map(\.text) == ["Chose", "careful", "a\t1"])
        }
    }

    @Test("log as much as is kept of one run, and go on", arguments: Setting.all)
    func manyLines(_ setting: Setting) async throws {
        let many =
            "for i = 1, 6000 do print(i) end sleep('1h') for i = 6001, 12000 do print(i) end return 'done'"
        let large = "for i = 1, 600 do log.info(('x'):rep(8000)) end return 'done'"
        let test = try TestHost(setting, scripts: ["many.lua": script(many), "large.lua": script(large)])
        try await test.run { test in
            let id = try await test.begin("many").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 3_600_000)
            #expect(try await test.end(id).result == "done")
            let lines = try await test.host.history(run: id).annotations.map(\.text)
            #expect(lines.count == 10_000 && lines[9_998] == "9999")
            #expect(lines.last?.hasPrefix("This run has logged 10000 lines and notes") == true)

            let other = try await test.begin("large").id
            #expect(try await test.end(other).result == "done")
            let kept = try await test.host.history(run: other).annotations.map(\.text)
            #expect(kept.count == 525 && kept.last?.hasPrefix("This run has logged 525 lines") == true)
        }
    }
}
