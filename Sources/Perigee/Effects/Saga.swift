import PerigeeJournal

/// `saga(label, function(undo) … end)`: what was registered is undone newest first when the function fails.
///
/// The chain itself is Lua; here stands what follows when an undo fails after its retries.
enum Saga {
    /// The run needs attention: what is not undone is named, and trying again goes on with the undo that failed.
    static func attention(_ arguments: JSON) -> ScriptError {
        let label = arguments["label"]?.string ?? "?"
        let why = arguments["error"]?["message"]?.string ?? "it failed"
        let open = arguments["not_undone"]?.array?.compactMap(\.string) ?? [label]
        return ScriptError(
            code: "PG2100", kind: "saga", message: "\"\(label)\" could not be undone: \(why)",
            hint:
                "Not undone: \(open.joined(separator: ", ")). Remove the cause and retry the run: it goes on there.",
            fields: [
                "not_undone": arguments["not_undone"] ?? .array([]),
                "undone": arguments["undone"] ?? .array([]),
                "cause": arguments["cause"] ?? .null,
            ])
    }
}
