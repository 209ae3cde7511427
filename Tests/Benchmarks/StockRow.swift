import CStockLua
import Foundation
import PerigeeLua

/// What the sandbox costs beside stock Lua: the same programs in both, in turn.
struct StockRow {
    let load: Workload

    /// The library is the same, so what differs is the limits, and what Perigee has in place of stock's functions.
    private static let programs: [(name: String, text: String)] = [
        (
            "calls: fib(27)",
            "local function f(n) if n < 2 then return n end return f(n - 1) + f(n - 2) end f(27)"
        ),
        ("find a word in 10 KB", "\(page) for i = 1, 4000 do text:find('needle') end"),
        ("gmatch of %a+ over 10 KB", "\(page) for i = 1, 60 do for word in text:gmatch('%a+') do end end"),
        ("gsub of %s+ over 10 KB", "\(page) for i = 1, 60 do text:gsub('%s+', ' ') end"),
        (
            "match of ^(%w+)=(%w*)$",
            "for i = 1, 200000 do local k, v = ('name=value'):match('^(%w+)=(%w*)$') end"
        ),
        ("pairs over 10 keys", pairs(keys: 10, times: 40_000)),
        ("pairs over 1,000 keys", pairs(keys: 1000, times: 400)),
        ("pairs over 100,000 keys", pairs(keys: 100_000, times: 3)),
        (
            "pairs over a list of 10",
            "local t, s = {}, 0 for i = 1, 10 do t[i] = i end \(loop(40_000))"
        ),
        (
            "pairs over a list of 1,000",
            "local t, s = {}, 0 for i = 1, 1000 do t[i] = i end \(loop(400))"
        ),
        ("sort 10,000 numbers", "\(numbers) for i = 1, 5 do table.sort(fresh()) end"),
        (
            "sort 10,000 numbers by a comparator",
            "\(numbers) for i = 1, 5 do table.sort(fresh(), function(a, b) return a < b end) end"
        ),
    ]

    private static let page = "local text = ('lorem ipsum dolor sit amet '):rep(400) .. 'needle'"
    private static let numbers = """
        local function fresh() local t, x = {}, 42 for i = 1, 10000 do x = x * 1103515245 + 12345 & 0x7fffffff t[i] = x end
        return t end
        """

    private static func pairs(keys: Int, times: Int) -> String {
        "local t, s = {}, 0 for i = 1, \(keys) do t['key ' .. i * 7919 % 1000003] = i end \(loop(times))"
    }

    private static func loop(_ times: Int) -> String {
        "for r = 1, \(times) do for k, v in pairs(t) do s = s + v end end"
    }

    func measure() throws -> [Figure] {
        var figures = try figures(
            "a state, made and closed", ours: makeState, stock: { _ = stock_lua_make() })
        for program in StockRow.programs {
            let chunk = try LuaChunk.compile(
                "return { run = function() \(program.text) end }", name: "\(program.name).lua")
            figures += try self.figures(
                program.name, ours: { try run(chunk) }, stock: { try runStock(program.text) })
        }
        return figures
    }

    /// The times of both, measured in turn, and their ratio.
    private func figures(_ name: String, ours: () throws -> Void, stock: () throws -> Void) throws -> [Figure]
    {
        var (own, other): ([Double], [Double]) = ([], [])
        for round in 0...2 * load.rounds {
            let (mine, theirs) = (try time(ours), try time(stock))
            // The first round warms up.
            guard round > 0 else { continue }
            own.append(mine)
            other.append(theirs)
        }
        return [
            Figure(.stock, "\(name) ÷ stock Lua", rounds: zip(own, other).map { $0 / $1 }, "×"),
            Figure(.stock, name, rounds: own.map { $0 * 1000 }, "ms"),
        ]
    }

    private func time(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        return start.age
    }

    private func makeState() throws {
        _ = try LuaState(limits: LuaLimits(), functions: [], host: NoHost())
    }

    private func run(_ chunk: LuaChunk) throws {
        var limits = LuaLimits()
        limits.cpuMilliseconds = 60_000
        let state = try LuaState(limits: limits, functions: [], host: NoHost())
        var step = state.evaluate(chunk)
        try state.begin("run", argument: Bytes("{}".utf8))
        repeat { step = state.advance(nil) } while step.isPreempted
        guard case .returned = step else { throw BenchmarkError("\(chunk.name) did not return: \(step)") }
    }

    private func runStock(_ text: String) throws {
        var output: UnsafeMutablePointer<CChar>?
        var length = 0
        let result = stock_lua_run(text, text.utf8.count, &output, &length)
        free(output)
        guard result == 1 else { throw BenchmarkError("Stock Lua did not run: \(text)") }
    }
}

extension LuaStep {
    fileprivate var isPreempted: Bool { if case .preempted = self { true } else { false } }
}

private final class NoHost: LuaHost {
    func call(function: Int, arguments: Bytes, secrets: [SecretUse], script: String, line: Int)
        -> LuaCallResult
    {
        .reply(.nothing)
    }

    func module(_ name: String) -> LuaChunk? { nil }
}
