import Perigee
import PerigeeJournal

/// The functions that the benchmark's scripts call as durable steps, and the scripts that more than one row runs.
enum BenchmarkSteps {
    /// Three durable steps and nothing else.
    static let threeSteps = """
        call("one", "bench.step", { number = 1 })
        call("two", "bench.step", { number = 2 })
        call("three", "bench.step", { number = 3 })
        return { done = true }
        """

    /// Waits for a person.
    static let ask = """
        local decision = ask.approval("Manager approval", {
          to = { "group:managers" }, show = { { "Customer", input.customer }, { "Amount", input.amount } },
        })
        return { outcome = decision.outcome }
        """

    /// About 100 bytes, like the rows of the yardstick.
    static let input: JSON = [
        "customer": "acme-industries-of-springfield", "order": "order-2026-11-21-000042", "amount": 1200,
        "currency": "EUR",
    ]

    private struct StepInput: Decodable {
        var number: Int
    }

    private struct StepOutput: Encodable {
        var number: Int
        var note = "what a step of this kind gives back is mostly as long as this"
    }

    private struct TextInput: Decodable {
        var bytes: Int
    }

    /// - Parameter held: counts the steps `bench.hold`, which never come back; `nil` if they do at once.
    static func register(on host: WorkflowHost, holding held: Count?) {
        host.register("bench.step") { (input: StepInput, _) in StepOutput(number: input.number) }
        host.register("bench.hold") { (input: StepInput, _) in
            if let held {
                held.add()
                try await Task.sleep(for: .seconds(86_400))
            }
            return StepOutput(number: input.number)
        }
        host.register("bench.text") { (input: TextInput, _) in String(repeating: "a", count: input.bytes) }
    }
}
