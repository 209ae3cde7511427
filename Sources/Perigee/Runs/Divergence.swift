import PerigeeJournal

/// Where a script and the record of its run part.
struct Divergence: Error, Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// The script asks for a step that is not recorded, before it has asked for this one, which is.
        case recordedStepMissing(StepAddress?)
        /// The same label is another verb now.
        case otherVerb(recorded: String)
        /// The script ended before it asked for this recorded step.
        case ended(StepAddress?)
    }

    var step: Step?
    var kind: Kind

    /// A sentence for people.
    var reason: String {
        let asked = step.map { "\"\($0.address.label)\" (line \($0.line))" } ?? "the end"
        switch kind {
        case .recordedStepMissing(let missing):
            return "\"\(missing?.label ?? "a step")\" already ran, and the script now comes to \(asked) first"
        case .otherVerb(let recorded):
            return "\(asked) was \(recorded) when it ran, and is \(step?.verb ?? "another verb") now"
        case .ended(let missing):
            return "\"\(missing?.label ?? "a step")\" already ran, and the script now ends without it"
        }
    }
}
