import PerigeeJournal

extension RunMachine {
    /// The most entries that a run may have.
    static let maxEntries = 100_000
    /// The most bytes of arguments and outcomes that a run may have recorded.
    static let maxBytes = 64 * 1_048_576
    /// From here on people are warned.
    static let warnedEntries = 4096
    static let warnedBytes = 4 * 1_048_576

    static let tooLong = ScriptError(
        code: "PG2040", kind: "limit",
        message: "The run has recorded as much as one run may: \(maxEntries) steps, or 64 MiB.",
        hint:
            "Put groups of steps into a checkpoint, go on afresh by flow.continue, or start a run for each item."
    )

    /// What people are told as a run's record grows; `nil` if it has not just passed a bound.
    static func warning(_ before: (next: Int, bytes: Int), _ after: (next: Int, bytes: Int)) -> String? {
        let tooMany = before.next <= warnedEntries && after.next > warnedEntries
        let tooLarge = before.bytes <= warnedBytes && after.bytes > warnedBytes
        guard tooMany || tooLarge else { return nil }
        let size = tooMany ? "\(warnedEntries) entries" : "4 MiB"
        return """
            This run's record has grown beyond \(size); at \(maxEntries) entries or 64 MiB it can't go on. \
            A checkpoint keeps one value for many steps, and flow.continue starts afresh.
            """
    }
}

/// Counts what a run logs and notes, and ends that where it gets too much.
struct RunNotes {
    /// The most that one run may log and note: lines, and bytes of them.
    static let maxCount = 10_000
    static let maxBytes = 4 * 1_048_576

    private var count = 0
    private var bytes = 0
    private var isOpen = true

    /// The annotation with its ordinal; `nil` once there are too many.
    mutating func add(_ given: Annotation) -> Annotation? {
        guard isOpen else { return nil }
        count += 1
        bytes += given.text.utf8.count + (given.data?.count ?? 0)
        isOpen = count < RunNotes.maxCount && bytes < RunNotes.maxBytes
        var annotation = given
        annotation.ordinal = count
        guard !isOpen else { return annotation }
        annotation.kind = .log
        annotation.level = "warning"
        annotation.text =
            "This run has logged \(count) lines and notes, as much as is kept of one run; the rest is left out."
        annotation.data = nil
        return annotation
    }
}
