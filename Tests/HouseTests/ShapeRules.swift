import Foundation
import Testing

/// How large things may be, and what they may be called.
@Suite("House rules on shape")
struct ShapeRules {
    @Test("A file has at most 450 lines")
    func fileLength() {
        let limit = 450
        let found = SourceTree.files.filter { $0.lineCount > limit }.map {
            "\($0.path) has \($0.lineCount) lines"
        }
        expectNone(
            found,
            "Split it by what it decides or keeps, so that each file has one job (at most \(limit) lines).")
    }

    @Test("A function has at most 70 lines")
    func functionLength() {
        let limit = 70
        let found = SourceTree.files.flatMap { file in
            file.functions.filter { $0.lineCount > limit }
                .map { "\(file.place($0.line)) \($0.name) has \($0.lineCount) lines" }
        }
        expectNone(found, "Take parts out that have a name of their own (at most \(limit) lines).")
    }

    @Test("A line has at most 120 characters")
    func lineLength() {
        let limit = 120
        // Tests hold scripts in their texts, which are not broken; the examples stand as their authors wrote them.
        let found = SourceTree.files.filter { file in
            !file.path.hasPrefix("Tests/") && !file.path.hasPrefix("scripts/")
        }.flatMap { file in
            file.lines.indices.filter { file.lines[$0].utf8.count > limit && file.lines[$0].count > limit }
                .map { "\(file.place($0)) has \(file.lines[$0].count) characters" }
        }
        expectNone(found, "Break it (at most \(limit) characters).")
    }

    @Test("A file is named for its one job")
    func fileNames() {
        let banned = ["util", "utils", "common", "helper", "helpers", "misc", "manager"]
        let found = SourceTree.files.map(\.path).filter { path in
            let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent.lowercased()
            return banned.contains {
                name == $0 || name.hasSuffix("+" + $0) || (name.hasSuffix($0) && $0.count > 4)
            }
        }
        expectNone(found, "Name it by what it does, or move its parts to where they are used.")
    }

    @Test("A time limit of a test is five minutes or more")
    func timeLimits() {
        let limit = 5
        let found = SourceTree.files.filter { $0.path.hasPrefix("Tests/") }.flatMap { file in
            file.lines.indices.filter { index in
                guard let given = file.lines[index].firstMatch(of: /timeLimit\(\.minutes\((\d+)\)/) else {
                    return false
                }
                return Int(given.1).map { $0 < limit } ?? true
            }.map { file.place($0) }
        }
        expectNone(
            found,
            "All suites run side by side, so that a test of a second may stand for a minute (\(limit) or more)."
        )
    }

    @Test("No two paths differ only in capitals")
    func capitals() {
        let paths = SourceTree.paths(under: ["Sources", "Tests", "stdlib", "scripts", "mocks"])
        let found = Dictionary(grouping: paths) { $0.lowercased() }.values.filter { $0.count > 1 }
            .map { $0.sorted().joined(separator: " and ") }
        expectNone(found, "Rename one: on macOS and Windows they are the same file.")
    }
}

/// Fails with every place that breaks a rule, and with what to do about it.
func expectNone(_ found: [String], _ advice: String, sourceLocation: SourceLocation = #_sourceLocation) {
    guard !found.isEmpty else { return }
    let list = found.sorted().map { "\n  " + $0 }.joined()
    Issue.record("\(found.count) places break this rule. \(advice)\(list)", sourceLocation: sourceLocation)
}
