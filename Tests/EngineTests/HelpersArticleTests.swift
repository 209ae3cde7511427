import Foundation
import Perigee
import PerigeeJournal
import Testing

@Suite("The article on helpers", .timeLimit(.minutes(5)))
struct HelpersArticleTests {
    private let article: String

    init() throws {
        let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized
        let file = root.appendingPathComponent("Sources/Perigee/Perigee.docc/Helpers.md")
        article = try String(contentsOf: file, encoding: .utf8)
    }

    /// The lines with an example: the expression, and what it gives.
    private var examples: [(code: String, shown: String)] {
        article.split(separator: "\n").compactMap { line in
            let parts = line.components(separatedBy: "-->")
            guard parts.count == 2, line.hasPrefix("flow.") || line.hasPrefix("#flow.") else { return nil }
            return (
                parts[0].trimmingCharacters(in: .whitespaces), parts[1].trimmingCharacters(in: .whitespaces)
            )
        }
    }

    private func text(_ value: JSON) -> String {
        let plain = value.string ?? String(decoding: value.bytes, as: UTF8.self)
        return plain.replacing("\r\n", with: "\\r\\n").replacing("\n", with: "\\n")
    }

    @Test("shows what its examples give")
    func shown() async throws {
        let examples = examples
        #expect(examples.count > 80)
        // Only the first of several results is shown.
        let values = try await Evaluation.values(of: examples.map { "(\($0.code))" })
        for (example, value) in zip(examples, values) {
            #expect(text(value) == example.shown, "\(example.code)")
        }
    }

    @Test("has an example of every function")
    func complete() async throws {
        let families = ["json", "csv", "text", "list", "time"]
        let names = try await Evaluation.values(of: families.map { "flow.list.keys(flow.\($0))" })
        for (family, known) in zip(families, names) {
            for name in try #require(known.array).compactMap(\.string) {
                let call = "flow.\(family).\(name)"
                #expect(examples.contains { $0.code.contains(call) }, "\(call) has no example")
            }
        }
    }
}
