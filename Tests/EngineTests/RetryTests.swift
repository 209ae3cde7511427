@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@Suite("Retry, results by hand and fork", .timeLimit(.minutes(5)))
struct RetryTests {
    /// A world in which some paths answer 500 until they are mended.
    final class Broken: Sendable {
        private let paths: Mutex<Set<String>>

        init(_ paths: String...) { self.paths = Mutex(Set(paths)) }

        func mend() { paths.withLock { $0 = [] } }

        var world: FakeWorld {
            FakeWorld { [self] request in
                paths.withLock { $0.contains { request.url.hasSuffix($0) } }
                    ? .json(500, "{}") : .json(200, #"{"n":1}"#)
            }
        }
    }

    static func post(_ label: String, _ path: String) -> String {
        "http.post(\"\(label)\", { url = \"https://a.example/\(path)\", retry = { max_attempts = 1 } })"
    }

    private static let line = script(
        """
        \(post("First", "1"))
        local r = \(post("Second", "2"))
        return { second = r, after = \(post("Third", "3")).json.n }
        """,
        options: "on_failure = function() \(post("Tell", "tell")) end,")

    @Test("a run goes on from the failed step, and what was done is not sent again", arguments: Setting.all)
    func retry(_ setting: Setting) async throws {
        let broken = Broken("/2")
        let test = try TestHost(setting, scripts: ["a.lua": RetryTests.line], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            #expect(try await test.end(id).status == .attention)
            broken.mend()
            let preview = try await test.host.preview(.retry(.same), on: id)
            #expect(preview.sendsAgain.map(\.address.label) == ["Second", "Tell"])
            #expect(preview.sendsAgain.first?.target == "POST a.example/2")
            _ = try await test.host.act(on: id, .retry(.same), by: "ana", reason: "mended")
            let run = try await test.run(id, reaches: .completed)
            #expect(run.result?["after"] == 1)
            #expect(run.error == nil)
            let paths = test.world.calls.map { $0.split(separator: "/").last ?? "" }
            #expect(paths == ["1", "2", "tell", "2", "3"])
            let keys = test.world.requests.map { $0.header("Idempotency-Key") }
            #expect(keys[1] == keys[3])
            let records = try await test.host.audit(run: id).records
            #expect(records.map(\.action) == ["retry", "start"])
            #expect(records.first?.by == "ana")
            #expect(records.first?.reason == "mended")
        }
    }

    @Test("other branches keep what they did", arguments: Setting.all)
    func branches(_ setting: Setting) async throws {
        let broken = Broken("/b", "/d")
        let body = """
            local r = each("Items", { "a", "b", "c", "d" }, function(item)
              http.post("Send", { url = "https://a.example/" .. item, retry = { max_attempts = 1 } })
              return item
            end, { at_once = 1 })
            return r.ok
            """
        let test = try TestHost(setting, scripts: ["a.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            #expect(try await test.end(id).status == .attention)
            broken.mend()
            let preview = try await test.host.preview(.retry(.same), on: id)
            #expect(preview.sendsAgain.map(\.address.path) == ["Items/2", "Items/4"])
            _ = try await test.host.act(on: id, .retry(.same), by: "ana")
            #expect(try await test.run(id, reaches: .completed).result == 4)
            let paths = test.world.calls.map { $0.split(separator: "/").last ?? "" }
            #expect(paths.sorted() == ["a", "b", "b", "c", "d", "d"])
        }
    }

    @Test("what was taken back and what stayed are replayed the same", arguments: Setting.all)
    func holes(_ setting: Setting) async throws {
        let broken = Broken("/b", "/e")
        let body = """
            local r = each("Items", { "a", "b", "c", "d", "e", "f" }, function(item)
              http.post("Send", { url = "https://a.example/" .. item, retry = { max_attempts = 1 } })
              log.info("sent " .. item)
              emit("sent", { item = item })
              sleep("Rest", "1h")
              return http.post("Close", { url = "https://a.example/close/" .. item }).json.n
            end, { at_once = 2 })
            return { r.ok, flow.uuid() }
            """
        let test = try TestHost(setting, scripts: ["a.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            func rest() async throws -> RunRecord {
                var before: [Wait] = []
                while true {
                    let run = try await test.until(id) {
                        $0.status.isFinal || $0.status == .attention
                            || $0.status == .waiting && $0.waits != before
                    }
                    guard run.status == .waiting else { return run }
                    before = run.waits
                    test.clock.advance(milliseconds: 3_600_000)
                }
            }
            #expect(try await rest().status == .attention)
            broken.mend()
            _ = try await test.host.act(on: id, .retry(.same), by: "ana")
            let run = try await rest()
            #expect(run.status == .completed)
            #expect(run.result?.array?.first == 6)
            let sent = test.world.calls.compactMap { $0.split(separator: "/").last }
            for item in ["a", "c", "d", "f"] { #expect(sent.count { $0 == item } == 2) }
            for item in ["b", "e"] { #expect(sent.count { $0 == item } == 3) }
            let logs = try await test.host.history(run: id).annotations.filter { $0.kind == .log }.map(\.text)
            #expect(logs.sorted() == ["a", "b", "c", "d", "e", "f"].map { "sent \($0)" })
        }
    }

    @Test("an undo that failed is tried again, and the undos before it are not", arguments: Setting.all)
    func undo(_ setting: Setting) async throws {
        let broken = Broken("/u1")
        let body = """
            saga("Order", function(undo)
              undo("Undo 1", http.post, { url = "https://a.example/u1", retry = { max_attempts = 1 } })
              undo("Undo 2", http.post, { url = "https://a.example/u2", retry = { max_attempts = 1 } })
              flow.fail("no")
            end)
            """
        let test = try TestHost(setting, scripts: ["a.lua": script(body)], world: broken.world)
        try await test.run { test in
            let id = try await test.begin("a").id
            #expect(try await test.end(id).problem?["code"] == "PG2100")
            broken.mend()
            _ = try await test.host.act(on: id, .retry(.same), by: "ana")
            #expect(try await test.run(id, reaches: .failed).problem?["message"] == "no")
            let paths = test.world.calls.map { $0.split(separator: "/").last ?? "" }
            #expect(paths == ["u2", "u1", "u1"])
        }
    }

    @Test(
        "a run that would stop at once again is refused, and goes on with a corrected script",
        arguments: Setting.all)
    func newest(_ setting: Setting) async throws {
        let bad = script("\(RetryTests.post("First", "1")) local x = input.a.b return 1")
        let test = try TestHost(setting, scripts: ["a.lua": bad])
        try await test.run { test in
            let id = try await test.begin("a").id
            #expect(try await test.end(id).status == .attention)
            let error = await #expect(throws: HostError.self) {
                try await test.host.act(on: id, .retry(.same), by: "ana")
            }
            #expect(error?.code == "PG4131")
            #expect(try await test.host.audit(run: id).records.map(\.action) == ["start"])
            try await test.save("a.lua", script("\(RetryTests.post("Other", "1")) return 1"))
            let other = await #expect(throws: HostError.self) {
                try await test.host.act(on: id, .retry(.newest), by: "ana")
            }
            #expect(other?.code == "PG4132")
            #expect(other?.message.contains("Other") == true)
            try await test.save("a.lua", script("\(RetryTests.post("First", "1")) return 2"))
            _ = try await test.host.act(on: id, .retry(.newest), by: "ana")
            let run = try await test.run(id, reaches: .completed)
            #expect(run.result == 2)
            #expect(run.version == 3)
            #expect(test.world.calls.count == 1)
        }
    }

    @Test("a cancelled run goes on where it was, unless it undid something", arguments: Setting.all)
    func cancelled(_ setting: Setting) async throws {
        let hooked = script(
            "ask.approval(\"OK?\", {}) return 1",
            options: "on_cancel = function() \(RetryTests.post("Tell", "tell")) end,")
        let undoing = script(
            "saga(\"S\", function(undo) undo(\"Undo\", http.post, { url = \"https://a.example/u\" }) sleep(\"1d\") end)"
        )
        let test = try TestHost(setting, scripts: ["a.lua": hooked, "u.lua": undoing])
        try await test.run { test in
            let id = try await test.begin("a").id
            let first = try await test.run(id, reaches: .waiting).waits.first?.id
            _ = try await test.host.cancel(run: id, by: "ana")
            _ = try await test.run(id, reaches: .cancelled)
            _ = try await test.host.act(on: id, .retry(.same), by: "ana")
            let wait = try #require(try await test.run(id, reaches: .waiting).waits.first)
            #expect(wait.id != first)
            _ = try await test.host.decide(approval: wait.id, outcome: "approve", by: "bob")
            #expect(try await test.run(id, reaches: .completed).result == 1)

            let undone = try await test.begin("u").id
            _ = try await test.run(undone, reaches: .waiting)
            _ = try await test.host.cancel(run: undone, by: "ana")
            _ = try await test.run(undone, reaches: .cancelled)
            let error = await #expect(throws: HostError.self) {
                try await test.host.act(on: undone, .retry(.same), by: "ana")
            }
            #expect(error?.code == "PG4133")
        }
    }

    @Test("a failed step is given a result by hand, or passed over", arguments: Setting.all)
    func setResult(_ setting: Setting) async throws {
        let broken = Broken("/2")
        let test = try TestHost(setting, scripts: ["a.lua": RetryTests.line], world: broken.world)
        try await test.run { test in
            let given = try await test.begin("a").id
            let skipped = try await test.begin("a").id
            for id in [given, skipped] { #expect(try await test.end(id).status == .attention) }
            let unreasoned = await #expect(throws: HostError.self) {
                try await test.host.act(on: given, .setResult(StepReference(), 7), by: "ana", reason: " ")
            }
            #expect(unreasoned?.code == "PG4136")
            let unknown = await #expect(throws: HostError.self) {
                try await test.host.act(on: given, .skip(StepReference(label: "Secnd")), by: "ana")
            }
            #expect(unknown?.code == "PG4134")
            #expect(unknown?.hint.contains("Second") == true)
            let before = test.world.calls.count
            _ = try await test.host.act(
                on: given, .setResult(StepReference(), ["id": 7]), by: "ana", reason: "done by phone")
            #expect(
                try await test.run(given, reaches: .completed).result == ["second": ["id": 7], "after": 1])
            _ = try await test.host.act(on: skipped, .skip(StepReference(label: "Second")), by: "ana")
            #expect(try await test.run(skipped, reaches: .completed).result == ["after": 1])
            #expect(test.world.calls.dropFirst(before).allSatisfy { $0.hasSuffix("/3") })
            let notes = try await test.host.history(run: given).annotations.filter { $0.kind == .note }
            #expect(notes.map(\.text) == ["Result set by hand by ana: done by phone"])
            #expect(notes.first?.step?.label == "Second")
        }
    }

    @Test(
        "a step that could not begin for want of a secret is done once that is there", arguments: Setting.all)
    func secret(_ setting: Setting) async throws {
        let body = """
            parallel("P", { x = function()
              return http.post("Send", { url = "https://a.example/1", auth = secret "MISSING" })
            end })
            return 1
            """
        let test = try TestHost(setting, scripts: ["a.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("a").id
            #expect(try await test.end(id).problem?["code"] == "PG2030")
            _ = try await test.host.act(on: id, .skip(StepReference(label: "Send")), by: "ana")
            #expect(try await test.run(id, reaches: .completed).result == 1)
            #expect(test.world.calls.isEmpty)
        }
    }

    @Test("a wait is answered by hand", arguments: Setting.all)
    func answerWait(_ setting: Setting) async throws {
        let body =
            "local a = wait.event(\"Paid\", { event = \"paid\" }) local b = ask.approval(\"OK?\", {}) return { a, b }"
        let test = try TestHost(setting, scripts: ["a.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("a").id
            _ = try await test.run(id, reaches: .waiting)
            _ = try await test.host.act(
                on: id, .setResult(StepReference(label: "Paid"), ["sum": 5]), by: "ana", reason: "by cheque")
            let asked = try await test.until(id) { $0.waits.first?.address.label == "OK?" }
            _ = try await test.host.act(on: id, .skip(StepReference()), by: "ana")
            #expect(try await test.run(id, reaches: .completed).result == [["sum": 5]])
            let approval = try await test.host.approval(id: try #require(asked.waits.first?.id))
            #expect(approval.status == .cancelled)
        }
    }
}
