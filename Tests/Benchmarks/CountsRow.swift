import Foundation

/// Instructions and allocations, counted by valgrind: unlike times they are nearly the same on every machine, so that
/// `thresholds.json` says how many there may be.
struct CountsRow {
    let load: Workload

    private static let thresholds =
        URL(fileURLWithPath: #filePath).appendingPathComponent("../thresholds.json").standardized

    func measure() throws -> [Figure] {
        guard try CountsRow.run(["valgrind", "--version"]).status == 0 else {
            throw BenchmarkError("Counting needs valgrind: apt-get install valgrind")
        }
        try FileManager.default.createDirectory(at: try CountsRow.folder, withIntermediateDirectories: true)
        // Valgrind reads the names of functions, and not every version of it reads what else a debugger is told.
        let program = try program
        let stripped = try CountsRow.run(["strip", "--strip-debug", "-o", program.path, Benchmarks.path])
        guard stripped.status == 0 else { throw BenchmarkError("strip failed:\n\(stripped.messages)") }
        defer { try? FileManager.default.removeItem(at: program) }
        let limits = try JSONDecoder().decode(
            [String: Double].self, from: Data(contentsOf: CountsRow.thresholds))
        return try CountedWork.allCases.flatMap { work in try figures(work, limits) }
    }

    private func figures(_ work: CountedWork, _ limits: [String: Double]) throws -> [Figure] {
        let amount = work == .replay ? load.countedReplays : load.countedWorkflows
        // What begins and ends a process is in both.
        let once = try count(work, amount)
        let twice = try count(work, 2 * amount)
        let units = Double(amount * work.unitsOfAmount)
        return try [
            ("instructions", Double(twice.instructions - once.instructions)),
            ("allocations", Double(twice.allocations - once.allocations)),
        ].map { kind, difference in
            let name = "\(kind) per \(work.name)"
            guard let limit = limits[name] else {
                throw BenchmarkError(
                    "Tests/Benchmarks/thresholds.json needs a line \"\(name)\": \(difference / units)")
            }
            var figure = Figure(.counts, name, difference / units, "", note: "at most \(Report.short(limit))")
            figure.limit = limit
            return figure
        }
    }

    private func count(_ work: CountedWork, _ amount: Int) throws -> CallgrindProfile {
        let program = try program
        let profile = try CountsRow.folder.appendingPathComponent("\(work.rawValue).out")
        let counted = try CountsRow.run([
            "valgrind", "--tool=callgrind", "--callgrind-out-file=\(profile.path)", program.path, "--counted",
            work.rawValue, String(amount),
        ])
        guard counted.status == 0 else {
            throw BenchmarkError("valgrind could not count \(work.rawValue):\n\(counted.messages)")
        }
        return try CallgrindProfile(profile)
    }

    /// Where profiles are left for who wants to read them.
    private static var folder: URL {
        get throws {
            URL(fileURLWithPath: try Benchmarks.path).deletingLastPathComponent()
                .appendingPathComponent("callgrind")
        }
    }

    /// A copy of this program without what valgrind can't read.
    private var program: URL {
        get throws { try CountsRow.folder.appendingPathComponent("counted") }
    }

    /// Runs a program to its end.
    private static func run(_ command: [String]) throws -> (status: Int32, messages: String) {
        let process = Process()
        let messages = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = Pipe()
        process.standardOutput = messages
        process.standardError = messages
        try process.run()
        let said = try messages.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }

    /// Throws if more is done than `thresholds.json` lets be done.
    static func check(_ figures: [Figure]) throws {
        let above = figures.filter(\.isAboveLimit)
        guard !above.isEmpty else { return }
        let list = above.map { figure in
            "  \(figure.name): \(Report.short(figure.value ?? 0)), at most \(Report.short(figure.limit ?? 0))"
        }
        throw BenchmarkError(
            """
            Perigee does more than it did:
            \(list.joined(separator: "\n"))
            Look for what was added: callgrind_annotate --inclusive=yes .build/release/callgrind/*.out
            If it is worth it, raise the line in Tests/Benchmarks/thresholds.json, and say why in the commit.
            """)
    }
}
