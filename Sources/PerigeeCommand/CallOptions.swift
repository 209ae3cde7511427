import ArgumentParser
import PerigeeHTTP

/// Whom the calls of workflows may reach, and how.
struct CallOptions: ParsableArguments {
    @Option(
        help:
            """
            A rule [SCHEME://]HOST[:PORT] for what workflows may call though it is private or this machine; \
            HOST is a name, *.suffix, an address, a range such as 10.0.0.0/8, or *; repeatable. \
            (default: $PERIGEE_ALLOW_HOSTS)
            """
    )
    var allowHost: [String] = []

    @Option(
        help:
            "A rule for what workflows may not call, whatever else says; repeatable. (default: $PERIGEE_DENY_HOSTS)"
    )
    var denyHost: [String] = []

    @Option(
        help:
            "A rule for what workflows may call, and nothing else then; repeatable. (default: $PERIGEE_ONLY_HOSTS)"
    )
    var onlyHost: [String] = []

    @Option(
        help:
            """
            A PEM file with certificates that calls trust beside the system's; repeatable. \
            (default: $PERIGEE_CA_FILES)
            """
    )
    var caFile: [String] = []

    @Option(
        help:
            """
            HOST[:PORT]=FILE: a client certificate for that host, as PEM; repeatable. \
            (default: $PERIGEE_CLIENT_CERTIFICATES)
            """
    )
    var clientCertificate: [String] = []

    @Option(
        help:
            """
            HOST[:PORT]=FILE: the private key of its client certificate, if that is in another file; repeatable. \
            (default: $PERIGEE_CLIENT_KEYS)
            """
    )
    var clientKey: [String] = []

    @Option(
        help:
            """
            http://[USER:PASSWORD@]HOST:PORT that all calls go through; http_proxy and the like are not looked at. \
            (default: $PERIGEE_PROXY)
            """
    )
    var proxy: String?

    /// What sends calls by these options.
    ///
    /// - Throws: an ``ExplainedError`` for an option that can't be used.
    func transport(allowsLoopback: Bool = false) throws -> AsyncHTTPTransport {
        let egress = EgressPolicy(
            allowedHosts: try rules(allowHost, "PERIGEE_ALLOW_HOSTS"),
            deniedHosts: try rules(denyHost, "PERIGEE_DENY_HOSTS"),
            onlyHosts: try rules(onlyHost, "PERIGEE_ONLY_HOSTS"), allowsLoopback: allowsLoopback)
        let tls = try CallTLS(
            authorities: Configuration.list(caFile, "PERIGEE_CA_FILES"),
            clientCertificates: try certificates())
        let proxy = try (proxy ?? Configuration.environment("PERIGEE_PROXY")).map(CallProxy.init(parsing:))
        return AsyncHTTPTransport(egress: egress, tls: tls, proxy: proxy)
    }

    private func rules(_ options: [String], _ name: String) throws -> [HostRule] {
        try Configuration.list(options, name).map(HostRule.init(parsing:))
    }

    private func certificates() throws -> [ClientCertificate] {
        let files = try pairs(clientCertificate, "--client-certificate", "PERIGEE_CLIENT_CERTIFICATES")
        let keys = try pairs(clientKey, "--client-key", "PERIGEE_CLIENT_KEYS")
        if let stray = keys.first(where: { key in !files.contains { $0.host == key.host } }) {
            throw CommandFailure.usage(
                "--client-key names \(stray.host), and no --client-certificate does.",
                hint: "Write the host of both in the same way.")
        }
        return try files.map { pair in
            try ClientCertificate(
                host: try HostRule(parsing: pair.host), certificate: pair.file,
                key: keys.first { $0.host == pair.host }?.file)
        }
    }

    private func pairs(
        _ options: [String], _ option: String, _ name: String
    ) throws(CommandFailure) -> [(host: String, file: String)] {
        var pairs: [(host: String, file: String)] = []
        for text in Configuration.list(options, name) {
            let parts = text.split(separator: "=", maxSplits: 1)
            guard parts.count == 2 else {
                throw .usage(
                    "\(option) is \"\(text)\".", hint: "Write HOST=FILE, such as bank.example=bank.pem.")
            }
            pairs.append((String(parts[0]), String(parts[1])))
        }
        return pairs
    }
}
