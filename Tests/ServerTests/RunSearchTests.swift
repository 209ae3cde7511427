import HTTPTypes
import PerigeeJournal
import Testing

@testable import PerigeeServer

struct RunSearchTests {
    @Test func `words narrow the search together`() throws {
        let search = try RunSearch(
            parsing: "status:failed,attention workflow:a,b  key:\"order 7\" status:waiting")
        #expect(search.statuses == [.failed, .attention, .waiting])
        #expect(search.workflows == ["a", "b"])
        #expect(search.key == "order 7")
        #expect(search.runID == nil)
    }

    @Test func `an empty search means every run`() throws {
        #expect(try RunSearch(parsing: "  ") == RunSearch(parsing: ""))
        let query = try RunSearch(parsing: "").query(namespace: "n", limit: 7, cursor: 9)
        #expect(query == RunQuery(namespace: "n", limit: 7, cursor: 9))
    }

    @Test func `a bare id goes straight there, and a key may have colons`() throws {
        #expect(try RunSearch(parsing: "run_01J9ZK").runID == "run_01J9ZK")
        #expect(try RunSearch(parsing: "key:lead:42").key == "lead:42")
        #expect(try RunSearch(parsing: "\"key:a b\"").key == "a b")
    }

    @Test(arguments: [
        ("stauts:failed", "Did you mean \"status\"?"), ("status:fialed", "Did you mean \"failed\"?"),
        ("acme", "\"acme\" is not something to search by."), ("key:", "has no value"),
        ("key:\"open", "never closed"),
        ("colour:red", "A search has no \"colour:\"."),
    ])
    func `what is not understood is told`(text: String, words: String) {
        let problem = #expect(throws: Problem.self) { try RunSearch(parsing: text) }
        #expect(problem?.code == "PG4050")
        #expect(problem?.status == .badRequest)
        #expect(problem?.detail.contains(words) == true)
    }
}
