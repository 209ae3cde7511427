import Perigee
import PerigeeJournal
import Testing

@Suite("order_saga", .timeLimit(.minutes(5)))
struct OrderSagaTests {
    private static let order: JSON = [
        "order_id": "O1", "sku": "A", "qty": 2, "total": 99.5, "card": "tok_1", "address": "Rue 1",
    ]

    @Test func `is fulfilled when the courier picks the parcel up`() async throws {
        let world = ShippedScripts.World()
        let run = try await ShippedScripts.run("order_saga", OrderSagaTests.order, world: world) { _ in
            .send("parcel.picked_up", ["parcel": "P-1"])
        }
        #expect(run.result == ["status": "fulfilled", "parcel": "P-1"])
        #expect(run.key == "order:O1")
        #expect(
            world.calls == [
                "PUT stock.example/holds/O1", "POST pay.example/charges", "POST ship.example/parcels",
            ])
    }

    @Test func `is undone, newest first, when the courier never comes`() async throws {
        let world = ShippedScripts.World()
        let run = try await ShippedScripts.run("order_saga", OrderSagaTests.order, world: world)
        #expect(run.result?["because"] == "The courier never came")
        #expect(run.result?["undone"] == ["Refund card", "Release stock"])
        #expect(
            world.calls.suffix(3) == [
                "POST pay.example/refunds", "DELETE stock.example/holds/O1", "POST mail.example/send",
            ])
    }

    @Test func `is undone when the card is refused, also what a lost reply could have done`() async throws {
        let world = ShippedScripts.World { $0.url.hasSuffix("/charges") ? .init(status: 402) : nil }
        let run = try await ShippedScripts.run("order_saga", OrderSagaTests.order, world: world)
        #expect(run.result?["status"] == "cancelled")
        #expect(run.result?["undone"] == ["Refund card", "Release stock"])
        #expect(!world.calls.contains("POST ship.example/parcels"))
    }

    @Test func `is undone as far as it came when nothing is in stock`() async throws {
        let world = ShippedScripts.World { $0.method == "PUT" ? .init(status: 409) : nil }
        let run = try await ShippedScripts.run("order_saga", OrderSagaTests.order, world: world)
        #expect(run.result?["undone"] == ["Release stock"])
        #expect(world.calls.last == "POST mail.example/send")
    }

    @Test func `gives the courier three attempts`() async throws {
        let world = ShippedScripts.World { $0.url.hasSuffix("/parcels") ? .init(status: 503) : nil }
        let run = try await ShippedScripts.run("order_saga", OrderSagaTests.order, world: world)
        #expect(run.result?["status"] == "cancelled")
        #expect(world.calls.filter { $0.hasSuffix("/parcels") }.count == 3)
    }
}
