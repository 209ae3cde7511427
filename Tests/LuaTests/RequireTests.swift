import PerigeeLua
import Testing

struct RequireTests {
    private func run(_ body: String, _ modules: [String: String]) throws -> LuaStep {
        try ScriptRunner(body, modules: modules).finish()
    }

    @Test func `a module runs once and is kept`() throws {
        let modules = ["lib.count": "loads = (loads or 0) + 1 return { n = 0 }"]
        let body = "require('lib.count').n = 5 local m = require 'lib.count' return { m.n, loads }"
        #expect(try run(body, modules).result() == "[5,1]")
    }

    @Test func `a module has the script's globals, the host's functions and its own name`() throws {
        let modules = ["lib.a": "local name = ... return function(x) return { echo(x)[1], name, shared } end"]
        #expect(try run("shared = 'g' return require('lib.a')(3)", modules).result() == #"[3,"lib.a","g"]"#)
    }

    @Test func `a module may require another, and may wait when it is called later`() throws {
        let modules = [
            "lib.outer":
                "local inner = require 'lib.inner' return { get = function() return inner.get() end }",
            "lib.inner": "return { get = function() return await('x') end }",
        ]
        let runner = try ScriptRunner("return require('lib.outer').get()", modules: modules)
        #expect(runner.advance().isSuspended)
        #expect(try runner.advance(json: "9").result() == "9")
        #expect(runner.host.calls.first?.script == "lib/inner.lua")
    }

    @Test func `a module that returns nothing gives true`() throws {
        #expect(
            try run("return { require 'quiet', require 'quiet' }", ["quiet": ""]).result() == "[true,true]")
    }

    @Test(arguments: ["missing", "stdlib/prelude.lua", ""])
    func `a missing module is named`(name: String) throws {
        let failure = try run("\nrequire '\(name)'", [:]).failure()
        #expect(failure.code == "PG1006" && failure.line == 2)
        #expect(failure.message == "there is no module \"\(name)\" in this version of the script")
    }

    @Test func `the stdlib's pieces are not modules`() throws {
        #expect(
            try run("require 'stdlib/secret_piece'", ["stdlib/secret_piece": "return 1"]).failure().code
                == "PG1006")
    }

    @Test func `modules that require each other in a circle are refused`() throws {
        let failure = try run("require 'a'", ["a": "require 'b'", "b": "require 'a'"]).failure()
        #expect(failure.code == "PG1006" && failure.script == "b.lua")
        #expect(
            failure.message == "the modules require each other in a circle: \"a\" is being loaded already")
    }

    @Test func `a module that failed fails in the same way again`() throws {
        let body = "local function try() return select(2, pcall(require, 'bad')) end return { try(), try() }"
        #expect(
            try run(body, ["bad": "error('broken')"]).result()
                == #"["bad.lua:1: broken","bad.lua:1: broken"]"#)
    }

    @Test func `an error in a module names the module and its line`() throws {
        let failure = try run("\nlocal m = require 'bad'", ["bad": "\n\nlocal x = nil + 1"]).failure()
        #expect(failure.script == "bad.lua" && failure.line == 3)
        #expect(failure.traceback == ["bad.lua:3 in function '?'", "test.lua:2 in function '?'"])
    }

    @Test func `a module may return a secret or any other value`() throws {
        let modules = ["s": "return secret 'CRM'", "f": "return false", "n": "return 5"]
        let body = "return { tostring(require 's'), tostring(require 's'), require 'f', require 'n' }"
        #expect(try run(body, modules).result() == #"["secret:CRM","secret:CRM",false,5]"#)
    }
}
