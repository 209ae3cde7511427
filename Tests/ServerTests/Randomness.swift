/// Random numbers that are a function of their seed.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// A text of what pages and forms trip over: markup, quotes, accents that combine, format marks, escapes.
func randomText(using random: inout some RandomNumberGenerator) -> String {
    let pieces = [
        "<", ">", "\"", "'", "&", "<script>", "</script>", "\u{301}", "\u{600}", "\u{200D}", "{{x}}",
        "{{{x}}}", "&lt;",
        "%", "+", "=", ";", "\n", "a", "ü", "😀", "\\", "--", "]]>", "javascript:", " onfocus=", "\u{202E}",
    ]
    return (0..<Int.random(in: 1...8, using: &random)).map { _ in pieces.randomElement(using: &random) ?? "" }
        .joined()
}
