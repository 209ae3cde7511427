import Foundation

/// What is measured together.
enum Row: String, CaseIterable {
    case steps
    case `internal`
    case events, calls, lua, stock, replay, recovery, waiting
    case waitingResident = "waiting-resident"
    case scale, growth, retention, coldstart, load, overload, peers, counts

    /// Those that are measured if none is named: the others take an hour, or need more than this package.
    static let byDefault = allCases.filter { ![.load, .overload, .peers, .counts].contains($0) }

    func measure(_ load: Workload) async throws -> [Figure] {
        switch self {
        case .steps: try await StepsRow(load: load).measure()
        case .internal: try await InternalRow(load: load).measure()
        case .events: try await EventsRow(load: load).measure()
        case .calls: try await CallRow(load: load).measure()
        case .lua: try LuaRow(load: load).measure()
        case .stock: try StockRow(load: load).measure()
        case .replay: try await ReplayRow(load: load).measure()
        case .recovery: try await RecoveryRow(load: load).measure()
        case .waiting: try await WaitingRow(load: load, residentRuns: 0).measure()
        case .waitingResident: try await WaitingRow(load: load, residentRuns: nil).measure()
        case .scale: try await ScaleRow(load: load).measure()
        case .growth: try await GrowthRow(load: load).measure()
        case .retention: try await RetentionRow(load: load).measure()
        case .coldstart: try ColdStartRow(load: load).measure()
        case .load: try await LoadRow(load: load).measure()
        case .overload: try await OverloadRow(load: load).measure()
        case .peers: try await PeersRow(load: load).measure()
        case .counts: try CountsRow(load: load).measure()
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
    let runsToRecover: Int
    /// How many finished runs are stored, and how many wait, while others are measured.
    let storedRuns: [Int]
    let besideWaiting: [Int]
    /// How long `load` goes on.
    let minutes: Double
    /// How many workflows are counted, and twice as many.
    let countedWorkflows: Int
    let countedReplays: Int

    init(isQuick: Bool = false, isLarge: Bool = false, minutes: Double? = nil) {
        rounds = isQuick ? 1 : 5
        secondsPerRound = isQuick ? 0.3 : 2
        luaStates = isQuick ? 200 : 2000
        replayedSteps = isQuick ? 200 : 2000
        waitingRuns = isQuick ? 2000 : 100_000
        wakingRuns = isQuick ? 500 : 10_000
        stepsOfOneRun = isQuick ? 500 : 10_000
        itemsOfOneRun = isQuick ? 500 : 50_000
        runsToRecover = isQuick ? 2000 : 100_000
        let stored = isQuick ? [1000, 5000] : [1000, 100_000]
        storedRuns = stored + (isLarge ? [5_000_000] : [])
        besideWaiting = isQuick ? [10, 1000] : [10, 1000, 100_000]
        self.minutes = minutes ?? (isQuick ? 0.1 : 60)
        countedWorkflows = isQuick ? 50 : 200
        countedReplays = isQuick ? 2 : 5
    }
}

/// What the command line asks for.
struct BenchmarkOptions {
    static let help = """
        usage: dev/bench [--json] [--quick] [--large] [--minutes N] [ROW …]

        rows: \(names(Row.byDefault.prefix(9))),
              \(names(Row.byDefault.dropFirst(9))),
              which are measured if none is named;
              load (an hour), overload, peers (needs Python and PyPI), counts (needs valgrind; fails above thresholds)
        --json       prints JSON instead of a table
        --quick      does little, to see that it works; its figures mean nothing
        --large      measures growth with five million stored runs as well, which takes 8 GB of disk
        --minutes N  how long load goes on (60); an hour keeps some 4 GB for each 1,000 workflows/s
        PERIGEE_BENCH_DIR is the directory for databases (.build/bench); it should be on the disk to be measured.
        """

    private static func names(_ rows: ArraySlice<Row>) -> String {
        rows.map(\.rawValue).joined(separator: ", ")
    }

    var rows: [Row] = []
    /// What a process does that this program starts of itself.
    var part: Part?
    var wantsJSON = false
    var isQuick = false
    var isLarge = false
    var minutes: Double?
    var wantsHelp = false

    enum Part {
        /// Measures one row.
        case row(Row)
        /// Holds runs in flight until it is killed.
        case stuckHost(folder: String, runs: Int)
        /// Does a fixed amount of work, for a program that counts what it takes.
        case countedWork(CountedWork, amount: Int)
    }

    var load: Workload { Workload(isQuick: isQuick, isLarge: isLarge, minutes: minutes) }

    init(_ arguments: [String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--json": wantsJSON = true
            case "--quick": isQuick = true
            case "--large": isLarge = true
            case "--minutes": minutes = try BenchmarkOptions.number(rest.popFirst(), after: argument)
            case "--help", "-h": wantsHelp = true
            case "--child": part = .row(try BenchmarkOptions.row(rest.popFirst() ?? ""))
            case "--stuck-host":
                let folder = rest.popFirst() ?? ""
                part = .stuckHost(
                    folder: folder, runs: Int(try BenchmarkOptions.number(rest.popFirst(), after: argument)))
            case "--counted":
                guard let work = CountedWork(rawValue: rest.popFirst() ?? "") else {
                    throw BenchmarkError("--counted needs what is to be counted.\n\n\(BenchmarkOptions.help)")
                }
                part = .countedWork(
                    work, amount: Int(try BenchmarkOptions.number(rest.popFirst(), after: argument)))
            default: rows.append(try BenchmarkOptions.row(argument))
            }
        }
        if rows.isEmpty { rows = Row.byDefault }
    }

    /// The arguments by which a process of its own measures a row as this one would.
    func arguments(for row: Row) -> [String] {
        ["--child", row.rawValue] + (isQuick ? ["--quick"] : []) + (isLarge ? ["--large"] : [])
            + (minutes.map { ["--minutes", String($0)] } ?? [])
    }

    private static func row(_ name: String) throws -> Row {
        guard let row = Row(rawValue: name) else {
            throw BenchmarkError("\"\(name)\" is neither a row nor an option.\n\n\(help)")
        }
        return row
    }

    private static func number(_ text: String?, after option: String) throws -> Double {
        guard let number = text.flatMap(Double.init), number > 0, number <= 1e9 else {
            throw BenchmarkError("\(option) needs a number above 0.\n\n\(help)")
        }
        return number
    }
}

/// Why something could not be measured, and what to do.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
