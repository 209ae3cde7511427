import Perigee

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The rules in a folder of mock files, as fresh as the files are.
struct MockFolder {
    let path: String
    /// By the file's name.
    private var files: [String: File] = [:]

    private struct File {
        let stamp: Stamp
        let rules: Result<[MockRule], MockFault>
    }

    /// What changes when a file is saved.
    private struct Stamp: Equatable {
        let modified: Date?
        let size: Int?
    }

    init(path: String) { self.path = path }

    /// The most specific rule that answers the call.
    ///
    /// - Throws: ``HTTPFailure`` when no rule does, or while a file of the folder can't be understood: what
    ///   it was meant to answer is not known then.
    mutating func rule(for target: MockTarget) throws(HTTPFailure) -> MockRule {
        var rules: [MockRule] = []
        do throws(MockFault) {
            try refresh()
            for name in files.keys.sorted() { rules += try files[name]?.rules.get() ?? [] }
            try MockFolder.refuseDoubles(in: rules)
        } catch {
            throw HTTPFailure(
                kind: .rejected, code: "PG2011", message: error.message,
                hint: error.hint)
        }
        let best = rules.filter { $0.pattern.matches(target) }.max { a, b in
            (a.pattern.literalLength, b.pattern.text) < (b.pattern.literalLength, a.pattern.text)
        }
        guard let best else { throw noMatch(target) }
        return best
    }

    private mutating func refresh() throws(MockFault) {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".json") }
        } catch {
            throw MockFault(
                message: "The folder of mocks \(path) can't be read.",
                hint: "Create it, or check its permissions.")
        }
        var fresh: [String: File] = [:]
        for name in names {
            let file = "\(path)/\(name)"
            let attributes = try? FileManager.default.attributesOfItem(atPath: file)
            let stamp = Stamp(
                modified: attributes?[.modificationDate] as? Date, size: attributes?[.size] as? Int)
            if let known = files[name], known.stamp == stamp {
                fresh[name] = known
            } else {
                fresh[name] = File(stamp: stamp, rules: MockFolder.read(file))
            }
        }
        files = fresh
    }

    private static func read(_ file: String) -> Result<[MockRule], MockFault> {
        guard let bytes = FileManager.default.contents(atPath: file) else {
            return .failure(MockFault(message: "\(file) can't be read.", hint: "Check its permissions."))
        }
        return Result { () throws(MockFault) in try parseMockFile(Array(bytes), name: file) }
    }

    private static func refuseDoubles(in rules: [MockRule]) throws(MockFault) {
        var owners: [String: String] = [:]
        for rule in rules {
            guard let other = owners.updateValue(rule.file, forKey: rule.pattern.text) else { continue }
            throw MockFault(
                message: "\(rule.file) has \"\(rule.pattern.text)\", which stands in \(other) too.",
                hint: "Delete one of them.")
        }
    }

    private func noMatch(_ target: MockTarget) -> HTTPFailure {
        let call = "\(target.method) \(target.host)\(target.path)"
        let file = target.host.prefix { $0 != "." && $0 != ":" }
        return HTTPFailure(
            kind: .rejected, code: "PG2010", message: "No mock answers \(call).",
            hint: "Add this line to \(path)/\(file).json:  \"\(call)\": { \"status\": 200, \"json\": {} }")
    }
}
