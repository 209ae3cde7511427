import PerigeeJournal
import PerigeeTesting
import Testing

@Suite struct ContractTests {
    @Test(arguments: Backend.allCases, JournalContract.checks)
    func `a store keeps the contract`(backend: Backend, check: JournalContract.Check) async throws {
        try await backend.withJournal { try await check.run(on: $0) }
    }
}
