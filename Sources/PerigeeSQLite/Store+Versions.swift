import Foundation
import GRDB
import PerigeeJournal

extension Store {
    func version(namespace: String, workflow: String, number: Int) throws -> WorkflowVersion? {
        try first(
            """
            SELECT bundle, created_at FROM versions WHERE namespace = ? AND workflow = ? AND number = ?
            """, [namespace, workflow, number]
        ) { row in
            WorkflowVersion(
                namespace: namespace, workflow: workflow, number: number, bundle: try row.next(),
                createdAt: try row.time())
        }
    }

    func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String],
        rules: WorkflowRules, now: Timestamp
    ) throws -> WorkflowVersion {
        let newest = try newestVersion(of: workflow, in: namespace)
        var version =
            if let newest, newest.bundle == bundle { newest } else {
                WorkflowVersion(
                    namespace: namespace, workflow: workflow, number: (newest?.number ?? 0) + 1,
                    bundle: bundle, createdAt: now)
            }
        // The same texts may have other rules, as those may come from a setting.
        version.rules = rules
        guard version != newest else { return version }
        try run(
            "INSERT OR REPLACE INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                namespace, workflow, version.number, bundle, version.createdAt.milliseconds,
                rules.concurrencyLimit, rules.keep?.number, rules.breaker?.json.bytes,
            ])
        for (path, text) in files {
            try run(
                "INSERT INTO texts (bundle, path, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [bundle, path, Payload(text.utf8)])
        }
        if newest?.rules.concurrencyLimit != rules.concurrencyLimit {
            try admitAll(of: workflow, in: namespace, now: now)
        }
        try setBreaker(of: workflow, in: namespace, rules.breaker, now: now)
        return version
    }

    private func newestVersion(of workflow: String, in namespace: String) throws -> WorkflowVersion? {
        try first(
            """
            SELECT number, bundle, created_at, concurrency_limit, keep, breaker FROM versions
            WHERE namespace = ? AND workflow = ? ORDER BY number DESC LIMIT 1
            """, [namespace, workflow]
        ) { row in
            WorkflowVersion(
                namespace: namespace, workflow: workflow, number: try row.next(), bundle: try row.next(),
                createdAt: try row.time(),
                rules: WorkflowRules(
                    concurrencyLimit: try row.next(),
                    keep: (try row.next() as Int64?).map(Keep.init(number:)),
                    breaker: try row.optionalPayload().flatMap { BreakerRule(try JSON(parsing: $0)) }))
        }
    }

    /// What the newest version of a workflow asks for.
    func rules(of workflow: String, in namespace: String) throws -> WorkflowRules {
        try newestVersion(of: workflow, in: namespace)?.rules ?? WorkflowRules()
    }

    func files(bundle: String) throws -> [String: String]? {
        let files = try all("SELECT path, text FROM texts WHERE bundle = ?", [bundle]) { row in
            (try row.next() as String, String(decoding: try row.payload(), as: UTF8.self))
        }
        return files.isEmpty ? nil : Dictionary(files, uniquingKeysWith: { first, _ in first })
    }
}

extension Keep {
    fileprivate init(number: Int64) {
        self = number == .max ? .forever : .milliseconds(number)
    }

    fileprivate var number: Int64 {
        switch self {
        case .milliseconds(let span): min(span, .max - 1)
        case .forever: .max
        }
    }
}
