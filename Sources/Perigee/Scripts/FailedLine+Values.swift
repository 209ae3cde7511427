import PerigeeLua

/// Errors about one value that is not what an operation needs.
extension FailedLine {
    enum Operation: String {
        case index
        case call
        case arithmetic = "perform arithmetic on"
        case bits = "perform bitwise operation on"
        case concatenate
        case length = "get length of"
    }

    /// `attempt to index a nil value (field 'company')` and its kin.
    func wrongValue(_ said: String) -> PlainError? {
        let form = /attempt to ([a-z ]+) an? ([A-Za-z ]+) value(?: \((.+) '(.*)'\))?/
        guard let match = said.wholeMatch(of: form), let operation = Operation(rawValue: String(match.1))
        else {
            return nil
        }
        let type = String(match.2)
        if match.3 == "for iterator" { return wrongIterator(type) }
        let found = find(type, match.3.map(String.init), match.4.map(String.init)) { has($0, operation) }
        let real = found?.value(lookUp)?.type ?? type
        let name = found.map { quoted($0) } ?? match.4.flatMap { $0 == "?" ? nil : "`\($0)`" } ?? "a value"
        var error: PlainError
        switch operation {
        case .index: error = index(name, real, found)
        case .call: error = call(name, real, found)
        case .arithmetic, .bits: error = arithmetic(name, real, found)
        case .concatenate: error = concatenate(name, real, found)
        case .length: error = length(name, real, found)
        }
        if let found { error = pointing(error, at: found.tokens) }
        error.message = error.message.prefix(1).uppercased() + error.message.dropFirst()
        return error
    }

    /// The expression of the failed line that Lua means, best the one that really had such a value.
    func find(
        _ type: String, _ kind: String?, _ name: String?, where isMeant: (LuaExpression) -> Bool
    ) -> LuaExpression? {
        let named = expressions.all.filter { expression in
            guard isHere(expression.tokens), isMeant(expression) else { return false }
            switch kind {
            case "local", "upvalue", "global": return expression.form == .name && expression.name == name
            case "method": return expression.form == .method && expression.name == name
            case "field":
                let isAny = name == "?" || name == "integer index"
                return isAny ? expression.form == .key : expression.keys.last == name.map { .text($0) }
            case "constant": return expression.form == .literal && expression.name == name
            default: return true
            }
        }
        let values = named.map { (expression: $0, type: $0.value(lookUp)?.type) }
        func fits(_ found: String) -> Bool { found == type || (found == "null" && type == "userdata") }
        return values.first { $0.type.map(fits) ?? false }?.expression
            ?? values.first { $0.type == nil }?.expression
    }

    func has(_ expression: LuaExpression, _ operation: Operation) -> Bool {
        let (before, after) = (
            expressions.sign(expression.tokens.lowerBound - 1), expressions.sign(expression.tokens.upperBound)
        )
        switch operation {
        case .index: return [".", ":", "["].contains(after)
        case .call:
            let next = expression.tokens.upperBound
            let isText = expressions.tokens.indices.contains(next) && expressions.tokens[next].kind == .text
            return ["(", "{"].contains(after) || isText
        case .arithmetic:
            let signs: Set = ["+", "-", "*", "/", "//", "%", "^"]
            return signs.contains(before) || signs.contains(after)
        case .bits:
            let signs: Set = ["&", "|", "~", "<<", ">>"]
            return signs.contains(before) || signs.contains(after)
        case .concatenate: return before == ".." || after == ".."
        case .length: return before == "#"
        }
    }

    // MARK: One operation each

    private func index(_ name: String, _ type: String, _ found: LuaExpression?) -> PlainError {
        let next = found.map { $0.tokens.upperBound + 1 } ?? 0
        let isField = found.map { expressions.sign($0.tokens.upperBound) != "[" } ?? false
        let wanted = isField ? "no field `\(expressions.sign(next))`" : "no fields"
        let what = FailedLine.words(type)
        if type == "nil" {
            return PlainError(
                code: "PG1050", message: "\(name) is \(what), so it has \(wanted).", hint: absence(found))
        }
        let hint =
            type == "null"
            ? "The data has null there; `if value ~= flow.json.null then … end` checks that first."
            : "Only tables have fields. " + surroundings(found)
        return PlainError(
            code: "PG1051", message: "\(name) is \(what), so it has \(wanted).", hint: hint.trimmedEnd)
    }

    private func call(_ name: String, _ type: String, _ found: LuaExpression?) -> PlainError {
        guard type == "nil" else {
            return PlainError(
                code: "PG1053",
                message: "\(name) is \(FailedLine.words(type)), and only functions can be called.",
                hint: "Is a comma or an operator missing before the parenthesis?")
        }
        var hint = surroundings(found)
        if let found, found.form == .method, let base = found.base.map({ expressions.all[$0] }),
            base.value(lookUp)?.type != "string"
        {
            hint += " Use a dot, not a colon: there are no methods here."
        }
        return PlainError(
            code: "PG1052", message: "\(name) does not exist (nil), so it can't be called.",
            hint: hint.trimmedStart)
    }

    private func arithmetic(_ name: String, _ type: String, _ found: LuaExpression?) -> PlainError {
        let hint =
            switch type {
            case "nil": absence(found, instead: "0")
            case "string": "`tonumber(…)` makes a number of text, or nil where the text is none."
            case "null": "The data has null there; compare with `flow.json.null` first."
            default: surroundings(found)
            }
        return PlainError(
            code: "PG1054", message: "\(name) is \(FailedLine.words(type)); arithmetic needs numbers.",
            hint: hint)
    }

    private func concatenate(_ name: String, _ type: String, _ found: LuaExpression?) -> PlainError {
        let hint =
            switch type {
            case "nil": absence(found, instead: "\"\"")
            case "table": "`flow.json.encode(…)` gives the text of a table; or take one of its fields."
            case "boolean", "null": "Write `tostring(…)` around it."
            default: surroundings(found)
            }
        return PlainError(
            code: "PG1055",
            message: "\(name) is \(FailedLine.words(type)), so `..` can't join it to text.", hint: hint)
    }

    private func length(_ name: String, _ type: String, _ found: LuaExpression?) -> PlainError {
        PlainError(
            code: "PG1057",
            message: "\(name) is \(FailedLine.words(type)); only text and lists have a length (`#`).",
            hint: type == "nil" ? absence(found, instead: "{}") : surroundings(found))
    }

    private func surroundings(_ found: LuaExpression?) -> String { found.map { surroundings(of: $0) } ?? "" }

    /// What to do about a value that is not there.
    private func absence(_ found: LuaExpression?, instead: String? = nil) -> String {
        guard let found else { return "" }
        let known = surroundings(of: found)
        guard found.form != .call, found.form != .group, found.form != .literal else {
            return "The call gave nothing back; keep its result in a local and check it first."
        }
        if known.contains("Did you mean") { return known }
        let name = expressions.text(found)
        let way = instead.map { "`(\(name) or \($0))`" } ?? "`if \(name) then … end` around it"
        return "\(known) Where `\(name)` may be missing, write \(way).".trimmedStart
    }

    /// `for x in items do`, where `items` is no iterator.
    private func wrongIterator(_ type: String) -> PlainError? {
        let signs = here.map { expressions.sign($0) }
        let what = FailedLine.words(type)
        guard let start = signs.firstIndex(of: "in"), let end = signs[start...].firstIndex(of: "do"),
            start + 1 < end
        else {
            return PlainError(
                code: "PG1053", message: "`for … in` needs an iterator, and got a value that is \(what).",
                hint: "Write `for index, item in ipairs(list) do`.")
        }
        let range = here[start + 1]..<here[end]
        let name = expressions.text(range)
        let hint =
            type == "nil"
            ? "Look at where it gets its value; a list is read by `for index, item in ipairs(\(name)) do`."
            : "Write `for index, item in ipairs(\(name)) do` for a list, "
                + "`for key, value in pairs(\(name)) do` for a table."
        return pointing(
            PlainError(
                code: type == "nil" ? "PG1052" : "PG1053",
                message: "\(quoted(range)) is \(what), and `for … in` needs an iterator.", hint: hint),
            at: range)
    }
}

extension String {
    fileprivate var trimmedEnd: String { hasSuffix(" ") ? String(dropLast()) : self }
    fileprivate var trimmedStart: String { hasPrefix(" ") ? String(dropFirst()) : self }
}
