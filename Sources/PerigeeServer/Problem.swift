import HTTPTypes
import Hummingbird
import NIOCore
import Perigee
import PerigeeJournal

/// What the server answers when it can't do what was asked: problem details (RFC 9457).
struct Problem: Error {
    struct Fault: Hashable {
        /// A JSON pointer into the body (RFC 6901), or a parameter's name.
        var pointer: String
        var detail: String
    }

    var status: HTTPResponse.Status
    /// `PG` and four digits.
    var code: String
    var title: String
    /// What happened, one sentence.
    var detail: String
    /// What to do next, one sentence.
    var hint: String
    var faults: [Fault] = []
    /// Headers that belong to this status (`Allow`, `WWW-Authenticate` …).
    var headers: HTTPFields = [:]

    /// The problem as JSON.
    ///
    /// - Parameter instance: the path of the request that it is about.
    func json(instance: String) -> JSON {
        var fields: [String: JSON] = [
            "type": .string(ErrorCodePage.address(code)), "title": .string(title),
            "status": .int(Int64(status.code)), "detail": .string(detail), "instance": .string(instance),
            "code": .string(code), "hint": .string(hint),
        ]
        if !faults.isEmpty {
            fields["errors"] = .array(
                faults.map { ["pointer": .string($0.pointer), "detail": .string($0.detail)] })
        }
        return .object(fields)
    }

    func response(instance: String) -> Response {
        var response = Response(json: json(instance: instance), status: status, headers: headers)
        response.headers[.contentType] = "application/problem+json"
        return response
    }
}

extension Problem {
    /// The problem that an error of the host, the journal or Hummingbird is; `nil` for an error that nobody
    /// planned for, which has to be logged and answered without its text.
    init?(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as HostError: self.init(host: error)
        case let error as JournalError: self.init(host: HostError(error))
        case is NIOTooManyBytesError: self = .tooLarge(limit: nil)
        case is CancellationError: self = .stopping
        case let error as any ExplainedError:
            self.init(
                status: .serviceUnavailable, code: error.code, title: "Not available now",
                detail: error.message,
                hint: error.hint)
        default: return nil
        }
    }

    private init(host error: HostError) {
        self.init(
            status: .init(code: error.status), code: error.code, title: error.title, detail: error.message,
            hint: error.hint, faults: error.faults.map { Fault(pointer: $0.pointer, detail: $0.detail) },
            headers: error.retryAfterSeconds.map { [.retryAfter: String($0)] } ?? [:])
    }
}

extension Problem {
    /// The body or a parameter is not what is expected.
    static func invalid(_ detail: String, faults: [Fault] = [], hint: String) -> Problem {
        Problem(
            status: faults.isEmpty ? .badRequest : .unprocessableContent, code: "PG4020",
            title: "The request is not valid", detail: detail, hint: hint, faults: faults)
    }

    static func noSuchPage(_ path: String) -> Problem {
        Problem(
            status: .notFound, code: "PG4040", title: "Not found", detail: "There is nothing at \(path).",
            hint: "Check the address; the API begins with /v1, the dashboard is at /.")
    }

    static func methodNotAllowed(_ method: String, path: String, allowed: [String]) -> Problem {
        let list = allowed.joined(separator: ", ")
        return Problem(
            status: .methodNotAllowed, code: "PG4041", title: "Method not allowed",
            detail: "\(path) does not take \(method).", hint: "It takes \(list).", headers: [.allow: list])
    }

    static func tooLarge(limit: Int?) -> Problem {
        let bound = limit.map { " of \($0) bytes" } ?? ""
        return Problem(
            status: .contentTooLarge, code: "PG4042", title: "Too large",
            detail: "The body is larger than the limit\(bound).",
            hint: "Send less at once, or keep the large part elsewhere and send its address.")
    }

    static func unsupportedMediaType(_ type: String, takes: String) -> Problem {
        Problem(
            status: .unsupportedMediaType, code: "PG4043", title: "Unsupported content type",
            detail: "A body of type \"\(type)\" can't be read here.",
            hint: "Send \(takes), and say so: -H 'Content-Type: \(takes)'.")
    }

    static func notJSON(_ error: JSONError) -> Problem {
        if error.reason.hasPrefix("it nests deeper") {
            return Problem(
                status: .badRequest, code: "PG4045", title: "Nested too deeply",
                detail: "The JSON nests deeper than 64 levels, at byte \(error.offset).",
                hint: "Flatten the data; 64 levels of lists and objects are the limit.")
        }
        return Problem(
            status: .badRequest, code: "PG4044", title: "Not JSON",
            detail: "The body is not JSON: \(error.reason), at byte \(error.offset).",
            hint: "Correct the body there and send it again.")
    }

    static let signInNeeded = Problem(
        status: .unauthorized, code: "PG4046", title: "Sign-in needed",
        detail: "This address needs a token, and the request has none that is known.",
        hint: "Send 'Authorization: Bearer TOKEN'; in a browser, give the token as the password.",
        headers: [.wwwAuthenticate: "Basic realm=\"Perigee\", charset=\"UTF-8\""])

    static func forbidden(_ detail: String, hint: String) -> Problem {
        Problem(status: .forbidden, code: "PG4047", title: "Not allowed", detail: detail, hint: hint)
    }

    /// An error that nobody planned for; its text is in the log and never in the answer.
    static let unexpected = Problem(
        status: .internalServerError, code: "PG4000", title: "The server failed",
        detail: "The server met an error that it has no answer for; what was acknowledged before is kept.",
        hint: "Try again; the server's log says what happened.")

    static let stopping = Problem(
        status: .serviceUnavailable, code: "PG4003", title: "Shutting down",
        detail: "The server is shutting down and did not finish the request.",
        hint: "Send it again in a moment.", headers: [.retryAfter: "2"])
}

extension Response {
    init(json: JSON, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:]) {
        var headers = headers
        headers[.contentType] = "application/json"
        self.init(
            status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: json.bytes)))
    }
}
