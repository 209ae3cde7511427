import PerigeeLua
import Testing

struct SecretTests {
    @Test func `the host is told where secrets stand and what they are called`() throws {
        let runner = try ScriptRunner(
            """
            echo('x', { auth = secret 'CRM_TOKEN', headers = { ['a/b~c'] = secret 'B' }, list = { 1, { secret 'C' } } })
            echo(secret 'D')
            """)
        _ = try runner.finish().result()
        #expect(
            runner.host.calls[0].arguments
                == #"["x",{"auth":"secret:CRM_TOKEN","headers":{"a/b~c":"secret:B"},"list":[1,["secret:C"]]}]"#
        )
        #expect(
            runner.host.calls[0].secrets == [
                SecretUse(pointer: "/1/auth", name: "CRM_TOKEN"),
                SecretUse(pointer: "/1/headers/a~1b~0c", name: "B"),
                SecretUse(pointer: "/1/list/1/0", name: "C"),
            ])
        #expect(runner.host.calls[1].secrets == [SecretUse(pointer: "/0", name: "D")])
    }

    @Test func `text that looks like a secret is only text`() throws {
        let runner = try ScriptRunner("echo({ 'secret:CRM' })")
        _ = try runner.finish().result()
        #expect(runner.host.calls[0].secrets.isEmpty)
    }

    @Test(arguments: [
        ("return tostring(secret 'CRM')", #""secret:CRM""#),
        ("return ('%s'):format(secret 'CRM')", #""secret:CRM""#),
        ("return getmetatable(secret 'CRM')", #""secret""#), ("return type(secret 'CRM')", #""userdata""#),
    ])
    func `a secret shows only its name`(body: String, result: String) throws {
        #expect(try run(body).result() == result)
    }

    @Test(arguments: ["s.value", "s .. ''", "'Bearer ' .. s", "#s", "s[1]", "s:reveal()", "s .. s"])
    func `a secret can't be read or joined to text`(expression: String) throws {
        let failure = try run("local s = secret 'CRM' return \(expression)").failure()
        #expect(
            failure.code == "PG1021" && failure.message == "the secret CRM can't be read or joined to text")
    }

    @Test(arguments: ["s()", "s + 1", "s < s", "-s", "rawget(s, 1)"])
    func `nothing else can be done with a secret`(expression: String) throws {
        #expect(try run("local s = secret 'CRM' return \(expression)").failure().line == 1)
    }

    @Test func `a secret can't be changed`() throws {
        #expect(try run("local s = secret 'CRM' s.x = 1").failure().line == 1)
        #expect(try run("setmetatable(secret 'CRM', {})").failure().line == 1)
    }

    @Test func `a result can't hold a secret`() throws {
        let failure = try run("return { token = secret 'CRM' }").failure()
        #expect(
            failure.message
                == "the workflow's result can't be kept: token is a secret; a secret can only be given to http"
        )
    }

    @Test(arguments: ["''", "'a b'", "'a.b'", "('x'):rep(129)", #"'a\0b'"#, "'ä'"])
    func `a secret's name is plain`(name: String) throws {
        #expect(try run("secret(\(name))").failure().code == "PG1011")
    }

    @Test func `a secret under a key that a pointer can't name is refused`() throws {
        let failure = try run(#"echo({ ['a\0b'] = secret 'CRM' })"#).failure()
        #expect(
            failure.code == "PG1020" && failure.message.hasSuffix("is a secret under a key with a zero byte"))
    }
}
