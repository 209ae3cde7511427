import Crypto
import Foundation
import PerigeeJournal

/// What `flow.text` needs of the host: the tables of Unicode, and a digest.
enum TextCall {
    /// Text in `lower` or `upper` case, or in the small letters of ASCII where a letter has one (`ascii`).
    static func changeCase(_ arguments: [JSON]) -> JSON? {
        guard arguments.count == 2, let text = arguments[1].string else { return nil }
        return switch arguments[0].string {
        case "lower": .string(text.lowercased())
        case "upper": .string(text.uppercased())
        case "ascii": .string(withoutMarks(text))
        default: nil
        }
    }

    /// Small letters without their accents.
    private static func withoutMarks(_ text: String) -> String {
        var plain = String.UnicodeScalarView()
        for scalar in text.lowercased().decomposedStringWithCanonicalMapping.unicodeScalars {
            if let letters = plainLetters[scalar] {
                plain.append(contentsOf: letters.unicodeScalars)
            } else if scalar.properties.generalCategory != .nonspacingMark {
                plain.append(scalar)
            }
        }
        return String(plain)
    }

    /// Letters that Unicode does not take apart.
    private static let plainLetters: [Unicode.Scalar: String] = [
        "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
    ]

    /// The SHA-256 of a text, or of the bytes that its Base64 stands for, in hexadecimal digits.
    static func sha256(_ arguments: [JSON]) -> JSON? {
        guard let text = arguments.first?.string else { return nil }
        let isBase64 = arguments.count > 1 && arguments[1].bool == true
        guard let bytes = isBase64 ? Data(base64Encoded: text) : Data(text.utf8) else { return nil }
        return .string(SHA256.hash(data: bytes).hexadecimal)
    }
}
