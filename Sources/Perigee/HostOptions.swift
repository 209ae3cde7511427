import Foundation
public import PerigeeJournal
public import PerigeeLua

/// How a host behaves.
public struct HostOptions: Sendable {
    /// What happens to runs in flight when a script is saved.
    public enum Reload: Sendable {
        /// They stay on the exact text that they have.
        case stay
        /// Those that come to the same place by replaying their record move to the new version; the others stay.
        case moveWhenSafe
    }

    /// Keeps the runs, events and scripts of one tenant apart from those of others.
    public var namespace = "default"
    /// Names this host among others; a new one for every process.
    public var hostID = "host-" + UUID().uuidString.lowercased()
    /// How many threads run scripts, 1 or more.
    public var shards = ProcessInfo.processInfo.activeProcessorCount
    /// How many runs are worked on at once, 1 or more and at least one by each of ``shards``; the others that have come
    /// stand in line.
    ///
    /// Runs that wait for an event, a time or a person are not among them.
    public var maxRunsInWork = 4096
    /// How long the runs of a host that is not heard of stay its own, in milliseconds.
    public var leaseMilliseconds: Int64 = 15_000
    /// How many waiting runs stay in memory; 0 replays a run at every wait.
    public var residentRuns = 1000
    public var reload = Reload.stay
    /// The base of links to pages, without a slash at the end.
    public var publicURL = "http://localhost:7420"
    /// Secrets and settings that scripts use.
    public var settings = Settings.environment()
    /// What the store's secrets are sealed by: the first key seals, the others open what they sealed before.
    public var masterKeys: [MasterKey] = []
    /// The limits of each run's script.
    public var limits = LuaLimits()
    /// The largest event or input, in bytes.
    public var maxEventBytes = 1_048_576
    /// How many events and starts may wait for the store, 1 or more.
    ///
    /// More are refused (`PG4080`) until some are written; see <doc:Overload>.
    public var maxPendingSubmissions = 10_000
    /// How many bytes of data may wait for the store, 1 or more.
    public var maxPendingBytes = 64 << 20
    /// How long they may wait, as far as can be told when they come, in milliseconds.
    public var maxPendingMilliseconds: Int64 = 1000
    /// How often the scripts folder is looked at, in milliseconds.
    public var scanMilliseconds: Int64 = 400
    /// How long ended runs of workflows without `keep` stay, and events that nothing refers to.
    public var keep = Keep.milliseconds(30 * 86_400_000)
    /// How long a host that is to end waits for steps under way, in milliseconds.
    public var drainMilliseconds: Int64 = 10_000

    public init() {}
}
