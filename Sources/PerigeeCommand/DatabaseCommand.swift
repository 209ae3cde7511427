import ArgumentParser
import Foundation
import Perigee
import PerigeeJournal
import PerigeeSQLite

struct DatabaseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "db", abstract: "Look after the database file.", subcommands: [DatabaseCompact.self])
}

struct DatabaseCompact: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact", abstract: "Give free space of the database back to the disk.",
        discussion: """
            Examples:
              perigee db compact
              perigee db compact --data /var/lib/perigee/perigee.db
              perigee db compact --full

            It asks the server, which goes on working: the space is given back a little at a time. Where no server runs,
            it works on the file itself. It may be broken off at any moment; what was given back stays so.
            The space of old runs is given back by itself, apart from some that new runs will need.

            --full writes the file anew. No host may have it open, and the disk has to hold both files for a while.
            """)

    @Option(help: "The database file, if no host has it open. (default: $PERIGEE_DATA or perigee.db)")
    var data: String?

    @Flag(help: "Write the whole file anew.")
    var full = false

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if data != nil || full, server.server != nil {
            throw ValidationError("--server excludes --data and --full, which are for a file without a host.")
        }
    }

    func run() async throws {
        let path = Configuration.data(data)
        let report: CompactionReport
        if full {
            report = try rewrite(path)
        } else if data != nil {
            report = try await compactFile(path)
        } else {
            do { report = try await compactServed() } catch let failure as CommandFailure {
                guard failure.exitCode == .unreachable, isServerGuessed,
                    FileManager.default.fileExists(atPath: path)
                else { throw failure }
                standardError("No server runs here; working on \(path) itself.")
                report = try await compactFile(path)
            }
        }
        let columns = [
            Column("BEFORE") { $0["before"]?["file_bytes"].text ?? "" },
            Column("AFTER") { $0["after"]?["file_bytes"].text ?? "" },
            Column("FREE") { $0["after"]?["free_bytes"].text ?? "" },
        ]
        Listing(columns: columns, format: output.format).write(item: report.json) { _ in report.lines }
        if let failure = report.failure(path: full || data != nil ? path : "The server's database") {
            throw failure
        }
    }

    private var isServerGuessed: Bool {
        server.server == nil && Configuration.environment("PERIGEE_SERVER") == nil
    }

    private func compactServed() async throws -> CompactionReport {
        let client = try server.client()
        let before = StoreSpace(try await client.get("/v1/store"))
        while true {
            let answer = try await client.post("/v1/store:compact", [:])
            if answer["done"] != false { return CompactionReport(before: before, after: StoreSpace(answer)) }
        }
    }

    private func compactFile(_ path: String) async throws -> CompactionReport {
        try requireFile(path)
        let journal = try SQLiteJournal(path: path)
        do {
            let before = try await journal.space()
            var space = before
            while space.givesBack, space.free > 0 {
                space = try await journal.giveBack(bytes: DatabaseCompact.step)
            }
            space = try await journal.copyLog()
            try journal.close()
            space.log = 0
            return CompactionReport(before: before, after: space)
        } catch {
            try? journal.close()
            throw error
        }
    }

    /// As long as nobody else works on the file, a transaction may be long.
    private static let step = 16 << 20

    private func rewrite(_ path: String) throws -> CompactionReport {
        try requireFile(path)
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let needed = try SQLiteJournal.spaceForRewriting(path: path)
        let system = try? FileManager.default.attributesOfFileSystem(forPath: folder)
        if let free = system?[.systemFreeSize] as? Int, free < needed {
            throw CommandFailure(
                code: "PG5061",
                message:
                    "To write \(path) anew takes \(byteText(needed)) more, and the disk has \(byteText(free)).",
                hint: "Make room, or give back what can be without it: perigee db compact --data \(path).")
        }
        let (before, after) = try SQLiteJournal.rewrite(path: path)
        return CompactionReport(before: before, after: after)
    }

    private func requireFile(_ path: String) throws(CommandFailure) {
        guard FileManager.default.fileExists(atPath: path) else {
            throw .notFound("database", path, hint: "Name the file by --data, or PERIGEE_DATA.")
        }
    }
}

/// What became of a database file.
struct CompactionReport {
    var before: StoreSpace
    var after: StoreSpace

    var json: JSON { ["before": before.json, "after": after.json, "gives_back": .bool(after.givesBack)] }

    var lines: [(name: String, value: String)] { [("before", before.sentence), ("after", after.sentence)] }

    /// - Returns: why what is free stays free; `nil` if that is as it should be.
    func failure(path: String) -> CommandFailure? {
        guard !after.givesBack, after.free > 0 else { return nil }
        return CommandFailure(
            code: "PG5060",
            message: "\(path) was made so that it can't give its free space back (\(byteText(after.free))).",
            hint: "Stop the host and run perigee db compact --full once: it writes the file anew.")
    }
}

extension StoreSpace {
    /// As the server tells it.
    fileprivate init(_ json: JSON) {
        func bytes(_ name: String) -> Int { Int(json[name]?.int ?? 0) }
        self.init(
            file: bytes("file_bytes"), log: bytes("log_bytes"), used: bytes("used_bytes"),
            free: bytes("free_bytes"),
            givesBack: json["gives_back"] != false)
    }

    fileprivate var json: JSON {
        [
            "file_bytes": .int(Int64(file)), "log_bytes": .int(Int64(log)), "used_bytes": .int(Int64(used)),
            "free_bytes": .int(Int64(free)),
        ]
    }

    fileprivate var sentence: String {
        let log = log == 0 ? "" : "; a log of \(byteText(log)) beside it, which is used again and again"
        return "\(byteText(file)): \(byteText(used)) in use, \(byteText(free)) free\(log)"
    }
}

/// A size as people read it: `12.5 MB`.
private func byteText(_ bytes: Int) -> String {
    var size = Double(bytes)
    var unit = 0
    let units = ["B", "KB", "MB", "GB", "TB"]
    while size >= 1024, unit < units.count - 1 {
        size /= 1024
        unit += 1
    }
    let tenths = (size * 10).rounded() / 10
    return "\(unit == 0 || tenths >= 100 ? String(Int(tenths.rounded())) : String(tenths)) \(units[unit])"
}
