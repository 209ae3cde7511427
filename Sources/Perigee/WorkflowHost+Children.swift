import Logging
public import PerigeeJournal

extension WorkflowHost {
    /// How a run stands to others: the runs that it started, the locks that it holds, and those that it waits for.
    ///
    /// - Throws: ``HostError`` if there is no such run; ``JournalError`` if the store fails.
    public func relations(run id: String) async throws -> RunRelations {
        guard let relations = try await journal.relations(run: id) else { throw HostError.unknownRun(id) }
        return relations
    }

    /// A durable value of a workflow, as `flow.state` keeps it; `nil` if there is none.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func state(workflow: String, key: String) async throws -> Payload? {
        try await journal.state(namespace: namespace, workflow: workflow, key: key)
    }

    /// A run was ended in the store: what works on it here gives it up, and everybody is told, also of its children.
    func tellEnded(_ run: RunRecord) async {
        await shard(of: run.number)?.giveUp(run.number)
        activityHub.sendEnded(run, to: waiters)
        await tellChildren(of: run.id)
    }

    /// Tells those who look at children that ended with their parent.
    ///
    /// The journal has ended them already: what this host has of them is given up, and nothing more of it counts.
    func tellChildren(of id: String) async {
        do {
            let parent = try await run(id: id)
            for child in try await relations(run: id).children where child.status.isFinal {
                let run = try await run(id: child.id)
                guard run.endedAt == parent.endedAt else { continue }
                await tellEnded(run)
            }
        } catch {
            logger.error("the children of \(id) could not be told of their end: \(error)")
        }
    }
}
