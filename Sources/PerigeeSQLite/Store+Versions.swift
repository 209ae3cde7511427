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
        namespace: String, workflow: String, bundle: String, files: [String: String], now: Timestamp
    ) throws -> WorkflowVersion {
        let newest = try first(
            """
            SELECT number, bundle, created_at FROM versions WHERE namespace = ? AND workflow = ?
            ORDER BY number DESC LIMIT 1
            """, [namespace, workflow]
        ) { row in
            WorkflowVersion(
                namespace: namespace, workflow: workflow, number: try row.next(), bundle: try row.next(),
                createdAt: try row.time())
        }
        if let newest, newest.bundle == bundle { return newest }
        let version = WorkflowVersion(
            namespace: namespace, workflow: workflow, number: (newest?.number ?? 0) + 1, bundle: bundle,
            createdAt: now)
        try run(
            "INSERT INTO versions VALUES (?, ?, ?, ?, ?)",
            [namespace, workflow, version.number, bundle, now.milliseconds])
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
