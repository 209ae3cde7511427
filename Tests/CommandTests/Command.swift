import Foundation
import Synchronization

/// A built `perigee` that runs, seen from outside.
///
/// It is started by `posix_spawn` itself: Foundation's `Process` reads past the list of open files of a process that
/// has as many of them as these tests have, and may crash there.
final class Command {
    struct Outcome {
        var status: Int32
        var output: String
        var errors: String
    }

    let id: pid_t
    /// A file, so that neither side waits for a full pipe.
    private let output: URL
    private let errors: FileHandle
    /// As `waitpid` gave it, once the process was waited for.
    private let ended = Mutex<Int32?>(nil)

    /// Starts a command in a folder, without any of this process's settings for Perigee.
    ///
    /// - Parameter input: what it reads from standard input.
    init(
        _ arguments: [String], in folder: URL, environment: [String: String] = [:], input: String = ""
    ) throws {
        let name = UUID().uuidString
        output = folder.appendingPathComponent("output-\(name)")
        try Data().write(to: output)
        let inputFile = folder.appendingPathComponent("input-\(name)")
        try Data(input.utf8).write(to: inputFile)
        defer { try? FileManager.default.removeItem(at: inputFile) }
        // A pipe with a name: no other process that starts now can hold its end for writing.
        let pipe = folder.appendingPathComponent("errors-\(name)").path
        guard mkfifo(pipe, 0o600) == 0, case let end = open(pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC),
            end >= 0,
            fcntl(end, F_SETFL, 0) == 0
        else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        errors = FileHandle(fileDescriptor: end, closeOnDealloc: true)

        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, inputFile.path, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&files, 1, output.path, O_WRONLY | O_APPEND, 0)
        posix_spawn_file_actions_addopen(&files, 2, pipe, O_WRONLY, 0)
        var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("PERIGEE_") }
        variables.merge(environment) { $1 }
        let line = ["/usr/bin/env", "-C", folder.path, Command.executable.path] + arguments
        var pid = pid_t()
        let failure = withStrings(line) { words in
            withStrings(variables.map { "\($0)=\($1)" }) {
                posix_spawn(&pid, line[0], &files, nil, words, $0)
            }
        }
        guard failure == 0 else { throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .ENOEXEC) }
        id = pid
    }

    deinit {
        // A process that has ended and that nobody waits for keeps the thread busy that waits for exit tests.
        send(SIGKILL)
        wait()
    }

    /// Runs a command to its end.
    static func run(
        _ arguments: [String], in folder: URL, environment: [String: String] = [:], input: String = ""
    ) throws -> Outcome {
        try Command(arguments, in: folder, environment: environment, input: input).end()
    }

    /// Waits for the end, and gives what was written.
    func end() throws -> Outcome {
        let said = try errors.readToEnd() ?? Data()
        return Outcome(
            status: wait(), output: try String(contentsOf: output, encoding: .utf8),
            errors: String(decoding: said, as: UTF8.self))
    }

    /// Sends a signal, unless the process has been waited for.
    func send(_ signal: Int32) {
        ended.withLock { if $0 == nil { kill(id, signal) } }
    }

    /// Waits for the end.
    ///
    /// - Returns: the exit status, or 128 and the signal that ended it.
    @discardableResult func wait() -> Int32 {
        ended.withLock { known in
            if let known { return known }
            var raw: Int32 = 0
            while waitpid(id, &raw, 0) == -1, errno == EINTR {}
            let status = raw & 0x7F == 0 ? raw >> 8 & 0xFF : 128 + raw & 0x7F
            known = status
            return status
        }
    }

    /// Reads standard error until it has a text; gives everything read, also if it ended without the text.
    func errors(until text: String) -> String {
        var said = Data()
        while case let part = errors.availableData, !part.isEmpty {
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

/// Lends texts as the list of C strings, ended by a null pointer, that `exec` takes.
private func withStrings<Value>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Value
) -> Value {
    let copies = texts.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    return body(copies + [nil])
}
