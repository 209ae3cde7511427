import Foundation

/// From the start of `perigee serve` to the first completed run, as somebody outside sees it.
struct ColdStartRow {
    let load: Workload

    private static let deadline = 30.0

    func measure() throws -> [Figure] {
        let name = "spawn of perigee serve to first completed run"
        guard let program = ColdStartRow.program else {
            let note = "skipped: build it first, swift build -c release --product perigee"
            return [Figure(.coldstart, name, nil, "ms", note: note)]
        }
        let times = try (0..<load.rounds).map { _ in try once(program.url) }
        return [
            Figure(
                .coldstart, name, rounds: times.map { $0 * 1000 }, "ms",
                note: "\(program.build) build, new database")
        ]
    }

    private static var program: (url: URL, build: String)? {
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized
        for build in ["release", "debug"] {
            let url = root.appendingPathComponent(".build/\(build)/perigee")
            if FileManager.default.isExecutableFile(atPath: url.path) { return (url, build) }
        }
        return nil
    }

    private func once(_ program: URL) throws -> Double {
        let folder = try BenchmarkHost.makeFolder()
        defer { try? FileManager.default.removeItem(at: folder) }
        let script = folder.appendingPathComponent("hello.lua")
        try Data("return workflow { name = \"Hello\", run = function() return { hello = true } end }\n".utf8)
            .write(to: script)
        let port = try LoopbackClient.freePort()
        let process = Process()
        process.executableURL = program
        process.arguments = [
            "serve", "--scripts", folder.path, "--data", folder.appendingPathComponent("bench.db").path,
            "--port", String(port),
        ]
        let messages = folder.appendingPathComponent("messages")
        try Data().write(to: messages)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: messages)
        let start = ContinuousClock.now
        try process.run()
        defer {
            process.terminate()
            process.waitUntilExit()
        }
        while start.age < ColdStartRow.deadline, process.isRunning {
            if let reply = LoopbackClient.post(
                "/v1/workflows/hello/runs", body: "{\"input\":{}}", port: port),
                reply.contains("\"completed\"")
            {
                return start.age
            }
            usleep(500)
        }
        let state = process.isRunning ? "still runs" : "ended with status \(process.terminationStatus)"
        let said = try String(contentsOf: messages, encoding: .utf8)
        throw BenchmarkError(
            "\(program.path) serve completed no run in \(Int(start.age)) s, and \(state); build it anew.\n\(said)"
        )
    }
}

/// The least of HTTP: a client library's own start would be part of the figure.
enum LoopbackClient {
    /// A port that nobody listens on just now.
    static func freePort() throws -> UInt16 {
        let (descriptor, bound) = withSocket(port: 0) { descriptor, address, length in
            (descriptor, bind(descriptor, address, length) == 0)
        }
        defer { close(descriptor) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound, named else {
            throw BenchmarkError("There is no free port on 127.0.0.1 (errno \(errno)).")
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// Sends a request and reads the whole reply; `nil` if nobody answers.
    static func post(_ path: String, body: String, port: UInt16) -> String? {
        let (descriptor, connected) = withSocket(port: port) { descriptor, address, length in
            (descriptor, connect(descriptor, address, length) == 0)
        }
        defer { close(descriptor) }
        guard connected else { return nil }
        let request = """
            POST \(path) HTTP/1.1\r
            Host: 127.0.0.1:\(port)\r
            Content-Type: application/json\r
            Prefer: wait=20\r
            Connection: close\r
            Content-Length: \(body.utf8.count)\r
            \r
            \(body)
            """
        let bytes = Array(request.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else { return nil }
        var reply: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 16_384)
        while case let count = read(descriptor, &part, part.count), count > 0 { reply += part[..<count] }
        return String(decoding: reply, as: UTF8.self)
    }

    private static func withSocket<Result>(
        port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        #if os(Linux)
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let descriptor = socket(AF_INET, SOCK_STREAM, 0)
        #endif
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
