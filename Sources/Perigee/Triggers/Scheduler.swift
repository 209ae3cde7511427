import Logging
import PerigeeJournal
import Synchronization

/// Starts the runs of schedules when they are due.
///
/// It keeps nothing that the store does not have: each look reads how far every schedule has come, works out what is to
/// be done now (``SchedulePlan``), and does it in one transaction that only the first of several hosts succeeds with.
final class Scheduler: Sendable {
    /// How soon it looks again after the store failed, or while an occurrence waits for a run that another host may
    /// end, in milliseconds.
    private static let retryMilliseconds: Int64 = 1000

    private struct State {
        /// Opens when there is something new to look at.
        var signal = Readiness()
        /// The schedules at the last look, by id.
        var known: [String: TriggerIndex.ScheduledTarget] = [:]
        /// Workflows whose next run waits for the end of another.
        var blocked: Set<String> = []
    }

    private let state = Mutex(State())

    /// Looks again at once.
    func poke() {
        state.withLock { $0.signal }.open()
    }

    /// Looks again if other schedules are declared than before.
    func scriptsWereRead(_ triggers: TriggerIndex) {
        let isSame = state.withLock { state in
            triggers.schedules.count == state.known.count
                && triggers.schedules.allSatisfy {
                    state.known[$0.id]?.schedule == $0.schedule
                        && state.known[$0.id]?.target.version == $0.target.version
                }
        }
        if !isSame { poke() }
    }

    /// Works until the task is cancelled.
    func run(on host: WorkflowHost) async {
        while !Task.isCancelled {
            let signal = Readiness()
            // Listened to before the look, so that no end of a run falls between the two.
            let activity = state.withLock { state in
                state.signal = signal
                return state.blocked.isEmpty ? nil : host.activity()
            }
            let wakeAt = await look(host)
            await withTaskGroup { group in
                group.addTask { await signal.wait() }
                if let wakeAt { group.addTask { try? await host.ambient.sleep(until: wakeAt) } }
                if let activity { group.addTask { await self.waitForEnd(activity) } }
                await group.next()
                group.cancelAll()
            }
        }
    }

    /// Returns when a run ended that a pending occurrence may wait for.
    private func waitForEnd(_ activity: AsyncStream<HostActivity>) async {
        for await case .runEnded(_, let workflow, _, _, _) in activity
        where state.withLock({ $0.blocked.contains(workflow) }) { return }
    }

    // MARK: One look

    /// Does what is to be done now; when to look again.
    private func look(_ host: WorkflowHost) async -> Timestamp? {
        let now = host.ambient.now
        let soon = now.adding(milliseconds: Scheduler.retryMilliseconds)
        let declared = host.registry.triggers.schedules
        let gone = state.withLock { $0.known }.values.filter { old in !declared.contains { $0.id == old.id } }
        guard !declared.isEmpty || !gone.isEmpty else { return nil }
        var wakes: [Timestamp] = []
        var blocked: Set<String> = []
        do {
            let records = try await host.journal.schedules(namespace: host.namespace)
            let stored = Dictionary(records.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            for old in gone { try await withdraw(stored[old.id], host, now) }
            state.withLock { state in
                state.known = Dictionary(
                    declared.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            }
            for one in declared {
                do {
                    let plan = try await carryOut(one, stored[one.id], host, now)
                    if let wakeAt = plan?.wakeAt { wakes.append(wakeAt) }
                    guard plan == nil || plan?.record.pending.isEmpty == false else { continue }
                    blocked.insert(one.target.version.workflow)
                    wakes.append(soon)
                } catch {
                    host.logger.error("the schedule \(one.id) failed; trying again in 1 s: \(error)")
                    wakes.append(soon)
                }
            }
        } catch {
            host.logger.error("schedules can't be read; trying again in 1 s: \(error)")
            wakes.append(soon)
        }
        note(blocked)
        return wakes.min()
    }

    /// A run may have ended before anybody listened for it: then one more look tells.
    private func note(_ blocked: Set<String>) {
        let isNew = state.withLock { state in
            defer { state.blocked = blocked }
            return !blocked.isSubset(of: state.blocked)
        }
        if isNew { poke() }
    }

    /// - Returns: what was done; `nil` if another host did something first, so that it has to be looked at again.
    private func carryOut(
        _ one: TriggerIndex.ScheduledTarget, _ stored: ScheduleRecord?, _ host: WorkflowHost, _ now: Timestamp
    ) async throws -> SchedulePlan? {
        let workflow = one.target.version.workflow
        let first = ScheduleRecord(
            namespace: host.namespace, id: one.id, workflow: workflow, lastOccurrence: now)
        let plan = SchedulePlan(one.schedule, stored ?? first, now: now)
        if stored.map(plan.changes) ?? true {
            guard try await store(plan, of: one, stored, host, now) else { return nil }
        }
        if plan.cancelsOthers { try await cancel(stored?.openRuns ?? [], host) }
        return plan
    }

    /// - Returns: whether it was done; `false` if another host did something first.
    private func store(
        _ plan: SchedulePlan, of one: TriggerIndex.ScheduledTarget, _ stored: ScheduleRecord?,
        _ host: WorkflowHost, _ now: Timestamp
    ) async throws -> Bool {
        var last = stored?.lastStarted
        let starts = plan.starts.map { occurrence in
            defer { last = occurrence }
            return Scheduler.start(one, occurrence, last: last).newRun(
                correlationID: nil, ambient: host.ambient)
        }
        let error = plan.terminatesOthers ? Terminated.bySchedule(one.id).bytes : nil
        let advance = ScheduleAdvance(schedule: plan.record, starts: starts, terminates: error)
        guard let receipt = try await host.journal.advance(advance, now: now) else { return false }
        if !starts.isEmpty { host.dispatcher.poke() }
        for run in receipt.terminated { await host.tellEnded(run) }
        host.activityHub.send(cancelled: receipt.cancelled, to: host.waiters)
        if let note = receipt.schedule.note, note != stored?.note {
            host.logger.notice("\(one.target.version.workflow), \(one.schedule.sentence): \(note)")
        }
        return true
    }

    private static func start(
        _ one: TriggerIndex.ScheduledTarget, _ occurrence: Timestamp, last: Timestamp?
    ) -> RunStart {
        let zone = one.schedule.zone
        let time = JSON.string(zone.text(occurrence))
        var input: [String: JSON] = [
            "scheduled_for": time,
            "name": .string(one.target.definition.name ?? one.target.version.workflow),
        ]
        if let last { input["last_scheduled_for"] = .string(zone.text(last)) }
        var trigger: [String: JSON] = [
            "type": "schedule", "schedule": .string(one.id), "scheduled_for": time,
        ]
        for name in ["cron", "every"] { trigger[name] = one.schedule.declared[name] }
        if case .cron = one.schedule.timing { trigger["tz"] = .string(zone.name) }
        return RunStart(target: one.target, input: .object(input), trigger: .object(trigger))
    }

    private func cancel(_ runs: [String], _ host: WorkflowHost) async throws {
        for run in runs where try await host.journal.run(id: run)?.cancelRequest == nil {
            do {
                _ = try await host.cancel(
                    run: run, by: "its schedule", reason: "the next one is due (overlap = \"cancel_other\")")
            } catch let error as HostError {
                host.logger.debug("\(error.message)")  // It has ended meanwhile.
            }
        }
    }

    /// Remembers that the script no longer declares a schedule.
    private func withdraw(_ stored: ScheduleRecord?, _ host: WorkflowHost, _ now: Timestamp) async throws {
        guard var record = stored, record.withdrawnAt == nil else { return }
        record.withdrawnAt = now
        _ = try await host.journal.advance(ScheduleAdvance(schedule: record), now: now)
    }
}

/// The error of a run that was ended at once.
enum Terminated {
    static func bySchedule(_ id: String) -> ScriptError {
        ScriptError(
            code: "PG1103", kind: "terminated",
            message: "Ended by its schedule, as the next one was due.",
            hint: "Use another `overlap` if a run is to come to its end first.", fields: ["by": .string(id)])
    }
}
