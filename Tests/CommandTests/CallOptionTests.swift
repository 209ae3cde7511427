import Foundation
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct CallOptionTests {
    @Test(arguments: [
        (["--allow-host", "http://crm.internal/"], "[PG2008]"), (["--deny-host", "10.0.0.0/40"], "[PG2008]"),
        (["--only-host", "*acme"], "[PG2008]"), (["--ca-file", "missing.pem"], "[PG2183]"),
        (["--client-certificate", "*=missing.pem"], "[PG2183]"),
        (["--client-certificate", "a.example=missing.pem"], "[PG2183]"),
        (["--proxy", "http://me:s3cret@proxy"], "[PG2184]"),
    ])
    func `an option of calls that can't be used keeps the host from starting`(options: [String], code: String)
        throws
    {
        let place = try Workplace(scripts: [:])
        let said = try Command.run(["serve", "--port", "0"] + options, in: place.folder)
        #expect(said.status == 1)
        #expect(said.errors.contains(code))
        #expect(!said.errors.contains("s3cret"))
    }

    @Test(arguments: [
        ["--client-certificate", "bank.pem"], ["--client-key", "a.example=a.key"],
        ["--client-certificate", "=bank.pem"],
    ])
    func `certificates without a host, and keys without a certificate, are usage errors`(options: [String])
        throws
    {
        let place = try Workplace(scripts: [:])
        let said = try Command.run(["serve", "--port", "0"] + options, in: place.folder)
        #expect(said.status == 2)
        #expect(said.errors.contains("[PG5000]"))
    }

    @Test(arguments: [
        (["PERIGEE_ALLOW_HOSTS": "127.0.0.1"], "PG2002"),
        (["PERIGEE_ALLOW_HOSTS": "127.0.0.1", "PERIGEE_DENY_HOSTS": "a.example, *:1"], "PG2180"),
        (["PERIGEE_ALLOW_HOSTS": "127.0.0.1", "PERIGEE_ONLY_HOSTS": "*.acme.example"], "PG2180"),
        (["PERIGEE_ONLY_HOSTS": "127.0.0.0/8"], "PG2004"),
        (["PERIGEE_ALLOW_HOSTS": "127.0.0.1", "PERIGEE_PROXY": "http://127.0.0.1:2"], "PG2185"),
        (["PERIGEE_ALLOW_HOSTS": "127.0.0.1", "http_proxy": "http://127.0.0.1:2"], "PG2002"),
    ])
    func `the rules of the environment hold for runs`(environment: [String: String], code: String) throws {
        let script = """
            return workflow { run = function()
              local _, err = try(http.get, "Ask", { url = "http://127.0.0.1:1/", retry = { max_attempts = 1 } })
              return { code = err.code }
            end }
            """
        let place = try Workplace(scripts: ["ask.lua": script])
        try place.serve(environment: environment)
        let said = try place.run("run", "ask", "--wait=30s", "-o", "json")
        #expect(said.status == 0)
        #expect(said.output.contains("\"\(code)\""))
    }

    @Test func `the help tells of the options of calls`() throws {
        for command in ["serve", "dev"] {
            let said = try Workplace(scripts: [:]).run(command, "--help").output
            for option in [
                "--allow-host", "--deny-host", "--only-host", "--ca-file", "--client-certificate",
                "--client-key", "--proxy",
            ] {
                #expect(said.contains(option + " <"))
            }
        }
    }
}
