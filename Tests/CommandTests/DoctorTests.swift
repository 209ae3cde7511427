import Foundation
import PerigeeLua
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct DoctorTests {
    /// The exit code where all but Lua is well.
    private let status: Int32 = LuaRelease.linked.defects.isEmpty ? 0 : 1

    @Test func `doctor tells the versions, and what is wrong with this Lua`() throws {
        let said = try Workplace(scripts: ["hello.lua": helloScript]).run("doctor")
        let lua = LuaRelease.linked
        #expect(said.status == status, "\(said.output)")
        #expect(said.output.contains("✓ perigee 0.1.0\n"))
        #expect(said.output.contains("\(lua.defects.isEmpty ? "✓" : "✗") \(lua.name)\n"))
        for defect in lua.defects { #expect(said.output.contains("- \(defect.sentence)\n")) }
        #expect(said.output.contains("not safe on it") == lua.defects.contains(where: \.isUnsafe))
        #expect(said.output.contains(#/✓ SQLite 3\.[0-9.]+\n/#))
        #expect(said.output.contains("✓ scripts: 1 script, no errors\n"))
        #expect(said.output.contains("✓ no database perigee.db yet\n"))
        #expect(said.errors.isEmpty == lua.defects.isEmpty)
    }

    @Test func `doctor names the scripts that can't be loaded`() throws {
        let place = try Workplace(scripts: [
            "bad.lua": "return workflow {\n  nam = 1,\n}\n", "hello.lua": helloScript,
        ])
        let said = try place.run("doctor")
        #expect(said.status == 1)
        #expect(said.output.contains("✗ scripts: 1 script of 2 can't be loaded\n    - bad.lua:2 "))
        #expect(said.output.contains("[PG1005]"))
        let none = try place.run("doctor", "--scripts", "flows")
        #expect(none.status == 1)
        #expect(none.output.contains("✗ There is no scripts folder flows. [PG1017]\n"))
    }

    @Test func `doctor reads the database of a host that runs, and refuses what is none`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        try place.serve()
        #expect(try place.run("doctor").output.contains("✓ perigee.db is sound\n"))
        let stopped = try place.stopServer()
        #expect(stopped.status == 0)
        #expect(try place.run("doctor").status == status)
        try Data("no database at all, and long enough to have a header".utf8).write(
            to: place.folder.appendingPathComponent("other.db"))
        let said = try place.run("doctor", "--data", "other.db")
        #expect(said.status == 1)
        #expect(said.output.contains("✗ other.db is not a sound Perigee database"))
        #expect(said.output.contains("perigee explain PG3012\n"))
        try place.serve()
    }

    @Test func `a server says at its start which Lua it runs on`() throws {
        let place = try Workplace(scripts: ["hello.lua": helloScript])
        let server = try Command(["serve", "--port", "0"], in: place.folder)
        let said = server.errors(until: "Perigee 0.1.0 on http://")
        server.send(SIGTERM)
        _ = try server.end()
        #expect(said.contains(" · \(LuaRelease.linked.name) · "))
        #expect(said.contains("known defect") == (LuaRelease.linked.warning != nil))
    }
}
