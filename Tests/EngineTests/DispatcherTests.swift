import Logging
@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

/// Who is taken up first.
@Suite(.timeLimit(.minutes(5))) struct DispatcherTests {
    @Test func `new runs are taken up at once only while none that is due waits, and there is room`()
        async throws
    {
        let journal = MemoryJournal()
        let clock = ManualClock()
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let dispatcher = Dispatcher(
            journal: journal, options: HostOptions(), ambient: clock, logger: logger)
        #expect(dispatcher.reserve(1, mayStandInLine: true) == 0)
        let most = HostOptions().maxRunsInWork
        let older = (1...most + 1).map { Self.submission("run_\($0)") }
        _ = try await journal.submit(older, now: clock.now)
        let claims = AsyncStream.makeStream(of: Int.self)
        let running = Task {
            await dispatcher.run { claims.continuation.yield($0.runs.count) }
        }
        var taken = 0
        for await count in claims.stream {
            taken += count
            if taken == most { break }
        }
        #expect(dispatcher.reserve(1, mayStandInLine: true) == 0)
        // From here on it claims by itself at any moment.
        dispatcher.released(1)
        dispatcher.released(2)
        for await count in claims.stream {
            taken += count
            if taken == most + 1 { break }
        }
        while dispatcher.reserve(1, mayStandInLine: true) == 0 { await Task.yield() }
        #expect(dispatcher.activeCount == most)
        #expect(
            dispatcher.reserve(Dispatcher.maxAccepted + 9, mayStandInLine: true) == Dispatcher.maxAccepted
                - 1,
            "they have room of their own")
        #expect(dispatcher.reserve(9, mayStandInLine: true) == 0)
        dispatcher.accepted([], of: Dispatcher.maxAccepted)
        #expect(dispatcher.reserve(9, mayStandInLine: true) == 9)
        dispatcher.accepted([], of: 9)
        #expect(
            dispatcher.reserve(Dispatcher.maxAccepted, mayStandInLine: false) == 1,
            "no more than can begin at once where they may not stand in line")
        dispatcher.stop()
        await running.value
        dispatcher.accepted([], of: 1)
        #expect(dispatcher.reserve(1, mayStandInLine: true) == 0)
    }

    private static func submission(_ id: String) -> Submission {
        Submission(
            namespace: "default",
            starts: [
                NewRun(
                    id: id, workflow: "w", version: 1, bundle: "b", input: Array("{}".utf8),
                    trigger: Array("{}".utf8), correlationID: "c")
            ])
    }
}
