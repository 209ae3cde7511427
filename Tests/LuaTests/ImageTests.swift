import Foundation
import PerigeeLua
import PerigeeTesting
import Testing

/// Copies of a state that has evaluated its script.
@Suite(.timeLimit(.minutes(5))) struct ImageTests {
    /// A copy of the state that evaluates `script`; `nil` on the system's Lua, which has none.
    private func copy(of script: String, seed: UInt64 = 0) throws -> ScriptRunner? {
        let image = try ScriptRunner.image(of: script)
        guard LuaRelease.linked.isHardened else {
            #expect(image == nil)
            return nil
        }
        return try ScriptRunner(copying: try #require(image), seed: seed)
    }

    private func anew(_ script: String, seed: UInt64 = 0, isBlank: Bool = false) throws -> ScriptRunner {
        let runner = try ScriptRunner(script: script, seed: seed, isBlank: isBlank)
        try runner.state.begin("run", argument: Array("{}".utf8))
        return runner
    }

    @Test func `a random program goes the same way in a copy as in a state made anew`() throws {
        guard LuaRelease.linked.isHardened else { return }
        var generator = SeededGenerator.printingSeed()
        let deadline = ContinuousClock.now + .seconds(1)
        var compared = 0
        while ContinuousClock.now < deadline || compared == 0 {
            let (before, after) = (
                ProgramGenerator.program(seed: generator.next(), showsOrder: true),
                ProgramGenerator.program(seed: generator.next(), showsOrder: true)
            )
            let script = """
                local ok, first = pcall(function(input) \(before)
                end, {})
                return { run = function(input)
                  local _, second = pcall(function(input) \(after)
                  end, {})
                  return tostring(ok) .. tostring(first) .. tostring(second)
                end }
                """
            // One that is no program, or draws random numbers, has no image.
            guard let image = try? ScriptRunner.image(of: script) else { continue }
            compared += 1
            let (copy, other) = (try ScriptRunner(copying: image), try anew(script))
            #expect(copy.state.memoryBytes == other.state.memoryBytes)
            #expect("\(copy.finish())" == "\(other.finish())", "\(script)")
            #expect(copy.state.memoryBytes == other.state.memoryBytes, "\(script)")
        }
    }

    @Test func `after they have run, a copy and a state made anew differ in nothing but addresses`() throws {
        guard LuaRelease.linked.isHardened else { return }
        let script = """
            local known, order = {}, { [{}] = 1 }
            for n = 1, 300 do known["key" .. n] = { n, tostring({}), print } end
            known.first = next(known)
            return { run = function(input)
              known.more = await("A", { n = #known })
              for key, value in pairs(known) do order[value] = key end
              return known.first
            end }
            """
        let image = try #require(try ScriptRunner.image(of: script))
        let same = try LuaImage { seed in
            let runner =
                try seed == 1
                ? ScriptRunner(copying: image, seed: seed, isBlank: true)
                : anew(script, seed: seed, isBlank: true)
            #expect(try runner.finish { _ in .value(Array("[1,2]".utf8)) }.result() == #""key1""#)
            return runner.state
        }
        #expect(same != nil)
    }

    @Test func `each copy has the random numbers of its own seed, as a state made anew has them`() throws {
        let script = "return { run = function() return math.random(1 << 40) .. ' ' .. math.random() end }"
        for seed in [0, 7, .max] as [UInt64] {
            guard let copy = try copy(of: script, seed: seed) else { return }
            #expect(try copy.finish().result() == anew(script, seed: seed).finish().result())
        }
    }

    @Test(arguments: [
        "local drawn = math.random() return { run = function() return drawn end }",
        "math.random() return { run = function() return 1 end }",
        "math.randomseed(3) return { run = function() return math.random() end }",
    ])
    func `where random numbers were drawn there is no image`(_ script: String) throws {
        #expect(try ScriptRunner.image(of: script) == nil)
    }

    @Test func `scripts can't have other random numbers by replacing the function that seeds them`() throws {
        let script = """
            local random = math.random
            math.randomseed, math.random = function() error("no") end, nil
            return { run = function() return random(1 << 40) end }
            """
        guard let copy = try copy(of: script, seed: 5) else { return }
        #expect(try copy.finish().result() == anew(script, seed: 5).finish().result())
    }

    @Test func `copies share nothing`() throws {
        let script = """
            local count, list = 0, { 1, 2 }
            return { run = function() count = count + 1 list[#list + 1] = count string.x = 1 return { count, #list } end }
            """
        guard LuaRelease.linked.isHardened else { return }
        let image = try #require(try ScriptRunner.image(of: script))
        for _ in 1...3 {
            #expect(try ScriptRunner(copying: image).finish().result() == "[1,3]")
        }
    }

    @Test func `what is larger than the small blocks is copied as well`() throws {
        let names = (1...400).map { "name\($0) = \($0)" }.joined(separator: ", ")
        let script = """
            local text, list, names = ("x"):rep(100000), {}, { \(names) }
            for n = 1, 5000 do list[n] = n end
            return { run = function()
              list[#list + 1] = text
              local sum = 0
              for _, value in pairs(names) do sum = sum + value end
              return { #list, #text, sum }
            end }
            """
        guard let copy = try copy(of: script) else { return }
        #expect(copy.state.memoryBytes > 180_000)
        #expect(try copy.finish().result() == "[5001,100000,80200]")
    }

    @Test func `a copy has the limits of its image`() throws {
        guard LuaRelease.linked.isHardened else { return }
        let script = "return { run = function() return ('x'):rep(1 << 22) end }"
        var limits = LuaLimits()
        limits.memoryBytes = 2 << 20
        let image = try #require(try ScriptRunner.image(of: script, limits: limits))
        #expect(try ScriptRunner(copying: image, limits: limits).finish().limit().kind == .memory)
        #expect(throws: LuaFailure.self) { try ScriptRunner(copying: image) }
    }
}
