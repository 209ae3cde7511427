import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("flow.list", .timeLimit(.minutes(5)))
struct FlowListTests {
    private let deals = """
        { { id = "a", stage = "won", amount = 5 }, { id = "b", stage = "lost", amount = 7 },
          { id = "c", stage = "won", amount = 1 } }
        """

    @Test("makes lists of lists")
    func transforms() async throws {
        try await Evaluation.expect([
            ("flow.list.map({ 1, 2 }, function(n, i) return n * 10 + i end)", [11, 22]),
            ("flow.list.map({}, tostring)", []),
            ("flow.list.filter({ 1, 2, 3 }, function(n) return n > 1 end)", [2, 3]),
            ("flow.list.filter({ 1 }, function() return false end)", []),
            ("flow.list.pluck(\(deals), 'id')", ["a", "b", "c"]),
            ("flow.list.pluck({ { a = 1 }, { b = 2 } }, 'a')", [1]),
            ("flow.list.unique({ 3, 1, 3, '3', 1 })", [3, 1, "3"]),
            ("flow.list.unique({ { a = 1 }, { a = 1 }, { a = 2 } })", [["a": 1], ["a": 2]]),
            ("flow.list.pluck(flow.list.unique(\(deals), 'stage'), 'id')", ["a", "b"]),
            ("flow.list.chunk({ 1, 2, 3, 4, 5 }, 2)", [[1, 2], [3, 4], [5]]), ("flow.list.chunk({}, 2)", []),
            ("flow.list.flatten({ 1, { 2, { 3 } }, flow.json.array {}, { a = 4 } })", [1, 2, [3], ["a": 4]]),
            ("flow.list.concat({ 1 }, {}, { 2, 3 })", [1, 2, 3]), ("flow.list.concat()", []),
            ("flow.list.reverse({ 1, 2, 3 })", [3, 2, 1]), ("flow.list.take({ 1, 2, 3 }, 2)", [1, 2]),
            ("flow.list.take({ 1 }, math.maxinteger)", [1]), ("flow.list.take({ 1 }, 0)", []),
            ("flow.list.slice({ 1, 2, 3, 4 }, 2, 3)", [2, 3]),
            ("flow.list.slice({ 1, 2, 3, 4 }, -2)", [3, 4]),
            ("flow.list.slice({ 1, 2, 3, 4 }, 2, -2)", [2, 3]), ("flow.list.slice({ 1 }, 5, 9)", []),
            ("flow.list.slice({ 1, 2 }, math.mininteger, math.maxinteger)", [1, 2]),
            ("flow.list.range(1, 3)", [1, 2, 3]), ("flow.list.range(3, 1, -2)", [3, 1]),
            ("flow.list.range(1, 0)", []),
            ("flow.list.keys({ b = 1, a = 2, [3] = 0 })", [3, "a", "b"]),
            ("flow.list.values({ b = 1, a = 2 })", [2, 1]),
            ("flow.list.keys({})", []),
        ])
    }

    @Test("answers questions of lists")
    func questions() async throws {
        try await Evaluation.expect([
            ("flow.list.reduce({ 1, 2, 3 }, function(a, b) return a .. b end, '')", "123"),
            ("flow.list.reduce({ 1, 2, 3 }, function(a, b) return a - b end)", -4),
            ("flow.list.reduce({}, function() end)", nil), ("flow.list.reduce({}, function() end, 5)", 5),
            ("{ flow.list.find({ 5, 6 }, function(n) return n > 5 end) }", [6, 2]),
            ("flow.list.find({ 5 }, function(n) return n > 5 end)", nil),
            ("flow.list.any({ 1, 2 }, function(n) return n == 2 end)", true),
            ("flow.list.any({}, print)", false),
            ("flow.list.all({ 1, 2 }, function(n) return n == 2 end)", false),
            ("flow.list.all({}, print)", true),
            ("flow.list.contains({ 1, 'a' }, 'a')", true), ("flow.list.contains({ 1 }, 2)", false),
            ("flow.list.group_by(\(deals), 'stage').won[2].id", "c"),
            (
                "flow.list.keys(flow.list.group_by({ 1, 2, 3 }, function(n) return n % 2 == 0 end))",
                [false, true]
            ),
            ("flow.list.index_by(\(deals), 'id').b.amount", 7),
        ])
    }

    @Test("adds up without what rounding loses, and keeps whole numbers whole")
    func sums() async throws {
        try await Evaluation.expect([
            ("flow.list.sum(\(deals), 'amount')", 13), ("flow.list.sum({})", 0),
            ("math.type(flow.list.sum({ 1, 2 }))", "integer"),
            ("flow.list.sum({ 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1 }) == 1", true),
            ("flow.list.sum({ 1e100, 1, -1e100 })", 1),
            ("flow.list.sum({ 1e308, 1e308 }) == math.huge", true),
            ("flow.list.sum({ 1, 2 }, function(n) return n * 2 end)", 6),
        ])
    }

    @Test("sorts, and leaves what is equal in its order")
    func sorting() async throws {
        try await Evaluation.expect([
            ("flow.list.pluck(flow.list.sort_by(\(deals), 'amount'), 'id')", ["c", "a", "b"]),
            ("flow.list.pluck(flow.list.sort_by(\(deals), 'stage'), 'id')", ["b", "a", "c"]),
            (
                "flow.list.pluck(flow.list.sort_by(\(deals), 'stage', { descending = true }), 'id')",
                ["a", "c", "b"]
            ),
            ("flow.list.sort_by({ 3, 1.5, 2 }, function(n) return -n end)", [3, 2, 1.5]),
            ("flow.list.sort_by({ 'b', 'a' })", ["a", "b"]), ("flow.list.sort_by({})", []),
        ])
    }

    @Test("says what is wrong with an item or an argument")
    func wrong() async throws {
        try await Evaluation.expectErrors([
            ("flow.list.map(nil, print)", "PG1011", "flow.list.map: `list` is nothing (nil)"),
            (
                "flow.list.map({ a = 1 }, print)", "PG1011",
                "flow.list.map: the list is a table with named fields"
            ),
            (
                "flow.list.map({ 1 })", "PG1011",
                "flow.list.map: `f` is nothing (nil); it should be a function"
            ),
            ("flow.list.map({ 1 }, function() end)", "PG1078", "item 1 became nothing"),
            ("flow.list.sum({ 1, '2' })", "PG1078", "item 2 is text, and not a number. tonumber"),
            ("flow.list.sum({ { a = 1 }, {} }, 'a')", "PG1078", "flow.list.sum: item 2 has no `a`"),
            ("flow.list.sum({ 5 }, 'a')", "PG1078", "item 1 is a number, and has no field `a`"),
            ("flow.list.sort_by({ 1, 'a' })", "PG1078", "item 2 is sorted by text, and item 1 by a number"),
            ("flow.list.sort_by({ {}, {} })", "PG1078", "item 1 is sorted by a table"),
            ("flow.list.sort_by({ 0/0 })", "PG1078", "item 1 gives nothing"),
            ("flow.list.group_by({ 1 }, 5)", "PG1011", "flow.list.group_by: `by` is a number"),
            ("flow.list.chunk({ 1 }, 0)", "PG1011", "`n` is 0; 1 is the least"),
            ("flow.list.take({ 1 }, 1.5)", "PG1011", "`n` is a number; it should be a whole number"),
            ("flow.list.range(1, 2, 0)", "PG1011", "leads nowhere"),
            ("flow.list.pluck({ 1 }, 'a')", "PG1078", "flow.list.pluck: item 1 is a number"),
        ])
    }

    @Test("calls functions that wait for steps", arguments: Setting.all)
    func durable(_ setting: Setting) async throws {
        let body = """
            local made = flow.list.map({ "1s", "2s" }, function(time, i)
              sleep("Nap " .. i, time)
              return flow.now()
            end)
            local late = flow.list.filter(made, function(time)
              sleep("Nap again", "1s")
              return flow.time.is_after(time, made[1])
            end)
            local sorted = flow.list.sort_by({ 2, 1 }, function(n)
              sleep("Rank", "1s")
              return n
            end)
            local text = flow.text.replace_all("a1b2", "[0-9]", function(digit)
              sleep("Digit", "1s")
              return "<" .. digit .. ">"
            end)
            return { flow.time.diff(made[2], made[1]), #late, sorted, text }
            """
        let test = try TestHost(setting, scripts: ["naps.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("naps").id
            for nap in 1...8 {
                _ = try await test.until(id) { run in
                    run.waits.contains { $0.dueAt.map { $0 > test.clock.now } ?? false }
                }
                test.clock.advance(milliseconds: nap == 2 ? 2000 : 1000)
            }
            #expect(try await test.end(id).result == [2, 1, [1, 2], "a<1>b<2>"])
        }
    }
}
