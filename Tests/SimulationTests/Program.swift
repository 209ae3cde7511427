import PerigeeTesting

/// A random workflow: what is written in Lua, and what a plain interpreter makes of it.
///
/// Every statement gives a whole number; a block mixes the numbers of its statements, so that a result tells whether
/// each of them was run once, in order, with the right answer.
indirect enum Statement {
    /// A call that succeeds.
    case call(Int)
    /// A call that the receiver refuses.
    case refusedCall(Int)
    /// A call to a receiver that takes only so many, see ``SimulatedHost/Limits``.
    case limitedCall(Int)
    /// A call that is sent at most once, unless somebody says so.
    case onceCall(Int)
    case timer(Int)
    case event(Int)
    /// An event that never comes.
    case lostEvent(Int)
    case approval(Int)
    case form(Int)
    case park(Int)
    case emit(Int)
    case metric(Int)
    /// Whether the script has a change.
    case changed(Int)
    /// What differs between processes where it is not recorded.
    case chance(Int)
    case parallel(Int, [Block], atOnce: Int)
    case each(Int, items: Int, Block, atOnce: Int)
    case saga(Int, steps: [Int], inside: Block, fails: Bool)
    case checkpoint(Int, Block)
    case coroutine(Int, Block)
    case sort(Int)
    /// Counts in a durable value, and reads what it wrote.
    case count(Int)
    /// A lock for which the programs, and the branches of one, take turns.
    case lock(Int, Block)
    /// A run of another workflow, called or only started.
    case child(Int, Block, hops: Int, isAwaited: Bool)
}

/// Statements with a number of their own; one that fails raises after them.
struct Block {
    var statements: [Statement]
    var fails = false
}

extension Int {
    /// What the world answers to a number.
    var answer: Int { self * 7 % 101 + 1 }

    func mixed(with other: Int) -> Int { (self * 31 + other) % 1_000_003 }
}

/// A workflow whose runs others start: it continues as a fresh run some times, and then runs its block.
struct ChildProgram {
    var id: Int
    var block: Block
    var hops: Int
    /// How often it is started.
    var times: Int

    /// How much its runs count.
    var count: Int { times * (hops + block.count) }
}

// MARK: What it comes to

extension Block {
    /// The number that the block gives; `nil` if it raises.
    func value() -> Int? {
        let sum = statements.reduce(1) { $0.mixed(with: $1.value()) }
        return fails ? nil : sum
    }

    /// What is undone in one run of it, by the labels of the sagas' steps.
    var undone: [Int] { statements.flatMap(\.undone) }

    /// How often one run of it counts.
    var count: Int { statements.reduce(0) { $0 + $1.count } }

    /// The workflows that one run of it starts, and those that they start.
    var children: [ChildProgram] { statements.flatMap(\.children) }
}

extension Statement {
    func value() -> Int {
        switch self {
        case .call(let id), .limitedCall(let id), .onceCall(let id), .event(let id), .form(let id): id.answer
        case .refusedCall(let id): id.answer + 1000
        case .timer(let id), .emit(let id), .metric(let id), .changed(let id): id
        case .lostEvent(let id): id + 5
        case .approval(let id): id.isMultiple(of: 2) ? 2 : 3
        case .park(let id): id.isMultiple(of: 2) ? id.answer : id + 7
        case .chance: 11
        case .parallel(_, let blocks, _): blocks.reduce(7) { $0.mixed(with: $1.value() ?? 13) }
        case .each(_, let items, let block, _):
            (1...items).reduce(17) { $0.mixed(with: (block.value() ?? 19) + $1) }
        case .saga(let id, _, let block, let fails): fails || block.fails ? 23 : (block.value() ?? 0) + id
        case .checkpoint(_, let block), .coroutine(_, let block): block.value() ?? 29
        case .sort(let id): (1...4).reduce(id) { $0.mixed(with: $1) }
        case .count(let id): id
        case .lock(_, let block): block.value() ?? 37
        case .child(let id, let block, _, let isAwaited): isAwaited ? block.value() ?? 41 : id
        }
    }

    var undone: [Int] {
        switch self {
        case .parallel(_, let blocks, _): blocks.flatMap(\.undone)
        case .each(_, let items, let block, _): (1...items).flatMap { _ in block.undone }
        case .saga(_, let steps, let block, let fails): block.undone + (fails || block.fails ? steps : [])
        case .checkpoint(_, let block), .coroutine(_, let block), .lock(_, let block): block.undone
        default: []
        }
    }

    var count: Int {
        switch self {
        case .count: 1
        case .parallel(_, let blocks, _): blocks.reduce(0) { $0 + $1.count }
        case .each(_, let items, let block, _): items * block.count
        case .saga(_, _, let block, _), .checkpoint(_, let block), .coroutine(_, let block),
            .lock(_, let block):
            block.count
        default: 0
        }
    }

    var children: [ChildProgram] {
        switch self {
        case .child(let id, let block, let hops, _):
            [ChildProgram(id: id, block: block, hops: hops, times: 1)] + block.children
        case .parallel(_, let blocks, _): blocks.flatMap(\.children)
        case .each(_, let items, let block, _):
            block.children.map { child in
                var child = child
                child.times *= items
                return child
            }
        case .saga(_, _, let block, _), .checkpoint(_, let block), .coroutine(_, let block),
            .lock(_, let block):
            block.children
        default: []
        }
    }
}

// MARK: How it is written

extension Block {
    private static let head = """
        local function mix(a, b) return (a * 31 + b) % 1000003 end
        local limited = http.client { base = "https://\(SimulatedHost.Limits.host)",
          throttle = { limit = \(SimulatedHost.Limits.perPeriod), period = "\(SimulatedHost.Limits.period)ms" },
          at_once = \(SimulatedHost.Limits.atOnce) }
        """

    /// The text of a whole script.
    var script: String {
        """
        \(Block.head)
        return workflow {
          on = { manual = true },
          run = function(input)
            local main = \(lua)
            return main()
          end,
        }
        """
    }

    /// The text of a whole script whose runs others start.
    func script(hops: Int) -> String {
        """
        \(Block.head)
        return workflow {
          on = { manual = true },
          run = function(input)
            local hop = input.hop or 0
            if hop < \(hops) then
              flow.state.add("n", 1)
              flow.continue { hop = hop + 1 }
            end
            local ok, value = pcall(\(lua))
            if not ok then flow.fail("on purpose") end
            return value
          end,
        }
        """
    }

    /// A function that gives the block's number.
    var lua: String {
        let body = statements.map { "acc = mix(acc, \($0.lua))" }.joined(separator: "\n")
        let end = fails ? "error({ message = \"on purpose\" })" : "return acc"
        return "(function() local acc = 1\n\(body)\n\(end) end)"
    }
}

extension Statement {
    /// An expression.
    var lua: String {
        switch self {
        case .call(let id):
            "http.post(\"Call \(id)\", { url = \"https://w.example/\(id)\", json = { n = \(id) } }).json.n"
        case .refusedCall(let id):
            """
            (function() local r, err = try(http.put, "Refused \(id)", { url = "https://w.example/refused/\(id)" })
            return err.response.json.n + 1000 end)()
            """
        case .limitedCall(let id):
            "limited.post(\"Limited \(id)\", { path = \"/\(id)\", json = { n = \(id) } }).json.n"
        case .onceCall(let id):
            "http.post(\"Once \(id)\", { url = \"https://w.example/once/\(id)\", once = true }).json.n"
        case .timer(let id): "(function() sleep (\"Sleep \(id)\", \"\(id)m\") return \(id) end)()"
        case .event(let id): "wait.event(\"Event \(id)\", { event = \"e\(id)\" }).data.n"
        case .lostEvent(let id):
            """
            (function() local e = wait.event("Lost \(id)", { event = "lost", timeout = "\(id)m" })
            return e and 0 or \(id + 5) end)()
            """
        case .approval(let id):
            "(ask.approval(\"Approval \(id)\", { to = { \"boss\" } }).outcome == \"approve\" and 2 or 3)"
        case .form(let id): "ask.form(\"Form \(id)\", { form = { n = { \"Number\" } } }).form.n"
        case .park(let id):
            """
            (function() local data = flow.park("Park \(id)", { reason = "r", data = { n = 0 } })
            return data and data.n or \(id + 7) end)()
            """
        case .metric(let id): "(function() flow.metric(\"m\", \(id)) return \(id) end)()"
        case .changed(let id): "(flow.changed(\"v\(id)\") and \(id) or 0)"
        case .emit(let id): "(function() emit(\"told.\(id)\", { n = \(id) }) return \(id) end)()"
        case .chance(let id):
            """
            (function() local a, b = flow.uuid(), flow.random(1000) sleep ("Chance \(id)", "1s")
            flow.note("chance " .. a .. b .. flow.now()) return 11 end)()
            """
        case .parallel(let id, let blocks, let atOnce):
            """
            (function() local r = parallel("Parallel \(id)", {
            \(blocks.enumerated().map { "b\($0.offset) = \($0.element.lua)" }.joined(separator: ",\n"))
            }, { on_error = "continue", at_once = \(atOnce) })
            local acc = 7
            for index = 0, \(blocks.count - 1) do local one = r["b" .. index] acc = mix(acc, one.ok and one.value or 13) end
            return acc end)()
            """
        case .each(let id, let items, let block, let atOnce):
            """
            (function() local list = {}
            for n = 1, \(items) do list[n] = { id = "i" .. n } end
            local done = each("Each \(id)", list, \(block.lua), { key = "id", at_once = \(atOnce), on_error = "continue" })
            local acc = 17
            for n, one in ipairs(done.items) do acc = mix(acc, (one.ok and one.value or 19) + n) end
            return acc end)()
            """
        case .saga(let id, let steps, let block, let fails):
            """
            (function() local r, err = try(saga, "Saga \(id)", function(undo)
            \(steps.map { "undo(\"Undo \($0)\", http.delete, { url = \"https://w.example/undo/\($0)\" }) " +
                "http.post(\"Do \($0)\", { url = \"https://w.example/do/\($0)\" })" }.joined(separator: "\n"))
            local inside = \(block.lua)()
            \(fails ? "flow.fail(\"on purpose\")" : "emit(\"kept.\(id)\", {})")
            return inside + \(id) end)
            return err and 23 or r end)()
            """
        case .checkpoint(let id, let block):
            """
            (function() local ok, value = pcall(checkpoint, "Checkpoint \(id)", \(block.lua))
            return ok and value or 29 end)()
            """
        case .coroutine(_, let block):
            """
            (function() local co = coroutine.wrap(function() coroutine.yield(0) local ok, v = pcall(\(block.lua))
            return ok and v or 29 end) co() return co() end)()
            """
        case .sort(let id):
            """
            (function() local list = { 3, 1, 4, 2 }
            table.sort(list, function(a, b) call("Compare \(id)", "compare", {}) return a < b end)
            local acc = \(id) for _, v in ipairs(list) do acc = mix(acc, v) end return acc end)()
            """
        case .count(let id):
            """
            (function() flow.state.add("n", 1) flow.state.set("mine \(id)", \(id)) local mine = flow.state.get("mine \(id)")
            return flow.state.get("n") > 0 and mine or 0 end)()
            """
        case .lock(let id, let block):
            """
            (function() local ok, value = pcall(flow.lock, "Lock \(id)", "l\(id)", \(block.lua))
            return ok and value or 37 end)()
            """
        case .child(let id, _, _, true):
            """
            (function() local ok, value = pcall(flow.call, "Child \(id)", "c\(id)", { from = "main" })
            return ok and value or 41 end)()
            """
        case .child(let id, _, _, false):
            "(function() flow.start(\"Start \(id)\", \"c\(id)\", {}) return \(id) end)()"
        }
    }
}

/// Makes random programs.
struct ProgramMaker {
    var random: SeededGenerator
    private var made = 0

    init(_ random: SeededGenerator) { self.random = random }

    mutating func program() -> Block { block(depth: 0) }

    private mutating func number() -> Int {
        made += 1
        return made
    }

    private mutating func block(depth: Int, mayFail: Bool = false) -> Block {
        let count = Int.random(in: 1...(depth == 0 ? 5 : 3), using: &random)
        let statements = (0..<count).map { _ in statement(depth: depth) }
        return Block(statements: statements, fails: mayFail && Int.random(in: 0..<4, using: &random) == 0)
    }

    private mutating func blocks(_ count: Int, depth: Int) -> [Block] {
        (0..<count).map { _ in block(depth: depth + 1, mayFail: true) }
    }

    private mutating func statement(depth: Int) -> Statement {
        let id = number()
        let atOnce = Int.random(in: 1...4, using: &random)
        switch Int.random(in: 0..<(depth < 3 ? 28 : 17), using: &random) {
        case 0, 1: return .call(id)
        case 2: return .refusedCall(id)
        case 3: return .timer(id)
        case 4: return .event(id)
        case 5: return .lostEvent(id)
        case 6: return .approval(id)
        case 7: return .emit(id)
        case 8: return .chance(id)
        case 9: return .count(id)
        case 10: return .form(id)
        case 11: return .park(id)
        case 12: return .metric(id)
        case 13: return .changed(id)
        case 14, 15: return .limitedCall(id)
        case 16: return .onceCall(id)
        case 17, 18:
            return .parallel(id, blocks(Int.random(in: 0...3, using: &random), depth: depth), atOnce: atOnce)
        case 19:
            let items = Int.random(in: 1...4, using: &random)
            return .each(id, items: items, block(depth: depth + 1, mayFail: true), atOnce: atOnce)
        case 20, 21:
            let steps = (0..<Int.random(in: 1...3, using: &random)).map { _ in number() }
            return .saga(
                id, steps: steps, inside: block(depth: depth + 1, mayFail: true),
                fails: Int.random(in: 0..<2, using: &random) == 0)
        case 22: return .checkpoint(id, block(depth: depth + 1, mayFail: true))
        case 23, 24: return .lock(id, block(depth: depth + 1, mayFail: true))
        case 25, 26:
            return .child(
                id, block(depth: depth + 1, mayFail: true), hops: Int.random(in: 0...2, using: &random),
                isAwaited: Int.random(in: 0..<4, using: &random) > 0)
        default: return .coroutine(id, block(depth: depth + 1, mayFail: true))
        }
    }
}
