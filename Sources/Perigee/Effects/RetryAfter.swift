import PerigeeJournal
import RawStructuredFieldValues

/// How long a receiver asks to be left alone, by the headers of its reply.
enum RetryAfter {
    /// The time until another attempt makes sense.
    ///
    /// `Retry-After` decides where it stands and can be read. Without it the headers of a rate limit do, in a
    /// reply of 429 or 503.
    /// - Returns: milliseconds, from 0 to ``RetryPolicy/maxRetryAfter``; `nil` if the reply says nothing.
    static func milliseconds(_ reply: HTTPReply, now: Timestamp) -> Int64? {
        var wait = reply.header("Retry-After").flatMap { retryAfter($0, now) }
        if wait == nil, reply.status == 429 || reply.status == 503 {
            wait = rateLimit(reply) ?? counted(reply, now)
        }
        return wait.map { min(max($0, 0), RetryPolicy.maxRetryAfter) }
    }

    /// `Retry-After` (RFC 9110, 10.2.3): seconds or a date.
    private static func retryAfter(_ text: String, _ now: Timestamp) -> Int64? {
        let text = text.trimmed
        if let seconds = whole(text) { return seconds * 1000 }
        return date(text, now: now).map { $0.milliseconds - now.milliseconds }
    }

    /// A number of digits alone; what is larger than any wait is cut off.
    private static func whole(_ text: String) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return min(Int64(text) ?? .max, 100_000_000_000_000)
    }

    // MARK: Dates

    /// A date of HTTP in any of its three forms (RFC 9110, 5.6.7).
    static func date(_ text: String, now: Timestamp) -> Timestamp? {
        let parts = text.split(separator: " ").map(String.init)
        switch parts.count {
        // Sun, 06 Nov 1994 08:49:37 GMT
        case 6 where parts[0].hasSuffix(",") && parts[5] == "GMT":
            return moment(year: parts[3], month: parts[2], day: parts[1], time: parts[4])
        // Sunday, 06-Nov-94 08:49:37 GMT
        case 4 where parts[0].hasSuffix(",") && parts[3] == "GMT":
            let date = parts[1].split(separator: "-").map(String.init)
            guard date.count == 3, date[2].utf8.count == 2, let short = whole(date[2]) else { return nil }
            let year = String(year(short, near: now))
            return moment(year: year, month: date[1], day: date[0], time: parts[2])
        // Sun Nov  6 08:49:37 1994
        case 5:
            return moment(year: parts[4], month: parts[1], day: parts[2], time: parts[3])
        default: return nil
        }
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func moment(year: String, month: String, day: String, time: String) -> Timestamp? {
        guard let index = months.firstIndex(of: month) else { return nil }
        func padded(_ text: String) -> String { text.utf8.count == 1 ? "0\(text)" : text }
        return Timestamp(rfc3339: "\(year)-\(padded(String(index + 1)))-\(padded(day))T\(time)Z")
    }

    /// The year with these last two digits that is at most 50 years away.
    private static func year(_ short: Int64, near now: Timestamp) -> Int64 {
        let current = 1970 + now.milliseconds / 31_556_952_000
        let year = current - current % 100 + short
        return year > current + 50 ? year - 100 : year < current - 49 ? year + 100 : year
    }

    // MARK: Rate limits

    /// The structured fields `RateLimit: "default";r=0;t=30` and `RateLimit-Policy: "default";q=100;w=60`.
    ///
    /// Of the limits that are used up, the one that lasts longest counts.
    private static func rateLimit(_ reply: HTTPReply) -> Int64? {
        let windows = Dictionary(
            items(reply, "RateLimit-Policy").compactMap { item in
                parameter(item, "w").map { (item.rfc9651BareItem, $0) }
            }, uniquingKeysWith: max)
        return items(reply, "RateLimit").compactMap { item in
            parameter(item, "r") == 0 ? parameter(item, "t") ?? windows[item.rfc9651BareItem] : nil
        }.max().map { $0 * 1000 }
    }

    private static func parameter(_ item: Item, _ name: String) -> Int64? {
        guard case .integer(let value) = item.rfc9651Parameters[name], value >= 0 else { return nil }
        return value
    }

    /// The items of a list (RFC 9651); none if it is not one.
    private static func items(_ reply: HTTPReply, _ name: String) -> [Item] {
        let lines = reply.headers.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
        var parser = StructuredFieldValueParser(Array(lines.joined(separator: ", ").utf8))
        guard let list = try? parser.parseListFieldValue() else { return [] }
        return list.compactMap { element in
            if case .item(let item) = element { item } else { nil }
        }
    }

    /// The common `X-RateLimit-Remaining` and `X-RateLimit-Reset`: seconds from now, or a moment in seconds or
    /// milliseconds since 1970.
    private static func counted(_ reply: HTTPReply, _ now: Timestamp) -> Int64? {
        for name in ["X-RateLimit", "X-Rate-Limit", "RateLimit"] {
            guard let reset = reply.header("\(name)-Reset").flatMap({ whole($0.trimmed) }) else { continue }
            if let left = reply.header("\(name)-Remaining"), whole(left.trimmed) != 0 { continue }
            return switch reset {
            case 1_000_000_000_000...: reset - now.milliseconds
            case 1_000_000_000...: reset * 1000 - now.milliseconds
            default: reset * 1000
            }
        }
        return nil
    }
}

extension String {
    /// Without the spaces and tabs around it.
    fileprivate var trimmed: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        let start = drop(while: isSpace)
        return String(start.reversed().drop(while: isSpace).reversed())
    }
}
