import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import PerigeeJournal
import Testing

/// The built service, offered more than it takes.
@Suite(.timeLimit(.minutes(5)))
struct OverloadTests {
    private static let batches = 12
    private static let batchSize = 400

    /// Sends a batch until it is taken.
    ///
    /// - Returns: the runs that it started, and how often it was refused.
    private static func send(_ batch: Int, to address: String) async throws -> (runs: [String], refused: Int)
    {
        let events = (1...batchSize).map { number -> JSON in
            ["type": "order.placed", "data": ["n": .int(Int64(number))], "id": .string("\(batch)-\(number)")]
        }
        var request = HTTPClientRequest(url: "\(address)/v1/events")
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.body = .bytes(ByteBuffer(bytes: JSON.array(events).bytes))
        var refused = 0
        while true {
            let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
            let body = try JSON(parsing: try await response.body.collect(upTo: 1 << 24).readableBytesView)
            guard response.status.code == 429 else {
                try #require(response.status.code == 202)
                let items = body["items"]?.array ?? []
                #expect(items.allSatisfy { $0["duplicate"] == false })
                return (items.flatMap { $0["runs"]?.array ?? [] }.compactMap(\.string), refused)
            }
            refused += 1
            #expect(Int(response.headers.first(name: "Retry-After") ?? "") ?? 0 >= 1)
            #expect(body["code"] == "PG4080" && body["status"] == 429)
        }
    }

    @Test func `refuses what can't wait, loses nothing of the rest, and is at once there again`() async throws
    {
        let place = try Workplace(scripts: [
            "order.lua":
                #"return workflow { on = { event = "order.placed" }, run = function() return 1 end }"#
        ])
        try place.serve(environment: ["PERIGEE_MAX_PENDING": "100"])
        let address = place.address
        let sent = try await withThrowingTaskGroup(of: (runs: [String], refused: Int).self) { group in
            for batch in 1...Self.batches { group.addTask { try await Self.send(batch, to: address) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(sent.contains { $0.refused > 0 }, "more was offered than may wait")
        #expect(Set(sent.flatMap(\.runs)).count == Self.batches * Self.batchSize)

        let after = try place.run("send", "order.placed", "--id", "after", "-o", "json")
        #expect(after.status == 0, "\(after.errors)")

        // All that was accepted is done, also over a kill.
        place.killServer()
        try place.serve()
        var open = -1
        while open != 0 {
            let said = try place.run(
                "runs", "list", "-q", "status:queued,running,waiting", "--limit", "1", "-o", "json")
            try #require(said.status == 0, "\(said.errors)")
            open = try JSON(parsing: said.output.utf8)["items"]?.array?.count ?? -1
        }
        var completed = 0
        var cursor: String?
        repeat {
            var url = "\(place.address)/v1/runs?q=status:completed&limit=500"
            if let cursor { url += "&cursor=\(cursor)" }
            let response = try await HTTPClient.shared.execute(.init(url: url), timeout: .seconds(60))
            let page = try JSON(parsing: try await response.body.collect(upTo: 1 << 26).readableBytesView)
            completed += page["items"]?.array?.count ?? 0
            cursor = page["next_cursor"]?.string
        } while cursor != nil
        #expect(completed == Self.batches * Self.batchSize + 1)
    }

    @Test func `how much may wait is a number from 1 on`() throws {
        let place = try Workplace(scripts: [:])
        for said in [
            try place.run("serve", "--port", "0", "--max-pending", "0"),
            try Command.run(
                ["serve", "--port", "0"], in: place.folder, environment: ["PERIGEE_MAX_PENDING": "many"]),
        ] {
            #expect(said.status == 2 && said.errors.contains("Write how many events"), "\(said.errors)")
        }
    }
}
