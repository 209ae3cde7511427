import Foundation

/// A built `perigee` that runs, seen from outside.
struct Command {
    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    let process = Process()
    /// A file, so that neither side waits for a full pipe.
    private let output: URL
    private let errors = Pipe()

    /// Starts a command in a folder, without any of this process's settings for Perigee.
    init(_ arguments: [String], in folder: URL, environment: [String: String] = [:]) throws {
        output = folder.appendingPathComponent("output-\(UUID().uuidString)")
        try Data().write(to: output)
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PERIGEE_") }
        variables.merge(environment) { $1 }
        process.executableURL = Command.executable
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.environment = variables
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = errors
        try process.run()
    }

    /// Runs a command to its end.
    static func run(
        _ arguments: [String], in folder: URL, environment: [String: String] = [:]
    ) throws -> Outcome {
        try Command(arguments, in: folder, environment: environment).end()
    }

    /// Waits for the end, and gives what was written.
    func end() throws -> Outcome {
        let said = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: try String(contentsOf: output, encoding: .utf8),
            errors: String(decoding: said, as: UTF8.self))
    }

    /// Reads standard error until it has a text; gives everything read, also if it ended without the text.
    func errors(until text: String) -> String {
        var said = Data()
        while case let part = errors.fileHandleForReading.availableData, !part.isEmpty {
            said += part
            let read = String(decoding: said, as: UTF8.self)
            if let found = read.range(of: text), read[found.upperBound...].contains("\n") { return read }
        }
        return String(decoding: said, as: UTF8.self)
    }

    /// Beside the bundle of these tests, whose path is in the first argument or among the others.
    private static var executable: URL {
        let bundle = ProcessInfo.processInfo.arguments.lazy.compactMap { argument in
            argument.range(of: ".xctest").map { String(argument[..<$0.upperBound]) }
        }.first
        return URL(fileURLWithPath: bundle ?? "").deletingLastPathComponent().appendingPathComponent(
            "perigee")
    }
}
