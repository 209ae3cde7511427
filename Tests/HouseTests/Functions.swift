/// A function in a source text, and how long it is.
struct Function: Equatable {
    var name: String
    /// The index of its first line.
    var line: Int
    var lineCount: Int
}

extension SourceFile {
    /// The functions with a body: those of Swift by their keyword, those of C by a block at the outermost level.
    var functions: [Function] {
        switch language {
        case .swift: code.indices.compactMap(swiftFunction)
        case .c: cFunctions
        case .lua: []
        }
    }

    private func swiftFunction(_ line: Int) -> Function? {
        guard let name = SourceFile.declaredName(code[line]) else { return nil }
        var braces = 0
        var parentheses = 0
        for index in line..<code.count {
            for character in code[index].utf8 {
                switch character {
                case UInt8(ascii: "("): parentheses += 1
                case UInt8(ascii: ")"): parentheses -= 1
                // A brace within the parentheses of the signature is a default value's.
                case UInt8(ascii: "{") where parentheses == 0 || braces > 0: braces += 1
                case UInt8(ascii: "}") where braces > 0:
                    braces -= 1
                    if braces == 0 { return Function(name: name, line: line, lineCount: index - line + 1) }
                case UInt8(ascii: "}") where parentheses == 0: return nil
                default: break
                }
            }
            if braces == 0, parentheses == 0, !signatureGoesOn(after: index) { return nil }
        }
        return nil
    }

    /// Whether the next line belongs to a signature whose parentheses are closed; otherwise it has no body.
    private func signatureGoesOn(after index: Int) -> Bool {
        guard index + 1 < code.count else { return false }
        let next = code[index + 1].drop { $0 == " " }
        return ["{", "->", "where ", "async", "throws", "rethrows"].contains { next.hasPrefix($0) }
    }

    /// The name of the function that a line begins to declare.
    private static func declaredName(_ line: Substring) -> String? {
        let words = line.split(whereSeparator: { " (<".contains($0) }).map(String.init)
        if let keyword = words.firstIndex(of: "func"), words.prefix(keyword).allSatisfy(isModifier) {
            return words.dropFirst(keyword + 1).first
        }
        guard let found = words.firstIndex(where: { $0 == "init" || $0 == "init?" || $0 == "deinit" }),
            words.prefix(found).allSatisfy(isModifier)
        else { return nil }
        return words[found]
    }

    private static func isModifier(_ word: String) -> Bool {
        let modifiers = [
            "public", "package", "internal", "fileprivate", "private", "static", "class", "final", "override",
            "mutating",
            "nonmutating", "nonisolated", "consuming", "borrowing", "convenience", "required", "isolated",
            "unsafe",
        ]
        return word.hasPrefix("@") || modifiers.contains(word) || word.hasSuffix(")")
    }

    private var cFunctions: [Function] {
        var functions: [Function] = []
        var depth = 0
        var start: (line: Int, isFunction: Bool) = (0, false)
        var last: UInt8 = 0
        for (index, line) in code.enumerated() {
            for byte in line.utf8 where byte != UInt8(ascii: " ") {
                if byte == UInt8(ascii: "{") {
                    if depth == 0 { start = (index, last == UInt8(ascii: ")")) }
                    depth += 1
                } else if byte == UInt8(ascii: "}") {
                    depth -= 1
                    if depth == 0, start.isFunction {
                        let name = String(code[start.line].prefix { $0 != "(" })
                        functions.append(
                            Function(name: name, line: start.line, lineCount: index - start.line + 1))
                    }
                }
                last = byte
            }
        }
        return functions
    }
}
