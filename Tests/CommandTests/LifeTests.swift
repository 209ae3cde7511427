import Foundation
import PerigeeJournal
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct LifeTests {
    private static let order = """
        return workflow {
          input = { amount = "number" },
          run = function(input)
            local decision = ask.approval("Manager approval", {})
            sleep("Rest", "1ms")
            return { outcome = decision.outcome, amount = input.amount }
          end,
        }
        """

    private static func json(_ said: Command.Outcome) throws -> JSON {
        try #require(said.status == 0, "\(said.errors)")
        return try JSON(parsing: said.output.utf8)
    }

    /// Starts a run, and returns its id once it waits, failed, or whatever else is meant.
    private static func begin(
        _ place: Workplace, _ workflow: String, _ input: String, reaches status: String
    ) throws -> String {
        let id = try #require(
            try json(place.run("run", workflow, "--input", input, "-o", "json"))["id"]?.string)
        _ = try run(place, id, reaches: status)
        return id
    }

    private static func run(_ place: Workplace, _ id: String, reaches status: String) throws -> JSON {
        while true {
            let run = try json(place.run("runs", "show", id, "-o", "json"))
            if run["status"]?.string == status { return run }
            let mayChange = ["queued", "running", "waiting"].contains(run["status"]?.string)
            try #require(mayChange, "\(run.text)")
        }
    }

    /// The newest audit record of a run, as `action by: reason, before → after`.
    private static func audit(_ place: Workplace, _ id: String) throws -> String {
        let page = try json(place.run("audit", "list", "--run", id, "--limit", "1", "-o", "json"))
        let record = try #require(page["items"]?.array?.first)
        func text(_ value: JSON?) -> String { value?.string ?? "-" }
        return "\(text(record["action"])) by \(text(record["by"])): \(text(record["reason"])), "
            + "\(text(record["before"]?["status"])) → \(text(record["after"]?["status"]))"
    }

    @Test func `a paused run keeps what comes, and takes it when it is resumed`() throws {
        let place = try Workplace(scripts: ["order.lua": Self.order])
        try place.serve()
        let id = try Self.begin(place, "order", "amount:=5", reaches: "waiting")
        let paused = try place.run(
            "runs", "pause", id, "--by", "ana", "--reason", "the CRM is down", "-o", "json")
        #expect(try Self.json(paused)["status"] == "paused")
        #expect(try Self.audit(place, id) == "pause by ana: the CRM is down, waiting → paused")
        let again = try place.run("runs", "pause", id)
        #expect(again.status == 6)
        #expect(again.errors.contains("[PG4130]"))
        #expect(try place.run("approvals", "approve", "@last", "--by", "bob").status == 0)
        #expect(try Self.json(place.run("runs", "show", id, "-o", "json"))["status"] == "paused")
        let resumed = try place.run("runs", "resume", id, "--by", "ben", "--reason", "it is up")
        #expect(resumed.status == 0, "\(resumed.errors)")
        #expect(try Self.audit(place, id) == "resume by ben: it is up, paused → queued")
        let run = try Self.run(place, id, reaches: "completed")
        #expect(run["output"] == ["outcome": "approve", "amount": 5])
    }

    @Test func `a failed run that is retried with a corrected script completes`() throws {
        func text(_ end: String) -> String {
            "return workflow { run = function(input) sleep(\"Rest\", \"1ms\") \(end) end }"
        }
        let place = try Workplace(scripts: ["stock.lua": text("flow.fail(\"Nothing in stock\")")])
        try place.serve()
        let id = try Self.begin(place, "stock", "{}", reaches: "failed")
        let same = try place.run("runs", "retry", id, "--yes")
        #expect(same.status == 6)
        #expect(same.errors.contains("[PG4131]"))
        let file = place.folder.appendingPathComponent("scripts/stock.lua")
        try text("return { shipped = true }").write(to: file, atomically: true, encoding: .utf8)
        var retried: Command.Outcome
        repeat {
            retried = try place.run(
                "runs", "retry", id, "--version", "newest", "--yes", "--by", "ana", "--reason", "corrected")
            // Until the server has loaded the script, the newest is the one that fails.
        } while retried.errors.contains("[PG4131]")
        #expect(retried.status == 0, "\(retried.errors)")
        let run = try Self.run(place, id, reaches: "completed")
        #expect(run["output"] == ["shipped": true])
        #expect(run["version"] == 2)
        #expect(run["error"] == .null)
        #expect(try Self.audit(place, id) == "retry by ana: corrected, failed → queued")
    }

    @Test func `a fork with edited data ends with that, without what was done before the step`() throws {
        let place = try Workplace(scripts: ["order.lua": Self.order])
        try place.serve()
        let old = try Self.begin(place, "order", "amount:=5", reaches: "waiting")
        #expect(try place.run("approvals", "approve", "@last", "--by", "bob").status == 0)
        let first = try Self.run(place, old, reaches: "completed")
        let forked = try place.run(
            "runs", "fork", old, "--from", "Rest", "--input", "amount:=9", "--by", "ana", "--reason",
            "wrong amount", "-o", "json")
        let new = try #require(try Self.json(forked)["id"]?.string)
        #expect(new != old)
        let run = try Self.run(place, new, reaches: "completed")
        #expect(run["input"] == ["amount": 9])
        #expect(run["output"] == ["outcome": "approve", "amount": 9])
        #expect(run["trigger"]?["run"]?.string == old)
        #expect(try Self.json(place.run("runs", "show", old, "-o", "json")) == first)
        #expect(try Self.audit(place, old) == "fork by ana: wrong amount, - → queued")
        let wrong = try place.run("runs", "fork", old, "--input", "amount=much")
        #expect(wrong.status == 1)
        #expect(wrong.errors.contains("[PG4022]"))
    }

    @Test func `a run without its secret goes on once the file is there, without a new start`() async throws {
        let counter = CountingServer()
        try await counter.run { port in
            // Processes are waited for on a thread of their own: the counting server needs the common ones.
            try await withCheckedThrowingContinuation { (end: CheckedContinuation<Void, any Error>) in
                DispatchQueue.global().async { end.resume(with: Result { try Self.missingSecret(port) }) }
            }
        }
        #expect(counter.callCount == 1)
    }

    private static func missingSecret(_ port: Int) throws {
        let script = """
            return workflow {
              run = function()
                http.post("Send", { url = "http://127.0.0.1:\(port)/steps/1", auth = secret "CRM_TOKEN" })
              end,
            }
            """
        let place = try Workplace(scripts: ["send.lua": script])
        let folder = place.folder.appendingPathComponent("secrets")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        try place.serve(
            environment: ["PERIGEE_SECRETS": folder.path, "PERIGEE_ALLOW_HOSTS": "127.0.0.1:\(port)"])
        let id = try begin(place, "send", "{}", reaches: "attention")
        try #require(try run(place, id, reaches: "attention")["error"]?["code"] == "PG2030")
        try Data("s3cret\n".utf8).write(to: folder.appendingPathComponent("CRM_TOKEN"))
        _ = try json(place.run("runs", "retry", id, "--yes", "-o", "json"))
        _ = try run(place, id, reaches: "completed")
        let history = try place.run("runs", "history", id, "-o", "json").output
        #expect(!history.contains("s3cret"))
    }
}
