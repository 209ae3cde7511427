import PerigeeJournal
import PerigeeLua

/// An error of Lua's own in the words of the person who wrote the script.
struct PlainError: Hashable {
    var code: String
    /// What happened.
    var message: String
    /// What there is instead and what to do about it; empty where the message says all.
    var hint = ""
    /// The expression that is to blame: its line from 1, and its columns in bytes from 0.
    var line = 0
    var columns: Range<Int>?

    /// Reads what Lua said, the line that it is about, and the values that were there.
    ///
    /// - Parameters:
    ///   - said: Lua's message without a place before it.
    ///   - isPlaced: whether there was one: a function written in C that is called by Lua itself gives none.
    ///   - line: the line that failed, from 1; 0 if it is not known.
    ///   - text: the script.
    ///   - traceback: the calls that were under way, innermost first.
    ///   - lookUp: reads a value in the frame that failed.
    /// - Returns: `nil` for what is no error of Lua's own, such as a text that the script gave to `error`.
    init?(
        _ said: String, isPlaced: Bool = true, line: Int, text: String, traceback: [String] = [],
        lookUp: @escaping LuaLookUp
    ) {
        let line = FailedLine(line, text: text, traceback: traceback, lookUp: lookUp)
        let found =
            (isPlaced ? nil : line.innerCall(said)) ?? line.wrongValue(said) ?? line.wrongOperands(said)
            ?? line.wrongArgument(said) ?? line.wrongLoop(said) ?? line.wrongNumber(said) ?? line.tooMuch(
                said)
            ?? line.wrongUse(said)
        guard let found else { return nil }
        self = found
    }

    init(code: String, message: String, hint: String = "") {
        self.code = code
        self.message = message
        self.hint = hint
    }
}

/// A line that failed: what stands in it, and what its names had then.
struct FailedLine {
    let line: Int
    let expressions: LuaExpressions
    let traceback: [String]
    let lookUp: LuaLookUp

    init(_ line: Int, text: String, traceback: [String], lookUp: @escaping LuaLookUp) {
        self.line = line
        expressions = LuaExpressions(near: line, in: text)
        self.traceback = traceback
        self.lookUp = lookUp
    }

    // MARK: Words

    /// What a value of a type is: "is empty (nil)", "is a number".
    static func words(_ type: String) -> String {
        switch type {
        case "nil", "no value": "empty (nil)"
        case "null": "null (JSON's null)"
        case "string": "text"
        case "boolean": "true or false"
        case "userdata", "light userdata": "a handle"
        case "thread": "a coroutine"
        case "integer": "an integer"
        case "error": "an error"
        default: "a \(type)"
        }
    }

    /// `firm.json.name`, in backquotes and not too long.
    func quoted(_ tokens: Range<Int>) -> String {
        let text = expressions.text(tokens)
        return text.count <= 60 ? "`\(text)`" : "`\(text.prefix(59))…`"
    }

    func quoted(_ expression: LuaExpression) -> String { quoted(expression.tokens) }

    // MARK: Places

    func isHere(_ tokens: Range<Int>) -> Bool {
        guard let first = tokens.first, let last = tokens.last else { return false }
        return (expressions.tokens[first].line...expressions.tokens[last].line).contains(line)
    }

    /// The tokens of the failed line, by their index.
    var here: [Int] { expressions.tokens.indices.filter { expressions.tokens[$0].line == line } }

    func pointing(_ error: PlainError, at tokens: Range<Int>) -> PlainError {
        guard let first = tokens.first, let last = tokens.last else { return error }
        let (from, to) = (expressions.tokens[first], expressions.tokens[last])
        var error = error
        error.line = from.line
        // What goes on in the next line is marked to the end of its first word.
        error.columns = from.columns.lowerBound..<(to.line == from.line ? to : from).columns.upperBound
        return error
    }

    // MARK: What there is instead

    /// What the table has that `expression` is read from, and the key that was meant.
    func surroundings(of expression: LuaExpression) -> String {
        guard let base = expression.base.map({ expressions.all[$0] }) else {
            guard expression.form == .name else { return "" }
            return "Look at where \(quoted(expression)) gets its value."
        }
        guard let table = base.value(lookUp) else { return "" }
        if table.type == "string", expression.form == .method { return textFunctions(expression, base) }
        guard table.type == "table" else { return "" }
        let whole = quoted(base)
        if table.keys.isEmpty {
            guard table.count > 0 else { return "\(whole) is an empty table." }
            return "\(whole) is a list of \(table.count)."
        }
        let more = table.keys.count > 8 ? " and \(table.keys.count - 8) more" : ""
        let has = "\(whole) has: \(table.keys.prefix(8).joined(separator: ", "))\(more)."
        guard case .text(let name) = expression.keys.last, let near = nearest(name, table.keys) else {
            return has
        }
        // A function of a table is called with a dot.
        let call = expression.form == .method ? "(…)" : ""
        return "\(has) Did you mean `\(expressions.text(base))\(access(near))\(call)`?"
    }

    private func textFunctions(_ expression: LuaExpression, _ base: LuaExpression) -> String {
        let known = lookUp("string", [])?.keys ?? []
        guard let near = NearestName.of(expression.name, among: known) else {
            return "Functions for text are: \(known.joined(separator: ", "))."
        }
        return "Did you mean `\(expressions.text(base)):\(near)`?"
    }

    /// The key that was meant: a few letters away, or one that begins or ends with the name.
    private func nearest(_ name: String, _ keys: [String]) -> String? {
        if let near = NearestName.of(name, among: keys) { return near }
        let longer = keys.filter { name.count > 2 && ($0.hasPrefix(name + "_") || $0.hasSuffix("_" + name)) }
        return longer.count == 1 ? longer[0] : nil
    }

    private func access(_ key: String) -> String {
        let isName = key.wholeMatch(of: /[A-Za-z_][A-Za-z_0-9]*/) != nil
        return isName ? ".\(key)" : "[\"\(key)\"]"
    }
}

extension PlainError {
    /// Reads an error that nothing caught, wherever Lua says that it was.
    ///
    /// - Parameters:
    ///   - said: Lua's message.
    ///   - texts: the texts of the script and its modules by their paths.
    ///   - lookUp: reads a value in the frame that failed; asked only if the message is about that frame.
    /// - Returns: the error, and the script and line that it is about; `nil` for what is no error of Lua's own.
    static func read(
        _ said: String, _ failure: LuaFailure, texts: [String: String], lookUp: @escaping LuaLookUp
    ) -> (error: PlainError, script: String, line: Int)? {
        // A piece of the stdlib has neither its name nor its lines with it; the names are its own, not the script's.
        let isOfStdlib = said.hasPrefix("?:-1: ")
        var rest = isOfStdlib ? said.dropFirst(6) : said[...]
        var place: (script: String, line: Int)?
        // One error that another passed on has a place for each.
        while let match = rest.prefixMatch(of: #/([^:\n]{1,120}):([0-9]+): /#), let line = Int(match.2),
            let script = match.1 == failure.script ? failure.script : file(named: match.1, texts)
        {
            place = (script, line)
            rest = rest[match.range.upperBound...]
        }
        let found = place ?? (failure.script, failure.line)
        let isInFrame = found == (failure.script, failure.line) && !isOfStdlib
        let error = PlainError(
            String(rest), isPlaced: isOfStdlib || place != nil, line: found.1,
            text: isOfStdlib ? "" : texts[found.0] ?? "",
            traceback: failure.traceback, lookUp: isInFrame ? lookUp : { _, _ in nil })
        return error.map { ($0, found.0, found.1) }
    }

    /// Lua cuts long names in messages.
    private static func file(named name: Substring, _ texts: [String: String]) -> String? {
        if name.hasPrefix("stdlib/") || texts[String(name)] != nil { return String(name) }
        return texts.keys.filter { $0.utf8.count > 59 && $0.hasPrefix(name) }.min()
    }
}
