import Foundation
import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Hot reload", .timeLimit(.minutes(5)))
struct ReloadTests {
    private static func version(_ text: String, extra: String = "") -> String {
        script(
            "http.post(\"Charge\", { url = \"https://a.example\" }) ask.approval(\"OK?\", {}) \(extra) return \"\(text)\""
        )
    }

    /// Saves a file and waits until the host has said something about it.
    private func save(
        _ test: TestHost, _ name: String, _ text: String?, until isIt: @escaping (HostActivity) -> Bool
    ) async throws -> HostActivity? {
        let activity = test.host.activity()
        let file = test.scripts.appendingPathComponent(name)
        if let text {
            try Data(text.utf8).write(to: file)
        } else {
            try FileManager.default.removeItem(at: file)
        }
        test.clock.advance(milliseconds: 1000)
        for await event in activity {
            if isIt(event) { return event }
            test.clock.advance(milliseconds: 1000)
        }
        return nil
    }

    @Test("New runs start on the saved version; runs in flight stay on their text", arguments: Setting.all)
    func stays(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["w.lua": ReloadTests.version("one")])
        try await test.run { test in
            let old = try await test.begin("w").id
            _ = try await test.run(old, reaches: .waiting)
            _ = try await save(test, "w.lua", ReloadTests.version("two")) {
                if case .scriptLoaded(_, 2, false, 1, 1) = $0 { true } else { false }
            }
            let new = try await test.begin("w")
            #expect(new.version == 2)
            for id in [old, new.id] {
                let waiting = try await test.run(id, reaches: .waiting)
                _ = try await test.host.decide(
                    approval: try #require(waiting.waits.first?.id), outcome: "approve", by: "a")
            }
            #expect(try await test.end(old).result == "one")
            #expect(try await test.end(new.id).result == "two")
        }
    }

    @Test("A saved module is a new version of those that require it")
    func module() async throws {
        let test = try TestHost(scripts: [
            "w.lua": "local m = require \"lib.m\"\n" + script("return m.text"),
            "lib/m.lua": "return { text = \"one\" }",
        ])
        try await test.run { test in
            _ = try await save(test, "lib/m.lua", "return { text = \"two\" }") {
                if case .scriptLoaded("w", 2, _, _, _) = $0 { true } else { false }
            }
            #expect(try await test.end(try await test.begin("w").id).result == "two")
        }
    }

    @Test(
        "A file that does not load leaves the version before it running, and a deleted one stops new runs only"
    )
    func broken() async throws {
        let test = try TestHost(scripts: ["w.lua": ReloadTests.version("one")])
        try await test.run { test in
            let id = try await test.begin("w").id
            let waiting = try await test.run(id, reaches: .waiting)
            let refused = try await save(test, "w.lua", "return workflow {") {
                if case .scriptRefused = $0 { true } else { false }
            }
            guard case .scriptRefused(let problem, let running)? = refused else { return }
            #expect(problem.code == "PG1009" && running == 1)
            #expect(try await test.begin("w").version == 1)
            _ = try await save(test, "w.lua", nil) { if case .scriptDeleted = $0 { true } else { false } }
            await #expect(throws: HostError.self) { try await test.begin("w") }
            _ = try await test.host.decide(
                approval: try #require(waiting.waits.first?.id), outcome: "approve", by: "a")
            #expect(try await test.end(id).result == "one")
        }
    }

    @Test(
        "Where it is asked for, a waiting run moves if a replay comes to the same place",
        arguments: Setting.all)
    func moves(_ setting: Setting) async throws {
        let test = try TestHost(setting, scripts: ["w.lua": ReloadTests.version("one")]) {
            $0.reload = .moveWhenSafe
        }
        try await test.run { test in
            let id = try await test.begin("w").id
            _ = try await test.run(id, reaches: .waiting)
            let text = ReloadTests.version(
                "two", extra: "http.post(\"Tell\", { url = \"https://b.example\" })")
            let checked = try await save(test, "w.lua", text) {
                if case .scriptChecked = $0 { true } else { false }
            }
            guard case .scriptChecked(_, 2, let moved, let stayed)? = checked else { return }
            #expect(moved == 1 && stayed.isEmpty)
            #expect(try await test.host.run(id: id).version == 2)
            let renamed = text.replacingOccurrences(of: "Charge", with: "Bill")
            let again = try await save(test, "w.lua", renamed) {
                if case .scriptChecked = $0 { true } else { false }
            }
            guard case .scriptChecked(_, 3, 0, let kept)? = again else { return }
            #expect(
                kept.first?.reason
                    == "\"Charge\" already ran, and the script now comes to \"Bill\" (line 2) first")
            let waiting = try await test.run(id, reaches: .waiting)
            _ = try await test.host.decide(
                approval: try #require(waiting.waits.first?.id), outcome: "approve", by: "a")
            let run = try await test.end(id)
            #expect(run.result == "two" && run.version == 2)
            #expect(test.world.calls == ["POST https://a.example", "POST https://b.example"])
        }
    }

    @Test("A folder that vanishes changes nothing that runs")
    func vanished() async throws {
        let test = try TestHost(scripts: ["w.lua": script("return 1")])
        try await test.run { test in
            let activity = test.host.activity()
            try FileManager.default.moveItem(at: test.scripts, to: test.folder.appendingPathComponent("away"))
            test.clock.advance(milliseconds: 1000)
            for await event in activity {
                if case .scriptRefused(let problem, _) = event, problem.code == "PG1017" { break }
                test.clock.advance(milliseconds: 1000)
            }
            #expect(try await test.end(try await test.begin("w").id).result == 1)
        }
    }
}
