import Foundation
import Perigee
import PerigeeJournal

/// What large runs, and many at once, take: how long, and how much memory.
struct ScaleRow {
    let load: Workload

    func measure() async throws -> [Figure] {
        try await wakeTogether() + longRun() + manyItems()
    }

    /// Sleeping runs that all wake in the same second.
    private func wakeTogether() async throws -> [Figure] {
        let bench = try await BenchmarkHost(
            scripts: ["nap": "sleep(\"Until then\", { at = input.at }) return 1"]) {
                $0.residentRuns = 0
            }
        defer { bench.removeFiles() }
        let count = load.wakingRuns
        // All are asleep well before that moment.
        let wake = Timestamp(
            milliseconds: Int64(Date().timeIntervalSince1970 * 1000) + Int64(count) * 2 + 1000)
        try await bench.start("nap", count: count, input: ["at": .string(wake.description)])
        try await bench.untilIdle()
        let left = Double(wake.milliseconds) / 1000 - Date().timeIntervalSince1970
        guard left > 0 else {
            throw BenchmarkError("The machine is too slow: the runs woke before all slept.")
        }
        try await Task.sleep(for: .seconds(left))
        let start = ContinuousClock.now
        try await bench.untilNone(is: [.queued, .running, .waiting])
        let elapsed = start.age
        try await bench.stop()
        return [
            Figure(
                .scale, "\(count) runs that wake in the same second, to the last end",
                elapsed, "s")
        ]
    }

    /// One run of many steps, and its replay.
    private func longRun() async throws -> [Figure] {
        let count = load.stepsOfOneRun
        let body = """
            for i = 1, \(count) do emit("step", { n = i }) if i % 100 == 0 then sleep("1ms") end end
            return 1
            """
        let (seconds, memory) = try await oneRun(body)
        return [
            Figure(
                .scale, "one run of \(count) steps, replayed at each of \(count / 100) waits", seconds, "s"),
            Figure(.scale, "… memory above an empty host", memory.map { $0 / 1_048_576 }, "MiB"),
        ]
    }

    /// One `each` of many items, each with a step.
    private func manyItems() async throws -> [Figure] {
        let count = load.itemsOfOneRun
        let body = """
            local list = {}
            for i = 1, \(count) do list[i] = { id = i } end
            local done = each("Each", list, function(item) emit("item", { id = item.id }) return item.id end,
              { key = "id", at_once = 50 })
            return done.ok
            """
        let (seconds, memory) = try await oneRun(body)
        return [
            Figure(.scale, "one each of \(count) items", seconds, "s"),
            Figure(.scale, "… memory above an empty host", memory.map { $0 / 1_048_576 }, "MiB"),
        ]
    }

    private func oneRun(_ body: String) async throws -> (seconds: Double, memory: Double?) {
        let bench = try await BenchmarkHost(scripts: ["big": body]) { $0.residentRuns = 0 }
        defer { bench.removeFiles() }
        let before = Footprint.residentBytes
        let start = ContinuousClock.now
        let id = try await bench.start("big")[0]
        try await bench.end(id)
        let elapsed = start.age
        let after = Footprint.residentBytes
        try await bench.stop()
        return (elapsed, before.flatMap { before in after.map { $0 - before } })
    }
}
