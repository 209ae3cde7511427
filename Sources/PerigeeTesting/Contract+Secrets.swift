import PerigeeJournal

extension JournalContract {
    static var secretChecks: [Check] {
        @Sendable func secret(
            _ name: String, _ sealed: String, hosts: [String] = ["api.example"], key: String = "k1",
            at seconds: Int64 = 1
        ) -> SealedSecret {
            SealedSecret(
                namespace: "main", name: name, hosts: hosts, keyID: key, sealed: payload(sealed),
                createdAt: at(seconds), updatedAt: at(seconds))
        }
        let set = ActionNote(by: "ana", action: "secret.set", reason: "new vendor")
        return [
            Check(area: "secrets", promise: "a secret is kept as it is sealed, apart for each namespace") {
                scene in
                let journal = scene.journal
                let token = secret("TOKEN", "\u{0}x", hosts: ["*.example", "b.example:1"])
                _ = try await journal.saveSecret(token, replacing: nil, note: set, now: at(1))
                var other = secret("PASSWORD", "y", hosts: [])
                _ = try await journal.saveSecret(other, replacing: nil, note: set, now: at(1))
                other.namespace = "second"
                _ = try await journal.saveSecret(other, replacing: nil, note: set, now: at(1))
                try expectEqual(try await journal.secret("TOKEN", namespace: "main"), token)
                try expectEqual(try await journal.secret("TOKEN", namespace: "second"), nil)
                try expectEqual(
                    try await journal.secrets(namespace: "main").map(\.name), ["PASSWORD", "TOKEN"])
                try expectEqual(try await journal.secrets(namespace: "second"), [other])
            },
            Check(
                area: "secrets", promise: "each change is recorded with who, and what changed but the value"
            ) {
                scene in
                let journal = scene.journal
                _ = try await journal.saveSecret(secret("A", "x"), replacing: nil, note: set, now: at(1))
                let second = try await journal.saveSecret(
                    secret("A", "y", hosts: [], key: "k2", at: 5), replacing: nil, note: set, now: at(5))
                var wanted = secret("A", "y", hosts: [], key: "k2", at: 5)
                wanted.createdAt = at(1)
                try expectEqual(second, wanted)
                let remove = ActionNote(by: "bob", action: "secret.remove")
                for removed in [second, nil] {
                    let got = try await journal.removeSecret(
                        "A", namespace: "main", note: remove, now: at(6))
                    try expectEqual(got, removed)
                }
                try expectEqual(try await journal.secrets(namespace: "main"), [])
                let records = try await journal.audit(AuditQuery(namespace: "main")).records
                try expectEqual(records.map(\.secret), ["A", "A", "A"])
                try expectEqual(records.map(\.by), ["bob", "ana", "ana"])
                try expectEqual(records.map(\.at), [at(6), at(5), at(1)])
                try expectEqual(records.map(\.reason), [nil, "new vendor", "new vendor"])
                let first = payload(#"{"hosts":["api.example"],"key":"k1"}"#)
                let last = payload(#"{"hosts":[],"key":"k2"}"#)
                try expectEqual(records.map(\.before), [last, first, nil])
                try expectEqual(records.map(\.after), [nil, last, first])
            },
            Check(area: "secrets", promise: "a secret that was changed meanwhile is not replaced") { scene in
                let journal = scene.journal
                let absent = try await journal.saveSecret(
                    secret("A", "z"), replacing: payload("x"), note: set, now: at(1))
                try expectEqual(absent, nil)
                _ = try await journal.saveSecret(secret("A", "x"), replacing: nil, note: set, now: at(1))
                let stale = try await journal.saveSecret(
                    secret("A", "z"), replacing: payload("w"), note: set, now: at(2))
                try expectEqual(stale, nil)
                try expectEqual(try await journal.secret("A", namespace: "main"), secret("A", "x"))
                let done = try await journal.saveSecret(
                    secret("A", "z"), replacing: payload("x"), note: set, now: at(3))
                try expectEqual(done?.sealed, payload("z"))
                try expectEqual(try await journal.audit(AuditQuery(namespace: "main")).records.count, 2)
            },
        ]
    }
}
