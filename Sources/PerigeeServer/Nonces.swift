import Crypto
import Foundation
import Synchronization

/// Numbers that stand in a page's form and are good for sending it once.
///
/// A nonce is a random value and its HMAC with the form's purpose under a key that only this process has.
/// Nothing is kept of those given out; the newest used ones are remembered.
final class Nonces: Sendable {
    enum Use: Hashable {
        case accepted
        /// It was used before.
        case repeated
        /// This process did not give it out for this purpose; it may be from before a restart.
        case unknown
    }

    private struct Used {
        var set: Set<String> = []
        var order: [String] = []
    }

    private let key = SymmetricKey(size: .bits256)
    private let used = Mutex(Used())
    private let capacity: Int

    /// - Parameter capacity: how many used ones are remembered, 2 or more.
    init(capacity: Int = 10_000) {
        self.capacity = capacity
    }

    /// A new nonce for one purpose, such as the id of an approval.
    func make(for purpose: String) -> String {
        let random = SymmetricKey(size: .bits128).withUnsafeBytes { Data($0) }.base64EncodedString()
        return "\(random).\(Data(code(random, purpose)).base64EncodedString())"
    }

    /// Uses a nonce.
    func use(_ nonce: String, for purpose: String) -> Use {
        let parts = nonce.split(separator: ".")
        guard parts.count == 2, let given = Data(base64Encoded: String(parts[1])),
            HMAC<SHA256>.isValidAuthenticationCode(
                given, authenticating: text(String(parts[0]), purpose), using: key)
        else { return .unknown }
        return used.withLock { used in
            guard used.set.insert(nonce).inserted else { return .repeated }
            used.order.append(nonce)
            if used.order.count > capacity {
                // Half goes at once, so that forgetting costs nothing on most calls.
                used.set.subtract(used.order.prefix(capacity / 2))
                used.order.removeFirst(capacity / 2)
            }
            return .accepted
        }
    }

    private func code(_ random: String, _ purpose: String) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: text(random, purpose), using: key)
    }

    private func text(_ random: String, _ purpose: String) -> Data {
        Data("\(random)|\(purpose)".utf8)
    }
}
