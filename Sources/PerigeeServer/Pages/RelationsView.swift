import PerigeeJournal

/// What a run has to do with others, as its page shows it.
struct RelationsView: Hashable {
    struct Child: Hashable {
        var id: String
        var workflow: String
        var label: String
        var status: StatusView
    }

    struct Link: Hashable {
        var run: String
        var text: String
    }

    /// The run that started it, the one that it goes on for, and the one that goes on for it.
    var links: [Link] = []
    var children: [Child]
    var hasChildren: Bool
    /// How many children there are more than the page shows.
    var hidden: Int?
    /// `the lock acct_1 since 10:00, taken by "Exclusive"`.
    var locks: [String]

    init(_ run: RunRecord, _ relations: RunRelations, now: Timestamp) {
        if let parent = run.parent {
            links.append(Link(run: parent.run, text: "started by \"\(parent.step.label)\" of"))
        }
        if let earlier = run.continuedFrom { links.append(Link(run: earlier, text: "goes on for")) }
        if let next = run.continuedAs { links.append(Link(run: next, text: "goes on as")) }
        children = relations.children.map { child in
            Child(
                id: child.id, workflow: child.workflow, label: child.step.label, status: .of(child.status))
        }
        hasChildren = !children.isEmpty
        hidden = relations.childCount > children.count ? relations.childCount - children.count : nil
        locks = relations.heldLocks.map { lock in
            "Holds the lock \(lock.key) for \(durationText(from: lock.since, to: now)), taken by \"\(lock.step.label)\""
        }
    }
}
