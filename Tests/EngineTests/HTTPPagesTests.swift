import Foundation
import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("http.pages", .timeLimit(.minutes(5)))
struct HTTPPagesTests {
    /// Reads every page, with a wait between two, and joins what is in them.
    private static func read(_ options: String, verb: String = "http.pages") -> String {
        script(
            """
            local api = http.client { base = "https://a.example/v1/" }
            local all, pages = {}, 0
            for page, reply in \(verb)("Read", { \(options) }) do
              pages = pages + 1
              for _, item in ipairs(page.items or page) do all[#all + 1] = item end
              if pages == 1 then sleep("1h") end
            end
            return { pages, table.concat(all, " ") }
            """)
    }

    private func result(
        _ setting: Setting, _ script: String, _ answer: @escaping @Sendable (URLComponents) -> HTTPReply
    ) async throws -> (run: RunRecord, calls: [String]) {
        let world = FakeWorld { request in answer(URLComponents(string: request.url) ?? URLComponents()) }
        let test = try TestHost(setting, scripts: ["p.lua": script], world: world)
        var ended: RunRecord?
        try await test.run { test in
            let id = try await test.begin("p").id
            _ = try await test.until(id) { $0.status == .waiting || $0.status == .attention }
            test.clock.advance(milliseconds: 3_600_000)
            ended = try await test.end(id)
        }
        return (try #require(ended), world.calls)
    }

    private static func number(_ url: URLComponents, _ name: String) -> Int {
        url.queryItems?.first { $0.name == name }?.value.flatMap { Int($0) } ?? 1
    }

    @Test("follows Link headers, whole or relative, to the end", arguments: Setting.all)
    func links(_ setting: Setting) async throws {
        let (run, calls) = try await result(
            setting, HTTPPagesTests.read("url = \"https://a.example/v1/list\", query = { size = 2 }")
        ) { url in
            let page = HTTPPagesTests.number(url, "p")
            var reply = HTTPReply.json(200, "[\"\(page)a\",\"\(page)b\"]")
            let links = [
                "</v1/list?p=2>; rel=\"prev next\"", "<?p=3>; rel=next",
                "<https://a.example/x>; rel=\"last\"",
            ]
            reply.headers.append(("Link", links[page - 1]))
            return reply
        }
        #expect(run.result == [3, "1a 1b 2a 2b 3a 3b"])
        #expect(
            calls == [
                "GET https://a.example/v1/list?size=2", "GET https://a.example/v1/list?p=2",
                "GET https://a.example/v1/list?p=3",
            ])
    }

    @Test(
        "follows a cursor of the body",
        arguments: ["", ", cursor = { field = \"paging.next.after\", param = \"after\" }"])
    func cursors(_ option: String) async throws {
        let isPlain = option.isEmpty
        let (run, calls) = try await result(
            Setting.all[0], HTTPPagesTests.read("path = \"/list\"" + option, verb: "api.pages")
        ) { url in
            let page = HTTPPagesTests.number(url, isPlain ? "cursor" : "after")
            let next = page == 3 ? "null" : "\(page + 1)"
            let field = isPlain ? "\"next_cursor\":\(next)" : "\"paging\":{\"next\":{\"after\":\(next)}}"
            return .json(200, "{\"items\":[\(page)],\(field)}")
        }
        #expect(run.result == [3, "1 2 3"])
        #expect(calls.last == "GET https://a.example/v1/list?\(isPlain ? "cursor" : "after")=3")
    }

    @Test("counts pages until one is empty")
    func numbers() async throws {
        let (run, calls) = try await result(
            Setting.all[1],
            HTTPPagesTests.read("url = \"https://a.example/list\", page = { param = \"n\", first = 0 }")
        ) { url in
            let page = url.queryItems?.first { $0.name == "n" }?.value.flatMap { Int($0) } ?? -1
            return .json(200, page < 2 ? "{\"total\":2,\"items\":[\(page)]}" : "{\"total\":2,\"items\":[]}")
        }
        #expect(run.result == [2, "0 1"])
        #expect(calls.count == 3)
    }

    @Test(
        "ends where a list leads in a circle, to another host, or on and on",
        arguments: [
            ("", "<?p=1>; rel=next", "PG2016"), ("", "<https://b.example/list?p=2>; rel=next", "PG2015"),
            (", max_pages = 2", "more", "PG2016"),
        ])
    func bounds(_ option: String, _ link: String, _ code: String) async throws {
        let (run, _) = try await result(
            Setting.all[0], HTTPPagesTests.read("url = \"https://a.example/list\"" + option)
        ) { url in
            var reply = HTTPReply.json(200, "[1]")
            let next = link == "more" ? "<?p=\(HTTPPagesTests.number(url, "p") + 1)>; rel=next" : link
            reply.headers.append(("Link", next))
            return reply
        }
        #expect(run.status == .attention)
        #expect(run.problem?["code"]?.string == code)
    }
}
