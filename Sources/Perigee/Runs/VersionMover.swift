import PerigeeJournal
import Synchronization

/// Moves waiting runs to a new version of their workflow, each only after a replay has shown that it comes to the same
/// place by way of everything that is recorded.
struct VersionMover {
    let host: WorkflowHost

    func move(_ workflow: String) async throws {
        guard let newest = host.registry.newest(workflow), let services = host.phase.withLock({ $0.services })
        else { return }
        var moved = 0
        var stayed: [StayedRun] = []
        var cursor: Int64?
        repeat {
            let page = try await host.runs(
                RunQuery(
                    namespace: host.namespace, statuses: [.waiting], workflows: [workflow], limit: 100,
                    cursor: cursor))
            for run in page.runs where run.version != newest.version.number {
                switch try await check(run, newest, services) {
                case .moves?: moved += 1
                case .stays(let reason)?:
                    stayed.append(StayedRun(run: run.id, version: run.version, reason: reason))
                case nil: break
                }
            }
            cursor = page.nextCursor
        } while cursor != nil
        guard moved + stayed.count > 0 else { return }
        host.activityHub.send(
            .scriptChecked(workflow: workflow, version: newest.version.number, moved: moved, stayed: stayed))
    }

    /// Claims the run, so that nothing happens to it meanwhile, and lets it go again on the version that it is on then.
    private func check(
        _ run: RunRecord, _ newest: (version: WorkflowVersion, compiled: CompiledBundle),
        _ services: RunServices
    ) async throws -> ReplayVerdict? {
        let now = host.ambient.now
        let claim = try await host.journal.claim(
            host: host.options.hostID, namespace: host.namespace, now: now, limit: 1, only: run.number)
        guard let claimed = claim.runs.first, let shard = host.shard(of: run.number) else { return nil }
        await shard.forget(run.number)
        let entries = try await services.entries(claimed.run)
        let verdict = await shard.check(claimed, entries: entries, against: newest.compiled)
        var commit = Commit(run: run.number, epoch: claimed.run.epoch, at: now, next: .waiting)
        if case .moves = verdict {
            commit.move = Commit.Move(version: newest.version.number, bundle: newest.version.bundle)
            commit.entries = [
                Entry(
                    sequence: (entries.last?.sequence ?? 0) + 1, recordedAt: now,
                    fact: .versionMoved(
                        from: claimed.run.version, to: newest.version.number, bundle: newest.version.bundle))
            ]
        }
        _ = await services.commit([commit])
        host.dispatcher.poke()
        host.activityHub.send(.runChanged(id: run.id))
        return verdict
    }
}
