import GRDB
import PerigeeJournal

extension Store {
    func append(_ entry: Entry, to run: Int64) throws {
        let place: [Value] = [run, entry.sequence, entry.recordedAt.milliseconds]
        switch entry.fact {
        case .stepCompleted(let step, let outcome, let attempts, let startedAt):
            let (succeeded, value) =
                switch outcome {
                case .success(let value): (true, value)
                case .failure(let error): (false, error)
                }
            try self.run(
                """
                INSERT INTO entries (run, sequence, recorded_at, kind, path, label, occurrence, verb,
                    arguments, line, succeeded, outcome, attempts, started_at)
                VALUES (?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """,
                place + values(of: step) + [succeeded, value, attempts, startedAt.milliseconds])
        case .waitOpened(let step, let wait, let attempts):
            try self.run(
                """
                INSERT INTO entries (run, sequence, recorded_at, kind, path, label, occurrence, verb,
                    arguments, line, wait, attempts)
                VALUES (?, ?, ?, 2, ?, ?, ?, ?, ?, ?, ?, ?)
                """, place + values(of: step) + [wait, attempts])
        case .attemptBegun(let step):
            try self.run(
                """
                INSERT INTO entries (run, sequence, recorded_at, kind, path, label, occurrence, verb,
                    arguments, line) VALUES (?, ?, ?, 6, ?, ?, ?, ?, ?, ?)
                """, place + values(of: step))
        case .versionMoved(let from, let to, let bundle):
            try self.run(
                """
                INSERT INTO entries (run, sequence, recorded_at, kind, from_version, to_version, bundle)
                VALUES (?, ?, ?, 3, ?, ?, ?)
                """, place + [from, to, bundle])
        case .endRequested(let status, let error):
            try self.run(
                "INSERT INTO entries (run, sequence, recorded_at, kind, verb, outcome) VALUES (?, ?, ?, 4, ?, ?)",
                place + [status.rawValue, error])
        case .reset(let sequences):
            let list = JSON.array(sequences.map { .int(Int64($0)) })
            try self.run(
                "INSERT INTO entries (run, sequence, recorded_at, kind, arguments) VALUES (?, ?, ?, 5, ?)",
                place + [list.bytes])
        }
    }

    /// Takes away the entries of a branch and of those inside it.
    func prune(_ path: String, of run: Int64) throws {
        try self.run(
            "DELETE FROM entries WHERE run = ? AND (path = ? OR substr(path, 1, ?) = ?)",
            [run, path, path.unicodeScalars.count + 1, path + "/"])
    }

    private func values(of step: Step) -> [Value] {
        [
            step.address.path, step.address.label, step.address.occurrence, step.verb, step.arguments,
            step.line,
        ]
    }

    func entries(run: Int64, after: Int, limit: Int) throws -> [Entry] {
        try all(
            """
            SELECT sequence, recorded_at, kind, path, label, occurrence, verb, arguments, line, succeeded,
                outcome, attempts, started_at, wait, from_version, to_version, bundle
            FROM entries WHERE run = ? AND sequence > ? ORDER BY sequence LIMIT ?
            """, [run, after, limit]
        ) { row in
            Entry(sequence: try row.next(), recordedAt: try row.time(), fact: try row.fact())
        }
    }

    func append(_ annotation: Annotation, to run: Int64) throws {
        try self.run(
            """
            INSERT INTO annotations (run, ordinal, at, kind, level, text, data, path, label, occurrence)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
            """,
            [
                run, annotation.ordinal, annotation.at.milliseconds, annotation.kind.rawValue,
                annotation.level, annotation.text, annotation.data, annotation.step?.path,
                annotation.step?.label, annotation.step?.occurrence,
            ])
    }

    func history(run id: String) throws -> RunHistory? {
        guard let run = try run(id: id) else { return nil }
        let annotations = try all(
            """
            SELECT ordinal, at, kind, level, text, data, path, label, occurrence FROM annotations
            WHERE run = ? ORDER BY id
            """, [run.number]
        ) { row in
            var annotation = Annotation(
                ordinal: try row.next(), at: try row.time(), kind: try row.choice(), level: try row.next(),
                text: try row.next(), data: try row.optionalPayload())
            let path: String? = try row.next()
            if let path {
                annotation.step = StepAddress(
                    path: path, label: try row.next(), occurrence: try row.next())
            }
            return annotation
        }
        let entries = try entries(run: run.number, after: 0, limit: .max)
        return RunHistory(run: run, entries: entries, annotations: annotations)
    }
}

extension Columns {
    fileprivate mutating func fact() throws -> Fact {
        let kind: Int = try next()
        switch kind {
        case 1:
            let step = try step()
            let succeeded: Bool = try next()
            let value = try payload()
            return .stepCompleted(
                step, succeeded ? .success(value) : .failure(value), attempts: try next(),
                startedAt: try time())
        case 2:
            let step = try step()
            skip(2)
            let attempts: Int = try next()
            skip(1)
            return .waitOpened(step, wait: try next(), attempts: attempts)
        case 3:
            skip(11)
            return .versionMoved(from: try next(), to: try next(), bundle: try next())
        case 4:
            skip(3)
            let status: RunStatus = try choice()
            skip(3)
            return .endRequested(status, error: try payload())
        case 5:
            skip(4)
            let list = try JSON(parsing: try payload())
            return .reset(list.array?.compactMap(\.int).map { Int($0) } ?? [])
        case 6: return .attemptBegun(try step())
        default: throw DatabaseError(resultCode: .SQLITE_CORRUPT, message: "\(kind) is not a kind of fact")
        }
    }

    private mutating func step() throws -> Step {
        Step(address: try address(), verb: try next(), arguments: try payload(), line: try next())
    }
}
