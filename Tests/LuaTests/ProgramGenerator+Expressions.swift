extension ProgramGenerator {
    /// An expression of such a value, or one that fails.
    mutating func expression(_ kind: Kind, _ depth: Int) -> String {
        if !chance(3), let variable = variable(kind) { return variable }
        switch kind {
        case .int: return int(depth)
        case .number: return float(depth)
        case .text: return text(depth)
        case .bool: return bool(depth)
        case .list: return list(depth)
        case .map, .object: return map(depth)
        }
    }

    private mutating func int(_ depth: Int) -> String {
        guard depth > 0 else {
            return pick([
                String(number(-9...99)), "0", "1", "math.maxinteger", "math.mininteger", "0x7f", "1 << 40",
            ])
        }
        let (a, b) = (expression(.int, depth - 1), expression(.int, depth - 1))
        let shape = pick([
            "(\(a) + \(b))", "(\(a) - \(b))", "(\(a) * \(b))", "(\(a) // \(b))", "(\(a) % \(b))",
            "(\(a) & \(b))",
            "(\(a) | \(b))", "(\(a) ~ \(b))", "(~\(a))", "(\(a) << low(\(b)))", "(\(a) >> (\(b)))",
            "(- \(a))",
            "math.max(\(a), \(b))", "math.abs(\(a))", "math.ult(\(a), \(b)) and 1 or 2",
        ])
        switch number(1...6) {
        case 1: return "#\(text(depth - 1))"
        case 2: return "#\(list(0))"
        case 3: return "((\(text(depth - 1))):byte(\(number(-3...4))) or 0)"
        case 4: return "(math.tointeger(\(float(depth - 1))) or 3)"
        case 5: return function().map { "((\($0)(low(\(a)), \(b))))" } ?? "(\(shape))"
        default: return "(\(shape))"
        }
    }

    private mutating func float(_ depth: Int) -> String {
        guard depth > 0 else {
            return pick([
                "0.5", "1e15", "-0.0", "1e100", "2^53", "0.1", "3.0", "1/3", "math.huge", "-1.5",
                String(number(-9...9)),
            ])
        }
        let (a, b) = (expression(.number, depth - 1), expression(.int, depth - 1))
        return pick([
            "(\(a) + \(b))", "(\(a) - \(b))", "(\(a) * 0.5)", "(\(b) / \(number(-4...7)))",
            "(\(a) // \(number(1...5)))",
            "fin(\(a) % \(b))", "math.floor(fin(\(a)) % 1000)", "math.fmod(\(b), 7.5)", "(\(b) + 0.0)",
            "(\(a) * \(a))",
            "math.sqrt(math.abs(fin(\(a))))", "tonumber(\"\(number(0...99)).\(number(0...99))\")", "(\(b))^2",
            "select(2, math.modf(fin(\(a))))", "math.min(fin(\(a)), \(b))",
        ])
    }

    private mutating func text(_ depth: Int) -> String {
        guard depth > 0 else {
            return pick([
                "\"\"", "\"a\"", "\"abc\"", "\"hello world\"", "\"a,b;;c\"", "\"x=1, y=22\"", "\"(a(b)c)\"",
                "\"\\0\\255z\"",
                "\"  trim me \"", "\"10\"", "\"0x1p4\"", "\"UPPER lower 42\"", "\"%d\"",
                "\"\\u{e9}\\u{20ac}\"",
            ])
        }
        let (a, n) = (expression(.text, depth - 1), expression(.int, depth - 1))
        return pick([
            "(\(a) .. \(expression(.text, depth - 1)))", "(\(a) .. \(n))", "(\(a)):upper()",
            "(\(a)):reverse()",
            "(\(a)):sub(\(number(-4...4)), \(number(-4...9)))", "cut(\(a)):rep(\(number(0...3)), \"-\")",
            "tostring(\(n))",
            "tostring(fin(\(expression(.number, depth - 1))))", "table.concat(\(list(0)), \(a))",
            format(depth - 1),
            "((\(a)):gsub(\(pattern()), \(replacement())))", "((\(a)):match(\(pattern())) or \"none\")",
            "string.char(low(\(n)) + 65)", "utf8.char(low(\(n)) + 950)", "type(\(n))",
            "math.type(\(expression(.number, 0)))",
            "string.pack(\"<i\(number(1...8))\", low(\(n)))",
            "(\(a) < \(expression(.text, 0)) and \(a) or \"more\")",
        ])
    }

    private mutating func format(_ depth: Int) -> String {
        let specifier = pick([
            "%d", "%5d", "%-5d|", "%05d", "%+d", "%x", "%#X", "%o", "%c", "%5.2s|", "%s", "%q", "%i", "%%%d",
        ])
        if chance(3) {
            let real = pick(["%.3f", "%g", "%10.2e", "%a", "%5.1f|", "%.14g"])
            return "(\"\(real)\"):format(fin(\(expression(.number, depth))))"
        }
        let value =
            specifier == "%c"
            ? "low(\(expression(.int, depth))) + 48" : expression(chance(6) ? .text : .int, depth)
        return "(\"\(specifier)\"):format(\(value))"
    }

    private mutating func bool(_ depth: Int) -> String {
        guard depth > 0 else { return pick(["true", "false", "nil == false", "not nil"]) }
        let (a, b) = (expression(.int, depth - 1), expression(.int, depth - 1))
        let (c, d) = (expression(.bool, depth - 1), expression(.bool, depth - 1))
        return pick([
            "(\(a) < \(b))", "(\(a) <= \(expression(.number, depth - 1)))", "(\(a) == \(b))",
            "(\(a) ~= \(b))",
            "(\(expression(.text, depth - 1)) < \(expression(.text, 0)))", "(\(c) and \(d))",
            "(\(c) or \(d))", "(not \(c))",
            "(\(a) % 2 == 0)", "(\(expression(.text, 0)) == \(expression(.text, 0)))",
            "((\(expression(.text, depth - 1))):find(\(pattern())) ~= nil)",
        ])
    }

    private mutating func list(_ depth: Int) -> String {
        let count = number(0...5)
        let items = (0..<count).map { _ in depth > 0 ? expression(.int, depth - 1) : String(number(-20...50))
        }
        return "{ \(items.joined(separator: ", ")) }"
    }

    private mutating func map(_ depth: Int) -> String {
        let fields = (0..<number(0...5)).map { _ in
            "[\(key())] = \(depth > 0 ? expression(pick([.int, .text, .bool, .list]), depth - 1) : "1")"
        }
        return "{ \(fields.joined(separator: ", ")) }"
    }

    /// Keys of every kind that can be sorted; some integers are written as floats.
    mutating func key() -> String {
        pick([
            String(number(-3...6)), String(number(100...999)), "1.5", "-0.25", "2.0", "1e100", "true",
            "false", "\"k\(number(1...9))\"",
            "\"\"", "\"1\"", "(\"long\"):rep(12)", "math.mininteger", "2^53",
        ])
    }

    mutating func pattern() -> String {
        if chance(12) {
            return pick(["\"[a\"", "\"%\"", "\"(a\"", "\"a)\"", "\"%1\"", "\"%b\"", "\"%f\"", "\"(()\""])
        }
        let single = [
            "a", "b", ".", "%a", "%d", "%s", "%w", "%p", "%l", "%u", "[abc]", "[^%s]", "[a-f]", "%.", "[%w_]",
            "-", ",", "%S",
        ]
        var text = chance(5) ? "^" : ""
        for _ in 0..<number(1...3) {
            let item = pick(single) + pick(["", "", "", "*", "+", "-", "?"])
            switch number(1...8) {
            case 1, 2: text += "(\(item))"
            case 3: text += "()" + item
            case 4: text += pick(["%b()", "%f[%a]", "%f[%A]", "(\(item))%1", "(\(item)(\(pick(single))))"])
            default: text += item
            }
        }
        return "\"\(text)\(chance(6) ? "$" : "")\""
    }

    mutating func replacement() -> String {
        pick([
            "\"\"", "\"-\"", "\"<%0>\"", "\"%1%1\"", "\"%%\"", "\"%2\"", "\"%\"",
            "{ a = \"A\", b = false, [\"1\"] = 7 }",
            "function(x) step() return x end", "function(a, b) return b end", "function() return false end",
            "function(x) return type(x) == \"number\" and x + 1 or nil end", "function() return {} end",
            "function() error(\"in gsub\", 0) end",
            "function(x) return (tostring(x):gsub(\".\", \"%0.\")) end",
        ])
    }

    /// A statement, the last of its block, that fails in most cases.
    mutating func risky() -> String {
        let (a, b) = (expression(.int, 1), expression(.text, 1))
        return pick([
            "error(\(b))", "error(\(b), \(number(0...2)))", "error({ code = \(a) })", "error()",
            "local n return n.field",
            "local n return n + \(a)", "return #\(a)", "return {} .. \(b)", "return \(a) < \(b)",
            "return {} < {}",
            "return (\(a))()", "local t = {} return t.x.y", "return \(b) + 1", "return \(a) // 0",
            "return \(a) % 0",
            "return 1.5 | \(a)", "return math.floor(\(b))", "return (\"x\"):rep(-1, \(a))", "return ipairs()",
            "return assert(false, \(b))",
            "return assert(\(expression(.bool, 1)))", "return setmetatable(\(a), {})", "return string.rep()",
            "return (\(b)):bad()",
            "local t = {} t[nil] = 1", "local t = {} t[0/0] = 1", "return tonumber(\(b), 36)",
            "return select(0, 1)",
            "return table.concat({ 1, {}, 3 })", "return string.char(\(a))",
            "return utf8.codepoint(\(b), 1, -1)",
            "return utf8.len(\(b))", "return coroutine.yield(1)", "return math.tointeger(\(b))",
            "return ipairs(nil)",
            "return string.format(\"%d\", \(b))", "return load(\"return \" .. \(a))()",
            "return \(expression(.number, 2))",
            "return tostring(), 1", "for i = 1, 10, 0 do end", "for i = {}, 2 do end",
            "for i = 1, nil do end", "return next({}, 1)",
            "return rawset(1, 2, 3)",
            "local t = setmetatable({}, { __metatable = \"no\" }) return getmetatable(t), setmetatable(t, {})",
            "return string.unpack(\"<i4\", \(b))", "return table.unpack({ 1, 2, 3 }, -1, 2)",
        ])
    }
}
