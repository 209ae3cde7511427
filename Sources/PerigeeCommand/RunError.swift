import Perigee
import PerigeeJournal

/// The error of a run, for people.
struct RunError {
    private let fields: JSON

    /// - Parameter fields: the error as the API gives it; `nil` and null are none.
    init?(_ fields: JSON?) {
        guard let fields, fields != .null else { return nil }
        self.fields = fields
    }

    /// What happened, with its code: `` `firm.json` is empty (nil). [PG1050] ``.
    var summary: String {
        let code = fields["code"]?.string.map { " [\($0)]" } ?? ""
        return (fields["message"]?.string ?? fields.text) + code
    }

    /// `lead_routing.lua:27`; empty if it has no place in a script.
    var place: String {
        guard let script = fields["script"]?.string, let line = fields["line"]?.int else { return "" }
        return "\(script):\(line)"
    }

    /// The lines in question with a caret below.
    var excerpt: [String] {
        (fields["excerpt"]?.string ?? "").split(separator: "\n").map { String($0).printable }
    }

    /// What to do.
    var hint: String { fields["hint"]?.string ?? "" }

    /// The command that tells more; empty for a code of the script's own.
    var explanation: String { explainCommand(fields["code"]?.string) }
}

/// `perigee explain PG1050`; empty for a code that has no page.
func explainCommand(_ code: String?) -> String {
    code.flatMap(ErrorPage.find).map { "perigee explain \($0.code)" } ?? ""
}
