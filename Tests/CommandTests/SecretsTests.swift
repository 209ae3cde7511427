import Foundation
import PerigeeJournal
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct SecretsTests {
    /// A value that stands nowhere by chance.
    private static let value = "s3cret-5f1c-value-b07a"

    private static func sendScript(_ port: Int) -> String {
        """
        return workflow {
          run = function(input)
            http.post("Send", { url = "http://" .. input.host .. ":\(port)/steps/1", auth = secret "CRM",
              retry = { max_attempts = 1 } })
          end,
        }
        """
    }

    /// Runs a blocking test beside a counting server.
    private func withCounter(_ body: @escaping @Sendable (Int) throws -> Void) async throws -> CountingServer
    {
        let counter = CountingServer()
        try await counter.run { port in
            // Processes are waited for on a thread of their own: the counting server needs the common ones.
            try await withCheckedThrowingContinuation { (end: CheckedContinuation<Void, any Error>) in
                DispatchQueue.global().async { end.resume(with: Result { try body(port) }) }
            }
        }
        return counter
    }

    private static func ended(_ place: Workplace, _ host: String) throws -> JSON {
        let started = try place.run("run", "send", "--input", "host=\(host)", "-o", "json")
        let id = try #require(try JSON(parsing: started.output.utf8)["id"]?.string)
        while true {
            let run = try JSON(parsing: place.run("runs", "show", id, "-o", "json").output.utf8)
            if !["queued", "running", "waiting"].contains(run["status"]?.string) { return run }
        }
    }

    /// The text of all files that a server and its commands left in the place, in Latin-1.
    private static func traces(_ place: Workplace) throws -> String {
        let names = try FileManager.default.subpathsOfDirectory(atPath: place.folder.path)
        return try names.compactMap { name in
            let path = place.folder.appendingPathComponent(name).path
            // Reading a pipe would not end.
            let type = try FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            guard type == .typeRegular else { return nil }
            return FileManager.default.contents(atPath: path).flatMap {
                String(data: $0, encoding: .isoLatin1)
            }
        }.joined()
    }

    @Test func `a secret is set, sent where it may go, and stands in no file, log or answer`() async throws {
        let counter = try await withCounter { port in
            let place = try Workplace(scripts: ["send.lua": Self.sendScript(port)])
            let key = try place.run("secrets", "generate-key").output
            try place.serve(environment: [
                "PERIGEE_MASTER_KEY": key, "PERIGEE_ALLOW_HOSTS": "127.0.0.1,localhost",
                "PERIGEE_SECRET_OTHER": "of the environment",
            ])
            var said: [Command.Outcome] = []
            func run(_ arguments: [String], input: String = "") throws -> Command.Outcome {
                let outcome = try Command.run(
                    arguments, in: place.folder, environment: ["PERIGEE_SERVER": place.address], input: input)
                said.append(outcome)
                return outcome
            }
            let unbound = try run(["secrets", "set", "CRM"], input: Self.value)
            #expect(unbound.status == 2 && unbound.errors.contains("--any-host"))
            for words in [["CRM", Self.value], ["CRM=\(Self.value)"]] {
                #expect(try run(["secrets", "set", "--any-host"] + words).status == 2)
            }
            let empty = try run(["secrets", "set", "CRM", "--any-host"], input: "\n")
            #expect(empty.status == 1 && empty.errors.contains("[PG5043]"))
            let set = try run(
                ["secrets", "set", "CRM", "--host", "127.0.0.1:\(port)", "--by", "ana"],
                input: Self.value + "\n")
            #expect(set.status == 0 && set.errors.contains("CRM is set."), "\(set.errors)")
            #expect(try Self.ended(place, "127.0.0.1")["status"] == "completed")
            let refused = try Self.ended(place, "localhost")
            #expect(refused["status"] == "attention" && refused["error"]?["code"] == "PG2190")
            let list = try run(["secrets", "list", "-o", "plain"]).output
            #expect(list.contains(#/CRM\tstore\t127\.0\.0\.1:[0-9]+\t.*\tyes\n/#))
            #expect(list.contains(#/OTHER\tenvironment\tany\t.*\tyes\n/#))
            let audit = try run(["audit", "list", "-o", "plain"]).output
            #expect(audit.contains(#/\tana\tsecret\.set\tCRM\t/#))
            _ = try run(["runs", "history", refused["id"].map { $0.string ?? "" } ?? "", "-o", "json"])
            #expect(try !Self.traces(place).contains(Self.value))
            let unset = try run(["secrets", "unset", "CRM"])
            #expect(unset.status == 0)
            #expect(try Self.ended(place, "127.0.0.1")["error"]?["code"] == "PG2030")
            #expect(try run(["secrets", "unset", "CRM"]).status == 3)
            said.append(try place.stopServer())
            for outcome in said {
                #expect(!outcome.output.contains(Self.value) && !outcome.errors.contains(Self.value))
            }
            let traces = try Self.traces(place)
            #expect(traces.contains("secret.set"))
            for form in [Self.value, Data(Self.value.utf8).base64EncodedString()] {
                #expect(!traces.contains(form))
            }
        }
        #expect(counter.callCount == 1)
    }

    @Test func `the secrets of a file are set with their hosts, or none of them`() throws {
        let place = try Workplace(scripts: [:])
        try place.serve(environment: ["PERIGEE_MASTER_KEY": try place.run("secrets", "generate-key").output])
        let file = """
            # of the old deployment
            PERIGEE_SECRET_A=plain # words
            export B="in \\"quotes\\" # kept"
            C='single'
            PERIGEE_SECRET_HOSTS_A=a.example, *.b.example

            """
        let missing = try place.run("secrets", "import", "-", input: file)
        #expect(missing.status == 2 && missing.errors.contains("where B may be sent"))
        #expect(try place.run("secrets", "list", "-o", "plain").output.isEmpty)
        for line in [
            "D='s3cret", "D=\"s3cret\"s3cret", "s3cret", "=s3cret", "D D=s3cret", "D= # s3cret", "D=''",
        ] {
            let bad = try place.run("secrets", "import", "-", "--any-host", input: file + line)
            #expect(bad.status == 1 && bad.errors.contains("Line 6 of - ") && bad.errors.contains("[PG5042]"))
            #expect(!bad.errors.contains("s3cret"))
        }
        let all = try place.run("secrets", "import", "-", "--any-host", input: file)
        #expect(all.status == 0 && all.errors == "A is set.\nB is set.\nC is set.\n", "\(all.errors)")
        let list = try place.run("secrets", "list", "-o", "plain").output.split(separator: "\n")
        #expect(list.map { $0.split(separator: "\t")[2] } == ["a.example, *.b.example", "any", "any"])
    }

    @Test func `a new master key takes over from the old one`() async throws {
        let counter = try await withCounter { port in
            let place = try Workplace(scripts: ["send.lua": Self.sendScript(port)])
            let keys = try (1...2).map { _ in try place.run("secrets", "generate-key").output }
            func serve(_ text: String) throws {
                let file = place.folder.appendingPathComponent("master.key")
                try Data(text.utf8).write(to: file)
                try place.serve(environment: [
                    "PERIGEE_MASTER_KEY_FILE": file.path, "PERIGEE_ALLOW_HOSTS": "127.0.0.1",
                ])
            }
            try serve(keys[0])
            #expect(try place.run("secrets", "set", "CRM", "--any-host", input: Self.value).status == 0)
            _ = try place.stopServer()
            for (text, code) in [(keys[1], "PG3071"), ("nonsense", "PG5040")] {
                let refused = try #require(throws: NotReady.self) { try serve(text) }
                #expect(refused.said.contains("[\(code)]"), "\(refused.said)")
            }
            let absent = try #require(throws: NotReady.self) {
                try place.serve(environment: ["PERIGEE_MASTER_KEY_FILE": "absent.key"])
            }
            #expect(absent.said.contains("[PG5041]"))
            let without = try #require(throws: NotReady.self) { try place.serve() }
            #expect(without.said.contains("[PG3070]"))
            try serve(keys[1] + keys[0])
            let rotated = try place.run("secrets", "rotate")
            #expect(
                rotated.status == 0 && rotated.errors.contains("1 secret sealed anew."), "\(rotated.errors)")
            _ = try place.stopServer()
            // As systemd hands it over.
            let credentials = place.folder.appendingPathComponent("credentials")
            try FileManager.default.createDirectory(at: credentials, withIntermediateDirectories: false)
            try Data(keys[1].utf8).write(to: credentials.appendingPathComponent("perigee-master-key"))
            try place.serve(environment: [
                "CREDENTIALS_DIRECTORY": credentials.path, "PERIGEE_ALLOW_HOSTS": "127.0.0.1",
            ])
            #expect(try Self.ended(place, "127.0.0.1")["status"] == "completed")
        }
        #expect(counter.callCount == 1)
    }
}
