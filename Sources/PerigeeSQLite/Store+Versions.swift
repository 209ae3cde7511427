import Foundation
import GRDB
import PerigeeJournal

extension Store {
    func saveVersion(
        namespace: String, workflow: String, bundle: String, files: [String: String],
        concurrencyLimit: Int?, now: Timestamp
    ) throws -> WorkflowVersion {
        let newest = try first(
            """
            SELECT number, bundle, created_at, concurrency_limit FROM versions WHERE namespace = ? AND workflow = ?
            ORDER BY number DESC LIMIT 1
            """, [namespace, workflow]
        ) { row in
            WorkflowVersion(
                namespace: namespace, workflow: workflow, number: try row.next(), bundle: try row.next(),
                createdAt: try row.time(), concurrencyLimit: try row.next())
        }
        let version = try version(
            after: newest, namespace: namespace, workflow: workflow, bundle: bundle, files: files,
            concurrencyLimit: concurrencyLimit, now: now)
        if newest?.concurrencyLimit != concurrencyLimit {
            try admitAll(of: workflow, in: namespace, now: now)
        }
        return version
    }

    private func version(
        after newest: WorkflowVersion?, namespace: String, workflow: String, bundle: String,
        files: [String: String], concurrencyLimit: Int?, now: Timestamp
    ) throws -> WorkflowVersion {
        if var newest, newest.bundle == bundle {
            // The same texts may have another limit, as that may be a setting.
            newest.concurrencyLimit = concurrencyLimit
            try run(
                """
                UPDATE versions SET concurrency_limit = ?1 WHERE namespace = ?2 AND workflow = ?3
                    AND number = ?4 AND concurrency_limit IS NOT ?1
                """, [concurrencyLimit, namespace, workflow, newest.number])
            return newest
        }
        let version = WorkflowVersion(
            namespace: namespace, workflow: workflow, number: (newest?.number ?? 0) + 1, bundle: bundle,
            createdAt: now, concurrencyLimit: concurrencyLimit)
        try run(
            "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)",
            [namespace, workflow, version.number, bundle, now.milliseconds, concurrencyLimit])
        for (path, text) in files {
            try run(
                "INSERT INTO texts (bundle, path, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [bundle, path, Data(text.utf8)])
        }
        return version
    }

    func files(bundle: String) throws -> [String: String]? {
        let files = try all("SELECT path, text FROM texts WHERE bundle = ?", [bundle]) { row in
            (try row.next() as String, String(decoding: try row.payload(), as: UTF8.self))
        }
        return files.isEmpty ? nil : Dictionary(files, uniquingKeysWith: { first, _ in first })
    }
}
