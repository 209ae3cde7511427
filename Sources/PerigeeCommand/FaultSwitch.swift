import Foundation
import PerigeeSQLite

/// `PERIGEE_FAULT=kill-before-commit:K` or `kill-after-commit:K`: the process kills itself at its K-th transaction, for
/// tests that prove that nothing is lost.
struct FaultSwitch: Sendable {
    private let phase: TransactionPhase
    private let transaction: Int

    /// Reads the switch from the environment; `nil` if it is not set.
    ///
    /// - Throws: ``CommandFailure`` for what is not understood: a test with a broken switch would prove nothing.
    static func environment() throws(CommandFailure) -> FaultSwitch? {
        guard let text = Configuration.environment("PERIGEE_FAULT") else { return nil }
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2, let transaction = Int(parts[1]), transaction > 0,
            ["kill-before-commit", "kill-after-commit"].contains(parts[0])
        else {
            throw .usage(
                "PERIGEE_FAULT is \"\(text)\".",
                hint: "Write kill-before-commit:K or kill-after-commit:K, or unset it.")
        }
        return FaultSwitch(
            phase: parts[0] == "kill-before-commit" ? .beforeCommit : .afterCommit, transaction: transaction)
    }

    /// What a journal calls at every transaction.
    func strike(_ transaction: Int, _ phase: TransactionPhase) {
        if transaction == self.transaction, phase == self.phase { kill(getpid(), SIGKILL) }
    }
}
