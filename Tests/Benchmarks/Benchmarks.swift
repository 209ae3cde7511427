import Foundation

/// `dev/bench`: measures what a person running Perigee would ask about, and prints it.
///
/// Every row runs in a process of its own, so that no row inherits the memory or the threads of another.
@main
struct Benchmarks {
    static func main() async {
        do {
            let options = try BenchmarkOptions(Array(CommandLine.arguments.dropFirst()))
            if options.wantsHelp { return print(BenchmarkOptions.help) }
            if let row = options.child {
                let figures = try await row.measure(Workload(isQuick: options.isQuick))
                FileHandle.standardOutput.write(try JSONEncoder().encode(figures))
                return
            }
            try measure(options)
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    private static func measure(_ options: BenchmarkOptions) throws {
        var figures: [Figure] = []
        var failure: (any Error)?
        for row in options.rows {
            do { figures += try self.figures(of: row, options) } catch { failure = error }
        }
        let report = Report(machine: .current, figures: figures)
        print(options.wantsJSON ? try report.json() : report.table())
        // What the other rows took minutes to measure is shown all the same.
        if let failure { throw failure }
    }

    /// Measures a row in a process of its own.
    private static func figures(of row: Row, _ options: BenchmarkOptions) throws -> [Figure] {
        FileHandle.standardError.write(Data("\(row.rawValue) …\n".utf8))
        guard let program = Bundle.main.executablePath else {
            throw BenchmarkError("This program can't find its own file.")
        }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--child", row.rawValue] + (options.isQuick ? ["--quick"] : [])
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("The row \(row.rawValue) failed; what it said stands above.")
        }
        return try JSONDecoder().decode([Figure].self, from: text)
    }
}

/// What is measured together.
enum Row: String, CaseIterable {
    case workflows, calls, lua, stock, replay, waiting
    case waitingResident = "waiting-resident"
    case scale, coldstart

    func measure(_ load: Workload) async throws -> [Figure] {
        switch self {
        case .workflows: try await WorkflowRow(load: load).measure()
        case .calls: try await CallRow(load: load).measure()
        case .lua: try LuaRow(load: load).measure()
        case .stock: try StockRow(load: load).measure()
        case .replay: try await ReplayRow(load: load).measure()
        case .waiting: try await WaitingRow(load: load, residentRuns: 0).measure()
        case .waitingResident: try await WaitingRow(load: load, residentRuns: nil).measure()
        case .scale: try await ScaleRow(load: load).measure()
        case .coldstart: try ColdStartRow(load: load).measure()
        }
    }
}

/// How much is done for each figure.
struct Workload {
    let rounds: Int
    let secondsPerRound: Double
    let luaStates: Int
    let replayedSteps: Int
    let waitingRuns: Int
    let wakingRuns: Int
    let stepsOfOneRun: Int
    let itemsOfOneRun: Int

    init(isQuick: Bool) {
        rounds = isQuick ? 1 : 5
        secondsPerRound = isQuick ? 0.3 : 2
        luaStates = isQuick ? 200 : 2000
        replayedSteps = isQuick ? 200 : 2000
        waitingRuns = isQuick ? 2000 : 100_000
        wakingRuns = isQuick ? 500 : 10_000
        stepsOfOneRun = isQuick ? 500 : 10_000
        itemsOfOneRun = isQuick ? 500 : 50_000
    }
}

/// What the command line asks for.
struct BenchmarkOptions {
    static let help = """
        usage: dev/bench [--json] [--quick] [ROW …]

        rows: \(Row.allCases.map(\.rawValue).joined(separator: ", ")); all of them if none is named
        --json   prints JSON instead of a table
        --quick  does little, to see that it works; its figures mean nothing
        PERIGEE_BENCH_DIR is the directory for databases (.build/bench); it should be on the disk to be measured.
        """

    var rows: [Row] = []
    var child: Row?
    var wantsJSON = false
    var isQuick = false
    var wantsHelp = false

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--json": wantsJSON = true
            case "--quick": isQuick = true
            case "--help", "-h": wantsHelp = true
            case "--child": child = try BenchmarkOptions.row(rest.popFirst() ?? "")
            default: rows.append(try BenchmarkOptions.row(argument))
            }
        }
        if rows.isEmpty { rows = Row.allCases }
    }

    private static func row(_ name: String) throws -> Row {
        guard let row = Row(rawValue: name) else {
            throw BenchmarkError("\"\(name)\" is neither a row nor an option.\n\n\(help)")
        }
        return row
    }
}

/// Why something could not be measured, and what to do.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
