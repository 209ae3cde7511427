import PerigeeJournal

extension APIClient {
    /// The run that somebody means by an id, its beginning, or `@last`.
    ///
    /// - Throws: ``CommandFailure`` if there is none or several, or if the server can't be asked.
    func run(_ id: String) async throws -> JSON {
        if id == "@last" {
            let newest = try await get("/v1/runs", [("limit", "1")])["items"]?.array?.first
            guard let newest else {
                throw CommandFailure.notFound("run", id, hint: "No run was started yet.")
            }
            return newest
        }
        let prefix = id.hasPrefix("run_") ? id : "run_\(id)"
        guard prefix.count < 30,
            prefix.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
        else {
            return try await get("/v1/runs/\(APIClient.encoded(id))")
        }
        let found = try await get("/v1/runs", [("q", prefix), ("limit", "20")])["items"]?.array ?? []
        return try APIClient.only(found, "run", id, hint: "`perigee runs list` shows them.")
    }

    /// The approval that somebody means by an id, its beginning, or `@last`.
    ///
    /// - Throws: ``CommandFailure`` if there is none or several, or if the server can't be asked.
    func approval(_ id: String) async throws -> JSON {
        let hint = "`perigee approvals list` shows those that wait."
        if id == "@last" {
            let waiting =
                try await get("/v1/approvals", [("status", "waiting"), ("limit", "500")])["items"]?.array
                ?? []
            let newest = waiting.max { $0["created_at"].text < $1["created_at"].text }
            guard let newest else {
                throw CommandFailure.notFound("waiting approval", id, hint: "Nobody is asked anything.")
            }
            return newest
        }
        let prefix = id.hasPrefix("apr_") ? id : "apr_\(id)"
        guard prefix.count < 34 else { return try await get("/v1/approvals/\(APIClient.encoded(id))") }
        let all = try await get("/v1/approvals", [("limit", "500")])["items"]?.array ?? []
        return try APIClient.only(all.filter { $0["id"].text.hasPrefix(prefix) }, "approval", id, hint: hint)
    }

    private static func only(_ found: [JSON], _ what: String, _ id: String, hint: String)
        throws(CommandFailure) -> JSON
    {
        guard let first = found.first else { throw .notFound(what, id, hint: hint) }
        guard found.count == 1 else { throw .ambiguous(what, id, found.map { $0["id"].text }) }
        return first
    }
}
