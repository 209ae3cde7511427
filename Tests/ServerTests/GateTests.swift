import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Perigee
import PerigeeJournal
import Testing

@testable import PerigeeServer

struct GateTests {
    private struct Unplanned: Error {
        var secret = "hunter2"
    }

    private let table = RouteTable(routes: [
        Route(.get, "/good/{id}") { _, values in Response(json: .string(values["id"])) },
        Route(.post, "/good/{id}:act") { _, values in Response(json: .string("acted on \(values["id"])")) },
        Route(.post, "/body") { request, _ in Response(json: try await request.json(limit: 100)) },
        Route(.get, "/fails") { _, _ in throw Unplanned() },
        Route(.get, "/full") { _, _ in throw JournalError.diskFull(path: "/data") },
        Route(.get, "/deep/**") { _, values in Response(json: .string(values.rest)) },
    ])

    private func test(
        access: Access = .open, _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        let router = Router(context: BasicRequestContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(
            middleware: Gate<BasicRequestContext>(
                access: access, routes: table, logger: Logger(label: "test")
            ) { problem in
                Response(
                    status: problem.status, headers: [.contentType: "text/html"],
                    body: .init(byteBuffer: ByteBuffer(string: problem.detail)))
            })
        for route in table.routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                try await route.handler(request, PathValues(parameters: context.parameters))
            }
        }
        try await Application(router: router).test(.router, body)
    }

    private static func problem(_ response: TestResponse) -> JSON {
        #expect(response.headers[.contentType] == "application/problem+json")
        let json = (try? JSON(parsing: response.body.readableBytesView)) ?? .null
        for name in ["type", "title", "status", "detail", "instance", "code", "hint"] {
            #expect(json[name] != nil, "\(name) is missing")
        }
        #expect(json["status"]?.int == Int64(response.status.code))
        return json
    }

    @Test func `an address that is not there is a problem, or a page for a browser`() async throws {
        try await test { client in
            try await client.execute(uri: "/nothing", method: .get) { response in
                #expect(response.status == .notFound)
                let problem = Self.problem(response)
                #expect(problem["code"] == "PG4040" && problem["instance"] == "/nothing")
            }
            try await client.execute(uri: "/nothing", method: .get, headers: [.accept: "text/html,*/*"]) {
                response in
                #expect(response.headers[.contentType] == "text/html" && response.status == .notFound)
            }
            try await client.execute(uri: "/v1/nothing", method: .get, headers: [.accept: "text/html"]) {
                response in
                #expect(Self.problem(response)["code"] == "PG4040")
            }
        }
    }

    @Test func `a method that an address does not take names those that it takes`() async throws {
        try await test { client in
            try await client.execute(uri: "/good/7", method: .delete) { response in
                #expect(response.status == .methodNotAllowed && response.headers[.allow] == "GET, HEAD")
                #expect(Self.problem(response)["code"] == "PG4041")
            }
            try await client.execute(uri: "/good/7:act", method: .post) { response in
                #expect(String(buffer: response.body) == "\"acted on 7\"")
            }
            try await client.execute(uri: "/good/a%20b", method: .get) { response in
                #expect(String(buffer: response.body) == "\"a b\"")
            }
            try await client.execute(uri: "/deep/a/b%2Fc", method: .get) { response in
                #expect(String(buffer: response.body) == "\"a/b/c\"")
            }
        }
    }

    @Test func `an error that nobody planned for tells nothing of itself`() async throws {
        try await test { client in
            try await client.execute(uri: "/fails", method: .get) { response in
                #expect(response.status == .internalServerError)
                #expect(Self.problem(response)["code"] == "PG4000")
                #expect(!String(buffer: response.body).contains("hunter2"))
            }
            try await client.execute(uri: "/full", method: .get) { response in
                #expect(response.status.code == 507)
                #expect(Self.problem(response)["code"] == "PG3010")
            }
        }
    }

    @Test(
        arguments: [
            ("application/json", "[1]", 200, nil), ("application/json; charset=utf-8", "[1]", 200, nil),
            ("application/json", "[", 400, "PG4044"), ("text/plain", "[1]", 415, "PG4043"),
            ("application/json", "[\"\(String(repeating: "x", count: 200))\"]", 413, "PG4042"),
            ("application/json", String(repeating: "[", count: 65), 400, "PG4045"),
        ] as [(String, String, Int, String?)])
    func `a body is taken, or refused with the reason`(
        type: String, body: String, status: Int, code: String?
    ) async throws {
        try await test { client in
            try await client.execute(
                uri: "/body", method: .post, headers: [.contentType: type], body: ByteBuffer(string: body)
            ) { response in
                #expect(response.status.code == status)
                if let code { #expect(Self.problem(response)["code"]?.string == code) }
            }
        }
    }

    @Test func `every answer has the headers that protect, also an error`() async throws {
        try await test { client in
            for path in ["/good/1", "/nothing", "/fails"] {
                try await client.execute(uri: path, method: .get) { response in
                    let policy = response.headers[.contentSecurityPolicy] ?? ""
                    #expect(
                        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
                    #expect(!policy.contains("unsafe"))
                    #expect(response.headers[.xContentTypeOptions] == "nosniff")
                    #expect(response.headers[.cacheControl] == "no-store")
                    // Under no-referrer, browsers send "Origin: null" with a page's own forms.
                    #expect(response.headers[.referrerPolicy] == "same-origin")
                }
            }
        }
    }

    @Test func `without a token nothing is answered, not even what is not there`() async throws {
        try await test(access: .tokens(["secret"])) { client in
            for path in ["/good/1", "/nothing"] {
                try await client.execute(uri: path, method: .get) { response in
                    #expect(response.status == .unauthorized && response.headers[.wwwAuthenticate] != nil)
                    #expect(Self.problem(response)["code"] == "PG4046")
                }
            }
            try await client.execute(
                uri: "/good/1", method: .get, headers: [.authorization: "Bearer secret"]
            ) { response in
                #expect(response.status == .ok)
            }
        }
    }

    @Test func `files of the dashboard have an address that changes with them`() async throws {
        let router = Router(context: BasicRequestContext.self)
        for route in Assets.routes {
            router.on(RouterPath(route.path), method: route.method) { request, context in
                try await route.handler(request, PathValues(parameters: context.parameters))
            }
        }
        try await Application(router: router).test(.router) { client in
            for file in [Assets.stylesheet, Assets.script, Assets.icon] {
                try await client.execute(uri: file.address, method: .get) { response in
                    #expect(response.status == .ok && response.body.readableBytes == file.bytes.count)
                    #expect(response.headers[.cacheControl]?.contains("immutable") == true)
                }
                try await client.execute(
                    uri: "/assets/\(file.name)", method: .get, headers: [.ifNoneMatch: "\"\(file.hash)\""]
                ) { response in
                    #expect(response.status == .notModified && response.headers[.cacheControl] == "no-cache")
                }
            }
        }
    }

    @Test func `readiness says which check failed only when it did or when asked`() async throws {
        let good = HealthRoutes.Check(name: "db", failure: nil)
        let bad = HealthRoutes.Check(name: "scripts", failure: "PG3010")
        #expect(HealthRoutes.answer([good], verbose: false).status == .ok)
        #expect(HealthRoutes.text([good], verbose: false) == "ok\n")
        #expect(HealthRoutes.text([good], verbose: true) == "[+]db ok\nok\n")
        #expect(HealthRoutes.answer([good, bad], verbose: false).status == .serviceUnavailable)
        #expect(
            HealthRoutes.text([good, bad], verbose: false)
                == "[+]db ok\n[-]scripts failed: PG3010\nnot ready\n")
    }
}
