import PerigeeTesting
import PerigeeLua
import Testing

/// Programs that hide an endless loop in random nestings of everything that catches errors or that Lua can't leave.
struct RandomRefugeTests {
    /// Each takes the text of a block.
    private static let refuges: [@Sendable (String) -> String] = [
        { "pcall(function() \($0) end)" },
        { "while true do pcall(function() \($0) end) end" },
        { "xpcall(function() \($0) end, function() \($0) end)" },
        { "xpcall(error, function() \($0) end)" },
        { "xpcall(function() \($0) end, echo)" },
        { "coroutine.wrap(function() \($0) end)()" },
        { "local co = coroutine.create(function() \($0) end) while true do coroutine.resume(co) end" },
        {
            """
            local co = coroutine.wrap(function() while true do pcall(coroutine.yield) \($0) end end)
            while true do co() end
            """
        },
        { "table.sort({ 3, 1, 2 }, function() \($0) end)" },
        { "('abc'):gsub('.', function() \($0) end)" },
        { "load(function() \($0) end)" },
        { "tostring(setmetatable({}, { __tostring = function() \($0) end }))" },
        { "local x = setmetatable({}, { __index = function() \($0) end }).x" },
        { "local x = setmetatable({}, { __eq = function() \($0) end }) == setmetatable({}, {})" },
        {
            "table.concat(setmetatable({}, { __len = function() return 1 end, __index = function() \($0) end }))"
        },
        { "do local c <close> = setmetatable({}, { __close = function() \($0) end }) end" },
        { "do local c <close> = setmetatable({}, { __close = function() \($0) end }) error('x') end" },
        { "for _ in function() \($0) return 1 end do end" },
        {
            """
            local co = coroutine.create(function()
              local c <close> = setmetatable({}, { __close = function() \($0) end }) coroutine.yield()
            end)
            coroutine.resume(co) coroutine.close(co)
            """
        },
        {
            """
            pcall(coroutine.wrap(function()
              local c <close> = setmetatable({}, { __close = function() \($0) end }) error('x')
            end))
            """
        },
    ]

    private static let cores = [
        "while true do end", "while true do pcall(error) end",
        "while true do coroutine.wrap(function() end)() end",
        "local s = 'x' while true do s = s .. s end", "local t = {} while true do t[#t + 1] = {} end",
        "while true do echo() end", "local function f() return f() end f()",
    ]

    @Test func `an endless program is ended wherever it hides`() throws {
        var generator = SeededGenerator.printingSeed()
        var limits = LuaLimits()
        limits.cpuMilliseconds = 20
        limits.sliceMilliseconds = 2
        limits.memoryBytes = 4 << 20
        for _ in 0..<100 {
            var body = RandomRefugeTests.cores.randomElement(using: &generator) ?? ""
            for _ in 0..<Int.random(in: 0...5, using: &generator) {
                body = RandomRefugeTests.refuges.randomElement(using: &generator)?(body) ?? body
            }
            // A program that an error ended early tries again.
            let runner = try ScriptRunner("while true do pcall(function() \(body) end) end", limits: limits)
            let step = runner.finish()
            guard case .ended = step else {
                Issue.record("\(step) of \(body)")
                return
            }
        }
    }
}
