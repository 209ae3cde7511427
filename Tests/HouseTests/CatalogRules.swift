import Foundation
import Testing

/// Things that must fit together across files.
@Suite("House rules on what belongs together")
struct CatalogRules {
    /// Codes that are made in more than one file, and their one meaning: the Lua half and the Swift half of a check,
    /// or a failure that several parts can meet.
    private static let shared: [String: String] = [
        "PG1002": "a name of stock Lua that workflow scripts do not have",
        "PG1004": "something is assigned that is no local variable",
        "PG1006": "a module can't be required",
        "PG1009": "a text of the scripts folder is not Lua",
        "PG1010":
            "a step where the script can't be left and come back to, or from another version of Perigee",
        "PG1011": "an argument of a verb is missing, of the wrong kind or out of its bounds",
        "PG1013": "a text is no duration, no time or no time zone",
        "PG1014": "a declaration of a workflow can't be understood",
        "PG1015": "a call's URL, headers or auth can't be sent as they are written",
        "PG1017": "there is no scripts folder",
        "PG1020": "a value is not plain data, or a text not JSON",
        "PG1030": "a script computes for too long",
        "PG1031": "a script needs too much memory",
        "PG1055": "a value that can't be joined to text, by `..` or by table.concat",
        "PG1072": "a text is no UTF-8",
        "PG2002": "a call did not reach its host, or was broken off",
        "PG2003": "a call was not answered in time",
        "PG2005": "a reply is too large",
        "PG2006": "a call's URL or options can't be used",
        "PG4000": "the server met an error that it has no answer for",
        "PG4003": "the host is about to end",
        "PG4004": "there is no such workflow",
        "PG4005": "there is no such run",
        "PG4006": "there is no such approval",
        "PG4020": "a request is not valid",
        "PG4041": "a path does not take the method",
        "PG4042": "a body is too large",
    ]

    /// The files that make each code.
    private func homes() throws -> [String: Set<String>] {
        let literal = try Regex("\"(PG[0-9]{4})\"", as: (Substring, Substring).self)
        var homes: [String: Set<String>] = [:]
        for file in SourceTree.files(under: "Sources", "stdlib") {
            for line in file.lines where line.contains("\"PG") {
                for match in line.matches(of: literal) {
                    homes[String(match.output.1), default: []].insert(file.path)
                }
            }
        }
        return homes
    }

    @Test("An error code has one meaning: one file makes it")
    func codes() throws {
        let homes = try homes()
        let found = homes.filter { code, files in files.count > 1 && CatalogRules.shared[code] == nil }
        expectNone(
            found.map { "\($0.key) in \($0.value.sorted().joined(separator: ", "))" },
            "Give the second meaning a code of its own; if it is the same one, add it to `shared` in CatalogRules."
        )
        let stale = CatalogRules.shared.keys.filter { homes[$0, default: []].count < 2 }
        expectNone(stale, "One file makes it now: take it out of `shared` in CatalogRules.")
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: SourceTree.root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("Every error code has a page that explains it, and a line in the list of codes")
    func pages() throws {
        let made = Set(try homes().keys)
        let files = SourceTree.paths(under: ["errors"]).sorted()
        let paged = Set(files.map { String($0.dropFirst("errors/".count).dropLast(".md".count)) })
        expectNone(
            Array(made.subtracting(paged)), "Write errors/CODE.md: what happened, why, how to mend it.")
        expectNone(
            Array(paged.subtracting(made)),
            "Nothing makes this code: delete its page.")
        let catalog = try text("Sources/Perigee/Perigee.docc/ErrorCodes.md")
        let listed = catalog.split(separator: "\n").filter { $0.hasPrefix("| PG") }.map(String.init)
        let wanted = try files.map { path -> String in
            let title = try text(path).prefix { $0 != "\n" }.dropFirst(2)
            return "| \(title.replacing(": ", with: " | ", maxReplacements: 1)) |"
        }
        expectNone(
            Array(Set(wanted).symmetricDifference(listed)),
            "ErrorCodes.md has one line for each page, its title.")
        let embedded = try text("Sources/Perigee/ErrorPage.swift")
        let missing = paged.filter { !embedded.contains("PackageResources.\($0)_md") }
        expectNone(Array(missing), "List it in ErrorPage.swift.")
    }

    @Test("A page of an error code has a title, fits a screen, and closes its blocks of code")
    func pageShape() throws {
        let found = try SourceTree.paths(under: ["errors"]).filter { path in
            let lines = try text(path).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            let code = path.dropFirst("errors/".count).dropLast(".md".count)
            let fences = lines.count { $0.hasPrefix("```") }
            return lines.first?.hasPrefix("# \(code): ") != true || !(8...28).contains(lines.count)
                || fences % 2 != 0 || lines.contains { $0.count > 120 }
        }
        expectNone(found, "# CODE: title, then 8 to 28 lines of at most 120 characters.")
    }

    @Test("Every example script is run by a test")
    func examples() {
        let tests = SourceTree.files(under: "Tests/ScriptTests", "Tests/EngineTests").flatMap(\.lines)
        let scripts = SourceTree.files(under: "scripts").map(\.path).filter {
            $0.split(separator: "/").count == 2
        }
        #expect(!scripts.isEmpty)
        let found = scripts.filter { path in
            let name = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
            return !tests.contains { $0.contains(name) }
        }
        expectNone(found, "Add a test to Tests/ScriptTests that runs it to its result.")
    }

    @Test("Nothing that is generated is in git")
    func generated() throws {
        guard FileManager.default.fileExists(atPath: SourceTree.root.appendingPathComponent(".git").path)
        else { return }
        // Not `Process`: it may crash where as many files are open as during these tests.
        let listing = try #require(
            popen("git -c safe.directory='*' -C '\(SourceTree.root.path)' ls-files", "r"))
        let paths = try FileHandle(fileDescriptor: fileno(listing)).readToEnd() ?? Data()
        #expect(pclose(listing) == 0, "git ls-files failed")
        let found = String(decoding: paths, as: UTF8.self).split(separator: "\n").map(String.init).filter {
            path in
            let parts = path.split(separator: "/")
            return parts.contains { $0.hasPrefix(".build") || $0 == ".swiftpm" || $0 == ".perigee" }
                || ["Package.resolved", ".DS_Store"].contains(parts.last) || path.hasSuffix(".db")
                || path.hasSuffix(".o")
        }
        expectNone(found, "git rm --cached it, and add it to .gitignore.")
    }
}
