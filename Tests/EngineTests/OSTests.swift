import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("os", .timeLimit(.minutes(5)))
struct OSTests {
    private func result(of body: String) async throws -> RunRecord {
        let test = try TestHost(scripts: ["os.lua": script(body)])
        var run: RunRecord?
        try await test.run { test in run = try await test.end(try await test.begin("os").id) }
        return try #require(run)
    }

    @Test("tells the recorded time, which stands still while code runs", arguments: Setting.all)
    func clock(_ setting: Setting) async throws {
        let body = """
            local before = { os.time(), os.date(), os.clock() }
            for i = 1, 1e5 do end
            assert(os.time() == before[1] and os.clock() == before[3])
            sleep("Nap", "90s")
            local after = { os.time(), os.date("!%F %T"), os.clock() }
            return { before, after, os.difftime(after[1], before[1]) }
            """
        let test = try TestHost(setting, scripts: ["nap.lua": script(body)])
        try await test.run { test in
            let id = try await test.begin("nap").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 90_500)
            let run = try await test.end(id)
            #expect(
                run.result == [
                    [1_790_000_000, "Mon Sep 21 14:13:20 2026", 0],
                    [1_790_000_090, "2026-09-21 14:14:50", 90.5], 90,
                ])
        }
    }

    @Test(
        "writes dates as stock Lua does, in UTC and in English",
        arguments: [
            ("\"%a %A %b %B %c\", 0", "Thu Thursday Jan January Thu Jan  1 00:00:00 1970"),
            (
                "\"%C %d %D %e %F %g %G %h %H %I %j\", 1e9",
                "20 09 09/09/01  9 2001-09-09 01 2001 Sep 01 01 252"
            ),
            ("\"%m %M %p %r %R %S %T %u %U %V\", 1e9", "09 46 AM 01:46:40 AM 01:46 40 01:46:40 7 36 36"),
            ("\"%w %W %x %X %y %Y %z %Z %%\", 1e9", "0 36 09/09/01 01:46:40 01 2001 +0000 UTC %"),
            ("\"!%Z %Ey %Od %OH\", 1e9", "GMT 01 09 01"), ("\"%G-%V\", 1609459200", "2020-53"),
            ("\"%G-%V %U %W\", 1230768000", "2009-01 00 00"), ("\"%F %I %p\", -1", "1969-12-31 11 PM"),
            ("\"%F\", 951782400", "2000-02-29"), ("nil, 0", "Thu Jan  1 00:00:00 1970"),
            ("\"*tx\", 0", "*tx"),
        ])
    func dates(arguments: String, text: String) async throws {
        #expect(try await result(of: "return os.date(\(arguments))").result == .string(text))
    }

    @Test(
        "makes times of dates, whatever their fields are",
        arguments: [
            ("{ year = 2026, month = 9, day = 21 }", 1_789_992_000),
            ("{ year = 2026, month = 9, day = 21, hour = 0 }", 1_789_948_800),
            ("{ year = 2024, month = 14, day = -5, hour = 25, min = -1, sec = 61 }", 1_737_939_601),
            ("{ year = 1969, month = \"12\", day = 31, hour = 0 }", -86400),
        ])
    func times(date: String, time: Int64) async throws {
        let body = "local d = \(date) local t = os.time(d) return { t, os.time(os.date(\"*t\", t)), d.isdst }"
        #expect(try await result(of: body).result == [.int(time), .int(time), false])
    }

    @Test(
        "refuses what stock Lua refuses, in its words",
        arguments: [
            ("os.time { year = 2026, month = 1 }", "field 'day' missing in date table"),
            ("os.time { year = 2026.5, month = 1, day = 1 }", "field 'year' is not an integer"),
            ("os.time { year = 1 << 40, month = 1, day = 1 }", "field 'year' is out-of-bound"),
            ("os.time(5)", "bad argument #1 to 'time' (table expected, got number)"),
            ("os.date(\"%Q\")", "bad argument #1 to 'date' (invalid conversion specifier '%Q')"),
            ("os.date(\"%c\", 1 << 60)", "date result cannot be represented in this installation"),
            ("os.date(\"%c\", {})", "bad argument #2 to 'date' (number expected, got table)"),
            ("os.difftime(1)", "bad argument #2 to 'difftime' (number expected, got no value)"),
        ])
    func refuses(call: String, message: String) async throws {
        let run = try await result(of: "local _, e = pcall(function() local x = \(call) end) return e")
        #expect(run.result?.string?.hasSuffix(message) == true)
        #expect(run.result?.string?.hasPrefix("os.lua:2: ") == true)
    }

    @Test(
        "names the way to do it here where something does not exist",
        arguments: [
            ("os.getenv", "secret \"NAME\""), ("os.exit", "flow.stop"), ("os.execute", "no processes"),
            ("os.remove", "no files"), ("os.rename", "no files"), ("os.tmpname", "no files"),
            ("os.setlocale", "always \"C\""), ("os.tiem", "os.time"),
        ])
    func absent(name: String, way: String) async throws {
        let run = try await result(
            of: "local _, e = pcall(function() return \(name) end) return { e.code, e.hint }")
        #expect(run.result?.array?.first == "PG1002")
        #expect(run.result?.array?.last?.string?.contains(way) == true)
    }

    @Test("takes no new field")
    func fixed() async throws {
        let run = try await result(of: "os.tiem = 1")
        #expect(run.status == .attention && run.problem?["code"] == "PG1004")
    }

    @Test(
        "has no time while the script is loaded, but its calendar",
        arguments: ["os.time()", "os.date()", "os.clock()"])
    func loading(call: String) async throws {
        let pure = "local t = os.time { year = 2026, month = 1, day = 1 } local d = os.date(\"%F\", t)\n"
        let test = try TestHost(scripts: [
            "good.lua": pure + script("return d"),
            "bad.lua": pure + "local x = \(call)\n" + script("return x"),
        ])
        try await test.run { test in
            let good = try await test.end(try await test.begin("good").id)
            #expect(good.result == "2026-01-01")
            let name = call.prefix { $0 != "(" }
            var said = ""
            do { _ = try await test.begin("bad") } catch { said = "\(error)" }
            #expect(said.contains("`\(name)` is called while the script is loaded"))
        }
    }
}
