import Perigee
import PerigeeJournal

/// What `perigee dev` prints for what happens in its host.
struct DevScreen {
    private struct StepKey: Hashable {
        var run: String
        var step: String
    }

    private struct Completed {
        var failed: Bool
        var attempts: Int
        var milliseconds: Int64
    }

    /// A script as the banner showed it: it is not told again when the news of it comes.
    private enum Shown: Hashable {
        case loaded(String, version: Int)
        case refused(ScriptProblem)
    }

    let baseURL: String
    let isLive: Bool
    let style: Style
    private var shown: Set<Shown> = []
    private var shortIDs: [String: String] = [:]
    /// The run that the last lines were about.
    private var current: String?
    private var attempts: [StepKey: AttemptDetail] = [:]
    /// HTTP steps whose last attempt was not told yet.
    private var completed: [StepKey: Completed] = [:]

    init(baseURL: String, isLive: Bool, style: Style) {
        self.baseURL = baseURL
        self.isLive = isLive
        self.style = style
    }

    // MARK: The banner

    /// One line per workflow, or the problem for one that does not load.
    mutating func banner(_ workflows: [WorkflowInfo]) -> [String] {
        let width = workflows.map(\.id.count).max() ?? 0
        return workflows.filter { !$0.isDeleted }.flatMap { workflow -> [String] in
            var lines: [String] = []
            if let version = workflow.version {
                shown.insert(.loaded(workflow.id, version: version))
                lines.append(loaded(workflow, version: version, width: width))
            }
            if let problem = workflow.error {
                shown.insert(.refused(problem))
                lines += refused(problem, runningVersion: workflow.version)
            }
            return lines
        }
    }

    private func loaded(_ workflow: WorkflowInfo, version: Int, width: Int) -> String {
        "  \(style.green("✓")) \(workflow.id.padded(to: width))   v\(version)   \(triggerText(workflow.triggers))"
    }

    /// The line about the runs that wait since before this start.
    func resumed(_ waiting: [RunRecord], total: Int, now: Timestamp) -> String {
        let waits = waiting.prefix(3).map { run in
            guard let wait = run.waits.first else { return run.workflow }
            return
                "\(wait.address.label), waiting "
                + spanText(milliseconds: now.milliseconds - wait.openedAt.milliseconds)
        }
        let more = total > waits.count ? (waits.isEmpty ? [] : ["…"]) : []
        let details = (waits + more).joined(separator: "; ")
        let sentence = "\(counted(total, "run")) resumed where \(total == 1 ? "it was" : "they were")"
        let promise = waiting.count == total ? " Nothing was sent again." : ""
        return "  \(style.blue("↻")) \(sentence)\(details.isEmpty ? "" : " (\(details.oneLine))").\(promise)"
    }

    // MARK: What happens

    /// The lines for something that happened.
    ///
    /// - Parameter workflows: the workflows as they stand.
    mutating func lines(for activity: HostActivity, workflows: [WorkflowInfo]) -> [String] {
        func name(_ workflow: String) -> String { workflows.first { $0.id == workflow }?.name ?? workflow }
        switch activity {
        case .runChanged, .recovered: return []
        case .runStarted(let run, let workflow):
            return heading(run, name(workflow), isNew: true)
        case .attempt(let run, let workflow, let step, let detail):
            return attempted(StepKey(run: run, step: step), name(workflow), detail)
        case .stepCompleted(
            let run, let workflow, let step, let verb, let failed, let attempts, let milliseconds):
            let done = Completed(failed: failed, attempts: attempts, milliseconds: milliseconds)
            return stepped(StepKey(run: run, step: step), name(workflow), verb, done)
        case .waiting(let run, let workflow, let step, let what, let approval):
            let place =
                approval.map { "waiting for you".padded(to: 34) + style.blue("\(baseURL)/a/\($0)") }
                ?? "waiting \(what)"
            return flushed(run, name(workflow)) + [row(style.yellow("⏸"), step, place)]
        case .decided(let run, let workflow, let step, let outcome, let by, let comment):
            let text = decisionText(outcome: outcome, by: by, comment: comment)
            return flushed(run, name(workflow)) + [row(style.green("✓"), step, text)]
        case .reminded(let run, let workflow, let step, _, let number):
            return flushed(run, name(workflow)) + [
                row(style.yellow("⏰"), step, "reminder \(number) was told")
            ]
        case .runEnded(let run, let workflow, let status, let milliseconds, let error):
            let error = RunError(error.flatMap { try? JSON(parsing: $0) })
            return ended(run, name(workflow), status, milliseconds, error)
        default: return scriptLines(for: activity, workflows: workflows)
        }
    }

    private func row(_ mark: String, _ label: String, _ text: String) -> String {
        "  \(mark) \(label.oneLine.padded(to: 22))  \(text)"
    }

    /// The line that names a run: at its start, and whenever the lines before were about another.
    private mutating func heading(_ run: String, _ name: String, isNew: Bool = false) -> [String] {
        guard isNew || current != run else { return [] }
        current = run
        let mark = isNew ? style.blue("▶") : style.dim("…")
        return [
            "\(mark) \(shortID(run))  \(style.bold(name.oneLine.padded(to: 30)))  \(style.dim("\(baseURL)/r/\(run)"))"
        ]
    }

    /// Ten characters of an id, or as many more as tell it from the other runs on the screen.
    private mutating func shortID(_ run: String) -> String {
        if let known = shortIDs[run] { return known }
        let taken = Set(shortIDs.values)
        let length = (10...max(10, run.count)).first { !taken.contains(String(run.prefix($0))) } ?? run.count
        let short = String(run.prefix(length))
        shortIDs[run] = short
        return short
    }

    // MARK: Steps

    private mutating func attempted(_ key: StepKey, _ name: String, _ detail: AttemptDetail) -> [String] {
        if let delay = detail.retryInMilliseconds {
            let text = outcome(detail.summary, "attempt \(detail.attempt), again in \(delayText(delay))")
            return heading(key.run, name) + [row(style.red("✗"), key.step, text)]
        }
        // The step's end tells how long it took; the two come in either order.
        attempts[key] = detail
        return completed[key] == nil ? [] : flushed(key.run, name)
    }

    /// A delay in whole seconds: that some of it is chance is of no interest here.
    private func delayText(_ milliseconds: Int64) -> String {
        spanText(milliseconds: milliseconds < 500 ? milliseconds : (milliseconds + 500) / 1000 * 1000)
    }

    private mutating func stepped(_ key: StepKey, _ name: String, _ verb: String, _ done: Completed)
        -> [String]
    {
        var lines = flushed(key.run, name)
        guard verb.hasPrefix("http.") else {
            let text = spanText(milliseconds: done.milliseconds)
            lines.append(row(mark(done), key.step, done.failed ? "failed after \(text)" : text))
            return lines
        }
        completed[key] = done
        return attempts[key] == nil ? lines : lines + flushed(key.run, name)
    }

    /// The heading, and every step of the run that has ended and was not shown yet.
    private mutating func flushed(_ run: String, _ name: String) -> [String] {
        var lines = heading(run, name)
        for (key, done) in completed where key.run == run {
            completed[key] = nil
            let summary = attempts.removeValue(forKey: key)?.summary ?? (done.failed ? "failed" : "done")
            let effort =
                done.attempts > 1 ? "attempt \(done.attempts)" : spanText(milliseconds: done.milliseconds)
            lines.append(row(mark(done), key.step, outcome(summary, effort)))
        }
        return lines
    }

    private func mark(_ done: Completed) -> String {
        done.failed ? style.red("✗") : style.green("✓")
    }

    private func outcome(_ summary: String, _ effort: String) -> String {
        let source = isLive ? "" : style.dim("mock") + "   "
        return "\(summary.oneLine.padded(to: 44))  \(source)\(effort)"
    }

    private mutating func ended(
        _ run: String, _ name: String, _ status: RunStatus, _ milliseconds: Int64, _ error: RunError?
    ) -> [String] {
        var lines = flushed(run, name)
        attempts = attempts.filter { $0.key.run != run }
        let time = spanText(milliseconds: milliseconds)
        let reason = error.map { ": \($0.summary.oneLine)" } ?? ""
        let title = style.bold(name.oneLine)
        switch status {
        case .completed: lines.append("\(style.green("✓")) \(title) completed in \(time)")
        case .attention:
            lines.append(
                "\(style.red("✗")) \(title) needs attention\(reason)   \(style.blue("\(baseURL)/r/\(run)"))")
        default: lines.append("\(style.red("✗")) \(title) \(status.rawValue) after \(time)\(reason)")
        }
        return lines + (error.map(details) ?? [])
    }

    /// The place of an error in the script, what to do, and where more is told.
    private func details(_ error: RunError) -> [String] {
        let place = error.excerpt.isEmpty ? [] : [style.bold(error.place)] + error.excerpt
        let next = [error.hint.oneLine, style.dim(error.explanation)]
        return (place + next).filter { !$0.isEmpty }.map { "    \($0)" }
    }
}

extension DevScreen {
    // MARK: Scripts

    private mutating func scriptLines(for activity: HostActivity, workflows: [WorkflowInfo]) -> [String] {
        switch activity {
        case .scriptLoaded(let id, let version, let isFirst, let added, let removed):
            guard shown.remove(.loaded(id, version: version)) == nil else { return [] }
            guard isFirst, let workflow = workflows.first(where: { $0.id == id }) else {
                let change = added + removed > 0 ? "   (+\(added) −\(removed) lines)" : ""
                return ["  \(style.blue("↻")) \(id).lua saved → v\(version)\(change)"]
            }
            return [loaded(workflow, version: version, width: id.count)]
        case .scriptRefused(let problem, let running):
            guard shown.remove(.refused(problem)) == nil else { return [] }
            return refused(problem, runningVersion: running)
        case .scriptDeleted(let id):
            return ["  \(style.yellow("−")) \(id).lua deleted: runs in flight go on, new ones do not start"]
        case .scriptChecked(_, let version, let moved, let stayed):
            return checked(version: version, moved: moved, stayed: stayed)
        default: return []
        }
    }

    private func refused(_ problem: ScriptProblem, runningVersion: Int?) -> [String] {
        let status = runningVersion.map { " not loaded, v\($0) keeps running" } ?? " not loaded"
        return problem.lines(style: style, status: status).map { "  \($0)" }
    }

    private mutating func checked(version: Int, moved: Int, stayed: [StayedRun]) -> [String] {
        let versions = Set(stayed.map { "v\($0.version)" }).sorted().joined(separator: ", ")
        let stay =
            "\(stayed.count) \(stayed.count == 1 ? "stays" : "stay")"
            + (versions.isEmpty ? "" : " on \(versions)")
        let total = counted(moved + stayed.count, "run")
        let summary =
            "    checked \(total) in flight by replaying: "
            + "\(moved) \(moved == 1 ? "moves" : "move") to v\(version) · \(stay)"
        var lines = [summary]
        for run in stayed.prefix(5) { lines.append("      \(shortID(run.run))  \(run.reason.oneLine)") }
        return lines + (stayed.count > 5 ? ["      … and \(stayed.count - 5) more"] : [])
    }
}
