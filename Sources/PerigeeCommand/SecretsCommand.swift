import ArgumentParser
import Foundation
import Perigee
import PerigeeJournal

struct SecretsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secrets", abstract: "Set what calls prove themselves with; values are never shown.",
        discussion: """
            Examples:
              perigee secrets generate-key > master.key
              perigee serve --master-key-file master.key
              perigee secrets set CRM_TOKEN --host api.crm.example < token.txt

            A secret is looked for in the store, then in PERIGEE_SECRET_NAME, then in files. A change counts for the
            next attempt of any call, without a new start.
            """,
        subcommands: [
            SecretsList.self, SecretsSet.self, SecretsUnset.self, SecretsImport.self, SecretsRotate.self,
            SecretsGenerateKey.self,
        ], aliases: ["secret"])
}

struct SecretsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List secrets: where they come from and where they may be sent.",
        discussion: """
            Examples:
              perigee secrets list
              perigee secrets list -o jsonl

            Of several with one name, the first is the one that calls get.
            """)

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    static let columns = [
        Column("SECRET", field: "name"), Column("FROM", field: "source"),
        Column("HOSTS") { secret in
            let hosts = (secret["hosts"]?.array ?? []).map { $0.string ?? "" }
            return secret["any_host"] == true
                ? "any" : hosts.isEmpty ? "can't be read" : hosts.joined(separator: ", ")
        },
        Column("UPDATED", field: "updated_at"), Column("KEY", field: "key"),
        Column("USED") { $0["used"] == false ? "no" : "yes" },
    ]

    func run() async throws {
        Listing(columns: SecretsList.columns, format: output.format).write(
            try await server.client().get("/v1/secrets"), empty: "No secret is set.")
    }
}

/// Who changes a secret, and why.
struct SecretChange: ParsableArguments {
    @Option(help: "Why, for those who look at it later.")
    var reason: String?

    @Option(help: "Who does it. (default: the name of this user)")
    var by: String?

    @OptionGroup var server: ServerOptions

    func body(_ more: [String: JSON] = [:]) -> JSON {
        var fields: [String: JSON] = ["by": .string(by ?? NSUserName())]
        if let reason { fields["reason"] = .string(reason) }
        return .object(fields.merging(more) { $1 })
    }
}

/// Where secrets may be sent.
struct SecretHosts: ParsableArguments {
    @Option(
        help: "A host that it may be sent to, as api.example, *.example or api.example:8443; repeatable.")
    var host: [String] = []

    @Flag(help: "It may be sent to any host.")
    var anyHost = false

    /// The fields that say it; `nil` where nothing does.
    ///
    /// - Throws: ``CommandFailure`` for both.
    func fields() throws(CommandFailure) -> [String: JSON]? {
        if anyHost, !host.isEmpty {
            throw .usage("--host and --any-host exclude each other.", hint: "Leave one of them out.")
        }
        if anyHost { return ["any_host": true] }
        return host.isEmpty ? nil : SecretHosts.fields(host)
    }

    static func fields(_ hosts: [String]) -> [String: JSON] {
        ["hosts": .array(hosts.map { .string($0) })]
    }

    static func missing(_ name: String) -> CommandFailure {
        .usage(
            "It is not said where \(name) may be sent.",
            hint: "Give --host api.example, once for each host, or --any-host.")
    }
}

struct SecretsSet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set", abstract: "Set a secret of the store; its value is read from standard input.",
        discussion: """
            Examples:
              perigee secrets set CRM_TOKEN --host api.crm.example
              perigee secrets set CRM_TOKEN --host '*.crm.example' --host crm.internal:8443 < token.txt

            On a terminal it is asked for and not shown. It is never an argument: other users could see that.
            """)

    @Argument(help: "The name that scripts use: secret \"NAME\".")
    var name: String

    /// Taken so that nobody is shown the value again who gives it there.
    @Argument(help: .hidden)
    var more: [String] = []

    @OptionGroup var hosts: SecretHosts
    @OptionGroup var change: SecretChange

    func run() async throws {
        guard more.isEmpty, !name.contains("=") else {
            throw CommandFailure.usage(
                "A value can't be an argument: others on this machine see those, and shells keep them.",
                hint: "Give the name alone, and the value by standard input: perigee secrets set --help.")
        }
        guard let fields = try hosts.fields() else { throw SecretHosts.missing(name) }
        let value = try SecretsSet.value(of: name)
        _ = try await change.server.client().put(
            "/v1/secrets/\(APIClient.encoded(name))",
            change.body(fields.merging(["value": .string(value)]) { $1 }))
        standardError("\(name) is set.")
    }

    private static func value(of name: String) throws(CommandFailure) -> String {
        var value: String?
        if Terminal.inputIsTTY {
            value = Terminal.readHidden("Value of \(name): ")
        } else if let data = try? FileHandle.standardInput.read(upToCount: Settings.maxSecretBytes + 4096) {
            value = String(validating: data, as: UTF8.self)
        }
        while value?.last?.isNewline == true { value?.removeLast() }
        guard let value, !value.isEmpty else {
            throw CommandFailure(
                code: "PG5043", message: "Standard input has no value for \(name), or one that is no text.",
                hint: "Type it when you are asked, or give a file: perigee secrets set \(name) … < FILE.")
        }
        return value
    }
}

struct SecretsUnset: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unset", abstract: "Remove a secret from the store.",
        discussion: """
            Examples:
              perigee secrets unset CRM_TOKEN --reason "the vendor is gone"
            """)

    @Argument(help: "The secret's name.")
    var name: String

    @OptionGroup var change: SecretChange

    func run() async throws {
        _ = try await change.server.client().delete("/v1/secrets/\(APIClient.encoded(name))", change.body())
        standardError("\(name) is removed from the store.")
    }
}

struct SecretsImport: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Set all secrets of a .env file.",
        discussion: """
            Examples:
              perigee secrets import .env --host api.crm.example
              perigee secrets import - --any-host < secrets.env

            A line is NAME=value, NAME="value" or NAME='value'. PERIGEE_SECRET_ before a name is left out, and
            PERIGEE_SECRET_HOSTS_NAME has the hosts of NAME; --host and --any-host count for those without.
            """)

    @Argument(help: "The file, or - for standard input.")
    var file: String

    @OptionGroup var hosts: SecretHosts
    @OptionGroup var change: SecretChange

    func run() async throws {
        let others = try hosts.fields()
        let secrets = try SecretsImport.secrets(in: file)
        let bodies = try secrets.map { secret in
            guard let fields = secret.hosts.map(SecretHosts.fields) ?? others else {
                throw SecretHosts.missing(secret.name)
            }
            return (secret.name, change.body(fields.merging(["value": .string(secret.value)]) { $1 }))
        }
        let client = try change.server.client()
        for (name, body) in bodies {
            _ = try await client.put("/v1/secrets/\(APIClient.encoded(name))", body)
            standardError("\(name) is set.")
        }
    }

    private static func secrets(in file: String) throws(CommandFailure) -> [(
        name: String, value: String, hosts: [String]?
    )] {
        let data =
            file == "-"
            ? FileHandle.standardInput.readDataToEndOfFile() : FileManager.default.contents(atPath: file)
        guard let text = data.flatMap({ String(validating: $0, as: UTF8.self) }) else {
            throw .usage("The file \(file) can't be read as text.", hint: "Check its name and permissions.")
        }
        let variables = try EnvironmentFile(text, name: file).variables
        let hostsPrefix = "PERIGEE_SECRET_HOSTS_"
        var hosts: [String: [String]] = [:]
        for variable in variables where variable.name.hasPrefix(hostsPrefix) {
            hosts[String(variable.name.dropFirst(hostsPrefix.count))] =
                variable.value.split { $0 == "," || $0 == " " }.map(String.init)
        }
        return variables.filter { !$0.name.hasPrefix(hostsPrefix) }.map { variable in
            let prefix = "PERIGEE_SECRET_"
            let name =
                variable.name.hasPrefix(prefix)
                ? String(variable.name.dropFirst(prefix.count)) : variable.name
            return (name, variable.value, hosts[name])
        }
    }
}

struct SecretsRotate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Seal all secrets of the store by the newest master key.",
        discussion: """
            Examples:
              perigee secrets rotate --reason "ana has left"

            First start the service with the new key followed by the old one, in the file of --master-key-file or
            wherever the key comes from. If it is broken off, run it again. Then take the old key out.
            """)

    @OptionGroup var change: SecretChange

    func run() async throws {
        let answer = try await change.server.client().post("/v1/secrets:rotate", change.body())
        let count = Int(answer["resealed"]?.int ?? 0)
        standardError(
            "\(counted(count, "secret")) sealed anew. The key \(answer["key"].text) seals all; no other is needed."
        )
    }
}

struct SecretsGenerateKey: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate-key", abstract: "Print a new master key: 32 random bytes in Base64.",
        discussion: """
            Examples:
              (umask 077; perigee secrets generate-key > master.key)

            Keep a copy apart from the database: without its key nobody can read the secrets any more.
            """)

    func run() {
        print(MasterKey.generate())
    }
}
