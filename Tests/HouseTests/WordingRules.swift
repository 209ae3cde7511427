import Foundation
import Testing

/// What no source text may say.
@Suite("House rules on wording")
struct WordingRules {
    /// Places where a pattern stands in code or, if asked for, in all of the text.
    private func places(
        of pattern: String, in files: [SourceFile], codeOnly: Bool = true
    ) throws -> [String] {
        let expression = try Regex(pattern)
        return files.flatMap { file -> [String] in
            let lines = codeOnly ? file.code : file.lines
            return lines.indices.filter { lines[$0].contains(expression) }.map {
                "\(file.place($0)) \(file.lines[$0].trimmingCharacters(in: .whitespaces))"
            }
        }
    }

    private var swift: [SourceFile] { SourceTree.files.filter { $0.language == .swift } }

    @Test("Nothing is left to be done")
    func nothingLeft() throws {
        // Written apart so that this line does not break its own rule.
        let words = ["TO" + "DO", "FIX" + "ME", "X" + "XX"].joined(separator: "|")
        let found = try places(of: "\\b(\(words))\\b", in: SourceTree.files, codeOnly: false)
        expectNone(found, "Do it now, or open an issue and take the words out.")
    }

    @Test("No error is turned into a crash")
    func noForcedTry() throws {
        expectNone(
            try places(of: "\\btry!", in: swift), "Throw the error on, or answer it; in a test write `try`.")
    }

    @Test("No test waits for the clock")
    func noSleepInTests() throws {
        let tests = SourceTree.files(under: "Tests").filter { !$0.path.hasPrefix("Tests/Benchmarks/") }
        let found = try places(
            of: "\\b(Task|Thread)\\.sleep\\b|\\b(u|nano)?sleep\\(", in: tests.filter { $0.language == .swift }
        )
        expectNone(found, "Wait for a signal of what is awaited, and move a ManualClock.")
    }

    @Test("Every unchecked Sendable has its proof in a comment above it")
    func uncheckedSendable() throws {
        let found = swift.flatMap { file -> [String] in
            file.code.indices.filter {
                file.code[$0].contains("@unchecked Sendable") && !hasComment(above: $0, file)
            }
            .map(file.place)
        }
        expectNone(
            found,
            "Say above it why no two threads can touch its state at once; better, use a Mutex or an actor.")
    }

    /// Whether a comment stands right above a line and its attributes.
    private func hasComment(above index: Int, _ file: SourceFile) -> Bool {
        let above = file.lines[..<index].reversed().map { $0.trimmingCharacters(in: .whitespaces) }
        return above.first { !$0.hasPrefix("@") }?.hasPrefix("//") ?? false
    }

    @Test("No text names a path of somebody's machine")
    func noMachinePaths() throws {
        let found = try places(
            of: "(^|[^\\w./:-])/(work|home|Users|root)/\\w", in: SourceTree.files, codeOnly: false
        )
        .filter { !$0.hasPrefix("Tests/HouseTests/") }
        expectNone(found, "Use a path from the checkout's root, or a temporary folder.")
    }
}
