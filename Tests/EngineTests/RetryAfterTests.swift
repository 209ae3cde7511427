@testable import Perigee
import PerigeeJournal
import Testing

@Suite struct RetryAfterTests {
    /// 2026-11-21T12:00:00Z.
    private let now = Timestamp(milliseconds: 1_795_262_400_000)

    private func wait(_ status: Int, _ headers: [(name: String, value: String)]) -> Int64? {
        RetryAfter.milliseconds(HTTPReply(status: status, headers: headers), now: now)
    }

    @Test(
        arguments: [
            ("0", 0), ("7", 7000), (" 7\t", 7000), ("3600", 3_600_000), ("3601", 3_600_000),
            ("99999999999999999999999", 3_600_000), ("Sat, 21 Nov 2026 12:00:10 GMT", 10_000),
            ("Saturday, 21-Nov-26 12:00:10 GMT", 10_000), ("Sat Nov 21 12:00:10 2026", 10_000),
            ("Sat Nov  7 12:00:10 2026", 0), ("Mon, 01 Jan 2035 00:00:00 GMT", 3_600_000),
        ])
    func `a wait in seconds or until a date is honoured up to an hour`(_ text: String, _ expected: Int64) {
        #expect(wait(503, [("Retry-After", text)]) == expected)
    }

    @Test(
        arguments: [
            "", "-1", "+5", "1.5", "5 s", "soon", "Sat, 21 Nov 2026 12:00:10 CET",
            "Sat, 31 Feb 2026 12:00:10 GMT",
            "Sat, 21 Nov 2026 25:00:10 GMT", "21 Nov 2026 12:00:10", "Saturday, 21-Nov-2026 12:00:10 GMT",
            "Sat, 21 Nov 26 12:00:10 GMT", "Sat Now 21 12:00:10 2026", "2026-11-21T12:00:10Z",
        ])
    func `a wait that can't be read is none`(_ text: String) {
        #expect(wait(503, [("Retry-After", text)]) == nil)
    }

    @Test(arguments: [
        ("Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z"),
        ("Sunday, 06-Nov-76 08:49:37 GMT", "2076-11-06T08:49:37Z"),
        ("Sunday, 06-Nov-77 08:49:37 GMT", "1977-11-06T08:49:37Z"),
        ("Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37Z"),
        ("Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37Z"),
    ])
    func `a year of two digits is the one that is at most 50 years away`(_ text: String, _ expected: String) {
        #expect(RetryAfter.date(text, now: now) == Timestamp(rfc3339: expected))
    }

    @Test(
        arguments: [
            ([("RateLimit", "\"default\";r=0;t=30")], 30_000),
            ([("RateLimit", "\"a\";r=3;t=90, \"b\";r=0;t=30")], 30_000),
            ([("RateLimit", "\"a\";r=0;t=9"), ("RateLimit", "\"b\";r=0;t=30")], 30_000),
            ([("RateLimit", "\"a\";r=0"), ("RateLimit-Policy", "\"b\";q=1;w=5, \"a\";q=100;w=60")], 60_000),
            ([("RateLimit", "\"a\";r=0;t=999999")], 3_600_000),
            ([("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "12")], 12_000),
            ([("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "1795262412")], 12_000),
            ([("X-Rate-Limit-Reset", "1795262412000")], 12_000),
            ([("X-RateLimit-Reset", "1795262000")], 0),
            ([("RateLimit-Remaining", "0"), ("RateLimit-Reset", "12")], 12_000),
            ([("Retry-After", "2"), ("RateLimit", "\"a\";r=0;t=30")], 2000),
            ([("Retry-After", "soon"), ("RateLimit", "\"a\";r=0;t=30")], 30_000),
        ] as [([(name: String, value: String)], Int64)])
    func `a used up rate limit is waited for, and Retry-After takes precedence`(
        _ headers: [(name: String, value: String)], _ expected: Int64
    ) {
        #expect(wait(429, headers) == expected)
        #expect(wait(503, headers) == expected)
        #expect(wait(500, headers) == (headers.first?.value == "2" ? expected : nil))
    }

    @Test(arguments: [
        ("RateLimit", "\"a\";r=1;t=30"), ("RateLimit", "\"a\";t=30"), ("RateLimit", "\"a;r=0;t=30"),
        ("RateLimit", "\"a\";r=0;t=-3"), ("RateLimit", "\"a\";r=0;t=\"30\""), ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", "-4"), ("X-RateLimit-Reset", "tomorrow"),
    ])
    func `a rate limit that is malformed or has room left asks for nothing`(_ name: String, _ value: String) {
        #expect(wait(429, [(name, value)]) == nil)
    }

    @Test func `a run waits for the reset of the receiver's rate limit`() async throws {
        let world = FakeWorld { _ in
            HTTPReply(status: 429, headers: [("RateLimit", "\"default\";r=0;t=30")])
        }
        let test = try TestHost(
            scripts: ["get.lua": script("http.get(\"Get\", { url = \"https://a.example\" })")], world: world)
        try await test.run { test in
            let activity = test.host.activity()
            _ = try await test.begin("get")
            for await event in activity {
                guard case .attempt(_, _, _, let detail) = event else { continue }
                #expect(detail.retryInMilliseconds == 30_000)
                break
            }
        }
    }

    @Test(
        "of the statuses below 500, 408, 425 and 429 are tried again",
        arguments: [400, 401, 403, 404, 408, 409, 410, 422, 425, 429, 451, 500, 503, 599])
    func statuses(_ status: Int) throws {
        let isRetried = status >= 500 || [408, 425, 429].contains(status)
        #expect(try RetryPolicy(nil).retries(status: status, kind: "http") == isRetried)
    }
}
