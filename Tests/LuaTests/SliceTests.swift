import PerigeeLua
import Testing

struct SliceTests {
    private static func slices() -> LuaLimits {
        var limits = LuaLimits()
        limits.sliceMilliseconds = 1
        limits.cpuMilliseconds = 60_000
        return limits
    }

    /// 1 + … + 3,000,000 with calls, tables and text on the way.
    private static let sum = """
        local function add(a, b) return a + b end
        local total, t = 0, {}
        for i = 1, 3000000 do
          total = add(total, i)
          if i % 1000 == 0 then t[#t + 1] = 'p' .. i end
        end
        assert(#t == 3000 and t[3000] == 'p3000000')
        """

    @Test(arguments: [
        "\(sum) return total",
        "return coroutine.wrap(function() \(sum) return total end)()",
        "local w = coroutine.wrap return w(function() return w(function() \(sum) return total end)() end)()",
        "local ok, v = pcall(function() \(sum) return total end) return v",
        "local ok, v = pcall(coroutine.wrap(function() \(sum) coroutine.yield(total) end)) return v",
        "local t = setmetatable({}, { __index = function() \(sum) return total end }) return t.x",
        "local v table.sort({ 1, 2 }, function() if not v then \(sum) v = total end return false end) return v",
        """
        local v table.sort({ 1, 2 }, function() v = v or coroutine.wrap(function() \(sum) return
        total end)() return false end) return v
        """,
    ])
    func `a long computation gives the right result whatever interrupts it`(body: String) throws {
        let runner = try ScriptRunner(body, limits: SliceTests.slices())
        var slices = 1
        var step = runner.state.advance(nil)
        while case .preempted = step {
            slices += 1
            step = runner.state.advance(nil)
        }
        #expect(try step.result() == "4500001500000")
        #expect(slices > 1)
    }

    @Test func `many coroutines that hand over are interrupted and lose nothing`() throws {
        let runner = try ScriptRunner(
            """
            local cos = {}
            for n = 1, 20 do
              cos[n] = coroutine.wrap(function()
                local sum = 0
                for i = 1, 20000 do sum = sum + i if i % 7 == 0 then coroutine.yield() end end
                return sum
              end)
            end
            local total, open = 0, 20
            while open > 0 do
              for n, co in pairs(cos) do
                local sum = co()
                if sum then total, open, cos[n] = total + sum, open - 1, nil end
              end
            end
            return total
            """, limits: SliceTests.slices())
        #expect(try runner.finish().result() == String(20 * 20000 * 20001 / 2))
    }

    @Test func `others make progress beside an endless program`() throws {
        let endless = try ScriptRunner("while true do end", limits: SliceTests.slices())
        let counting = try ScriptRunner(
            "local n = 0 for i = 1, 3000000 do n = n + 1 end return n", limits: SliceTests.slices())
        let waiting = try ScriptRunner("for i = 1, 5 do await(i) end return 'done'")
        var results: [String] = []
        while results.count < 2 {
            guard case .preempted = endless.state.advance(nil) else {
                Issue.record("the endless program stopped")
                return
            }
            for other in [counting, waiting] {
                if case .returned(let bytes?) = other.state.advance(nil) {
                    results.append(String(decoding: bytes, as: UTF8.self))
                }
            }
        }
        #expect(results.sorted() == [#""done""#, "3000000"])
    }

    @Test func `a time slice does not take the answer of a waiting call`() throws {
        let runner = try ScriptRunner(
            """
            local n = 0
            for k = 1, 20 do
              for i = 1, 300000 do n = n + 1 end
              n = n + coroutine.wrap(function() for i = 1, 300000 do n = n + 1 end return await(k) end)()
            end
            return n
            """, limits: SliceTests.slices())
        #expect(try runner.finish { .value(Array(String($0).utf8)) }.result() == String(20 * 600_000 + 210))
    }

    @Test func `states on several threads are watched each by itself`() async throws {
        try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var limits = SliceTests.slices()
                    limits.cpuMilliseconds = 100
                    let ended = try ScriptRunner("while true do end", limits: limits).finish().limit()
                    let sum = try ScriptRunner("\(SliceTests.sum) return total", limits: SliceTests.slices())
                        .finish()
                    return try "\(ended.kind) \(sum.result())"
                }
            }
            for try await result in group { #expect(result == "cpu 4500001500000") }
        }
    }
}
