import Crypto
import PerigeeJournal

/// Ids of waits.
///
/// An approval's id stands in links, so it is long and can't be guessed; it is a function of the run's id (80
/// random bits that only this deployment knows in full) and the place, so that a replay makes the same one.
enum WaitID {
    static func make(run: String, sequence: Int, kind: Wait.Kind) -> String {
        guard case .approval = kind else { return "\(run)/\(sequence)" }
        let digest = SHA256.hash(data: Array("perigee approval \(run) \(sequence)".utf8))
        return "apr_" + digest.prefix(15).hexadecimal
    }
}
