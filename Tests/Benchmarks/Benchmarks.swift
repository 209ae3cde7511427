import Dispatch
import Foundation

/// `dev/bench`: measures what a person running Perigee would ask about, and prints it.
///
/// Every row runs in a process of its own, so that no row inherits the memory or the threads of another.
@main
struct Benchmarks {
    /// An asynchronous `main` ends the process's first thread, which valgrind does not survive.
    static func main() {
        // As `perigee` does.
        let isDone = DispatchSemaphore(value: 0)
        Task.detached {
            await perform()
            isDone.signal()
        }
        isDone.wait()
    }

    private static func perform() async {
        do {
            let options = try BenchmarkOptions(Array(CommandLine.arguments.dropFirst()))
            if options.wantsHelp { return print(BenchmarkOptions.help) }
            if options.part != nil { ParentWatch.begin() }
            switch options.part {
            case .row(let row):
                let figures = try await row.measure(options.load)
                FileHandle.standardOutput.write(try JSONEncoder().encode(figures))
            case .stuckHost(let folder, let runs):
                try await RecoveryRow.hold(runs, in: URL(fileURLWithPath: folder))
            case .countedWork(let work, let amount): try await work.perform(amount)
            case nil: try measure(options)
            }
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            exit(1)
        }
    }

    private static func measure(_ options: BenchmarkOptions) throws {
        var figures: [Figure] = []
        var failures: [any Error] = []
        for row in options.rows {
            do { figures += try self.figures(of: row, options) } catch { failures.append(error) }
        }
        let report = Report(machine: .current, figures: figures)
        print(options.wantsJSON ? try report.json() : report.table())
        // What the other rows took minutes to measure is shown all the same.
        if let failure = failures.first { throw failure }
        try CountsRow.check(figures)
    }

    /// Measures a row in a process of its own.
    private static func figures(of row: Row, _ options: BenchmarkOptions) throws -> [Figure] {
        FileHandle.standardError.write(Data("\(row.rawValue) …\n".utf8))
        let process = try ownProcess(options.arguments(for: row))
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("The row \(row.rawValue) failed; what it said stands above.")
        }
        return try JSONDecoder().decode([Figure].self, from: text)
    }

    /// This program once more, with other arguments; not yet started.
    ///
    /// It ends with this process.
    static func ownProcess(_ arguments: [String]) throws -> Process {
        let process = Process()
        process.executableURL = try URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = Pipe()
        return process
    }

    /// The file of this program.
    static var path: String {
        get throws {
            guard let path = Bundle.main.executablePath else {
                throw BenchmarkError("This program can't find its own file.")
            }
            return path
        }
    }
}
