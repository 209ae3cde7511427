import HTTPTypes
import PerigeeJournal

/// What stands in the search box, in `?q=` and after `perigee runs list -q`.
///
/// Words are separated by spaces, and all of them must hold: `status:failed,attention workflow:lead_routing
/// key:"order 7"`; or the id of a run, or its beginning, alone.
struct RunSearch: Hashable {
    var statuses: Set<RunStatus> = []
    var workflows: Set<String> = []
    var key: String?
    /// The code of its error: `PG2014`.
    var errorCode: String?
    /// The id of a run, or how it begins.
    var runID: String?

    static let keys = ["status", "workflow", "key", "error"]

    /// - Throws: `PG4050` for what is not understood.
    init(parsing text: String) throws(Problem) {
        for word in try Self.words(text) {
            guard let colon = word.firstIndex(of: ":") else {
                guard word.hasPrefix("run_") else { throw Self.plainWord(word) }
                runID = word
                continue
            }
            let value = String(word[word.index(after: colon)...])
            let name = String(word[..<colon])
            guard !value.isEmpty else {
                throw Self.wrong(
                    "\(name): has no value.", hint: "Write it without spaces, as in status:failed.")
            }
            try take(name, value)
        }
    }

    private mutating func take(_ name: String, _ value: String) throws(Problem) {
        switch name {
        case "status":
            for word in value.split(separator: ",").map(String.init) {
                guard let status = RunStatus(rawValue: word) else {
                    let known = RunStatus.allCases.map(\.rawValue)
                    throw Self.wrong(
                        "There is no status \"\(word)\".\(didYouMean(word, among: known))",
                        hint: "A status is one of \(known.joined(separator: ", ")).")
                }
                statuses.insert(status)
            }
        case "workflow": workflows.formUnion(value.split(separator: ",").map(String.init))
        case "key": key = value
        case "error": errorCode = value.uppercased()
        default:
            throw Self.wrong(
                "A search has no \"\(name):\".\(didYouMean(name, among: Self.keys))",
                hint: "It knows status:, workflow:, key:, error: and the id of a run.")
        }
    }

    /// The words, with double quotes around what has spaces in it.
    private static func words(_ text: String) throws(Problem) -> [String] {
        var words: [String] = []
        var word: String?
        var quoted = false
        for character in text {
            switch character {
            case "\"":
                quoted.toggle()
                word = word ?? ""
            case _ where character.isWhitespace && !quoted:
                if let word { words.append(word) }
                word = nil
            default: word = (word ?? "") + String(character)
            }
        }
        if quoted {
            throw wrong("A double quote in the search is never closed.", hint: "Close it, or leave it out.")
        }
        return words + (word.map { [$0] } ?? [])
    }

    private static func plainWord(_ word: String) -> Problem {
        wrong(
            "\"\(word)\" is not something to search by.",
            hint: "Write key:\(word) for a run's key, workflow:\(word) for its workflow, or the id of a run.")
    }

    private static func wrong(_ detail: String, hint: String) -> Problem {
        Problem(
            status: .badRequest, code: "PG4050", title: "Search not understood", detail: detail, hint: hint)
    }

    /// The query for the journal.
    func query(namespace: String, limit: Int, cursor: Int64?) -> RunQuery {
        RunQuery(
            namespace: namespace, statuses: statuses, workflows: workflows, key: key, errorCode: errorCode,
            limit: limit,
            cursor: cursor)
    }
}
