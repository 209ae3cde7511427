import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import Perigee
import PerigeeJournal
import PerigeeServer
import Testing

/// A host with scripts of its own, and a client of the server in front of it.
struct RunningServer: Sendable {
    let host: WorkflowHost
    let client: any TestClientProtocol

    /// Runs a test against a host that has loaded these scripts, and ends the host afterwards.
    ///
    /// - Parameter scripts: texts by file name.
    static func with(
        _ scripts: [String: String], access: Access = .open, options: HostOptions = HostOptions(),
        journal: any Journal = MemoryJournal(),
        _ body: @escaping @Sendable (RunningServer) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "perigee-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in scripts {
            try Data(text.utf8).write(to: folder.appending(path: name))
        }
        var logger = Logger(label: "server-tests")
        logger.logLevel = .error
        let host = WorkflowHost(
            journal: journal, scripts: folder.path, options: options, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await host.run() }
            try await host.waitUntilReady()
            let server = PerigeeServer(host: host, access: access, logger: logger)
            try await Application(router: server.router(), logger: logger).test(.router) { client in
                try await body(RunningServer(host: host, client: client))
            }
            group.cancelAll()
        }
    }

    struct Answer {
        var status: Int
        var headers: HTTPFields
        var text: String

        /// The body as JSON; `null` if it is none.
        var json: JSON { (try? JSON(parsing: text.utf8)) ?? .null }
    }

    func get(_ path: String, headers: HTTPFields = [:]) async throws -> Answer {
        try await send(.get, path, nil, headers: headers)
    }

    func post(_ path: String, _ body: JSON? = nil, headers: HTTPFields = [:]) async throws -> Answer {
        var headers = headers
        if headers[.contentType] == nil { headers[.contentType] = "application/json" }
        return try await send(.post, path, body?.text, headers: headers)
    }

    /// Sends a form of a page.
    func submit(_ path: String, _ fields: [String: String]) async throws -> Answer {
        func encoded(_ text: String) -> String {
            text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        }
        let body = fields.map { "\(encoded($0.key))=\(encoded($0.value))" }.joined(separator: "&")
        return try await send(
            .post, path, body, headers: [.contentType: "application/x-www-form-urlencoded"])
    }

    func send(_ method: HTTPRequest.Method, _ path: String, _ body: String?, headers: HTTPFields) async throws
        -> Answer
    {
        try await client.execute(
            uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) }
        ) { response in
            Answer(
                status: response.status.code, headers: response.headers, text: String(buffer: response.body))
        }
    }

    /// Starts a run and waits until it waits for a decision.
    ///
    /// - Returns: the run's id and the approval's.
    func startUntilApproval(_ workflow: String, input: JSON) async throws -> (run: String, approval: String) {
        let activity = host.activity()
        let started = try await post("/v1/workflows/\(workflow)/runs", ["input": input])
        let id = try #require(started.json["id"]?.string)
        for await event in activity {
            if case .waiting(let run, _, _, _, let approval?) = event, run == id { return (id, approval) }
        }
        throw CancellationError()
    }
}
