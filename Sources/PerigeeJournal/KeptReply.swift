/// A good reply to a call, kept as a durable value of the workflow until it is too old to be given in place of none.
public struct KeptReply: Hashable, Sendable {
    public var at: Timestamp
    public var reply: JSON
    /// When it may go.
    public var until: Timestamp

    /// What the keys of these values begin with; scripts have no values under it.
    public static let prefix = "perigee/http/"

    public init(at: Timestamp, reply: JSON, until: Timestamp) {
        self.at = at
        self.reply = reply
        self.until = until
    }

    /// Reads a value; `nil` if it is none of this kind.
    public init?(_ value: Payload) {
        guard let fields = try? JSON(parsing: value), let at = fields["at"]?.int, let reply = fields["reply"],
            let until = fields["until"]?.int
        else { return nil }
        self.init(
            at: Timestamp(milliseconds: at), reply: reply, until: Timestamp(milliseconds: until))
    }

    /// The value: `{"at":…,"reply":…,"until":…}`, moments in milliseconds.
    package var payload: Payload {
        JSON.object([
            "at": .int(at.milliseconds), "reply": reply, "until": .int(until.milliseconds),
        ]).bytes
    }
}
