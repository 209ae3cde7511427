import Hummingbird
import Perigee
import PerigeeJournal

/// The scripts as they stand.
struct WorkflowsView {
    struct Fault: Hashable {
        var place: String
        var message: String
        var hint: String
        var code: String
        var excerpt: String
    }

    struct Row: Hashable {
        var id: String
        var name: String
        var about: String?
        var version: Int?
        var triggers: [String]
        var isDeleted: Bool
        var fault: Fault?
        var runs: String
    }

    var rows: [Row]
    var hasRows: Bool

    init(_ workflows: [WorkflowInfo], schedules: [ScheduleInfo]) {
        rows = workflows.map { Row($0, schedules: schedules) }
        hasRows = !rows.isEmpty
    }
}

extension WorkflowsView.Row {
    init(_ workflow: WorkflowInfo, schedules: [ScheduleInfo]) {
        id = workflow.id
        name = workflow.name ?? workflow.id
        about = workflow.about
        version = workflow.version
        triggers = workflow.triggers.map { trigger in
            let schedule = schedules.first { $0.workflow == workflow.id && $0.declared == trigger }
            guard let schedule else { return triggerText(trigger) }
            return schedule.sentence + (schedule.next.first.map { " (next \($0))" } ?? "")
        }
        isDeleted = workflow.isDeleted
        fault = workflow.error.map { problem in
            WorkflowsView.Fault(
                place: "\(problem.file):\(problem.line)", message: problem.message, hint: problem.hint,
                code: problem.code, excerpt: problem.excerpt)
        }
        runs = "/?q=\(percentEncoded("workflow:\(workflow.id)"))"
    }
}

extension Pages {
    var workflowsRoutes: [Route] {
        [
            Route(.get, "/workflows") { _, _ in
                await page(
                    "workflows", title: "Workflows", section: .workflows,
                    content: WorkflowsView(host.workflows, schedules: try await host.schedules()),
                    live: "/v1/stream")
            }
        ]
    }
}
