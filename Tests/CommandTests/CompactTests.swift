import Foundation
import PerigeeJournal
import Testing

@testable import PerigeeCommand

/// The space of old runs, given back to the disk by the built product.
@Suite(.timeLimit(.minutes(5)))
struct CompactTests {
    private static let scripts = [
        "short.lua":
            #"return workflow { keep = "0s", on = { event = "short" }, run = function() return 1 end }"#,
        "long.lua": #"return workflow { on = { event = "long" }, run = function() return 1 end }"#,
    ]

    private let place: Workplace

    init() throws {
        place = try Workplace(scripts: Self.scripts)
        let data = JSON.object(["text": .string(String(repeating: "x", count: 900_000))])
        try data.text.write(
            to: place.folder.appendingPathComponent("large.json"), atomically: true, encoding: .utf8)
    }

    private func send(_ event: String, _ ids: ClosedRange<Int>) throws {
        for id in ids {
            let sent = try place.run("send", event, "--data", "@large.json", "--id", "\(event)-\(id)")
            try #require(sent.status == 0, "\(sent.errors)")
        }
    }

    private func count(_ query: String) throws -> Int {
        let said = try place.run("runs", "list", "-q", query, "--limit", "500", "-o", "json")
        try #require(said.status == 0, "\(said.errors)")
        return try JSON(parsing: said.output.utf8)["items"]?.array?.count ?? 0
    }

    private func compact(_ options: String...) throws -> (before: JSON, after: JSON) {
        let said = try Command.run(
            ["db", "compact", "-o", "json"] + options, in: place.folder,
            environment: options.isEmpty ? ["PERIGEE_SERVER": place.address] : [:])
        try #require(said.status == 0, "\(said.errors)")
        let answer = try JSON(parsing: said.output.utf8)
        return (try #require(answer["before"]), try #require(answer["after"]))
    }

    private var fileSize: Int64 {
        let path = place.folder.appendingPathComponent("perigee.db").path
        let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
        return Int64(size ?? 0)
    }

    /// Has a host run three runs that go and ten that stay, and remove the former.
    private func fill() throws {
        try place.serve()
        try send("long", 1...10)
        try send("short", 1...3)
        while try count("status:completed") < 13 {}
        try #require(try place.stopServer().status == 0)
        try place.serve()
        while try count("workflow:short") > 0 {}
    }

    @Test func `a host gives back by itself what it will not need soon`() throws {
        try place.serve(environment: ["PERIGEE_KEEP": "forever"])
        try send("long", 1...8)
        while try count("status:completed") < 8 {}
        try #require(try place.stopServer().status == 0)
        let before = fileSize
        #expect(before > 8_000_000)
        try place.serve(environment: ["PERIGEE_KEEP": "0s"])
        while fileSize > before / 3 { _ = try count("") }
        #expect(try count("") == 0)
    }

    @Test func `a host at work gives the rest back when it is asked, and nothing is lost`() throws {
        try fill()
        let (before, after) = try compact()
        let (freeBefore, freeAfter) = (before["free_bytes"]?.int ?? 0, after["free_bytes"]?.int ?? 0)
        #expect(freeBefore > 2_000_000 && freeAfter < 1_048_576)
        #expect(after["file_bytes"]?.int == fileSize && after["used_bytes"]?.int ?? 0 > 10_000_000)
        #expect(fileSize < (before["used_bytes"]?.int ?? 0) + freeBefore)
        try send("long", 11...11)
        place.killServer()
        try place.serve()
        while try count("status:completed workflow:long") < 11 {}

        // It says in words what it did.
        let said = try place.run("db", "compact", "-o", "table")
        #expect(said.output.contains("before  ") && said.output.contains(" MB in use, "), "\(said.output)")
    }

    @Test func `without a host the file itself is made smaller, or written anew`() throws {
        try fill()
        // While a host has it open nobody else works on it.
        for options in [["--data", "perigee.db"], ["--full"]] {
            let refused = try Command.run(["db", "compact"] + options, in: place.folder)
            #expect(refused.status == 1 && refused.errors.contains("[PG3011]"), "\(refused.errors)")
        }
        place.killServer()
        let (before, after) = try compact("--data", "perigee.db")
        #expect(before["free_bytes"]?.int ?? 0 > 2_000_000 && after["free_bytes"] == 0)
        #expect(after["file_bytes"]?.int == fileSize)

        #expect(try compact("--full").after["free_bytes"] == 0)
        #expect(try compact("--data", "perigee.db").after["file_bytes"]?.int == fileSize)

        try place.serve()
        #expect(try count("status:completed workflow:long") == 10)
        let missing = try Command.run(["db", "compact", "--data", "none.db"], in: place.folder)
        #expect(missing.status == 3 && missing.errors.contains("[PG5004]"), "\(missing.errors)")
        let both = try Command.run(
            ["db", "compact", "--full", "--server", "http://a.example"], in: place.folder)
        #expect(both.status == 2)
    }

    @Test func `who has a file that can't give space back is told what to do, if any is free`() {
        let old = StoreSpace(file: 12_000_000, used: 2_000_000, free: 10_000_000, givesBack: false)
        let report = CompactionReport(before: old, after: old)
        let failure = report.failure(path: "perigee.db")
        #expect(failure?.code == "PG5060" && failure?.message.contains("(9.5 MB)") == true)
        #expect(report.lines[1].value == "11.4 MB: 1.9 MB in use, 9.5 MB free")
        let full = StoreSpace(file: 12_000_000, used: 12_000_000, givesBack: false)
        #expect(CompactionReport(before: full, after: full).failure(path: "perigee.db") == nil)
    }

    @Test(arguments: ["kill-before-commit", "kill-after-commit"])
    func `a kill at any of its transactions loses nothing`(_ fault: String) throws {
        try fill()
        try #require(try place.stopServer().status == 0)
        let file = place.folder.appendingPathComponent("perigee.db")
        let filled = try Data(contentsOf: file)
        var kills = 0
        for transaction in 1...100 {
            for suffix in ["-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file.path + suffix) }
            try filled.write(to: file)
            do { try place.serve(environment: ["PERIGEE_FAULT": "\(fault):\(transaction)"]) } catch {
                continue
            }
            let said = try place.run("db", "compact")
            place.killServer()
            guard said.status == 5 else { break }
            kills += 1
            // It looks at the whole file before it begins.
            try place.serve()
            #expect(try count("status:completed workflow:long") == 10)
            #expect(try place.stopServer().status == 0)
        }
        #expect(kills >= 3, "two steps and the copying of the log are transactions")
    }
}
