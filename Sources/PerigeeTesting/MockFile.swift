import Perigee
import PerigeeJournal

/// One pattern and what it answers, attempt by attempt.
struct MockRule {
    let pattern: MockPattern
    /// The path of the file that it stands in.
    let file: String
    private let first: MockReply
    private let later: [MockReply]

    init(_ pattern: MockPattern, file: String, replies first: MockReply, _ later: [MockReply]) {
        self.pattern = pattern
        self.file = file
        self.first = first
        self.later = later
    }

    /// - Parameter attempt: from 1; the last reply repeats.
    func reply(attempt: Int) -> MockReply {
        attempt <= 1 || later.isEmpty ? first : later[min(attempt - 2, later.count - 1)]
    }
}

/// One reply of a mock.
struct MockReply {
    enum Outcome {
        case reply(HTTPReply)
        case timeout
        case network
    }

    var outcome: Outcome
    var delay: Duration
}

/// What is wrong with a mock file, where.
struct MockFault: Error, Equatable {
    var message: String
    var hint: String
}

/// Reads the text of a mock file.
///
/// - Parameter name: the file's path, for errors.
/// - Throws: ``MockFault`` for the first thing in it that is wrong.
func parseMockFile(_ bytes: [UInt8], name: String) throws(MockFault) -> [MockRule] {
    let document: JSON
    do { document = try JSON(parsing: bytes) } catch {
        let line = 1 + bytes.prefix(error.offset).count { $0 == UInt8(ascii: "\n") }
        throw MockFault(
            message: "\(name), line \(line) is not JSON: \(error.reason).", hint: "Mend the file and save it."
        )
    }
    guard let entries = document.object else {
        throw MockFault(
            message:
                "\(name) holds \(document.kindName) where an object from patterns to replies should stand.",
            hint: "Start with { \"GET crm.example/customers/*\": { \"status\": 200 } }.")
    }
    var rules: [MockRule] = []
    for (key, value) in entries.sorted(by: { $0.key < $1.key }) {
        let place = "\(name): \"\(key)\""
        let pattern: MockPattern
        do { pattern = try MockPattern(key) } catch {
            throw MockFault(message: "\(place) \(error.reason).", hint: "Mend the file and save it.")
        }
        var replies: [MockReply] = []
        for reply in value.array ?? [value] { replies.append(try parseReply(reply, place)) }
        guard let first = replies.first else {
            throw MockFault(message: "\(place) is an empty list.", hint: "Give it one reply or more.")
        }
        rules.append(MockRule(pattern, file: name, replies: first, Array(replies.dropFirst())))
    }
    return rules
}

private let knownFields = ["status", "json", "text", "headers", "delay", "error"]

private func parseReply(_ value: JSON, _ place: String) throws(MockFault) -> MockReply {
    guard let fields = value.object else {
        throw MockFault(
            message: "\(place) has \(value.kindName) where a reply should stand.",
            hint: "A reply is an object such as { \"status\": 200, \"json\": {} }, or a list of those.")
    }
    for field in fields.keys.sorted() where !knownFields.contains(field) {
        let near = NearestName.of(field, among: knownFields)
        throw MockFault(
            message: "\(place) has an unknown field \"\(field)\".",
            hint: near.map { "Did you mean \"\($0)\"?" }
                ?? "The fields are \(knownFields.joined(separator: ", ")).")
    }
    let delay = try parseDelay(fields["delay"], place)
    guard let error = fields["error"] else {
        return MockReply(outcome: .reply(try parseHTTPReply(fields, place)), delay: delay)
    }
    guard fields.keys.allSatisfy({ $0 == "error" || $0 == "delay" }) else {
        throw MockFault(
            message: "\(place) has both an error and parts of a reply.",
            hint: "A call that fails has no reply: keep one of them.")
    }
    switch error.string {
    case "timeout": return MockReply(outcome: .timeout, delay: delay)
    case "network": return MockReply(outcome: .network, delay: delay)
    default:
        throw MockFault(message: "\(place) has an unknown error.", hint: "Write \"timeout\" or \"network\".")
    }
}

private func parseHTTPReply(_ fields: [String: JSON], _ place: String) throws(MockFault) -> HTTPReply {
    var reply = HTTPReply(status: 200)
    if let status = fields["status"] {
        guard let code = status.int, (100...599).contains(code) else {
            throw MockFault(
                message: "\(place) has a status that is not one of HTTP.",
                hint: "Write a number from 100 to 599.")
        }
        reply.status = Int(code)
    }
    if let headers = fields["headers"] { reply.headers = try parseHeaders(headers, place) }
    guard fields["json"] == nil || fields["text"] == nil else {
        throw MockFault(
            message: "\(place) has both json and text.", hint: "A reply has one body: keep one of them.")
    }
    var type: String?
    if let json = fields["json"] {
        reply.body = json.bytes
        type = "application/json"
    } else if let field = fields["text"] {
        guard let text = field.string else {
            throw MockFault(
                message: "\(place) has \(field.kindName) as its text.",
                hint: "Put data under json, or text in quotes.")
        }
        reply.body = Array(text.utf8)
        type = "text/plain; charset=utf-8"
    }
    if let type, reply.header("Content-Type") == nil { reply.headers.append(("Content-Type", type)) }
    return reply
}

private func parseHeaders(_ value: JSON, _ place: String) throws(MockFault) -> [(name: String, value: String)]
{
    guard let fields = value.object else {
        throw MockFault(
            message: "\(place) has \(value.kindName) as its headers.",
            hint: "Write an object, such as { \"Retry-After\": \"2\" }.")
    }
    var headers: [(name: String, value: String)] = []
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
        guard let text = value.string else {
            throw MockFault(
                message: "\(place) has \(value.kindName) as its header \(name).",
                hint: "Put the value in double quotes.")
        }
        headers.append((name, text))
    }
    return headers
}

private func parseDelay(_ value: JSON?, _ place: String) throws(MockFault) -> Duration {
    guard let value else { return .zero }
    guard let milliseconds = value.string.flatMap(DurationText.milliseconds(in:)) else {
        throw MockFault(
            message: "\(place) has a delay that is not one.",
            hint: "Write one like \"12ms\", \"2s\" or \"1m\".")
    }
    return .milliseconds(milliseconds)
}
