/// What a journal can refuse or fail at.
public enum JournalError: ExplainedError, Hashable {
    /// Another host has taken the run over: the commit's epoch is old, or the run has ended.
    case fenced(run: Int64)
    /// The commit's entries do not follow the last one in the journal.
    case wrongSequence(run: Int64, expected: Int, got: Int)
    /// The same idempotency key came with another request.
    case idempotencyKeyReused(key: String)
    /// A run has the business key already, and the workflow rejects a second one.
    case keyTaken(KeyTaken)
    /// A value contradicts another one, is out of its bounds, or is an id that is taken.
    case invalid(String)
    /// The disk has no room left.
    case diskFull(path: String)
    /// Another process has the store open.
    case inUse(path: String, by: String)
    /// The store's content is not what this program wrote.
    case damaged(path: String, detail: String)
    /// The store was written by a newer version of the program.
    case newerSchema(path: String, found: String)
    /// Reading or writing failed for another reason.
    case io(path: String, detail: String)
    /// The system has given up what it had taken for the file; the store has to be opened anew.
    case syncFailed(path: String, detail: String)

    /// Whether the disk is to blame, so that the same may succeed later.
    public var isOfTheDisk: Bool {
        switch self {
        case .diskFull, .io, .syncFailed: true
        default: false
        }
    }

    public var code: String {
        switch self {
        case .fenced: "PG3001"
        case .wrongSequence: "PG3002"
        case .idempotencyKeyReused: "PG3003"
        case .invalid: "PG3004"
        case .keyTaken: "PG4110"
        case .diskFull: "PG3010"
        case .inUse: "PG3011"
        case .damaged: "PG3012"
        case .newerSchema: "PG3013"
        case .io: "PG3014"
        case .syncFailed: "PG3020"
        }
    }

    public var message: String {
        switch self {
        case .fenced(let run): "Run number \(run) is owned by another host, or has ended."
        case .wrongSequence(let run, let expected, let got):
            "Run number \(run) expected entry \(expected) next, and was given entry \(got)."
        case .idempotencyKeyReused(let key):
            "The idempotency key \"\(key)\" was used before for another request."
        case .keyTaken(let taken): taken.sentence
        case .invalid(let why): "The request can't be stored: \(why)."
        case .diskFull(let path): "There is no room left on the disk that holds \(path)."
        case .inUse(let path, let by): "\(path) is in use by \(by)."
        case .damaged(let path, let detail): "\(path) is not a sound Perigee database: \(detail)."
        case .newerSchema(let path, let found):
            "\(path) was written by a newer version of Perigee (it has \"\(found)\", unknown here)."
        case .io(let path, let detail): "Reading or writing \(path) failed: \(detail)."
        case .syncFailed(let path, let detail):
            "The disk did not keep what was written to \(path) (\(detail)), so the file is not used any more."
        }
    }

    public var hint: String {
        switch self {
        case .fenced: "Nothing was recorded; the host that owns the run goes on with it."
        case .wrongSequence: "Nothing was recorded; this is a fault of the host, please report it."
        case .idempotencyKeyReused: "Use a new key for a new request, or send the same request again."
        case .keyTaken:
            "Nothing was started. Use that run, or another key; `on_conflict` in the script decides what happens."
        case .invalid: "Correct the request and send it again."
        case .diskFull: "Free some space and send it again; nothing that was acknowledged is lost."
        case .inUse: "Stop that process first, or give another file with --data."
        case .damaged:
            "Restore the file from a backup, or give another one with --data; it was left as it is."
        case .newerSchema: "Run the newer version again, or give another file with --data."
        case .io: "Check the disk and the rights on the file, then try again."
        case .syncFailed: "Check the disk, then restart perigee; nothing that was acknowledged is lost."
        }
    }
}
