import HTTPTypes
import Perigee
import PerigeeJournal
import PerigeeServer
import Testing

struct SecretsRoutesTests {
    private static func options() throws -> HostOptions {
        var options = HostOptions()
        options.masterKeys = [try #require(MasterKey(base64: MasterKey.generate()))]
        options.settings = .environment([:])
        return options
    }

    private static func put(_ server: RunningServer, _ name: String, _ body: String) async throws
        -> RunningServer.Answer
    {
        try await server.send(.put, "/v1/secrets/\(name)", body, headers: [.contentType: "application/json"])
    }

    @Test func `a secret is set, listed and removed, and its value never comes back`() async throws {
        try await RunningServer.with([:], options: try Self.options()) { server in
            let set = try await Self.put(
                server, "CRM", #"{"value":"s3cret-value","hosts":["API.example"],"by":"ana","reason":"new"}"#)
            #expect(set.status == 200)
            #expect(set.json["hosts"] == ["api.example"] && set.json["any_host"] == false)
            let any = try await Self.put(server, "ANY", #"{"value":"s3cret-value","any_host":true}"#)
            #expect(any.json["any_host"] == true && any.json["source"] == "store")
            let list = try await server.get("/v1/secrets")
            #expect(list.json["items"]?.array?.map { $0["name"] } == ["ANY", "CRM"])
            let removed = try await server.send(.delete, "/v1/secrets/CRM", nil, headers: [:])
            #expect(removed.status == 200 && removed.json["removed"] == true)
            let again = try await server.send(.delete, "/v1/secrets/CRM", #"{"by":"bob"}"#, headers: [:])
            #expect(again.status == 404 && again.json["code"] == "PG3073")
            let audit = try await server.get("/v1/audit")
            let said = audit.json["items"]?.array?.map {
                "\($0["action"]?.string ?? "") \($0["by"]?.string ?? "")"
            }
            #expect(said == ["secret.remove api", "secret.set api", "secret.set ana"])
            #expect(audit.json["items"]?.array?.last?["secret"] == "CRM")
            for answer in [set, any, list, removed, again, audit] {
                #expect(!answer.text.contains("s3cret-value"))
            }
            #expect(try await server.get("/v1/secrets/CRM").status == 405)
        }
    }

    @Test(arguments: [
        #"{"value":"s3cret-value"}"#, #"{"value":"s3cret-value","hosts":[]}"#,
        #"{"value":"s3cret-value","hosts":["a.example"],"any_host":true}"#,
        #"{"value":"s3cret-value","hosts":["a.example",1]}"#,
        #"{"value":"s3cret-value","hosts":["https://a.example"]}"#,
        #"{"value":["s3cret-value"],"any_host":true}"#,
        #"{"valu":"s3cret-value","any_host":true}"#, #"{"s3cret-value":1,"value":"x","any_host":true}"#,
        #"["s3cret-value"]"#, #"{"value":"s3cret-value" "#,
    ])
    func `what can't be set is refused without being repeated`(_ body: String) async throws {
        try await RunningServer.with([:], options: try Self.options()) { server in
            let answer = try await Self.put(server, "CRM", body)
            #expect(answer.status == 400 || answer.status == 422, "\(answer.text)")
            #expect(["PG4020", "PG4044"].contains(answer.json["code"]?.string))
            #expect(!answer.text.contains("s3cret-value"))
            #expect(try await server.get("/v1/secrets").json["items"] == [])
        }
    }

    @Test func `without a master key nothing is stored, and without a token nothing is changed`() async throws
    {
        var options = HostOptions()
        options.settings = .environment([:])
        try await RunningServer.with([:], options: options) { server in
            let answer = try await Self.put(server, "CRM", #"{"value":"x","any_host":true}"#)
            #expect(answer.status == 503 && answer.json["code"] == "PG3070")
        }
        try await RunningServer.with([:], access: .tokens(["t"]), options: try Self.options()) { server in
            let answer = try await Self.put(server, "CRM", #"{"value":"x","any_host":true}"#)
            #expect(answer.status == 401)
            #expect(try await server.post("/v1/secrets:rotate").status == 401)
            #expect(try await server.get("/v1/secrets").status == 401)
            #expect(try await server.host.secrets().isEmpty)
        }
    }

    @Test func `all are sealed anew by the first key`() async throws {
        try await RunningServer.with([:], options: try Self.options()) { server in
            _ = try await Self.put(server, "CRM", #"{"value":"x","any_host":true}"#)
            let rotated = try await server.post("/v1/secrets:rotate", ["by": "ana"])
            #expect(rotated.status == 200 && rotated.json["resealed"] == 0)
            #expect(rotated.json["key"] == (try await server.host.secrets().first?.keyID).map(JSON.string))
        }
    }
}
