import PerigeeJournal

/// A line of a run's script that goes on by itself: the main line, or a branch of `parallel` or `each`.
struct Branch {
    /// What a branch is given when it goes on.
    enum Delivery: Sendable {
        case start
        case outcome(Outcome)
        /// It was cancelled: an error that its script can't catch.
        case cancellation(Payload)
    }

    /// What a suspended branch waits for.
    enum Block {
        /// Its outcome is in the journal, and others come first.
        case recorded(StepAddress)
        /// A step, or an attempt at one, that has not begun: it begins when all branches have come to a stop.
        case fresh(Step, StepPlan)
        case wait(Step, id: String, then: Effect?)
        case effect(Step, token: Int)
        /// The end of one of the branches that it began.
        case join
    }

    /// A part of the script with addresses of its own.
    struct Frame {
        var path: String
        /// How often each label was used here.
        var occurrences: [String: Int] = [:]
        var scopes: [String: Int] = [:]
        /// Branches that were begun here and have not ended.
        var live: Set<Int> = []
        /// Branches that have ended, in the order of their ends, and that the script has not been told of.
        var finished: [Int] = []
    }

    let number: Int
    /// The branch that began this one, and in which of its frames.
    let parent: (number: Int, frame: Int)?
    var frames: [Frame]
    /// Above 0, it is not cancelled: it undoes or tidies up.
    var shield: Int
    /// Why it is to stop, other than the end of the whole run.
    var stopped: Payload?
    var block: Block?

    init(number: Int, path: String, parent: (number: Int, frame: Int)? = nil, shield: Int = 0) {
        self.number = number
        self.parent = parent
        self.shield = shield
        frames = [Frame(path: path)]
    }

    private var top: Int { frames.count - 1 }

    /// The address of the next use of a label.
    mutating func address(_ label: String) -> StepAddress {
        func next(_ count: inout Int) -> Int {
            count += 1
            return count
        }
        let occurrence = next(&frames[top].occurrences[label, default: 0])
        return StepAddress(path: frames[top].path, label: label, occurrence: occurrence)
    }

    /// Goes into a part that has addresses of its own.
    mutating func enter(_ label: String) {
        frames[top].scopes[label, default: 0] += 1
        let occurrence = frames[top].scopes[label] ?? 1
        let name = StepPath.component(label) + (occurrence > 1 ? "#\(occurrence)" : "")
        frames.append(Frame(path: StepPath.joined(frames[top].path, name)))
    }

    mutating func leave() {
        if frames.count > 1 { frames.removeLast() }
    }
}

/// Paths of branches: components with slashes between them.
enum StepPath {
    /// A label as a component: what has a meaning in a path is written as `~0`, `~1` and `~2`.
    static func component(_ label: String) -> String {
        label.replacing("~", with: "~0").replacing("/", with: "~1").replacing("#", with: "~2")
    }

    static func joined(_ path: String, _ component: String) -> String {
        path.isEmpty ? component : "\(path)/\(component)"
    }
}
