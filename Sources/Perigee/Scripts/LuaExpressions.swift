import PerigeeLua

/// A value as a script writes it: a name, a field of it, a call, a literal.
struct LuaExpression: Hashable {
    /// A part of a path that leads to a value.
    indirect enum Key: Hashable {
        case text(String)
        case index(Int)
        /// `items[i]`: what the expression in the brackets has.
        case value(of: LuaExpression)
    }

    /// How the last part is written.
    enum Form: Hashable { case name, field, key, method, call, literal, group }

    var form: Form
    /// The name that it begins with, and the keys from there on; `nil` where it has no such path: after a call.
    var root: String?
    var keys: [Key] = []
    /// The last name in it: of the variable, the field, the method or the function that is called.
    var name: String
    /// Its tokens.
    var tokens: Range<Int>
    /// What the last part is taken from, as an index into the expressions.
    var base: Int?
    /// Of a literal: the type.
    var type: String?
}

/// The expressions near a line of a script.
struct LuaExpressions {
    let tokens: [LuaToken]
    /// Every expression that begins with a name, a literal or a parenthesis, and every prefix of each.
    private(set) var all: [LuaExpression] = []

    init(near line: Int, in text: String) {
        tokens = LuaTokens.near(line, in: text)
        for index in tokens.indices where isStart(index) { read(from: index) }
    }

    /// As it stands in the script, in one line; without the spaces around dots.
    func text(_ expression: LuaExpression) -> String { text(expression.tokens) }

    func text(_ range: Range<Int>) -> String {
        var text = ""
        var last: LuaToken?
        for token in tokens[range] {
            let isApart =
                last.map { $0.line != token.line || $0.columns.upperBound < token.columns.lowerBound }
                ?? false
            if isApart, token.text != ".", token.text != ":", !text.hasSuffix("."), !text.hasSuffix(":") {
                text += " "
            }
            text += token.kind == .text ? "\"\(token.text)\"" : token.text
            last = token
        }
        return text
    }

    /// The sign or word at a place; the empty text beyond the tokens and for texts.
    func sign(_ index: Int) -> String {
        tokens.indices.contains(index) && tokens[index].kind != .text ? tokens[index].text : ""
    }

    /// The longest expression that ends, or begins, at a token.
    func ending(at index: Int) -> LuaExpression? {
        all.filter { $0.tokens.upperBound == index + 1 }.max { $0.tokens.count < $1.tokens.count }
    }

    func beginning(at index: Int) -> LuaExpression? {
        let start = ["-", "#", "not"].contains(sign(index)) ? index + 1 : index
        return all.filter { $0.tokens.lowerBound == start }.max { $0.tokens.count < $1.tokens.count }
    }

    /// The token after the one that closes the bracket at `index`.
    func afterBracket(_ index: Int) -> Int {
        var depth = 0
        for at in index..<tokens.count {
            switch sign(at) {
            case "(", "[", "{": depth += 1
            case ")", "]", "}": depth -= 1
            default: break
            }
            if depth == 0 { return at + 1 }
        }
        return tokens.count
    }

    /// The arguments of the call whose `(`, `{` or text stands at a token, as ranges of tokens.
    func arguments(at index: Int) -> [Range<Int>] {
        guard sign(index) == "(" else {
            return [index..<(sign(index) == "{" ? afterBracket(index) : index + 1)]
        }
        return parts(index + 1..<max(index + 1, afterBracket(index) - 1))
    }

    /// A range cut at its commas.
    func parts(_ range: Range<Int>) -> [Range<Int>] {
        var found: [Range<Int>] = []
        var start = range.lowerBound
        var at = start
        while at < range.upperBound {
            if sign(at) == "," {
                found.append(start..<at)
                start = at + 1
            }
            at = ["(", "[", "{"].contains(sign(at)) ? min(afterBracket(at), range.upperBound) : at + 1
        }
        return start < range.upperBound ? found + [start..<range.upperBound] : found
    }

    // MARK: Reading

    private func isStart(_ index: Int) -> Bool {
        let before = index > 0 ? tokens[index - 1] : nil
        let endsValue =
            before.map { $0.kind == .name || $0.kind == .text || [")", "]", "}"].contains($0.text) } ?? false
        switch tokens[index].kind {
        case .name:
            return ![".", ":", "goto", "::"].contains(before?.kind == .text ? "" : before?.text ?? "")
        case .number: return true
        case .text: return !endsValue
        case .keyword: return ["nil", "true", "false"].contains(tokens[index].text)
        case .sign:
            return (tokens[index].text == "(" && !endsValue) || (tokens[index].text == "{" && !endsValue)
        }
    }

    private func start(_ index: Int) -> (LuaExpression, next: Int) {
        let token = tokens[index]
        func literal(_ type: String, until end: Int? = nil) -> (LuaExpression, next: Int) {
            let end = end ?? index + 1
            return (
                LuaExpression(form: .literal, name: token.text, tokens: index..<end, type: type), end
            )
        }
        switch (token.kind, token.text) {
        case (.name, _):
            return (
                LuaExpression(form: .name, root: token.text, name: token.text, tokens: index..<index + 1),
                index + 1
            )
        case (.number, _): return literal("number")
        case (.text, _): return literal("string")
        case (.keyword, "nil"): return literal("nil")
        case (.keyword, _): return literal("boolean")
        case (.sign, "{"): return literal("table", until: afterBracket(index))
        default:
            let end = afterBracket(index)
            return (LuaExpression(form: .group, name: "", tokens: index..<end), end)
        }
    }

    private mutating func read(from first: Int) {
        var (expression, next) = start(first)
        let mayGoOn = expression.form == .name || expression.form == .group
        all.append(expression)
        while mayGoOn, next < tokens.count {
            expression.base = all.count - 1
            expression.type = nil
            switch (tokens[next].kind, tokens[next].text) {
            case (.sign, "."), (.sign, ":"):
                guard next + 1 < tokens.count, tokens[next + 1].kind == .name else { return }
                expression.form = tokens[next].text == "." ? .field : .method
                expression.name = tokens[next + 1].text
                expression.keys.append(.text(expression.name))
                next += 2
            case (.sign, "["):
                let end = afterBracket(next)
                expression.form = .key
                append(key: next + 1..<max(next + 1, end - 1), to: &expression)
                next = end
            case (.sign, "("), (.sign, "{"), (.text, _):
                expression.form = .call
                expression.root = nil
                next = tokens[next].kind == .text ? next + 1 : afterBracket(next)
            default: return
            }
            expression.tokens = first..<next
            all.append(expression)
        }
    }

    private func append(key range: Range<Int>, to expression: inout LuaExpression) {
        expression.name = "?"
        let only = range.count == 1 ? tokens[range.lowerBound] : nil
        if let only, only.kind == .text {
            expression.name = only.text
            expression.keys.append(.text(only.text))
        } else if let only, only.kind == .number, let number = Int(only.text) {
            expression.keys.append(.index(number))
        } else if let only, only.kind == .name {
            let key = LuaExpression(form: .name, root: only.text, name: only.text, tokens: range)
            expression.keys.append(.value(of: key))
        } else {
            expression.root = nil
        }
    }
}

extension LuaExpression {
    /// Reads what the expression had when its line failed; `nil` where that can't be known.
    func value(_ lookUp: LuaLookUp) -> LuaGlimpse? {
        if let type { return LuaGlimpse(type: type) }
        guard let root else { return nil }
        var path: [LuaKey] = []
        for key in keys {
            switch key {
            case .text(let text): path.append(.text(text))
            case .index(let number): path.append(.index(number))
            case .value(let expression):
                guard let key = expression.value(lookUp)?.key else { return nil }
                path.append(key)
            }
        }
        return lookUp(root, path)
    }
}

/// Reads what stood under a name and keys from there on when the script failed.
typealias LuaLookUp = (_ name: String, _ keys: [LuaKey]) -> LuaGlimpse?
