import PerigeeTesting
import CStockLua
import Foundation
import PerigeeLua
import Testing

/// Random programs, whose printed result must be that of stock Lua, and the same in every state and every process.
///
/// PERIGEE_SEED repeats a run that failed, PERIGEE_MINUTES has each test go on for so long.
@Suite(.serialized)
struct RandomProgramTests {
    private static var seconds: Double {
        (ProcessInfo.processInfo.environment["PERIGEE_MINUTES"].flatMap { Double($0) } ?? 0.02) * 60
    }

    /// Gives one seed after the other until the time is over.
    private static func seeds(_ body: (UInt64) throws -> Bool) rethrows {
        var generator = SeededGenerator.printingSeed()
        let deadline = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < deadline, try body(generator.next()) {}
    }

    @Test func `a random program prints what stock Lua prints`() throws {
        try RandomProgramTests.seeds { seed in
            let text = ProgramGenerator.program(seed: seed, showsOrder: false)
            let (ours, stock) = (try RandomProgramTests.sandboxed(text), RandomProgramTests.stock(text))
            return same(ours, stock, "stock Lua", text)
        }
    }

    @Test func `a random program prints the same whatever memory looks like`() throws {
        var kept: [ScriptRunner] = []
        try RandomProgramTests.seeds { seed in
            let text = ProgramGenerator.program(seed: seed, showsOrder: true)
            let first = try RandomProgramTests.sandboxed(text)
            // Another state stays, so that the next one lies elsewhere and among other things.
            kept.append(try ScriptRunner("return ('x'):rep(\(seed % 100_000))"))
            _ = kept.last?.finish()
            if kept.count > 20 { kept.remove(at: Int(seed % 20)) }
            return same(first, try RandomProgramTests.sandboxed(text), "another state", text)
        }
    }

    @Test func `a random program prints the same in another process`() async throws {
        var generator = SeededGenerator.printingSeed()
        let (base, count) = (generator.next(), max(60, Int(RandomProgramTests.seconds * 100)))
        async let one = RandomProgramTests.digests(base: base, count: count)
        async let two = RandomProgramTests.digests(base: base, count: count)
        let (ones, twos) = (try await one, try await two)
        #expect(ones.count == count && twos.count == count)
        guard let index = zip(ones, twos).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset
        else {
            return
        }
        let text = ProgramGenerator.program(seed: base &+ UInt64(index), showsOrder: true)
        Issue.record("two processes differ: \(ones[index]) and \(twos[index])\n\(text)")
    }

    /// What so many programs print in a process of its own, as one number each.
    private static func digests(base: UInt64, count: Int) async throws -> [Substring] {
        let result = try await #require(
            processExitsWith: .success, observing: [\.standardOutputContent]
        ) { [base, count] in
            for index in 0..<UInt64(count) {
                let text = ProgramGenerator.program(seed: base &+ index, showsOrder: true)
                let output = try RandomProgramTests.sandboxed(text)
                print(
                    output.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
                        ($0 ^ UInt64($1)) &* 0x100_0000_01b3
                    })
            }
        }
        let output = String(decoding: result.standardOutputContent, as: UTF8.self)
        return output.split(separator: "\n").map { Substring($0) }
    }

    /// Tells the first line that differs; returns whether there is none.
    private func same(_ ours: String, _ others: String, _ whose: String, _ text: String) -> Bool {
        guard ours != others else { return true }
        let lines = (ours.split(separator: "\n"), others.split(separator: "\n"))
        let place = zip(lines.0, lines.1).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        let index = place ?? min(lines.0.count, lines.1.count)
        let (one, other) = (lines.0.dropFirst(index).first ?? "", lines.1.dropFirst(index).first ?? "")
        Issue.record("line \(index + 1) is\n\(one)\nand of \(whose)\n\(other)\n\(text)")
        return false
    }

    private static func sandboxed(_ text: String) throws -> String {
        let step: LuaStep
        do { step = try ScriptRunner(text).finish() } catch let error as LuaSyntaxError { return "\(error)" }
        guard case .returned(let bytes) = step else { return "\(step)" }
        let list = try JSONDecoder().decode([String].self, from: Data([0x5B] + (bytes ?? []) + [0x5D]))
        return list.joined()
    }

    private static func stock(_ text: String) -> String {
        let program = "local main = { run = function(input) \(text)\nend } print(main.run())"
        var output: UnsafeMutablePointer<CChar>?
        var length = 0
        let result = stock_lua_run(program, program.utf8.count, &output, &length)
        guard result >= 0, let output else { return "no memory" }
        defer { free(output) }
        let text = String(decoding: UnsafeRawBufferPointer(start: output, count: length), as: UTF8.self)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }
}
