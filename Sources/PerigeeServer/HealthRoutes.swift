import HTTPTypes
import Hummingbird
import NIOCore
import Perigee
import PerigeeJournal

/// `/livez` says that the process answers, `/readyz` that it can also do its work.
struct HealthRoutes {
    let host: WorkflowHost

    var routes: [Route] {
        [
            Route(.get, "/livez") { _, _ in Self.answer([Check(name: "ping", failure: nil)], verbose: false)
            },
            Route(.get, "/readyz") { request, _ in
                let verbose = try request.query()["verbose"] != nil
                return Self.answer([await store(), scripts(), intake()], verbose: verbose)
            },
        ]
    }

    struct Check {
        var name: String
        /// Why it failed, without what only operators may know; `nil` if it did not.
        var failure: String?
        /// What is good to know where it did not fail.
        var note: String?
    }

    private func store() async -> Check {
        do {
            try await host.checkWritable()
            return Check(name: "db", failure: nil)
        } catch let error as any ExplainedError {
            return Check(name: "db", failure: error.code)
        } catch {
            return Check(name: "db", failure: "it can't be written")
        }
    }

    private func scripts() -> Check {
        Check(name: "scripts", failure: host.isReady ? nil : "they are not loaded, or the host is stopping")
    }

    /// A host that refuses new work for a moment is ready all the same: what it has taken is done.
    private func intake() -> Check {
        let state = host.intakeState
        return Check(
            name: "intake", failure: nil, note: "\(state.waiting) waiting, \(state.refused) refused")
    }

    static func answer(_ checks: [Check], verbose: Bool) -> Response {
        Response(
            status: checks.allSatisfy { $0.failure == nil } ? .ok : .serviceUnavailable,
            headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text(checks, verbose: verbose))))
    }

    /// `ok`, with a line for each check where one failed or where they are asked for.
    static func text(_ checks: [Check], verbose: Bool) -> String {
        let isGood = checks.allSatisfy { $0.failure == nil }
        if isGood, !verbose { return "ok\n" }
        let lines = checks.map { check in
            check.failure.map { "[-]\(check.name) failed: \($0)" }
                ?? "[+]\(check.name) ok" + (check.note.map { ": \($0)" } ?? "")
        }
        return (lines + [isGood ? "ok" : "not ready"]).joined(separator: "\n") + "\n"
    }
}
