import Foundation
import Perigee
import PerigeeJournal
import PerigeeLua
import Synchronization

/// What is on the screen while `perigee dev` runs, and the keys that are pressed.
struct DevSession: Sendable {
    let scripts: String
    let data: String
    let mocks: String
    let isLive: Bool
    let listensToKeys: Bool

    /// Shows what happens until the host ends.
    func run(_ ready: HostProcess.Ready) async {
        let style = Style(isOn: Terminal.hasColour)
        let url = "http://localhost:\(ready.port)"
        var screen = DevScreen(baseURL: url, isLive: isLive, style: style)
        for line in heading(url, style) + screen.banner(ready.host.workflows) { standardOutput(line) }
        let keyboard = listensToKeys ? Terminal.keys() : nil
        defer { keyboard?.restore() }
        if keyboard != nil {
            standardOutput("  keys: o open · s send sample · r rerun last · ? more · q quit")
        }
        let keys = DevKeys(host: ready.host, url: url, mocks: mocks)
        let reading = Task {
            guard let keyboard else { return }
            for await key in keyboard.keys { await keys.pressed(key) }
        }
        for await activity in ready.activity {
            if case .recovered(let total) = activity, let line = await resumed(total, ready.host, screen) {
                standardOutput(line)
            }
            let lines = screen.lines(for: activity, workflows: ready.host.workflows)
            // What the banner told already was not saved now.
            if case .scriptLoaded(let workflow, _, _, _, _) = activity, !lines.isEmpty {
                keys.saved(workflow)
            }
            for line in lines { standardOutput(line) }
        }
        reading.cancel()
    }

    private func heading(_ url: String, _ style: Style) -> [String] {
        let world =
            isLive ? "live: calls are real" : "mocked from \(local(mocks))   (--live to call the real thing)"
        return [
            "  \(style.bold("perigee dev")) \(perigeeVersion)     flows \(local(scripts))     "
                + "data \(data) (kept between restarts)",
            "  Dashboard        \(style.blue(url))", "  Outside world    \(world)",
            "  Scripts run on   \(LuaRelease.linked.name)",
        ] + (LuaRelease.linked.warning.map { ["  \(style.yellow("!")) \($0)"] } ?? [])
    }

    private func local(_ path: String) -> String {
        path.hasPrefix("/") || path.hasPrefix(".") ? path : "./\(path)"
    }

    private func resumed(_ total: Int, _ host: WorkflowHost, _ screen: DevScreen) async -> String? {
        let query = RunQuery(namespace: host.namespace, statuses: [.waiting], limit: min(max(total, 1), 500))
        guard let page = try? await host.runs(query) else { return nil }
        return screen.resumed(page.runs, total: total, now: SystemAmbient().now)
    }
}

/// What the keys of `perigee dev` do.
final class DevKeys: Sendable {
    private let host: WorkflowHost
    private let url: String
    private let mocks: String
    /// The workflow that was saved last: its sample is the one that is meant.
    private let lastSaved = Mutex<String?>(nil)

    init(host: WorkflowHost, url: String, mocks: String) {
        self.host = host
        self.url = url
        self.mocks = mocks
    }

    func saved(_ workflow: String) {
        lastSaved.withLock { $0 = workflow }
    }

    /// Does what a key stands for, and says so where it can't.
    func pressed(_ key: Character) async {
        do {
            switch key {
            case "o": openDashboard()
            case "s": try await sendSample()
            case "r": try await rerunLast()
            case "?": help()
            // The same way out as Ctrl-C.
            case "q", "\u{04}": kill(getpid(), SIGINT)
            default: break
            }
        } catch let error as any ExplainedError {
            standardError(CommandFailure(error).report)
        } catch {
            standardError("error: \(error)")
        }
    }

    private func openDashboard() {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [openCommand, url]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let url = url
        process.terminationHandler = { process in
            if process.terminationStatus != 0 { standardOutput("  open \(url) in a browser") }
        }
        do { try process.run() } catch { standardOutput("  open \(url) in a browser") }
    }

    private var openCommand: String {
        #if os(macOS)
            "open"
        #else
            "xdg-open"
        #endif
    }

    private func sendSample() async throws {
        let candidates = host.workflows.filter { $0.version != nil && !$0.isDeleted && event(of: $0) != nil }
        let saved = lastSaved.withLock { $0 }
        guard let workflow = candidates.first(where: { $0.id == saved }) ?? candidates.first,
            let type = event(of: workflow)
        else {
            return standardOutput("  no workflow is started by an event; start one with `perigee run`")
        }
        let file = SampleFile.path(event: type, in: "\(mocks)/events")
        guard
            let data = try file.map({ path throws(CommandFailure) in try InputText.file(path) })
                ?? workflow.sample
        else {
            return standardOutput(
                "  no sample for \(type): declare the `input` of \(workflow.id), or write \(mocks)/events/\(type).json"
            )
        }
        let receipt = try await host.send([NewEvent(type: type, data: data, source: "dev")]).first?.get()
        if receipt?.runs.isEmpty == true { standardOutput("  \(type) was sent and started no run") }
    }

    /// The event that starts a workflow, if it names exactly one type.
    private func event(of workflow: WorkflowInfo) -> String? {
        workflow.triggers.compactMap { $0["event"]?.string }.first { !$0.contains("*") }
    }

    private func rerunLast() async throws {
        guard let last = try await host.runs(RunQuery(namespace: host.namespace, limit: 1)).runs.first else {
            return standardOutput("  no run to repeat yet")
        }
        // A key of its own, or the workflow's key would lead to the run that is there already.
        let again = NewStart(
            workflow: last.workflow, input: try JSON(parsing: last.input),
            key: "again:\(UUID().uuidString.lowercased())")
        _ = try await host.start([again]).first?.get()
    }

    private func help() {
        for line in [
            "  o  open the dashboard in a browser: \(url)",
            "  s  send the sample event of the workflow saved last, or of the first one",
            "  r  start the newest run's workflow again with the same input",
            "  q  quit; runs in flight go on at the next start",
            "     perigee send EVENT --data k=v · perigee runs list · perigee approvals approve @last",
        ] { standardOutput(line) }
    }
}
