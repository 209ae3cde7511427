/// Sends one HTTP request for a workflow; the host itself decides about retries.
///
/// `PerigeeHTTP` has the one for the real world, `PerigeeTesting` one that answers from files.
public protocol HTTPTransport: Sendable {
    /// Sends a request once.
    ///
    /// - Parameter request: what to send; secrets stand in it in clear.
    /// - Returns: the reply, whatever its status is.
    /// - Throws: ``HTTPFailure`` when there is no complete reply.
    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPReply
}

/// One attempt at one HTTP call of a workflow.
public struct HTTPRequest: Sendable {
    /// In capitals: `GET`, `POST` and so on.
    public var method: String
    /// Absolute, with its query.
    public var url: String
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    /// How long the whole attempt may take, in milliseconds, 1 or more.
    public var timeoutMilliseconds: Int
    /// The largest reply body that is taken, in bytes.
    public var maxReplyBytes: Int
    /// Which attempt at the step this is, from 1.
    public var attempt: Int
    /// The names of headers whose values hold secrets or prove who is calling, in lower case: they must not travel to
    /// another host.
    public var secretHeaders: Set<String>

    public init(
        method: String, url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeoutMilliseconds: Int = 30_000, maxReplyBytes: Int = 1_048_576, attempt: Int = 1,
        secretHeaders: Set<String> = []
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeoutMilliseconds = timeoutMilliseconds
        self.maxReplyBytes = maxReplyBytes
        self.attempt = attempt
        self.secretHeaders = secretHeaders
    }
}

/// A complete reply.
public struct HTTPReply: Sendable {
    public var status: Int
    /// In the order received; a name may stand more than once.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The first value of a header, whatever the case of its name.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

/// Why there is no complete reply.
public struct HTTPFailure: Error, Sendable {
    public enum Kind: String, Sendable {
        /// No connection, or it broke.
        case network
        /// It took longer than the attempt may take.
        case timeout
        /// The request is not allowed or can't be sent as it is; another attempt would end the same.
        case rejected
        /// The reply is larger than the call takes.
        case limit
    }

    public var kind: Kind
    /// `PG20…`, see the pages of the codes.
    public var code: String
    public var message: String
    public var hint: String
    /// Whether nothing was sent because too much is on its way to the receiver already: it counts as no attempt.
    public var isUnsent = false

    public init(kind: Kind, code: String, message: String, hint: String) {
        self.kind = kind
        self.code = code
        self.message = message
        self.hint = hint
    }
}
