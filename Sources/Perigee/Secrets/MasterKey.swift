import Crypto
import Foundation
import PerigeeJournal

/// What the secrets of the store are sealed by: 32 random bytes.
public struct MasterKey: Sendable {
    /// Tells keys apart and says nothing of them: 16 hexadecimal digits.
    public let id: String
    let key: SymmetricKey

    /// Reads a key.
    ///
    /// - Parameter text: 32 bytes in Base64; anything else is no key.
    public init?(base64 text: String) {
        guard let bytes = Data(base64Encoded: text), bytes.count == 32 else { return nil }
        key = SymmetricKey(data: bytes)
        let code = HMAC<SHA256>.authenticationCode(for: Data("perigee master key id".utf8), using: key)
        id = Array(code).prefix(8).hexadecimal
    }

    /// Reads a list of keys, separated by spaces, commas or line ends; `nil` if there is none or one is no key.
    public static func list(_ text: String) -> [MasterKey]? {
        let words = text.split { $0.isWhitespace || $0 == "," }
        let keys = words.compactMap { MasterKey(base64: String($0)) }
        return keys.isEmpty || keys.count < words.count ? nil : keys
    }

    /// A new key, in Base64.
    public static func generate() -> String {
        SymmetricKey(size: .bits256).withUnsafeBytes { Data($0).base64EncodedString() }
    }
}
