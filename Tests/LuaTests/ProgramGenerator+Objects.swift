extension ProgramGenerator {
    /// A coroutine that is resumed by hand, with values both ways, and looked at.
    mutating func coroutine() {
        let name = name()
        write("local \(name) = coroutine.create(function(a, ...) print(\"began\", a, ...)")
        write("for i = 1, \(number(1...3)) do step() a = coroutine.yield(i, a) print(\"got\", a)")
        block(2)
        write("end")
        write(
            pick([
                "return \"done\", a", "error(\"failed \" .. tostring(a))", "error({ code = 5 })",
                "\(risky())",
            ]))
        write("end)")
        write(
            "for i = 1, \(number(1...5)) do step() print(coroutine.status(\(name)), coroutine.resume(\(name), i, \"x\")) end"
        )
        write("print(coroutine.close(\(name)), coroutine.status(\(name)))")
    }

    /// A wrapped coroutine, whose errors and yields pass a pcall.
    mutating func wrapping() {
        let name = name()
        write("local \(name) = coroutine.wrap(function(...)")
        write("print(pcall(function(...) print(coroutine.yield(...))")
        block(2)
        write("\(risky())")
        write("end, ...)) coroutine.yield(\"second\", coroutine.isyieldable())")
        write(
            pick([
                "return \"last\"", "error(\"wrapped\", \(number(0...2)))",
                "local t = setmetatable({}, { __index = function(_, k) return coroutine.yield(k) end }) return t.field",
            ]))
        write("end)")
        write("for i = 1, \(number(2...5)) do step() print(pcall(\(name), i, i * 2)) end")
    }

    /// A class with a subclass.
    mutating func object() {
        let name = name()
        write(
            "local \(name) = {} \(name).__index = \(name) function \(name).new(n) return setmetatable({ n = n }, \(name)) end"
        )
        write("function \(name):add(x) step()")
        block(2)
        write("self.n = self.n + x return self end")
        write("local \(name)sub = setmetatable({}, { __index = \(name) }) \(name)sub.__index = \(name)sub")
        write("function \(name)sub:twice() return self:add(self.n) end")
        write("local \(name)o = setmetatable(\(name).new(\(expression(.int, 1))), \(name)sub)")
        write(
            "print(\(name)o:twice():add(\(expression(.number, 1))).n, rawget(\(name)o, \"add\"), pcall(\(name)o.missing))"
        )
        write("print(pcall(function() return \(name)o:\(pick(["nothing", "n", "twice", "add"]))() end))")
    }

    /// Values that are closed when their block ends, in its order and with its error.
    mutating func closing() {
        let name = name()
        write("print(pcall(function()")
        write("local \(name)a <close> = setmetatable({}, { __close = function(_, e) print(\"a\", e) end })")
        write("local \(name)b <close> = setmetatable({}, { __close = function(_, e)")
        block(2)
        write(pick(["print(\"b\", e)", "error(\"closing\", 0)", "print(type(e))"]))
        write("end })")
        write(
            pick([
                "local c <close> = nil", "for _ = 1, 2 do local c <close> = \(name)a break end",
                "local c <close> = 42",
            ]))
        block(2)
        write("\(risky())")
        write("end))")
    }

    /// An object whose operators are functions of the script.
    mutating func metamethods() {
        let name = name()
        write("local \(name)m, \(name)log = {}, {}")
        write("local function \(name)w(n) return setmetatable({ n = n }, \(name)m) end")
        write("local function \(name)n(x) return type(x) == \"table\" and rawget(x, \"n\") or x end")
        for event in ["add", "sub", "mul", "idiv", "mod", "unm", "concat", "shl", "band"] where !chance(3) {
            let body = pick([
                "return \(name)w(1)", "return \(name)n(a)", "error(\"\(event)\", 0)",
                "\(name)log[#\(name)log + 1] = \"\(event)\" return 7",
            ])
            write("\(name)m.__\(event) = function(a, b) step() \(body) end")
        }
        write(
            "\(name)m.__lt = function(a, b) return \(name)n(a) < \(name)n(b) end \(name)m.__le = function(a, b) return not (\(name)n(b) < \(name)n(a)) end"
        )
        write(
            "\(name)m.__eq = function(a, b) return a.n == b.n end \(name)m.__len = function() return \(number(0...5)) end"
        )
        write("\(name)m.__call = function(self, ...) return select(\"#\", ...), ... end")
        write(
            "\(name)m.__index = function(t, k) step() return \(pick(["k", "#k", "nil", "rawget(t, \"n\")"])) end"
        )
        write("\(name)m.__newindex = function(t, k, v) rawset(t, k, \(pick(["v", "1", "nil"]))) end")
        write("\(name)m.__tostring = function(t) return \"<\" .. tostring(rawget(t, \"n\")) .. \">\" end")
        write("local \(name)x, \(name)y = \(name)w(\(number(-3...9))), \(name)w(\(number(-3...9)))")
        let (x, y) = ("\(name)x", "\(name)y")
        let uses = [
            "\(x) + 1", "2 - \(x)", "\(x) * \(y)", "\(x) // 2", "-\(x)", "\(x) .. \"s\"", "1 .. \(y)",
            "\(x) << 1", "\(x) & \(y)",
            "\(x) < \(y)", "\(x) <= \(y)", "\(x) == \(y)", "#\(x)", "\(x)(1, nil)", "\(x).field",
            "tostring(\(x))", "\(x) ~ 1",
            "(\"%s|%5s\"):format(\(x), \(y))", "\(x) < 3", "rawequal(\(x), \(y))", "rawlen(\(x))",
            "\(x) > {}",
        ]
        for _ in 0..<number(2...6) { write("print(pcall(function() return \(pick(uses)) end))") }
        write(
            "\(x).new = 5 print(rawget(\(x), \"new\"), \(name)log) do local l = { \(x), \(y), \(name)w(20) } if \(x) ~= \(y) then table.sort(l) print(l[1].n == math.min(\(x).n, \(y).n)) end end"
        )
    }
}
