import PerigeeLua

/// Errors about operands, arguments, loops, numbers and limits.
extension FailedLine {
    /// Two values of kinds that do not go together.
    func wrongOperands(_ said: String) -> PlainError? {
        if let match = said.wholeMatch(of: /attempt to [a-z]+ a '(.+)' with a '(.+)'/) {
            let culprit = match.1 == "number" ? String(match.2) : String(match.1)
            return wrongValue("attempt to perform arithmetic on a \(culprit) value")
        }
        if let match = said.wholeMatch(of: /attempt to compare two (.+) values/) {
            return comparison(String(match.1), String(match.1))
        }
        guard let match = said.wholeMatch(of: /attempt to compare (.+) with (.+)/) else { return nil }
        return comparison(String(match.1), String(match.2))
    }

    private func comparison(_ first: String, _ second: String) -> PlainError {
        for index in here where ["<", ">", "<=", ">="].contains(expressions.sign(index)) {
            guard let left = expressions.ending(at: index - 1),
                let right = expressions.beginning(at: index + 1)
            else { continue }
            let types = (left.value(lookUp)?.type, right.value(lookUp)?.type)
            let orders = [(first, second), (second, first)]
            guard let order = orders.first(where: { fits(types.0, $0.0) && fits(types.1, $0.1) }) else {
                continue
            }
            let isRight = order.0 != "nil" && (order.1 == "nil" || order.0 == "number")
            let (culprit, type, other) = isRight ? (right, order.1, order.0) : (left, order.0, order.1)
            let what = FailedLine.words(culprit.value(lookUp)?.type ?? type)
            let sign = expressions.sign(index)
            let error = PlainError(
                code: "PG1056",
                message:
                    "\(quoted(culprit)) is \(what) and can't be compared with \(FailedLine.words(other)) (`\(sign)`).",
                hint: comparisonHint(culprit, culprit.value(lookUp)?.type ?? type))
            return pointing(error, at: culprit.tokens)
        }
        let hint =
            here.contains { expressions.sign($0) == "sort" }
            ? "table.sort compares the items of the list." : ""
        return PlainError(
            code: "PG1056",
            message: first == second
                ? "Two values that are each \(FailedLine.words(first)) can't be compared by `<` or `>`."
                : "What is \(FailedLine.words(first)) can't be compared with what is \(FailedLine.words(second)).",
            hint: hint)
    }

    private func fits(_ known: String?, _ claimed: String) -> Bool {
        known == nil || known == claimed || (known == "null" && claimed == "userdata")
    }

    private func comparisonHint(_ culprit: LuaExpression, _ type: String) -> String {
        switch type {
        case "nil": surroundings(of: culprit)
        case "string": "`tonumber(\(expressions.text(culprit)))` makes a number of text."
        case "table": "Compare one of its fields."
        default: "Compare values of one kind."
        }
    }

    // MARK: Arguments

    /// `bad argument #1 to 'find' (string expected, got nil)` and its kin.
    func wrongArgument(_ said: String) -> PlainError? {
        if let match = said.wholeMatch(of: /bad argument #(-?[0-9]+) to '(.+?)' \((.+)\)/) {
            return argument(Int(match.1) ?? 0, of: String(match.2), String(match.3))
        }
        if let match = said.wholeMatch(of: /calling '(.+?)' on bad self(?: \((.+)\))?/) {
            return argument(0, of: String(match.1), match.2.map(String.init) ?? "")
        }
        if let match = said.wholeMatch(of: /invalid value \((.+)\) at index ([0-9]+) in table for 'concat'/) {
            let error = PlainError(
                code: "PG1055",
                message: "table.concat: item \(match.2) of the list is \(FailedLine.words(String(match.1))).",
                hint: "It joins text and numbers only; use `tostring(…)` for other values.")
            return call(of: "concat", argument: 1, type: nil).map { pointing(error, at: $0.tokens) } ?? error
        }
        let others = /(wrong number of arguments to|invalid conversion|invalid key to|invalid option) ?'?.*/
        guard said.wholeMatch(of: others) != nil else { return nil }
        return PlainError(code: "PG1058", message: "A function was given what it can't use: \(said).")
    }

    /// A function that Lua's own library calls: its errors have no place.
    func innerCall(_ said: String) -> PlainError? {
        guard said.hasPrefix("attempt to index a nil value"),
            let found = call(of: "ipairs", argument: 1, type: "nil")
        else { return nil }
        return argument(1, of: expressions.text(found.function), "table expected, got nil")
    }

    private typealias Call = (tokens: Range<Int>, function: Range<Int>, argument: Range<Int>?, isMethod: Bool)

    /// The call of a function in the failed line, best the one with such an argument.
    private func call(of name: String, argument number: Int, type: String?) -> Call? {
        let names =
            name == "for iterator"
            ? ["pairs", "ipairs", "next"] : [name.split(separator: ".").last.map(String.init) ?? name]
        let calls = expressions.all.compactMap { expression -> Call? in
            guard expression.form == .call, let base = expression.base.map({ expressions.all[$0] }),
                names.contains(base.name), isHere(expression.tokens)
            else { return nil }
            let arguments = expressions.arguments(at: base.tokens.upperBound)
            let isSelf = base.form == .method && number == 0
            let argument =
                isSelf
                ? base.base.map { expressions.all[$0].tokens }
                : arguments.indices.contains(number - 1) ? arguments[number - 1] : nil
            return (expression.tokens, base.tokens, argument, base.form == .method)
        }
        return calls.first { call in
            guard let type, let value = single(call.argument)?.value(lookUp)?.type else { return false }
            return value == type
        } ?? calls.first
    }

    /// The one expression that an argument is.
    private func single(_ tokens: Range<Int>?) -> LuaExpression? {
        tokens.flatMap { tokens in expressions.all.first { $0.tokens == tokens } }
    }

    private func argument(_ number: Int, of name: String, _ detail: String) -> PlainError {
        let kinds = detail.wholeMatch(of: /(.+) expected(?:, got (.+))?/)
        let got = kinds?.2.map(String.init)
        let found = call(of: name, argument: number, type: got)
        let function = found.map { quoted($0.function) } ?? "`\(name)`"
        let place = number == 0 ? "the value before the colon" : "its \(FailedLine.ordinal(number)) argument"
        let given = found?.argument.map { quoted($0) }
        let message: String
        if let kinds {
            let wanted = FailedLine.expected(String(kinds.1))
            let what = got.map {
                $0 == "no value" ? "nothing was given" : "\(given ?? "it") is \(FailedLine.words($0))"
            }
            message = "\(function) needs \(wanted) as \(place), and \(what ?? "nothing was given")."
        } else if detail == "number has no integer representation" {
            message = "\(function) needs a whole number as \(place), and \(given ?? "it") has a fraction."
        } else {
            message = "\(function) can't use \(place)\(given.map { " \($0)" } ?? ""): \(detail)."
        }
        let value = single(found?.argument)
        let hint = got == "nil" ? value.map { surroundings(of: $0) } ?? "" : ""
        let error = PlainError(code: "PG1058", message: message, hint: hint)
        return (found?.argument ?? found?.tokens).map { pointing(error, at: $0) } ?? error
    }

    private static func expected(_ kind: String) -> String {
        switch kind {
        case "string": "text"
        case "nil or table": "a table or nil"
        case "value": "a value"
        default: words(kind)
        }
    }

    private static func ordinal(_ number: Int) -> String {
        switch number {
        case 1: "1st"
        case 2: "2nd"
        case 3: "3rd"
        default: "\(number)th"
        }
    }

    // MARK: Loops and numbers

    /// `bad 'for' limit (number expected, got nil)` and its kin.
    func wrongLoop(_ said: String) -> PlainError? {
        if said == "'for' step is zero" {
            return PlainError(
                code: "PG1061", message: "The step of this `for` loop is 0, so it would never end.",
                hint: "Give it a step above or below 0, or none for 1.")
        }
        let form =
            /(?:bad )?'for' (initial value|limit|step) (?:must be a number|\(number expected, got (.+)\))/
        guard let match = said.wholeMatch(of: form) else { return nil }
        let number = ["initial value": 0, "limit": 1, "step": 2][String(match.1)] ?? 0
        let word = number == 0 ? "start" : String(match.1)
        let signs = here.map { expressions.sign($0) }
        var range: Range<Int>?
        if let start = signs.firstIndex(of: "for"), let equals = signs[start...].firstIndex(of: "="),
            let end = signs[equals...].firstIndex(of: "do")
        {
            let parts = expressions.parts(here[equals] + 1..<here[end])
            range = parts.indices.contains(number) ? parts[number] : nil
        }
        let value = single(range)
        let type = match.2.map(String.init) ?? value?.value(lookUp)?.type
        let what = type.map { "is \(FailedLine.words($0))" } ?? "is no number"
        let name = range.map { ", \(quoted($0))," } ?? ""
        let error = PlainError(
            code: "PG1061",
            message:
                "The \(word) of this `for` loop\(name) \(what); it must be a number.",
            hint: type == "nil" ? value.map { surroundings(of: $0) } ?? "" : "")
        return range.map { pointing(error, at: $0) } ?? error
    }

    func wrongNumber(_ said: String) -> PlainError? {
        if let match = said.wholeMatch(of: /number(?: \((.+) '(.*)'\))? has no integer representation/) {
            let found = find("number", match.1.map(String.init), match.2.map(String.init)) { has($0, .bits) }
            let name = found.map { quoted($0) } ?? "A number here"
            let error = PlainError(
                code: "PG1059",
                message: "\(name) has a fraction or is too large; bitwise operators take whole numbers.",
                hint: "`math.floor(…)` makes a whole number of it.")
            return found.map { pointing(error, at: $0.tokens) } ?? error
        }
        let zero = ["attempt to perform 'n//0'", "attempt to divide by zero"].contains(said)
        guard zero || said.wholeMatch(of: /attempt to perform 'n%%?0'/) != nil else { return nil }
        let sign = zero ? "//" : "%"
        let error = PlainError(
            code: "PG1060",
            message: zero
                ? "A whole number can't be divided by 0 (`//`)."
                : "There is no remainder of a division by 0 (`%`).",
            hint: "Check the divisor first: `if n ~= 0 then … end`.")
        let divisors = here.filter { expressions.sign($0) == sign }.compactMap {
            expressions.beginning(at: $0 + 1)
        }
        let divisor = divisors.first { $0.value(lookUp)?.key == .index(0) } ?? divisors.first
        return divisor.map { pointing(error, at: $0.tokens) } ?? error
    }

    // MARK: Limits and uses

    func tooMuch(_ said: String) -> PlainError? {
        let large = [
            "resulting string too large", "string slice too long", "too many results",
            "string length overflow",
            "table overflow", "not enough memory", "string is too long", "too many arguments to resume",
        ]
        if large.contains(where: { said.contains($0) }) {
            return PlainError(
                code: "PG1063", message: "The result would be larger than Lua can hold: \(said).",
                hint: "Work on smaller pieces; check the numbers that say how much.")
        }
        guard said.contains("stack overflow") || said == "error in error handling" else { return nil }
        let names = traceback.compactMap { $0.firstMatch(of: /'(.+)'$/).map { String($0.1) } }.filter {
            $0 != "?"
        }
        let again = names.first { name in names.count { $0 == name } > 1 }
        return PlainError(
            code: "PG1062",
            message: again.map { "`\($0)` calls itself again and again, deeper than calls can nest." }
                ?? "Calls are nested deeper than they can be.",
            hint: "Give the function a case in which it returns without calling itself, or use a loop.")
    }

    func wrongUse(_ said: String) -> PlainError? {
        switch said {
        case "assertion failed!": return assertion()
        case "table index is nil", "index is nil", "table index is NaN", "index is NaN":
            return PlainError(
                code: "PG1068",
                message: "A table can't have \(said.hasSuffix("nil") ? "nil" : "NaN (no number)") as a key.",
                hint: "Look at what stands in the brackets, `t[…] = value`.")
        case "cannot change a protected metatable":
            return PlainError(
                code: "PG1069", message: "The metatable of this value is Perigee's own and can't be changed.",
                hint: "Make a table of your own, and give that a metatable.")
        case _ where said.hasPrefix("attempt to yield") || said.hasPrefix("cannot resume"):
            return PlainError(
                code: "PG1064", message: "A coroutine is used in a way that it can't be: \(said).",
                hint:
                    "`coroutine.yield` works inside of a coroutine only, and one that has ended stays ended."
            )
        case _ where FailedLine.patternFaults.contains(where: said.hasPrefix):
            return PlainError(
                code: "PG1067", message: "The pattern can't be used: \(said).",
                hint: "`%` stands before a magic sign to mean the sign itself: `%.`, `%[`, `%%`.")
        default: return nil
        }
    }

    private static let patternFaults = [
        "malformed pattern", "pattern too complex", "invalid pattern capture", "invalid capture index",
        "unfinished capture", "too many captures", "invalid use of '%' in replacement", "missing '['",
    ]

    private func assertion() -> PlainError {
        let error = PlainError(
            code: "PG1066", message: "An `assert` does not hold.",
            hint: "Give it a second argument to say why: assert(ok, \"what went wrong\").")
        guard let found = call(of: "assert", argument: 1, type: nil), let argument = found.argument else {
            return error
        }
        var said = error
        said.message = "The `assert` does not hold: \(quoted(argument)) is false or nil."
        return pointing(said, at: argument)
    }
}
