extension ProgramGenerator {
    /// Writes one statement, of several lines where it holds others.
    mutating func statement() {
        let simple: [(inout ProgramGenerator) -> Void] = [
            { $0.local() }, { $0.local() }, { $0.assignment() }, { $0.printing() }, { $0.printing() },
            { $0.matching() }, { $0.sorting() }, { $0.tableWork() }, { $0.caught() },
        ]
        let nested: [(inout ProgramGenerator) -> Void] = [
            { $0.condition() }, { $0.counting() }, { $0.iterating() }, { $0.repeating() }, { $0.jumping() },
            { $0.defining() }, { $0.protecting() }, { $0.coroutine() }, { $0.wrapping() }, { $0.object() },
            { $0.closing() }, { $0.metamethods() },
        ]
        let choice = isDeep || chance(2) ? pick(simple) : pick(nested)
        choice(&self)
    }

    private mutating func local() {
        let kind = pick(Kind.allCases.filter { $0 != .object })
        let name = name()
        // A constant can't be assigned, so nobody else sees it.
        if chance(12) { return write("local \(name) <const> = \(expression(kind, 2)) print(\(name))") }
        write("local \(name) = \(expression(kind, 2))")
        declare(name, kind)
    }

    private mutating func assignment() {
        let kind = pick([Kind.int, .number, .text, .bool])
        guard let first = variable(kind) else { return local() }
        if chance(4), let second = variable(kind) {
            write("\(first), \(second) = \(second), \(first)")
        } else {
            // A text that doubles in a loop would fill memory.
            write("\(first) = \(kind == .text ? "cut(\(expression(kind, 2)))" : expression(kind, 2))")
        }
    }

    mutating func printing() {
        let kinds = (0..<number(1...3)).map { _ in pick(Kind.allCases.filter { $0 != .object }) }
        let values = kinds.map { expression($0, 2) }
        write("print(\(values.joined(separator: ", ")))")
    }

    /// A call that may fail, and what it gave or said.
    private mutating func caught() {
        let call = pick([risky(), risky(), "return \(expression(.int, 3))", "return \(expression(.text, 3))"])
        write("print(pcall(function() \(call) end))")
    }

    private mutating func condition() {
        write("if \(expression(.bool, 2)) then")
        block()
        if chance(2) {
            write("elseif \(expression(.bool, 1)) then")
            block()
        }
        if chance(2) {
            write("else")
            block()
        }
        write("end")
    }

    private mutating func counting() {
        let name = name()
        let range = pick([
            "1, \(number(1...5))", "\(number(1...5)), 1, -1", "0, 1, 0.25", "1.5, \(number(2...4))",
            "math.maxinteger - 1, math.maxinteger", "1, low(\(expression(.int, 1)))", "3, 1",
            "1, #\(expression(.list, 1))",
        ])
        write("for \(name) = \(range) do step()")
        write("local \(name)n = \(name)")
        block(2)
        write("print(\"at\", \(name)n)")
        write("end")
    }

    private mutating func iterating() {
        let (key, value) = (name(), name())
        switch number(1...3) {
        case 1:
            write("for \(key), \(value) in ipairs(\(expression(.list, 1))) do step() print(\(key), \(value))")
        case 2:
            write("for \(key) in cut(\(expression(.text, 2))):gmatch(\(pattern())) do step() print(\(key))")
        default:
            let most = number(1...4)
            write(
                "for \(key), \(value) in function(_, i) step() i = i + 1 if i <= \(most) then return i, i * i end end, nil, 0 do"
            )
        }
        block(2)
        write("end")
    }

    private mutating func repeating() {
        let name = name()
        if chance(2) {
            write("local \(name) = 0 while \(name) < \(number(1...4)) do step() \(name) = \(name) + 1")
            block(2)
            if chance(3) { write("if \(expression(.bool, 1)) then break end") }
            write("end")
        } else {
            write(
                "local \(name) = 0 repeat step() local \(name)d = \(name) >= \(number(0...3)) \(name) = \(name) + 1"
            )
            block(2)
            write("until \(name)d")
        }
    }

    private mutating func jumping() {
        let name = name()
        write("do local \(name) = 0 ::\(name)back:: step() \(name) = \(name) + 1")
        write("if \(expression(.bool, 1)) then goto \(name)on end do")
        block(2)
        write(
            "end ::\(name)on:: if \(name) < \(number(1...3)) then goto \(name)back end print(\"jumped\", \(name)) end"
        )
    }

    /// A function with a counter of its own, called at once and later.
    private mutating func defining() {
        let name = name()
        write("local \(name)calls = 0 local function \(name)(n, ...) step() \(name)calls = \(name)calls + 1")
        write("if \(name)calls > 6 then return n end")
        block()
        write(
            pick([
                "if n % 3 == 2 then error({ code = n }) end",
                "if n > 4 then error(\"too many: \" .. n, \(number(0...2))) end",
                "print(select(\"#\", ...), ...)", "local a, b = ... print(a, b, { ... })",
            ]))
        write(
            "return \(pick(["n + 1, ...", "\(name)calls", "(select(\"#\", ...))", "select(-1, n, ...)"])) end"
        )
        write("print(pcall(\(name), \(number(0...6)), \(expression(.text, 1)), nil))")
        define(name)
    }

    private mutating func protecting() {
        let name = name()
        if chance(3) {
            write("print(xpcall(function(...) print(...)")
            block()
            write("\(risky())")
            write(
                "end, function(m) return \"handled \" .. tostring(type(m) == \"table\" and m.code or m) end, \(number(1...9)), nil))"
            )
            return
        }
        write("local \(name)ok, \(name) = pcall(function()")
        block()
        write("\(risky())")
        write("end)")
        write("print(\(name)ok, \(name))")
        if chance(3) {
            write(
                "if not \(name)ok then pcall(error, \(name)) print(select(\"#\", pcall(error, \(name), 2))) end"
            )
        }
    }

    /// A list is sorted by a total order: no two elements are equal, so every method gives the same.
    private mutating func sorting() {
        let name = name()
        write("local \(name), \(name)seen = {}, {}")
        write(
            "for i, x in ipairs(\(expression(.list, 1))) do if not \(name)seen[x] then \(name)seen[x] = true \(name)[#\(name) + 1] = x end end"
        )
        let rule = pick([
            "", ", function(a, b) return a > b end",
            ", function(a, b) return a % 5 < b % 5 or a % 5 == b % 5 and a < b end",
            ", function(a, b) local r = pcall(error) return a * a < b * b or a * a == b * b and a < b end",
        ])
        write("table.sort(\(name)\(rule)) print(\(name))")
        if chance(4) { write("print(pcall(table.sort, { 3, 1, 2 }, function() error(\"compared\", 0) end))") }
    }

    private mutating func tableWork() {
        guard let list = variable(.list), !chance(3) else {
            guard let map = variable(.map) else { return local() }
            return write(
                "\(map)[\(key())] = \(pick([expression(.int, 1), expression(.text, 1), "nil"])) print(\(map))"
            )
        }
        write(
            pick([
                "table.insert(\(list), \(expression(.int, 1)))",
                "table.insert(\(list), 1, \(expression(.int, 1)))",
                "print(table.remove(\(list)))", "print(table.remove(\(list), 1))",
                "print(pcall(table.insert, \(list), #\(list) + \(number(0...3)), 1))",
                "print(table.concat(\(list), \", \"))", "print(table.unpack(\(list), 1, low(#\(list))))",
                "print(table.move(\(list), 1, #\(list), \(number(1...4)), {}))",
                "print(#\(list), rawlen(\(list)))",
                "print(select(low(#\(list)) + 1, table.unpack(\(list))))",
                "print(table.pack(table.unpack(\(list))).n)",
            ]))
    }

    private mutating func matching() {
        let (text, pattern) = ("cut(\(expression(.text, 2)))", pattern())
        write(
            pick([
                "print(pcall(string.find, \(text), \(pattern), \(number(-4...6))))",
                "print(pcall(string.match, \(text), \(pattern)))",
                "print(pcall(string.gsub, \(text), \(pattern), \(replacement())))",
                "print(pcall(string.gsub, \(text), \(pattern), \(replacement()), \(number(0...3))))",
                "print(pcall(function() for a, b in \(text):gmatch(\(pattern)) do step() print(a, b) end end))",
            ]))
    }
}
