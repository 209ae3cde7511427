import HTTPTypes
import Hummingbird
import Mustache
import NIOCore
import Perigee
import PerigeeJournal

/// The dashboard: pages made on the server that need no script in the browser.
struct Pages {
    let host: WorkflowHost
    let clock: any Ambient
    let templates = MustacheLibrary.dashboard()
    let nonces = Nonces()

    var routes: [Route] {
        runsRoutes + runRoutes + approvalsRoutes + decisionRoutes + workflowsRoutes
            + [ErrorCodePage.route(self)]
    }

    /// A part of the dashboard, as the navigation has it.
    enum Section {
        case runs, approvals, workflows, none
    }

    /// A page.
    ///
    /// - Parameters:
    ///   - template: the name of its template.
    ///   - content: what the template shows.
    ///   - live: the stream whose events make the page new.
    func page(
        _ template: String, title: String, section: Section, content: Any, live: String? = nil,
        status: HTTPResponse.Status = .ok
    ) async -> Response {
        // The number beside "Approvals" is a courtesy: without it the page is still worth showing.
        let waiting = (try? await host.approvals(status: .waiting, kinds: inboxKinds, limit: 100).count) ?? 0
        return html(
            PageView(title: title, section: section, waiting: waiting, live: live, content: content),
            template, status)
    }

    /// The page for a problem.
    func error(_ problem: Problem) -> Response {
        let view = PageView(
            title: problem.title, section: .none, waiting: 0, live: nil, content: ProblemView(problem))
        var response = html(view, "error", problem.status)
        response.headers.append(contentsOf: problem.headers)
        return response
    }

    private func html(_ view: PageView, _ template: String, _ status: HTTPResponse.Status) -> Response {
        guard let text = templates.render(view, withTemplate: template) else {
            preconditionFailure("there is no template \(template)")
        }
        return Response(
            status: status, headers: [.contentType: "text/html; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// Sends the browser to another page, which it gets with GET.
    static func redirect(to path: String) -> Response {
        Response(status: .seeOther, headers: [.location: path])
    }
}

/// What every page has around its content.
struct PageView {
    var title: String
    var isRuns: Bool
    var isApprovals: Bool
    var isWorkflows: Bool
    /// How many approvals wait, `99+` at most; `nil` for none.
    var waitingCount: String?
    var live: String?
    var stylesheet = Assets.stylesheet.address
    var script = Assets.script.address
    var icon = Assets.icon.address
    var content: Any

    init(title: String, section: Pages.Section, waiting: Int, live: String?, content: Any) {
        self.title = title
        isRuns = section == .runs
        isApprovals = section == .approvals
        isWorkflows = section == .workflows
        waitingCount = waiting == 0 ? nil : waiting > 99 ? "99+" : "\(waiting)"
        self.live = live
        self.content = content
    }
}

/// A problem as a page shows it.
struct ProblemView: Hashable {
    var title: String
    var detail: String
    var hint: String
    var code: CodeView

    init(_ problem: Problem) {
        title = problem.title
        detail = problem.detail
        hint = problem.hint
        code = CodeView(problem.code)
    }
}

/// HTML where nothing that a value contains can become markup.
///
/// Scalars are escaped one by one. The escaping that comes with swift-mustache looks at whole characters, and
/// in Unicode `"` with a combining accent after it, or `<` with a format mark before it, is one character
/// that is neither `"` nor `<`: it would go through, and end an attribute or begin an element all the same.
struct EscapedHTML: MustacheContentType {
    func escapeText(_ text: String) -> String {
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "<": output.append(contentsOf: "&lt;".unicodeScalars)
            case ">": output.append(contentsOf: "&gt;".unicodeScalars)
            case "&": output.append(contentsOf: "&amp;".unicodeScalars)
            case "\"": output.append(contentsOf: "&quot;".unicodeScalars)
            case "'": output.append(contentsOf: "&#39;".unicodeScalars)
            // A browser refuses a page with a NUL in it, and U+FFFD is what it would show.
            case "\0": output.append("\u{FFFD}")
            default: output.append(scalar)
            }
        }
        return String(output)
    }
}

extension MustacheLibrary {
    /// The dashboard's templates, each with the escaping above.
    static func dashboard() -> MustacheLibrary {
        MustacheContentTypes.register(EscapedHTML(), named: "PERIGEE_HTML")
        let sources = [
            "layout": PackageResources.layout_mustache, "status": PackageResources.status_mustache,
            "time": PackageResources.time_mustache, "runs": PackageResources.runs_mustache,
            "run": PackageResources.run_mustache, "step": PackageResources.step_mustache,
            "cancel": PackageResources.cancel_mustache, "approvals": PackageResources.approvals_mustache,
            "approval": PackageResources.approval_mustache, "show": PackageResources.show_mustache,
            "workflows": PackageResources.workflows_mustache, "field": PackageResources.field_mustache,
            "choose": PackageResources.choose_mustache,
            "error": PackageResources.error_mustache, "code": PackageResources.code_mustache,
            "explanation": PackageResources.explanation_mustache,
        ]
        var library = MustacheLibrary()
        for (name, bytes) in sources {
            let text = "{{% CONTENT_TYPE: PERIGEE_HTML}}" + String(decoding: bytes, as: UTF8.self)
            do {
                try library.register(text, named: name)
            } catch {
                preconditionFailure("the template \(name) that is built in is not valid: \(error)")
            }
        }
        return library
    }
}
