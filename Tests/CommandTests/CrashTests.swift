import Foundation
import PerigeeJournal
import Testing

/// The built service, killed at every transaction in turn.
@Suite("A service that is killed", .timeLimit(.minutes(15)))
struct CrashTests {
    private static func script(port: Int) -> String {
        """
        local function step(label, n)
          return http.post(label, { url = "http://127.0.0.1:\(port)/steps/" .. n, json = { n = n } }).json.step
        end
        return workflow {
          name = "Crash",
          run = function(input)
            local a = step("First", "1")
            sleep("Pause", "200ms")
            local b = step("Second", "2")
            local decision = ask.approval("OK?", { show = { { "So far", a .. b } } })
            local c = step("Third", "3")
            return { steps = a .. b .. c, outcome = decision.outcome }
          end,
        }
        """
    }

    @Test(
        "loses nothing and records nothing twice, whichever transaction was its last",
        arguments: ["kill-before-commit", "kill-after-commit"])
    func everyTransaction(_ fault: String) async throws {
        var transaction = 1
        var goesOn = true
        while goesOn {
            let counter = CountingServer()
            try await counter.run { port in
                // Processes are waited for on a thread of their own: the counting server needs the common ones.
                goesOn = try await withCheckedThrowingContinuation { continuation in
                    DispatchQueue.global().async { [fault = "\(fault):\(transaction)"] in
                        continuation.resume(with: Result { try survive(fault, counter, port: port) })
                    }
                }
            }
            transaction += 1
            try #require(transaction < 60)
        }
        #expect(transaction > 8, "the run has more transactions than that")
    }

    /// Takes a run through one kill to its end.
    ///
    /// - Returns: whether the service was killed at all.
    private func survive(_ fault: String, _ counter: CountingServer, port: Int) throws -> Bool {
        let place = try Workplace(scripts: ["crash.lua": CrashTests.script(port: port)])
        let allow = ["PERIGEE_ALLOW_HOSTS": "127.0.0.1:\(port)", "PERIGEE_FAULT": fault]
        var wasKilled = false
        let restart = {
            wasKilled = true
            try place.serve(environment: allow.filter { $0.key != "PERIGEE_FAULT" })
        }
        do { try place.serve(environment: allow) } catch { try restart() }

        // The key makes it safe to ask again whenever the answer was lost.
        var run: JSON?
        var decisions = 0
        for _ in 0..<200 {
            let said = try place.run("run", "crash", "--key", "once", "-o", "json")
            if said.status == 5 { try restart() }
            run = try? JSON(parsing: said.output.utf8)
            if run?["status"] == "completed" { break }
            guard case .string(let approval)? = run?["waits"]?.array?.first?["approval"] ?? run?["approval"]
            else {
                if try approveWaiting(place) { decisions += 1 }
                continue
            }
            if try place.run("approvals", "approve", approval).status == 0 { decisions += 1 }
        }
        try check(place, run, counter, fault)
        return wasKilled
    }

    private func approveWaiting(_ place: Workplace) throws -> Bool {
        let said = try place.run("approvals", "list", "-o", "json")
        let items = (try? JSON(parsing: said.output.utf8)).flatMap { $0["items"]?.array ?? $0.array } ?? []
        guard let id = items.first(where: { $0["status"] == "waiting" })?["id"]?.string else { return false }
        return try place.run("approvals", "approve", id).status == 0
    }

    private func check(_ place: Workplace, _ run: JSON?, _ counter: CountingServer, _ fault: String) throws {
        #expect(run?["status"] == "completed", "\(fault): \(run?.text ?? "no run")")
        #expect(run?["output"] == ["steps": "123", "outcome": "approve"], "\(fault)")
        for step in ["1", "2", "3"] { #expect(counter.keys(step).count == 1, "\(fault): step \(step)") }
        #expect(counter.callCount <= 4, "\(fault): at most the call under way is sent again")

        let id = try #require(run?["id"]?.string)
        let history = try JSON(parsing: try place.run("runs", "history", id, "-o", "json").output.utf8)
        let steps = (history["items"]?.array ?? history.array ?? []).filter { $0["type"] == "step" }
        #expect(
            steps.compactMap { $0["label"]?.string } == ["First", "Pause", "Second", "OK?", "Third"],
            "\(fault)")
        let again = try place.run("approvals", "list", "-o", "json").output
        #expect(!again.contains("\"waiting\""), "\(fault): the approval was decided once")
    }
}
