import Foundation
import PerigeeJournal
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct CommandTests {
    @Test func `version prints the version`() throws {
        let said = try Workplace(scripts: [:]).run("version")
        #expect(said.status == 0)
        #expect(said.output == "perigee 0.1.0\n")
    }

    @Test func `a command that there is not is a usage error with the one that was meant`() throws {
        let said = try Workplace(scripts: [:]).run("serv")
        #expect(said.status == 2)
        #expect(said.errors.contains("Did you mean `perigee serve`?"))
        #expect(said.output.isEmpty)
    }

    @Test func `an unknown option is a usage error`() throws {
        let said = try Workplace(scripts: [:]).run("serve", "--prot", "1")
        #expect(said.status == 2)
        #expect(said.errors.contains("--port"))
    }

    // MARK: explain

    @Test(arguments: ["PG1050", "pg1050", "1050"])
    func `explain prints the page of a code`(code: String) throws {
        let said = try Workplace(scripts: [:]).run("explain", code)
        #expect(said.status == 0)
        #expect(said.output.hasPrefix("# PG1050: A value is empty (nil)\n"))
        #expect(said.output.contains("## How to fix it"))
    }

    @Test func `explain without a code lists them all`() throws {
        let said = try Workplace(scripts: [:]).run("explain")
        #expect(said.status == 0)
        let lines = said.output.split(separator: "\n")
        #expect(lines.contains("PG5000  A command that can't be understood"))
        #expect(lines.count > 100 && lines.allSatisfy { $0.wholeMatch(of: /PG[0-9]{4}  .+/) != nil })
    }

    @Test func `explain of a code that there is not is a usage error with the nearest`() throws {
        let said = try Workplace(scripts: [:]).run("explain", "PG5999")
        #expect(said.status == 2)
        #expect(said.errors.contains("There is no error code \"PG5999\"."))
        #expect(said.errors.contains("Did you mean `perigee explain PG"))
    }

    @Test func `schedules list shows when each one runs next`() throws {
        let hourly = "return workflow { on = { every = \"1h\" }, run = function() end }"
        let place = try Workplace(scripts: ["hourly.lua": hourly])
        try place.serve()
        let said = try place.run("schedules", "list")
        #expect(said.status == 0)
        let fields = said.output.split(separator: "\t", omittingEmptySubsequences: false)
        #expect(
            fields.count == 9 && fields[0].hasPrefix("sch_") && fields[1] == "hourly"
                && fields[2] == "every 1h")
        #expect(fields[3].hasSuffix(":00:00Z") && fields[5] == "skip" && fields[6] == "one")
        #expect(try place.run("check").output.contains("every 1h"))
    }

    // MARK: check

    @Test func `check shows the line of a broken script with a caret and fails`() throws {
        let broken =
            "return workflow {\n  run = function(input)\n    htpp.post(\"Tell sales\", {})\n  end,\n}\n"
        let place = try Workplace(scripts: ["broken.lua": broken, "hello.lua": helloScript])
        let said = try place.run("check")
        #expect(said.status == 1)
        #expect(said.output.contains("broken.lua:3"))
        #expect(said.output.contains("3 |     htpp.post(\"Tell sales\", {})"))
        #expect(said.output.contains("|     ^^^^ "))
        #expect(said.output.contains("✓ hello"))
        #expect(said.errors == "2 scripts, 1 error · perigee explain PG1001\n")
        #expect(said.output.contains("[PG1001]"))
    }

    @Test func `check writes one line per error for editors`() throws {
        let place = try Workplace(scripts: ["broken.lua": "return workflow {\n  nam = 1,\n}\n"])
        let said = try place.run("check", "-o", "unix")
        #expect(said.status == 1)
        let lines = said.output.split(separator: "\n")
        #expect(lines.count == 1)
        let form = #/^scripts/broken\.lua:[0-9]+:[0-9]+: error: .+ \[PG1[0-9]{3}\]$/#
        #expect(lines.first?.firstMatch(of: form) != nil)
    }

    @Test func `check of good scripts succeeds`() throws {
        let said = try Workplace(scripts: ["hello.lua": helloScript]).run("check", "-o", "json")
        #expect(said.status == 0)
        let items = try JSON(parsing: said.output.utf8)["items"]?.array
        #expect(items?.first?["workflow"] == "hello")
        #expect(items?.first?["error"] == .null)
    }

    @Test func `check of no folder says so`() throws {
        let said = try Workplace(scripts: [:]).run("check", "flows")
        #expect(said.status == 1)
        #expect(said.errors.contains("There is no scripts folder flows."))
        #expect(said.errors.contains("[PG1017]"))
    }

    // MARK: serve

    @Test func `serve refuses a port that is in use`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        try place.serve()
        let second = try place.run("serve", "--port", String(place.port), "--data", "other.db")
        #expect(second.status == 1)
        #expect(second.errors.contains("Port \(place.port) on 127.0.0.1 is in use"))
        #expect(second.errors.contains("[PG4030]"))
    }

    @Test func `serve refuses a database that is in use`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        try place.serve()
        let second = try place.run("serve", "--port", "0")
        #expect(second.status == 1)
        #expect(second.errors.contains("perigee.db is in use"))
        #expect(second.errors.contains("[PG3011]"))
    }

    @Test func `serve refuses an open address without tokens`() throws {
        let said = try Workplace(scripts: ["hello.lua": helloScript]).run(
            "serve", "--host", "0.0.0.0", "--port", "0")
        #expect(said.status == 1)
        #expect(said.errors.contains("0.0.0.0"))
        #expect(said.errors.contains("[PG4031]"))
    }

    @Test func `serve without its scripts folder says so`() throws {
        let said = try Workplace(scripts: [:]).run("serve", "--scripts", "flows", "--port", "0")
        #expect(said.status == 1)
        #expect(said.errors.contains("There is no scripts folder flows."))
    }

    @Test func `a server with tokens turns strangers away and lets its friends in`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        try place.serve(environment: ["PERIGEE_TOKENS": "first,second"])
        let stranger = try place.run("runs", "list")
        #expect(stranger.status == 4)
        #expect(stranger.errors.contains("[PG4046]"))
        #expect(try place.run("runs", "list", "--token", "second").status == 0)
    }

    @Test func `serve keeps ended runs as long as it is told`() throws {
        let place = try Workplace(scripts: ["quick.lua": "return workflow { run = function() end }"])
        for said in [
            try place.run("serve", "--port", "0", "--keep", "soon"),
            try Command.run(
                ["serve", "--port", "0"], in: place.folder, environment: ["PERIGEE_KEEP": "soon"]),
        ] {
            #expect(said.status == 2 && said.errors.contains("is \"soon\"."), "\(said.errors)")
        }
        try place.serve()
        #expect(try place.run("run", "quick", "--wait").status == 0)
        #expect(try place.stopServer().status == 0)
        try place.serve(environment: ["PERIGEE_KEEP": "forever"])
        #expect(try !place.run("runs", "list", "-o", "jsonl").output.isEmpty)
        #expect(try place.stopServer().status == 0)
        try place.serve(environment: ["PERIGEE_KEEP": "0s"])
        while try !place.run("runs", "list", "-o", "jsonl").output.isEmpty {}
        #expect(try place.stopServer().status == 0)
    }

    // MARK: Talking to a server

    @Test func `a run that there is not is not found`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        try place.serve()
        for id in ["run_01J9ZK", "run_01J9ZKAAAAAAAAAAAAAAAAAAAA", "nope", "@last"] {
            let said = try place.run("runs", "show", id)
            #expect(said.status == 3, "for \(id)")
            #expect(said.output.isEmpty)
        }
    }

    @Test func `a server that is not there is unreachable`() throws {
        let said = try Workplace(scripts: [:]).run("runs", "list", "--server", "http://127.0.0.1:1")
        #expect(said.status == 5)
        #expect(said.errors.contains("`perigee serve`"))
        #expect(said.errors.contains("nobody listens there"))
    }

    @Test func `an event starts a run, which waits, survives a kill, is approved and completes`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        try place.serve()
        let sent = try place.run("send", "demo.requested", "--data", "id=42", "--id", "e1", "-o", "json")
        #expect(sent.status == 0)
        let run = try #require(try JSON(parsing: sent.output.utf8)["runs"]?.array?.first?.string)
        let again = try place.run("send", "demo.requested", "--data", "id=42", "--id", "e1", "-o", "json")
        #expect(try JSON(parsing: again.output.utf8)["duplicate"] == true)

        let approval = try untilThere { try place.run("approvals", "list") }
        #expect(approval.contains("Manager approval"))
        place.killServer()
        try place.serve()

        let approved = try place.run("approvals", "approve", "@last", "--comment", "ok", "--by", "ana")
        #expect(approved.status == 0, "\(approved.errors)")
        let second = try place.run(
            "approval", "reject", String(approval.prefix { $0 != "\t" }), "--by", "bob")
        #expect(second.status == 6)
        #expect(second.errors.contains("[PG4011]"))

        _ = try untilThere { try place.run("runs", "list", "-q", "status:completed") }
        let shown = try place.run("runs", "show", run, "-o", "json")
        let result = try JSON(parsing: shown.output.utf8)
        #expect(result["status"] == "completed")
        #expect(result["output"] == ["outcome": "approve"])
        #expect(try place.run("runs", "history", "@last").output.contains("Manager approval"))
        let stopped = try place.stopServer()
        #expect(stopped.status == 0, "\(stopped.errors)")
    }

    @Test func `a form is filled in and parked data repaired on the command line`() throws {
        let body = """
            return workflow { on = { event = "demo.requested" }, run = function(input)
              local d = ask.form("Offer", { form = { counter = { "Counter-offer", type = "number", max = 40 } } })
              local fixed = flow.park("Refused", { data = { offer = d.form.counter }, reason = "too high" })
              return fixed
            end }
            """
        let place = try Workplace(scripts: ["offer.lua": body])
        try place.serve()
        #expect(try place.run("send", "demo.requested").status == 0)
        _ = try untilThere { try place.run("approvals", "list", "--kind", "form") }
        let shown = try place.run("approvals", "show", "@last", "-o", "table")
        #expect(shown.output.contains("--form counter=") && shown.output.contains("Counter-offer (number)"))
        let wrong = try place.run("approvals", "decide", "@last", "submit", "--form", "counter=41")
        #expect(wrong.status == 1 && wrong.errors.contains("/form/counter: should be a number of at most 40"))
        #expect(wrong.errors.contains("[PG4121]"))
        let filled = try place.run(
            "approvals", "decide", "@last", "submit", "--form", "counter=15", "-o", "json")
        #expect(try JSON(parsing: filled.output.utf8)["decision"]?["form"] == ["counter": 15])
        #expect(try JSON(parsing: filled.output.utf8)["decision"]?["via"] == "cli")
        _ = try untilThere { try place.run("approvals", "list", "--kind", "park") }
        #expect(try place.run("approvals", "show", "@last", "-o", "table").output.contains("{\"offer\":15}"))
        let list = try place.run("approvals", "decide", "@last", "retry", "--data", "[1]")
        #expect(list.errors.contains("[PG4122]"))
        #expect(
            try place.run("approvals", "decide", "@last", "retry", "--data", "{\"offer\": 12}").status == 0)
        _ = try untilThere { try place.run("runs", "list", "-q", "status:completed") }
        let run = try JSON(parsing: try place.run("runs", "show", "@last", "-o", "json").output.utf8)
        #expect(run["output"] == ["offer": 12])
    }

    @Test func `a run that is waited for tells by its exit code how it went`() throws {
        let quick = "return workflow { run = function(i) if i.fail then flow.fail('no') end return i end }"
        let place = try Workplace(scripts: ["quick.lua": quick, "hello.lua": helloScript])
        try place.serve()
        let good = try place.run("run", "quick", "--input", "n:=7", "word=seven", "--wait", "-o", "json")
        #expect(good.status == 0, "\(good.errors)")
        #expect(try JSON(parsing: good.output.utf8)["output"] == ["n": 7, "word": "seven"])
        #expect(try place.run("run", "quick", "--input", "fail:=true", "--wait").status == 1)
        let waiting = try place.run("run", "hello", "--input", "{\"id\": \"1\"}", "--wait=1s", "-o", "plain")
        #expect(waiting.status == 7)
        #expect(waiting.output.contains("\twaiting\t"))
        #expect(try place.run("runs", "cancel", "@last").status == 0)
    }

    @Test func `a run that waits for its turn shows for whom`() throws {
        let text = "return workflow { concurrency = { limit = 1 }, run = function() sleep('1h') end }"
        let place = try Workplace(scripts: ["line.lua": text])
        try place.serve()
        #expect(try place.run("run", "line").status == 0)
        let first = try place.run("runs", "show", "@last", "-o", "json").output
        let id = try #require(try JSON(parsing: first.utf8)["id"]?.string)
        #expect(try place.run("run", "line").status == 0)
        let shown = try place.run("runs", "show", "@last", "-o", "table").output
        #expect(shown.contains("its turn, 1 at a time (\(id))"))
        #expect(try place.run("runs", "list", "-q", "status:queued").output.contains("its turn"))
        #expect(try place.stopServer().status == 0)
    }

    @Test func `a run that a script error ended shows the line, the way on and the code`() throws {
        let bad = "return workflow { run = function(input)\n  local x = input.a.b\nend }"
        let place = try Workplace(scripts: ["bad.lua": bad])
        try place.serve()
        let waited = try place.run("run", "bad", "--wait", "-o", "plain")
        #expect(waited.status == 1)
        #expect(waited.errors.contains("error: `input.a` is empty (nil), so it has no field `b`. [PG1050]"))
        #expect(waited.errors.contains("2 |   local x = input.a.b\n"))
        #expect(waited.errors.contains("perigee explain PG1050\n"))
        let shown = try place.run("runs", "show", "@last", "-o", "table")
        #expect(shown.status == 0)
        #expect(shown.output.contains("[PG1050]\n"))
        #expect(shown.output.contains("^^^^^^^\n"))
        #expect(shown.output.contains("perigee explain PG1050\n"))
        #expect(try place.stopServer().errors.contains("[PG1050] at bad.lua:2"))
    }

    @Test func `a wrong input names every fault`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        try place.serve()
        let said = try place.run("run", "hello", "--input", "id:=7", "od=1")
        #expect(said.status == 1)
        #expect(said.errors.contains("/id: "))
        #expect(said.errors.contains("[PG4022]"))
        let unknown = try place.run("run", "helo")
        #expect(unknown.status == 3)
        #expect(unknown.errors.contains("\"hello\""))
    }

    /// Asks until the answer has something in it.
    private func untilThere(_ ask: () throws -> Command.Outcome) throws -> String {
        while true {
            let said = try ask()
            try #require(said.status == 0, "\(said.errors)")
            if !said.output.isEmpty { return said.output }
        }
    }
}
