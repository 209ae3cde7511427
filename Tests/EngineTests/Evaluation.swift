import Perigee
import PerigeeJournal
import Testing

/// What Lua expressions give in a run.
enum Evaluation {
    /// Evaluates the text of each item of the input; an error counts as its table.
    private static let evaluator = script(
        """
        local results = flow.json.array {}
        for index, code in ipairs(input.codes) do
          local chunk, wrong = load("return " .. code)
          local ok, value = false, wrong
          if chunk then ok, value = pcall(chunk) end
          if not ok then value = { error = value } end
          if value == nil then value = flow.json.null end
          results[index] = value
        end
        return results
        """)

    /// The values of some expressions, in their order; of one that fails `{ error }`.
    static func values(of codes: [String]) async throws -> [JSON] {
        let test = try TestHost(scripts: ["evaluate.lua": evaluator])
        var run: RunRecord?
        try await test.run { test in
            let input = JSON.object(["codes": .array(codes.map(JSON.string))])
            run = try await test.end(try await test.begin("evaluate", input).id)
        }
        let ended = try #require(run)
        return try #require(ended.result?.array, "\(String(describing: ended.problem))")
    }

    /// Expects what each expression gives.
    static func expect(_ cases: [(code: String, value: JSON)], at place: SourceLocation = #_sourceLocation)
        async throws
    {
        let values = try await values(of: cases.map(\.code))
        for (one, value) in zip(cases, values) {
            #expect(value == one.value, "\(one.code)", sourceLocation: place)
        }
    }

    /// Expects the errors of expressions: their code, and a part of the message with its hint.
    static func expectErrors(
        _ cases: [(code: String, error: String, says: String)], at place: SourceLocation = #_sourceLocation
    ) async throws {
        let values = try await values(of: cases.map(\.code))
        for (one, value) in zip(cases, values) {
            let said = "\(value["error"]?["message"]?.string ?? "") \(value["error"]?["hint"]?.string ?? "")"
            #expect(
                value["error"]?["code"]?.string == one.error, "\(one.code): \(value)", sourceLocation: place)
            #expect(said.contains(one.says), "\(one.code): \(said)", sourceLocation: place)
        }
    }
}
