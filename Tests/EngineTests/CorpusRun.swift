import Foundation
import Perigee
import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

/// What became of a script of the corpus as a workflow of a real host.
struct CorpusRun {
    /// Why the host did not take it; then nothing below is there.
    var refusal: HostError?
    var end: RunRecord?
    /// What it printed.
    var lines: [String] = []
    /// CPU time that the process used from its start to its end, in seconds.
    var cpuSeconds = 0.0

    var code: String? { end?.problem?["code"]?.string }

    /// For the text of a failed test.
    var summary: String {
        let message = end?.problem?["message"]?.string.map { String($0.prefix(200)) }
        let end =
            end.map { "\($0.status) \(code ?? "") \(message ?? "")" }
            ?? "refused: \(String(describing: refusal))"
        return "\(end), \(lines.count) lines, the last \(lines.last?.prefix(100) ?? ""), CPU \(cpuSeconds) s"
    }

    /// Runs the workflow `corpus` of a host that runs.
    init(in test: TestHost) async throws {
        let before = ProcessUse.cpuSeconds
        do {
            let end = try await test.end(try await test.begin("corpus").id)
            self.end = end
            cpuSeconds = ProcessUse.cpuSeconds - before
            lines = try await test.host.history(run: end.id).annotations.filter { $0.kind == .log }.map(
                \.text)
        } catch let error as HostError {
            refusal = error
        }
    }
}

/// What several tasks look at.
private final class Signal: Sendable {
    let isGiven = Atomic(false)
}

extension TestHost {
    /// Other workflows with steps, each started over and over until the body has ended.
    ///
    /// - Returns: how many of them were completed, all with the right result.
    func besideNeighbours(_ body: () async throws -> Void) async throws -> Int {
        let isOver = Signal()
        return try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 1...3 {
                group.addTask {
                    var count = 0
                    repeat {
                        let id = try await self.begin("neighbour", ["number": .int(Int64(number))]).id
                        let end = try await self.end(id)
                        #expect(end.status == .completed && end.result == ["sum": .int(Int64(number) + 5050)])
                        count += 1
                    } while !isOver.isGiven.load(ordering: .relaxed)
                    return count
                }
            }
            do { try await body() } catch {
                group.cancelAll()
                throw error
            }
            isOver.isGiven.store(true, ordering: .relaxed)
            return try await group.reduce(0, +)
        }
    }

    /// A durable step, some work, a wait and another step.
    static let neighbour = script(
        """
        emit("neighbour.began")
        local sum = input.number
        for i = 1, 100 do sum = sum + i end
        sleep("50ms")
        emit("neighbour.ended", { sum = sum })
        return { sum = sum }
        """)
}

/// What this process uses of the machine.
enum ProcessUse {
    /// CPU time of all threads so far, in seconds.
    static var cpuSeconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The most memory that was really there at any time, in bytes; `nil` where the system does not tell in /proc.
    static var peakBytes: Int? { status("VmHWM:") }
    static var residentBytes: Int? { status("VmRSS:") }

    private static func status(_ field: String) -> Int? {
        guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix(field) }
        return line?.split { $0 == " " || $0 == "\t" }.dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }

    /// Has the system end this process after so much more CPU time, so that a script that nothing ends fails its test.
    static func endAfter(cpuSeconds: Int) {
        let most = rlim_t(Int(self.cpuSeconds) + cpuSeconds)
        var limit = rlimit(rlim_cur: most, rlim_max: most)
        #if os(Linux)
            setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &limit)
        #else
            setrlimit(RLIMIT_CPU, &limit)
        #endif
    }
}
