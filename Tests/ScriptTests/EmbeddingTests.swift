import Foundation
import Logging
import Perigee
import PerigeeSQLite
import ServiceLifecycle
import Testing

private struct Order: Codable, Sendable { var quantity: Int }
private struct Quote: Codable, Sendable, Equatable { var id: String, total: Int }

/// The lines of the README under "In your own program", with another folder.
@Test("A host is opened, given a function, asked for a run, and run as a service", .timeLimit(.minutes(5)))
func embedding() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("perigee-\(UUID().uuidString)")
    let scripts = folder.appendingPathComponent("scripts")
    try FileManager.default.createDirectory(at: scripts, withIntermediateDirectories: true)
    let script = """
        return workflow {
          name = "Quote an order",
          input = { quantity = "integer" },
          run = function(order) return call("Quote", "pricing.quote", order) end,
        }
        """
    try Data(script.utf8).write(to: scripts.appendingPathComponent("quote_order.lua"))

    let journal = try SQLiteJournal(path: folder.appendingPathComponent("perigee.db").path)
    let host = WorkflowHost(journal: journal, scripts: scripts.path)
    host.register("pricing.quote") { (order: Order, context: CallContext) in
        Quote(id: context.idempotencyKey, total: order.quantity * 20)
    }
    let service = ServiceGroup(services: [host], logger: Logger(label: "shop"))
    async let running: Void = service.run()
    try await host.waitUntilReady()
    let run = try await host.start("quote_order", input: Order(quantity: 3))
    let quote = try await run.result(as: Quote.self)
    await service.triggerGracefulShutdown()
    try await running
    #expect(quote == Quote(id: "\(run.id)/Quote#1", total: 60))
}
