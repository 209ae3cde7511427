import Foundation

/// The files of this checkout that people write.
enum SourceTree {
    /// The checkout's root, found from where this file was compiled.
    static let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../..").standardized

    /// Every source text of the package: Swift, C and Lua.
    static let files: [SourceFile] = read(["Sources", "stdlib", "Tests", "scripts", "Package.swift"])

    static func files(under folders: String...) -> [SourceFile] {
        files.filter { file in folders.contains { file.path.hasPrefix($0 + "/") } }
    }

    /// The paths of all files in some folders, whatever they are; symbolic links are not followed.
    static func paths(under folders: [String]) -> [String] {
        folders.flatMap { folder -> [String] in
            let inside = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
            return inside?.compactMap { ($0 as? String).map { "\(folder)/\($0)" } } ?? []
        }
    }

    private static func read(_ places: [String]) -> [SourceFile] {
        let all =
            places.filter { $0.contains(".") } + paths(under: places.filter { !$0.contains(".") }).sorted()
        return all.compactMap { path in
            guard let language = Language(path: path),
                let text = try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
            else { return nil }
            return SourceFile(path: path, language: language, text: text)
        }
    }
}

enum Language {
    case swift, c, lua

    init?(path: String) {
        switch path.split(separator: ".").last {
        case "swift": self = .swift
        case "c", "cpp", "h": self = .c
        case "lua": self = .lua
        default: return nil
        }
    }
}

/// One source text.
struct SourceFile {
    /// From the checkout's root: `Sources/Perigee/Ambient.swift`.
    let path: String
    let language: Language
    let lines: [Substring]
    /// The lines with comments and the contents of strings taken out.
    let code: [Substring]

    init(path: String, language: Language, text: String) {
        self.path = path
        self.language = language
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        code = CodeScanner.code(of: text, language).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// How long the file is, without the empty rest after the last line's end.
    var lineCount: Int { lines.last == "" ? lines.count - 1 : lines.count }

    /// `path:12`, from a line's index.
    func place(_ index: Int) -> String { "\(path):\(index + 1)" }
}
