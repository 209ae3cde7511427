@testable import Perigee
import PerigeeJournal
import PerigeeTesting
import Testing

@Suite("http bodies", .timeLimit(.minutes(5)))
struct HTTPBodyTests {
    @Test("multipart sends fields and files, the same bytes with every attempt", arguments: Setting.all)
    func multipart(_ setting: Setting) async throws {
        let world = FakeWorld { request in .json(request.attempt == 1 ? 503 : 200, "{}") }
        let body = """
            http.post("Upload", { url = "https://a.example/files", retry = { "0s" }, multipart = {
              { name = "note", value = "für \\"Ana\\"" }, { name = "token", value = secret "TOKEN" },
              { name = "fi\\"le", filename = "ä\\r\\n.bin", content_type = "image/png", content = "\\x89PNG\\xff\\0\\n" },
              { name = "n", value = 7 } } })
            http.post("Fields", { url = "https://a.example/files", retry = { "0s" }, multipart = { b = true, a = "1" } })
            return true
            """
        let test = try TestHost(setting, scripts: ["up.lua": script(body)], world: world)
        try await test.run { test in
            #expect(try await test.end(try await test.begin("up").id).status == .completed)
            #expect(world.requests.count == 4)
            let first = world.requests[0]
            #expect(world.requests[1].body == first.body)
            let type = try #require(first.header("Content-Type"))
            let prefix = "multipart/form-data; boundary="
            try #require(type.hasPrefix(prefix))
            let boundary = type.dropFirst(prefix.count)
            let head = """
                --\(boundary)\r
                Content-Disposition: form-data; name="note"\r
                \r
                für "Ana"\r
                --\(boundary)\r
                Content-Disposition: form-data; name="token"\r
                \r
                s3cret\r
                --\(boundary)\r
                Content-Disposition: form-data; name="fi%22le"; filename="ä%0D%0A.bin"\r
                Content-Type: image/png\r
                \r

                """
            let tail = """
                \r
                --\(boundary)\r
                Content-Disposition: form-data; name="n"\r
                \r
                7\r
                --\(boundary)--\r

                """
            let file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0xFF, 0, 0x0A]
            #expect(first.body == Array(head.utf8) + file + Array(tail.utf8))
            let fields = String(decoding: world.requests[2].body, as: UTF8.self)
            let a = try #require(fields.firstRange(of: "name=\"a\"\r\n\r\n1\r\n"))
            let b = try #require(fields.firstRange(of: "name=\"b\"\r\n\r\ntrue\r\n"))
            #expect(a.lowerBound < b.lowerBound)
            #expect(world.requests[2].header("Content-Type") != type)
        }
    }

    @Test("a boundary that stands in the content is not taken")
    func boundary() throws {
        func boundary(_ text: String) throws -> String {
            let parts: JSON = ["multipart": [["name": "a", "value": .string(text)]]]
            return try #require(
                HTTPBody(parts, key: "k").contentType?.split(separator: "=").last.map(String.init))
        }
        let usual = try boundary("x")
        #expect(try boundary("\r\n--\(usual)--") != usual)
    }

    @Test("bytes that are no text go out and come in as they are, also in a replay", arguments: Setting.all)
    func bytes(_ setting: Setting) async throws {
        let all = [UInt8](0...255)
        let world = FakeWorld { request in
            HTTPReply(status: 200, headers: [("Content-Type", "image/png")], body: request.body + all)
        }
        let body = """
            local all = {}
            for byte = 0, 255 do all[#all + 1] = string.char(byte) end
            all = table.concat(all)
            for length = 0, 6 do
              local r = http.put("Short", { url = "https://a.example/x", bytes = all:sub(256 - length) })
              assert(r.body == all:sub(256 - length) .. all)
            end
            local r = http.put("Put", { url = "https://a.example/x", bytes = all })
            local same = r.body == all .. all
            sleep("1s")
            local other = http.put("Again", { url = "https://a.example/x", bytes = r.body })
            return { same, r.body == all .. all, #other.body, other.base64 == nil }
            """
        let test = try TestHost(setting, scripts: ["put.lua": script(body)], world: world)
        try await test.run { test in
            let id = try await test.begin("put").id
            _ = try await test.run(id, reaches: .waiting)
            test.clock.advance(milliseconds: 1000)
            #expect(try await test.end(id).result == [true, true, 768, true])
            let short = (0...6).map { Array(all.suffix($0 + 1)) }
            #expect(world.requests.map(\.body) == short + [all, all + all])
            #expect(world.requests.first?.header("Content-Type") == "application/octet-stream")
        }
    }

    @Test("the largest reply that a call takes fits into a run")
    func largest() async throws {
        let size = Int(HTTPCall.maxMaxBytes)
        let world = FakeWorld { _ in
            HTTPReply(status: 200, body: [UInt8](repeating: 0xFF, count: size))
        }
        let body = """
            local r = http.get("Get", { url = "https://a.example/x", max_bytes = 16 * 1024 * 1024 })
            return { #r.body, r.body:byte(1), r.body:byte(-1) }
            """
        let test = try TestHost(scripts: ["get.lua": script(body)], world: world)
        try await test.run { test in
            let run = try await test.result(of: "get")
            #expect(run.problem == nil)
            #expect(run.result == [.int(Int64(size)), 255, 255])
        }
    }

    @Test(
        "the text of a reply is read by its charset",
        arguments: [
            ("text/plain", [0x68, 0xC3, 0xA9], "hé"), ("text/plain", [0xEF, 0xBB, 0xBF, 0x68], "h"),
            ("text/plain; charset=UTF-8", [0xC3, 0xA9], "é"), ("text/plain", [0xE9], nil),
            ("text/plain;charset=\"ISO-8859-1\"", [0xE9, 0x80], "é€"),
            ("text/html; x=1; Charset=windows-1252", [0x93, 0xE9, 0x94], "“é”"),
            ("text/plain; charset=utf-16", [0xFE, 0xFF, 0x20, 0xAC], "€"),
            ("text/plain; charset=utf-16", [0xFF, 0xFE, 0xAC, 0x20], "€"),
            ("text/plain; charset=utf-16le", [0xAC, 0x20], "€"),
            ("text/plain; charset=utf-16be", [0xD8, 0x3D, 0xDE, 0x00], "😀"),
            ("text/plain; charset=utf-16be", [0xD8, 0x3D], nil),
            ("text/plain; charset=utf-16be", [0x20], nil),
            ("text/plain; charset=shift_jis", [0x41], nil),
        ] as [(String, [UInt8], String?)])
    func charset(_ type: String, _ body: [UInt8], _ text: String?) {
        #expect(ReplyText.decode(body, contentType: type) == text)
        let value = HTTPAttempt.value(
            HTTPReply(status: 200, headers: [("Content-Type", type)], body: body), attempts: 1)
        #expect(value["body"]?.string == text)
        #expect((value["base64"] == nil) == (text != nil))
    }

    @Test(
        "a part that makes no sense is refused before anything is sent",
        arguments: [
            ("multipart = { { value = 1 } }", "PG1011"), ("multipart = { { name = \"a\" } }", "PG1140"),
            ("multipart = { { name = \"a\", value = {} } }", "PG1140"),
            ("multipart = { a = { value = 1, content = \"x\" } }", "PG1140"),
            ("multipart = { { name = \"a\", content = \"x\", content_type = \"a\\r\\nb\" } }", "PG1140"),
            ("multipart = { { name = \"a\", contnt = \"x\" } }", "PG1005"),
            ("multipart = { \"a\" }", "PG1011"),
            ("multipart = {}, bytes = \"x\"", "PG1011"),
        ])
    func badParts(_ options: String, _ code: String) async throws {
        try await expectRefused(options, code)
    }
}

/// Expects a call with these options to be refused with this code, and nothing to be sent.
func expectRefused(_ options: String, _ code: String) async throws {
    let world = FakeWorld()
    let call = "http.post(\"A\", { url = \"https://a.example\", \(options) })"
    let test = try TestHost(scripts: ["bad.lua": script(call)], world: world)
    try await test.run { test in
        let run = try await test.result(of: "bad")
        #expect(run.problem?["code"] == .string(code))
        #expect(world.requests.isEmpty)
    }
}
