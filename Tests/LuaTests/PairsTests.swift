import PerigeeLua
import Testing

struct PairsTests {
    @Test func `numbers come first, then strings by their bytes, then false and true`() throws {
        let body = """
            local t = { [true] = 1, [false] = 1, b = 1, a = 1, ["a\\0"] = 1, ["é"] = 1, [""] = 1, [2.5] = 1,
              [math.maxinteger] = 1, [2^63] = 1, [math.mininteger] = 1, [-2^63 - 2048] = 1, [-1/0] = 1, [1/0] = 1,
              [2^53 + 2] = 1, [(1 << 53) + 1] = 1, [-3] = 1, [-3.5] = 1, [3] = 1, abcdefghi = 1, abcdefgh = 1 }
            local o, n = {}, {}
            for k in pairs(t) do o[#o + 1] = ("%q"):format(k) end
            for k in next, t do n[#n + 1] = ("%q"):format(k) end
            return { table.concat(o, " "), table.concat(o) == table.concat(n) }
            """
        let numbers =
            "-1e9999 -0x1.0000000000001p+63 0x8000000000000000 -0x1.cp+1 -3 0x1.4p+1 3 9007199254740993 "
            + "9007199254740994 9223372036854775807 0x1p+63 1e9999"
        let strings = #"\"\" \"a\" \"a\\0\" \"abcdefgh\" \"abcdefghi\" \"b\" \"é\""#
        #expect(try run(body).result() == #"["\#(numbers) \#(strings) false true",true]"#)
    }

    @Test(arguments: [0, 1, 7, 199, 200, 201, 1000])
    func `a snapshot of any size is complete and in order`(count: Int) throws {
        let body = """
            local t, n, last = { [0.5] = 0, [-7] = 0, [true] = 0 }, 0, ""
            for i = 1, \(count) do t["key " .. i * 7919 % 10007] = i end
            for k, v in pairs(t) do
              assert(t[k] == v)
              if type(k) == "string" then assert(last < k) last = k n = n + 1 end
            end
            local m, names = 0, {}
            for k in next, t do m = m + 1 names[m] = k end
            for i = 1, m, 50 do assert(next(t, names[i]) == names[i + 1]) end
            return { n, m }
            """
        #expect(try run(body).result() == "[\(count),\(count + 3)]")
    }

    @Test(arguments: ["pairs(%)", "next, %"])
    func `fields may be assigned and removed meanwhile, and new ones are not visited`(loop: String) throws {
        let body = """
            local t, seen = { 1, 2, 3, 4, a = 5, b = 6, c = 7 }, {}
            for k, v in \(loop.replacing("%", with: "t")) do
              seen[#seen + 1] = tostring(k)
              t[k] = nil
                            if k == 2 then t[3], t.a, t.b, t.d = nil, 50, nil, 9 end
              if k == "a" then seen[#seen + 1] = v end
            end
            local list = { 1, 2, 3 }
            for k in \(loop.replacing("%", with: "list")) do list[k], list[k > 1 and k + 10 or 3] = nil, k end
            return { table.concat(seen, " "), next(t), #list }
            """
        #expect(try run(body).result() == #"["1 2 4 a 50 c","d",0]"#)
    }

    @Test func `next goes on from any key, also from one that was just removed`() throws {
        let body = """
            local t, o = { 10, 20, x = 1, y = 2, [1.5] = 3 }, {}
            assert(next(t, 1.5) == 2 and next(t, "x") == "y" and next(t, "y") == nil and next({}) == nil)
            local k = next(t)
            while k do
              o[#o + 1] = tostring(k)
              t[k] = nil
              for _ in next, t do for _ in next, { a = 1, b = 2 } do end end
              k = next(t, k)
            end
            local queue = { b = 1, a = 2, c = 3 }
            while next(queue) do local k = next(queue) o[#o + 1] = k queue[k] = nil end
            return table.concat(o, " ")
            """
        #expect(try run(body).result() == #""1 1.5 2 x y a b c""#)
    }

    @Test func `traversals by next inside each other do not disturb each other, however many there are`()
        throws
    {
        let body = """
            local function walk(t, depth)
              local n = 0
              for k, v in next, t do
                t[k] = nil
                n = n + 1 + (depth > 0 and walk({ a = 1, b = 2 }, depth - 1) or 0)
              end
              return n
            end
            return walk({ a = 1, b = 2 }, 11)
            """
        #expect(try run(body).result() == "8190")
    }

    @Test(arguments: [
        ("next({ a = 1 }, 'zz')", "invalid key to 'next'"), ("next({ a = 1 }, {})", "invalid key to 'next'"),
        ("next(nil)", "bad argument #1 to 'next' (table expected, got nil)"),
        ("for k in pairs(nil) do end", "bad argument #1 to 'for iterator' (table expected, got nil)"),
        ("pairs()", "bad argument #1 to 'pairs' (value expected)"),
    ])
    func `what can't be traversed is an error as in stock Lua`(body: String, message: String) throws {
        #expect(try run(body).failure().message.hasSuffix(message))
    }

    @Test(arguments: [
        ("pairs({ [{}] = 1, a = 2 })", "pairs", "a table"),
        ("next({ [load] = 1 })", "next", "a function"),
        ("next({ [coroutine.create(load)] = 1, a = 2 }, 'a')", "next", "a coroutine"),
        ("pairs({ 1, 2, [null] = 1 })", "pairs", "flow.json.null"),
        ("pairs({ [secret 'S'] = 1 })", "pairs", "a handle"),
        ("pairs({ [load] = 1, [{}] = 1, [pairs] = 2, [{}] = 2 })", "pairs", "a table"),
    ])
    func `a table with keys that have no order is refused`(body: String, function: String, key: String) throws
    {
        let failure = try run(body).failure()
        #expect(failure.code == "PG1040")
        #expect(failure.message.hasPrefix("\(function): this table has \(key) as a key"))
    }

    @Test func `__pairs is honoured, may wait, and gives three values`() throws {
        let body = """
            local proxy = setmetatable({}, { __pairs = function(t)
              local last = await('pairs')
              return function(_, k) k = (k or 0) + 1 if k <= last then return k, await('step') end end, t, nil, 'more'
            end })
            local sum = 0
            for k, v in pairs(proxy) do sum = sum + k * v end
            return { sum, select('#', pairs(proxy)) }
            """
        let runner = try ScriptRunner(body)
        #expect(try runner.finish { .value(Array(($0 == 1 ? "3" : "10").utf8)) }.result() == "[60,3]")
    }

    @Test(arguments: [2, 200, 300])
    func `an iterator that has ended stays at its end`(count: Int) throws {
        let body = """
            local t = {} for i = 1, \(count) do t["k" .. i] = i end
            local step, state = pairs(t)
            local key
            for i = 1, \(count) do key = assert(step(state, key)) end
            for i = 1, 1000 do assert(step(state, key) == nil) end
            return "ended"
            """
        #expect(try run(body).result() == #""ended""#)
    }

    @Test func `a loop over pairs may wait`() throws {
        let body = "local s = '' for k, v in pairs({ b = 1, a = 2 }) do s = s .. k .. await(k) end return s"
        let runner = try ScriptRunner(body)
        #expect(try runner.finish { .value(Array("\($0)".utf8)) }.result() == #""a1b2""#)
    }

    @Test func `random tables come in one order by pairs and by next`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let body = """
            local function rank(k) return type(k) == "number" and 1 or type(k) == "string" and 2 or k and 4 or 3 end
            local function less(a, b)
              if rank(a) ~= rank(b) then return rank(a) < rank(b) end
              return rank(a) < 3 and a < b
            end
            local function key()
              local r, s = math.random(6), {}
              if r == 1 then return math.random(20) elseif r == 2 then return math.random(-40, 40) / 4
              elseif r == 3 then return math.random(2) == 1 end
              for i = 1, math.random(0, 12) do s[i] = string.char(math.random(97, 99)) end
              return table.concat(s)
            end
            for round = 1, 200 do
              local t, o, at = {}, {}, 0
              for i = 1, math.random(0, 300) do t[key()] = i end
              for k in pairs(t) do o[#o + 1] = k assert(#o < 2 or less(o[#o - 1], k)) end
              for k in next, t do at = at + 1 assert(k == o[at]) end
              assert(at == #o)
              if at > 0 then local i = math.random(at) assert(next(t, o[i]) == o[i + 1]) end
            end
            return "done"
            """
        #expect(try ScriptRunner(body, seed: seed).finish().result() == #""done""#, "seed \(seed)")
    }

    @Test(arguments: [3, 300])
    func `an iterator that was asked for its first key begins again`(count: Int) throws {
        let body = """
            local t = {} for i = 1, \(count) do t["k" .. i] = i end
            local f, s, first = pairs(t)
            local n, peeked = 0, f(s, first)
            for k in f, s, first do n = n + 1 end
            for k in f, s, first do n = n + 1 if n % \(count) == 2 then break end end
            return { n, peeked, (f(s, first)) }
            """
        #expect(try run(body).result() == #"[\#(count + 2),"k1","k1"]"#)
    }

    @Test func `what an order needs counts as the run's memory`() throws {
        var limits = LuaLimits()
        limits.memoryBytes = 8 << 20
        limits.cpuMilliseconds = 20_000
        let body =
            "local t = {} for i = 1, \(120_000) do t[i + 0.5] = true end for k in pairs(t) do end return true"
        #expect(try run(body, limits: limits).limit().kind == .memory)
        limits.memoryBytes = 64 << 20
        #expect(try run(body, limits: limits).result() == "true")
    }
}
