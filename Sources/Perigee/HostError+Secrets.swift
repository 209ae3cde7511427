import PerigeeJournal

/// Why the store's secrets can't be used.
extension HostError {
    static let noMasterKey = HostError(
        code: "PG3070", status: 503, title: "No master key",
        message: "The secrets of the store are sealed by a master key, and this host has none.",
        hint: "Give the host its key, by --master-key-file or PERIGEE_MASTER_KEY.")

    static func wrongMasterKey(_ secrets: [SealedSecret]) -> HostError {
        let ids = Set(secrets.map(\.keyID)).sorted().joined(separator: ", ")
        let names = secrets.prefix(5).map(\.name).joined(separator: ", ") + (secrets.count > 5 ? " …" : "")
        return HostError(
            code: "PG3071", status: 503, title: "Wrong master key",
            message: "No master key of this host opens \(names): sealed by the key \(ids).",
            hint: "Give the host that key too, behind the one that seals.")
    }

    static func unreadableSecret(_ name: String) -> HostError {
        HostError(
            code: "PG3072", status: 503, title: "Secret can't be opened",
            message: "The secret \"\(name)\" was changed in the database from outside, and can't be opened.",
            hint: "Set it anew: perigee secrets set \(name).")
    }

    static func unknownSecret(_ name: String, near: String?) -> HostError {
        HostError(
            code: "PG3073", status: 404, title: "Unknown secret",
            message: "The store has no secret \"\(name)\".",
            hint: near.map { "Did you mean \"\($0)\"?" } ?? "perigee secrets list shows those that there are."
        )
    }
}
