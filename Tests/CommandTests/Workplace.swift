import Foundation
import Testing

/// A folder with scripts, deleted in the end, and the server that may run in it.
final class Workplace {
    let folder: URL
    private(set) var address = ""
    private var server: Command?

    init(scripts: [String: String]) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("perigee-\(UUID().uuidString)")
        let place = folder.appendingPathComponent("scripts")
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        for (name, text) in scripts {
            try text.write(to: place.appendingPathComponent(name), atomically: true, encoding: .utf8)
        }
    }

    deinit {
        server?.send(SIGTERM)
        server?.wait()
        try? FileManager.default.removeItem(at: folder)
    }

    /// The port that the server listens on, once it runs.
    var port: Substring { address[address.index(after: address.lastIndex(of: ":") ?? address.startIndex)...] }

    /// Starts `perigee serve` on any free port, and returns once it says that it is ready.
    func serve(environment: [String: String] = [:]) throws {
        let server = try Command(["serve", "--port", "0"], in: folder, environment: environment)
        self.server = server
        let said = server.errors(until: "Perigee 0.1.0 on http://")
        guard let ready = said.firstMatch(of: #/on (http://127\.0\.0\.1:[0-9]+) ·/#) else {
            throw NotReady(said: said)
        }
        address = String(ready.1)
    }

    /// Ends the server without a warning.
    func killServer() {
        guard let server else { return }
        server.send(SIGKILL)
        server.wait()
    }

    /// Ends the server in order.
    ///
    /// - Returns: how it ended, and what it said after it was ready.
    func stopServer() throws -> Command.Outcome {
        let server = try #require(server)
        server.send(SIGTERM)
        return try server.end()
    }

    /// Runs a command to its end, against the server if one runs here.
    ///
    /// - Parameter input: what it reads from standard input.
    func run(_ arguments: String..., input: String = "") throws -> Command.Outcome {
        try Command.run(
            arguments, in: folder, environment: address.isEmpty ? [:] : ["PERIGEE_SERVER": address],
            input: input)
    }
}

/// A server that ended before it was ready.
struct NotReady: Error {
    let said: String
}

let helloScript = """
    return workflow {
      name = "Hello",
      on = { event = "demo.requested" },
      input = { id = "string" },
      run = function(input)
        local decision = ask.approval("Manager approval", { show = { { "Id", input.id } } })
        return { outcome = decision.outcome }
      end,
    }
    """
