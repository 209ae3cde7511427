import PerigeeJournal

/// What a run did that is not yet durable.
struct Unsaved: Sendable {
    struct Emit: Sendable {
        var type: String
        var data: Payload
        /// The entry that records it: its place makes the event's id, so that it is never told twice.
        var sequence: Int
    }

    var entries: [Entry] = []
    var opens: [Wait] = []
    var closes: [String] = []
    /// Of closed waits at gates, whether the destination failed.
    var failures: [String: Bool] = [:]
    var prunes: [String] = []
    /// Locks that no branch waits for any longer.
    var releases: [String] = []
    /// Locks that the script gave back, also those of which a replay says so again.
    var unlocks: [String] = []
    var releasesNow = false
    var writes: [StateWrite] = []
    var starts: [NewRun] = []
    var continuation: NewRun?
    var emits: [Emit] = []
    var annotations: [Annotation] = []
    var tags: Payload?
    var statusText: String?

    var hasFacts: Bool { !entries.isEmpty || !closes.isEmpty || releasesNow }

    var isShown: Bool { !annotations.isEmpty || tags != nil || statusText != nil }

    func commit(of machine: RunMachine, next: Commit.Next, at now: Timestamp) -> Commit {
        let emitted = emits.map { emit in
            Submission(
                namespace: machine.run.namespace,
                event: EventRecord(
                    id: "", namespace: machine.run.namespace, source: "perigee:\(machine.run.workflow)",
                    sourceID: "\(machine.run.id)/\(emit.sequence)", type: emit.type, data: emit.data, at: now,
                    correlationID: machine.run.correlationID, causationID: machine.run.id),
                starts: [])
        }
        return Commit(
            run: machine.run.number, epoch: machine.epoch, at: now, entries: entries, opens: opens,
            closes: closes, failures: failures, prunes: prunes, releases: releases + unlocks, writes: writes,
            starts: starts,
            continuation: continuation, emits: emitted, annotations: annotations, tags: tags,
            statusText: statusText, watches: machine.hasOpenWaits, next: next)
    }
}
