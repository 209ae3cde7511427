import Foundation
import Testing

/// Which part may know which: the manifest forbids arrows between our targets, these tests the ones it can't see.
@Suite("House rules on borders")
struct BorderRules {
    /// Modules and where alone they may be imported.
    private static let homes: [(modules: [String], folders: [String])] = [
        (["CLua"], []),
        (["CLuaShim"], ["Sources/PerigeeLua"]),
        (["CRegex"], ["Sources/Perigee"]),
        (["CSQLiteShim"], ["Sources/PerigeeSQLite"]),
        (["CStockLua"], ["Tests/LuaTests", "Tests/Benchmarks"]),
        (["GRDB", "GRDBSQLite"], ["Sources/PerigeeSQLite", "Tests/JournalTests", "Tests/Benchmarks"]),
        (
            ["Hummingbird", "HummingbirdCore", "Mustache"],
            [
                "Sources/PerigeeServer", "Sources/PerigeeCommand", "Tests/ServerTests", "Tests/CommandTests",
                "Tests/Benchmarks",
            ]
        ),
    ]

    /// The parts that stay free of the network.
    private static let core = [
        "Sources/Perigee", "Sources/PerigeeLua", "Sources/PerigeeJournal", "Sources/PerigeeSQLite",
        "Sources/PerigeeTesting",
    ]

    private struct Import {
        var module: String
        var file: SourceFile
        var line: Int

        var place: String { "\(file.place(line)) imports \(module)" }

        func isIn(_ folders: [String]) -> Bool { folders.contains { file.path.hasPrefix($0 + "/") } }
    }

    private var imports: [Import] {
        SourceTree.files.filter { $0.language == .swift }.flatMap { file in
            file.code.indices.compactMap { index -> Import? in
                let words = file.code[index].split(separator: " ")
                guard let keyword = words.firstIndex(of: "import"), keyword + 1 < words.count else {
                    return nil
                }
                let kinds: Set<Substring> = [
                    "struct", "class", "enum", "protocol", "func", "var", "let", "typealias",
                ]
                guard let path = words[(keyword + 1)...].first(where: { !kinds.contains($0) }) else {
                    return nil
                }
                return Import(module: String(path.prefix { $0 != "." }), file: file, line: index)
            }
        }
    }

    @Test("A library with one home is imported only there")
    func oneHome() {
        let found = imports.filter { one in
            BorderRules.homes.contains { $0.modules.contains(one.module) && !one.isIn($0.folders) }
        }
        expectNone(found.map(\.place), "Ask the target whose job it is; the homes are listed in BorderRules.")
    }

    @Test("The core knows no network")
    func coreIsOffline() {
        let found = imports.filter { one in
            (one.module.hasPrefix("NIO") || one.module == "AsyncHTTPClient") && one.isIn(BorderRules.core)
        }
        expectNone(
            found.map(\.place),
            "What needs a socket goes to PerigeeHTTP or PerigeeServer, behind a protocol of the core.")
    }

    @Test("Only the shim includes Lua's headers")
    func luaHeaders() {
        // Stock Lua itself is what sandboxed scripts are compared with.
        let allowed = ["Sources/CLuaShim/", "Sources/CLua/", "Tests/StockLua/"]
        let headers = ["lua.h", "lauxlib.h", "lualib.h", "luaconf.h"]
        let found = SourceTree.files.filter { $0.language == .c }.flatMap { file in
            file.lines.indices.filter { index in
                file.lines[index].hasPrefix("#include") && headers.contains { file.lines[index].contains($0) }
                    && !allowed.contains { file.path.hasPrefix($0) }
            }.map(file.place)
        }
        expectNone(found, "Only the shim may call what can raise; add a function to CLuaShim.")
    }
}
