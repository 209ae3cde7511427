import PerigeeTesting
import Foundation
import PerigeeLua
import Testing

struct RoundTripTests {
    @Test func `random JSON comes back from Lua byte for byte`() throws {
        var generator = SeededGenerator.printingSeed()
        let state = try ScriptRunner("return input").state
        for _ in 0..<2000 {
            let json = RoundTripTests.value(depth: Int.random(in: 0...5, using: &generator), &generator)
            try state.begin("run", argument: Array(json.utf8))
            let result = try state.advance(nil).result()
            try #require(result == (json == "null" ? "nil" : json))
        }
    }

    /// A value in the form that the border writes: sorted keys, no spaces, no `null` in objects.
    private static func value(depth: Int, _ generator: inout SeededGenerator) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &generator) {
        case 0: return "null"
        case 1: return Bool.random(using: &generator) ? "true" : "false"
        case 2: return String(Int64.random(in: .min ... .max, using: &generator))
        case 3: return String(Int.random(in: -100...100, using: &generator))
        case 4: return number(&generator)
        case 5: return string(&generator)
        case 6:
            let count = Int.random(in: 0...5, using: &generator)
            return "[" + (0..<count).map { _ in value(depth: depth - 1, &generator) }.joined(separator: ",")
                + "]"
        default:
            var fields: [String: String] = [:]
            for _ in 0..<Int.random(in: 0...5, using: &generator) {
                let field = value(depth: depth - 1, &generator)
                fields[string(&generator)] = field == "null" ? "0" : field
            }
            return "{" + sorted(fields).map { "\($0):\($1)" }.joined(separator: ",") + "}"
        }
    }

    /// In the order of the keys' bytes, which the random texts' escapes do not change: they begin below every other.
    private static func sorted(_ fields: [String: String]) -> [(String, String)] {
        fields.map { ($0.key, $0.value) }.sorted { left, right in
            let (a, b) = (unescaped(left.0), unescaped(right.0))
            return a.lexicographicallyPrecedes(b)
        }
    }

    private static func unescaped(_ text: String) -> [UInt8] {
        Array(
            text.dropFirst().dropLast().replacing("\\n", with: "\n").replacing("\\\"", with: "\"")
                .replacing("\\u0007", with: "\u{7}").utf8)
    }

    private static func string(_ generator: inout SeededGenerator) -> String {
        let pieces = [
            "a", "b", "Z", "0", " ", "ä", "€", "😀", "\u{7FF}", "\u{FFFF}", "\\n", "\\\"", "\\u0007", "/",
        ]
        let count = Int.random(in: 0...6, using: &generator)
        return "\"" + (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "a" }.joined() + "\""
    }

    /// A number with a fraction, of 1 to 17 digits, as C prints it.
    private static func number(_ generator: inout SeededGenerator) -> String {
        while true {
            let double = Double(bitPattern: generator.next())
            let value =
                Bool.random(using: &generator) ? double : Double.random(in: -1000...1000, using: &generator)
            guard value.isFinite, value != value.rounded(), value.isNormal else { continue }
            for digits in 15...17 {
                let text = String(format: "%.\(digits)g", value)
                if Double(text) == value { return text }
            }
        }
    }
}
