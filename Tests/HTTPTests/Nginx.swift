import Foundation
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The nginx of this machine on ports of 127.0.0.1, as a child of this process with files in a folder of its own.
///
/// It is handed sockets that listen already, the way it hands them to its own successor: so no port has to be guessed,
/// and the first call need not wait until it is up.
final class Nginx: Sendable {
    struct Missing: Error, CustomStringConvertible {
        var description: String { "There is no nginx on this machine: run dev/setup." }
    }

    let ports: [Int]
    private let folder: URL
    private let id: pid_t

    /// - Parameters:
    ///   - folder: where its logs and temporary files go.
    ///   - ports: how many to listen on.
    ///   - servers: the `server` blocks, by the ports.
    init(in folder: URL, ports count: Int, _ servers: ([Int]) -> String) throws {
        let places = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(
            String.init)
        guard
            let program = (places + ["/usr/sbin", "/usr/local/sbin"]).map({ $0 + "/nginx" })
                .first(where: FileManager.default.isExecutableFile(atPath:))
        else { throw Missing() }
        let sockets = try (0..<count).map { _ in try boundSocket(listens: true) }
        defer { for socket in sockets { close(socket.descriptor) } }
        ports = sockets.map(\.port)
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(folder.path)/\($0);"
        }
        let text = """
            daemon off; pid \(folder.path)/nginx.pid; error_log \(folder.path)/error.log warn;
            events { worker_connections 512; }
            http {
                log_format calls '$request $status'; access_log \(folder.path)/access.log calls;
                \(temporary.joined(separator: " "))
            \(servers(ports))
            }
            """
        try Data(text.utf8).write(to: folder.appendingPathComponent("nginx.conf"))
        self.folder = folder

        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&files, 1, folder.path + "/output", O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_adddup2(&files, 1, 2)
        let inherited = sockets.indices.map { Nginx.firstDescriptor + CInt($0) }
        for (socket, descriptor) in zip(sockets, inherited) {
            posix_spawn_file_actions_adddup2(&files, socket.descriptor, descriptor)
        }
        let words = [
            program, "-p", folder.path, "-e", folder.path + "/error.log", "-c", folder.path + "/nginx.conf",
        ]
        let variables = ["NGINX=" + inherited.map { "\($0);" }.joined()]
        var child = pid_t()
        let failure = withStrings(words) { words in
            withStrings(variables) { posix_spawn(&child, program, &files, nil, words, $0) }
        }
        guard failure == 0 else { throw IOError(errnoCode: failure, reason: "posix_spawn") }
        id = child
    }

    /// Far from those that this process has.
    private static let firstDescriptor: CInt = 900

    /// What it has answered, a line for each.
    var log: String {
        (try? String(contentsOf: folder.appendingPathComponent("access.log"), encoding: .utf8)) ?? ""
    }

    deinit {
        // A process that has ended and that nobody waits for keeps the thread busy that waits for exit tests.
        // This one ends its own child first.
        kill(id, SIGTERM)
        var status: CInt = 0
        while waitpid(id, &status, 0) == -1, errno == EINTR {}
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
