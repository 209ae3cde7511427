import PerigeeJournal

/// `emit("event.name", { … })`: an event that rides with the run's next commit.
enum Emit {
    static func plan(_ arguments: JSON) -> StepPlan {
        .emit(type: arguments["event"]?.string ?? "", data: (arguments["data"] ?? .object([:])).bytes)
    }
}
