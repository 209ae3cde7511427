import Foundation
@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("Secrets of the store", .timeLimit(.minutes(5)))
struct StoredSecretTests {
    private static let keys = (1...2).compactMap { _ in MasterKey(base64: MasterKey.generate()) }

    private static let getScript = script(
        """
        return http.get("Get", { url = input.url, auth = secret "CRM", headers = { ["X-Tenant"] = secret "CRM" } }).status
        """)

    private func host(
        _ setting: Setting, script text: String = getScript, world: FakeWorld, journal: (any Journal)? = nil,
        keys: [MasterKey] = keys, settings: Settings = .environment([:])
    ) throws -> TestHost {
        try TestHost(setting, scripts: ["get.lua": text], world: world, journal: journal) { options in
            options.masterKeys = keys
            options.settings = settings
        }
    }

    private func run(_ test: TestHost, _ url: String) async throws -> RunRecord {
        try await test.result(of: "get", ["url": .string(url)])
    }

    @Test(arguments: Setting.all)
    func `is sent where it is bound to, and nowhere else`(_ setting: Setting) async throws {
        let world = FakeWorld()
        try await host(setting, world: world).run { test in
            _ = try await test.host.setSecret(
                "CRM", value: "s3cret-of-crm", hosts: ["api.example", "*.crm.example:8443"], by: "ana")
            #expect(try await run(test, "https://api.example/a").status == .completed)
            #expect(try await run(test, "https://eu.crm.example:8443/a").status == .completed)
            #expect(
                world.requests.map { $0.header("Authorization") } == [
                    "Bearer s3cret-of-crm", "Bearer s3cret-of-crm",
                ])
            #expect(world.requests.first?.secretHeaders == ["authorization", "x-tenant"])
            for url in [
                "https://evil.example/", "https://eu.crm.example/", "https://api.example@evil.example/",
            ] {
                let refused = try await run(test, url)
                #expect(refused.status == .attention)
                #expect(refused.problem?["code"] == "PG2190")
                #expect(refused.problem?["message"]?.string?.contains("\"CRM\"") == true)
                #expect(refused.problem?["hint"]?.string?.contains("api.example, *.crm.example:8443") == true)
                let record = try await test.host.history(run: refused.id).entries.map { "\($0.fact)" }
                    .joined()
                #expect(!record.contains("s3cret-of-crm"))
            }
            #expect(world.requests.count == 2)
        }
    }

    @Test func `the address of tokens is a destination of its own`() async throws {
        let text = script(
            """
            return http.get("Get", { url = input.url, auth = { oauth2 = {
              token_url = "https://login.example/token", client_id = "me", client_secret = secret "CRM" } } }).status
            """)
        let world = FakeWorld { request in
            request.url.contains("login")
                ? .json(200, #"{"access_token":"t","token_type":"bearer"}"#) : .json(200, "{}")
        }
        try await host(Setting.all[0], script: text, world: world).run { test in
            _ = try await test.host.setSecret("CRM", value: "s3cret", hosts: ["login.example"], by: "ana")
            #expect(try await run(test, "https://api.example").status == .completed)
            #expect(world.requests.count == 2)
            _ = try await test.host.setSecret("CRM", value: "s3cret", hosts: ["api.example"], by: "ana")
            let refused = try await run(test, "https://api.example")
            #expect(refused.problem?["code"] == "PG2190")
            #expect(refused.problem?["message"]?.string?.contains("login.example") == true)
            #expect(world.requests.count == 2)
        }
    }

    @Test(arguments: Setting.all)
    func `a change counts for the next attempt, and a secret that is gone is not set`(_ setting: Setting)
        async throws
    {
        let world = FakeWorld { request in
            request.header("Authorization") == "Bearer second-value" ? .json(200, "{}") : .json(503, "{}")
        }
        let test = try host(setting, world: world)
        try await test.run { test in
            _ = try await test.host.setSecret("CRM", value: "first-value", hosts: nil, by: "ana")
            let id = try await test.begin("get", ["url": "https://api.example"]).id
            while world.requests.isEmpty { await Task.yield() }
            _ = try await test.host.setSecret("CRM", value: "second-value", hosts: nil, by: "ana")
            while try await test.host.run(id: id).status != .completed { await test.wakeNextSleeper() }
            #expect(world.requests.map { $0.header("X-Tenant") }.last == "second-value")
            try await test.host.removeSecret("CRM", by: "bob", reason: "left")
            #expect(try await run(test, "https://api.example").problem?["code"] == "PG2030")
            let audit = try await test.host.audit(run: nil, limit: 9, cursor: nil).records
            let changes = audit.filter { $0.secret == "CRM" }.map { "\($0.action) by \($0.by)" }
            #expect(changes == ["secret.remove by bob", "secret.set by ana", "secret.set by ana"])
            await #expect(throws: HostError.self) { try await test.host.removeSecret("CRM", by: "bob") }
        }
    }

    @Test func `the store comes before the environment, and that before files`() async throws {
        let world = FakeWorld()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in ["CRM": "of-file", "ONLY": "x", "ONLY.hosts": "a.example"] {
            try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        }
        let settings = Settings.environment(["PERIGEE_SECRET_CRM": "of-environment"])
            .or(.files(in: folder.path))
        try await host(Setting.all[0], world: world, settings: settings).run { test in
            _ = try await run(test, "https://api.example")
            _ = try await test.host.setSecret("CRM", value: "of-store", hosts: nil, by: "ana")
            _ = try await run(test, "https://api.example")
            #expect(world.requests.map { $0.header("X-Tenant") } == ["of-environment", "of-store"])
            let listed = try await test.host.secrets()
            #expect(
                listed.map { "\($0.name) \($0.isUsed) \($0.source)" } == [
                    "CRM true store", "CRM false environment", "CRM false \(folder.path)/CRM",
                    "ONLY true \(folder.path)/ONLY",
                ])
            #expect(listed.map(\.hosts) == [[], [], [], ["a.example"]])
            #expect(listed.map(\.goesAnywhere) == [true, true, true, false])
        }
    }

    @Test func `hosts of the environment bind, and go nowhere where they can't be read`() async throws {
        let world = FakeWorld()
        func settings(_ hosts: String) -> Settings {
            .environment(["PERIGEE_SECRET_CRM": "s3cret", "PERIGEE_SECRET_HOSTS_CRM": hosts])
        }
        try await host(Setting.all[0], world: world, settings: settings("b.example")).run { test in
            let refused = try await run(test, "https://api.example")
            #expect(refused.problem?["code"] == "PG2190")
            let sent = try await run(test, "https://b.example")
            #expect(sent.status == .completed)
        }
        try await host(Setting.all[0], world: world, settings: settings("https://b.example")).run { test in
            let refused = try await run(test, "https://b.example")
            #expect(refused.problem?["code"] == "PG2191")
        }
        #expect(world.requests.count == 1)
    }

    @Test func `the master key itself is no secret of a script`() async throws {
        let text = MasterKey.generate()
        let key = try #require(MasterKey(base64: text))
        let settings = Settings.environment(["PERIGEE_SECRET_CRM": text])
        try await host(Setting.all[0], world: FakeWorld(), keys: [key], settings: settings).run { test in
            let refused = try await run(test, "https://api.example")
            #expect(refused.problem?["code"] == "PG2030")
            let listed = try await test.host.secrets()
            #expect(listed.isEmpty)
        }
    }

    @Test func `a host without the key of the store's secrets does not start`() async throws {
        let journal = MemoryJournal()
        try await host(Setting.all[0], world: FakeWorld(), journal: journal, keys: [Self.keys[0]]).run {
            test in
            _ = try await test.host.setSecret("CRM", value: "s3cret", hosts: nil, by: "ana")
        }
        for (keys, code) in [([], "PG3070"), ([Self.keys[1]], "PG3071")] {
            let error = await #expect(throws: HostError.self) {
                try await host(Setting.all[0], world: FakeWorld(), journal: journal, keys: keys).run { _ in }
            }
            #expect(error?.code == code)
        }
    }

    @Test func `a secret whose hosts were changed in the database is not sent`() async throws {
        let world = FakeWorld()
        let journal = MemoryJournal()
        try await host(Setting.all[0], world: world, journal: journal).run { test in
            _ = try await test.host.setSecret("CRM", value: "s3cret", hosts: ["a.example"], by: "ana")
            var row = try #require(try await journal.secret("CRM", namespace: "default"))
            row.hosts = ["evil.example"]
            let note = ActionNote(by: "mallory", action: "secret.set")
            _ = try await journal.saveSecret(row, replacing: nil, note: note, now: test.clock.now)
            #expect(try await run(test, "https://evil.example").problem?["code"] == "PG3072")
            #expect(world.requests.isEmpty)
        }
    }

    @Test(arguments: Setting.all, [false, true])
    func `a change of the master key that was broken off goes on`(_ setting: Setting, _ after: Bool)
        async throws
    {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "perigee-\(UUID().uuidString)")
        let first = try TestHost(setting, scripts: ["get.lua": Self.getScript], folder: folder) {
            $0.masterKeys = [Self.keys[0]]
        }
        let journal = first.journal
        let names = ["A", "B", "CRM", "D"]
        for name in names {
            _ = try await first.host.setSecret(
                name, value: "value of \(name)", hosts: ["api.example"], by: "ana")
        }
        let crashing = CrashingJournal(journal, at: 2, after: after)
        let broken = try host(setting, world: FakeWorld(), journal: crashing, keys: Self.keys.reversed())
        await #expect(throws: JournalError.self) { try await broken.host.rotateSecrets(by: "ana") }
        let half = try await journal.secrets(namespace: "default").map(\.keyID)
        #expect(half.count { $0 == Self.keys[1].id } == (after ? 2 : 1))
        let world = FakeWorld()
        let second = try host(setting, world: world, journal: journal, keys: Self.keys.reversed())
        let rotated = try await second.host.rotateSecrets(by: "ana")
        #expect(rotated.count == (after ? 2 : 3) && rotated.keyID == Self.keys[1].id)
        #expect(try await second.host.rotateSecrets(by: "ana").count == 0)
        let last = try host(setting, world: world, journal: journal, keys: [Self.keys[1]])
        try await last.run { test in
            #expect(try await run(test, "https://api.example").status == .completed)
            #expect(world.requests.map { $0.header("X-Tenant") } == ["value of CRM"])
            let listed = try await test.host.secrets()
            #expect(listed.map(\.name) == names && listed.allSatisfy { $0.hosts == ["api.example"] })
        }
    }

    @Test(arguments: [
        ("", "x", ["a.example"]), ("a b", "x", ["a.example"]), (".a", "x", ["a.example"]),
        ("A", "", ["a.example"]), ("A", String(repeating: "x", count: 65_537), ["a.example"]), ("A", "x", []),
        ("A", "x", (0...100).map { "\($0).example" }),
        ("A", "x", ["https://a.example"]),
    ])
    func `what can't be a secret is refused`(_ name: String, _ value: String, _ hosts: [String]) async throws
    {
        let test = try host(Setting.all[0], world: FakeWorld())
        let error = await #expect(throws: HostError.self) {
            try await test.host.setSecret(name, value: value, hosts: hosts, by: "ana")
        }
        #expect(error?.code == "PG4020")
        #expect(try await test.journal.secrets(namespace: "default").isEmpty)
    }
}
