import PerigeeJournal
import Testing

extension Journal {
    /// What a journal shows of itself: all runs with their waits, all approvals and texts;
    /// with what is due where a moment is given, which may answer waits; with all entries and annotations where
    /// `histories` are wanted, which takes most of the time.
    func snapshot(
        claimingAt now: Timestamp?, histories: Bool
    ) async throws -> (runs: [RunRecord], facts: [AnyHashable]) {
        var runs: [RunRecord] = []
        var facts: [AnyHashable] = []
        for namespace in ["main", "second"] {
            var query = RunQuery(namespace: namespace, limit: 40)
            repeat {
                let page = try await self.runs(query)
                facts.append(page)
                for run in page.runs where histories {
                    let history = try #require(try await self.history(run: run.id))
                    #expect(history.run == run)
                    facts.append(history)
                    facts.append(try await relations(run: run.id))
                }
                runs += page.runs
                query.cursor = page.nextCursor
            } while query.cursor != nil
            facts.append(try await schedules(namespace: namespace))
            for workflow in ["a", "b", StateWrite.sharedWorkflow] {
                for key in ["s1", "s2"] {
                    facts.append(try await state(namespace: namespace, workflow: workflow, key: key))
                }
            }
            facts.append(try await approvals(namespace: namespace, status: nil, limit: 500))
            facts.append(try await secrets(namespace: namespace))
            facts.append(try await secret("TOKEN", namespace: namespace))
            facts.append(try await audit(AuditQuery(namespace: namespace, limit: 20)))
            let batches = try await batches(namespace: namespace, isFinal: nil, limit: 500)
            facts.append(batches)
            for batch in batches where histories {
                facts.append(try await batchItems(BatchItemQuery(batch: batch.id, limit: 500)))
                facts.append(try await activeRuns(batch: batch.id))
            }
            guard let now else { continue }
            for kind in ApprovalKind.allCases {
                facts.append(
                    try await approvals(
                        namespace: namespace, status: .waiting, kinds: [kind], limit: 5))
            }
            facts.append(try await dueReminders(namespace: namespace, now: now, limit: 3))
            // A run that does not exist claims nothing, and tells what is due.
            facts.append(
                try await claim(host: "host-1", namespace: namespace, now: now, limit: 1, only: .max))
        }
        for bundle in ["bundle of x", "bundle of y", "bundle of z"] {
            facts.append(try await files(bundle: bundle))
        }
        return (runs, facts)
    }
}
