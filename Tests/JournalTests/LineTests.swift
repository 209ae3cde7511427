import PerigeeJournal
import Testing

/// Random work of several hosts with limits that stay as they are.
@Suite struct LineTests {
    private struct Watch {
        let limit = 2
        /// Concurrency keys and business keys of all runs that were handed in, by id.
        var starts: [String: (slot: String?, key: String?, conflict: KeyConflict)] = [:]

        /// Runs that went on after they had ended: they stand in line again, and others may have begun meanwhile.
        var retried: Set<String> = []

        mutating func note(_ operation: Operation) {
            if case .act(let run, .retry, _) = operation { retried.insert(run) }
            // The maker gives the id run_1 to several, to see all but one refused.
            for start in operation.submissions.flatMap(\.starts) where start.id != "run_1" {
                starts[start.id] = (start.concurrencyKey, start.key, start.onConflict)
            }
        }

        /// What breaks a promise; `nil` if nothing does.
        func fault(_ runs: [RunRecord]) -> String? {
            let open = runs.filter { !$0.status.isFinal }
            let begun = open.filter { $0.startedAt != nil && $0.blockedBy == nil }
            let lines = Dictionary(grouping: begun) { run in
                starts[run.id]?.slot.map { [run.namespace, run.workflow, $0] }
            }
            if let full = lines.first(where: { $0.key != nil && $0.value.count > limit }) {
                return "\(full.value.map(\.id)) hold the slots of \(full.key ?? [])"
            }
            for run in open where run.blockedBy?.kind == .concurrency {
                guard let slot = starts[run.id]?.slot else { continue }
                let line = [run.namespace, run.workflow, slot]
                if let ahead = lines[line]?.first(where: { passed($0, run) }) {
                    return "\(ahead.id) came after \(run.id) and began before it"
                }
            }
            for run in begun where waits(run.id) {
                let first = open.first {
                    $0.key == run.key && $0.workflow == run.workflow && isBefore($0, run)
                }
                if let first { return "\(run.id) began before \(first.id) of its key had ended" }
            }
            return nil
        }

        /// One that waited for its key took its place in the line later than it came.
        private func passed(_ begun: RunRecord, _ waiting: RunRecord) -> Bool {
            begun.number > waiting.number && !waits(waiting.id) && !retried.contains(waiting.id)
        }

        private func waits(_ id: String) -> Bool {
            guard let start = starts[id], start.key != nil else { return false }
            switch start.conflict {
            case .queue, .cancelExisting: return true
            case .useExisting, .reject: return false
            }
        }

        private func isBefore(_ other: RunRecord, _ run: RunRecord) -> Bool {
            other.namespace == run.namespace && other.number < run.number
        }
    }

    @Test(arguments: Backend.allCases, DifferentialTests.seeds)
    func `no more than the limit at once, in order, and every run has its turn`(
        backend: Backend, seed: UInt64
    ) async throws {
        print("PERIGEE_SEED=\(seed)")
        try await backend.withJournal { journal in
            var maker = OperationMaker(seed: seed)
            var watch = Watch()
            maker.limits = [watch.limit]
            var now = Timestamp(milliseconds: 1_790_000_000_000)
            for workflow in ["a", "b"] {
                for namespace in ["main", "second"] {
                    _ = try await journal.saveVersion(
                        namespace: namespace, workflow: workflow, bundle: "bundle of x",
                        files: ["main.lua": "x"], rules: WorkflowRules(concurrencyLimit: watch.limit),
                        now: now)
                }
            }
            var runs: [RunRecord] = []
            var waits: Set<String> = []
            var blocked = 0
            for step in 0..<400 {
                now = now.adding(milliseconds: Int64.random(in: 0...1500, using: &maker.random))
                let operation = maker.operation(runs: runs, waits: waits.sorted(), now: now)
                if case .commit(let commits) = operation {
                    waits.formUnion(commits.flatMap { $0.opens.map(\.id) })
                }
                watch.note(operation)
                _ = await journal.perform(operation, now: now)
                runs = try await all(journal)
                blocked += runs.count { $0.blockedBy != nil }
                let fault = watch.fault(runs)
                try #require(fault == nil, "seed \(seed) step \(step): \(fault ?? "") after \(operation)")
            }
            #expect(blocked > 0)
            try await drain(journal, watch, now: now, seed: seed)
        }
    }

    /// Lets every run begin and ends it: if a slot were lost, one would wait for ever.
    private func drain(_ journal: any Journal, _ watch: Watch, now: Timestamp, seed: UInt64) async throws {
        var now = now
        for namespace in ["main", "second"] {
            while true {
                let open = try await all(journal).filter { $0.namespace == namespace && !$0.status.isFinal }
                let fault = watch.fault(open)
                try #require(fault == nil, "seed \(seed): \(fault ?? "")")
                if let run = open.last(where: { $0.blockedBy == nil }) {
                    _ = try await journal.cancel(
                        run: run.id, error: Array("{}".utf8), isForced: true, now: now)
                } else if let pauseEnds = open.compactMap({ $0.blockedBy?.until }).min(), pauseEnds > now {
                    now = pauseEnds
                } else {
                    #expect(open.map(\.id) == [], "seed \(seed): nobody holds what these wait for")
                    break
                }
                _ = try await journal.claim(
                    host: "host-9", namespace: namespace, now: now, limit: 100, only: nil)
            }
        }
    }

    private func all(_ journal: any Journal) async throws -> [RunRecord] {
        var runs: [RunRecord] = []
        for namespace in ["main", "second"] {
            var query = RunQuery(namespace: namespace, limit: 500)
            repeat {
                let page = try await journal.runs(query)
                runs += page.runs
                query.cursor = page.nextCursor
            } while query.cursor != nil
        }
        return runs
    }
}
