import CRegex
import PerigeeJournal
import PerigeeLua
import Synchronization

/// Where a regular expression matches in a text; `flow_regex.lua` makes the rest of it.
struct RegexCall {
    /// The function that the script called, for messages.
    let name: String
    let pattern: String
    let text: [UInt8]
    /// The byte to look from.
    let from: Int
    /// Where the match before ended, -1 for the first: an empty match there is none.
    let lastEnd: Int
    /// How many matches are wanted.
    let count: Int

    private static let maxPattern = 1000
    private static let maxText = 500_000
    /// The steps of a pattern's program times the bytes of a text: what one search can cost at most, about half a
    /// second.
    private static let maxWork = 1 << 28
    /// How many places one reply has.
    private static let maxSpans = 100_000

    init?(_ arguments: [JSON]) {
        guard arguments.count == 6, let name = arguments[0].string, let pattern = arguments[1].string,
            let text = arguments[2].string, let from = arguments[3].int, let lastEnd = arguments[4].int,
            let count = arguments[5].int, from >= 0, from <= text.utf8.count
        else { return nil }
        self.name = name
        self.pattern = pattern
        self.text = Array(text.utf8)
        self.from = Int(from)
        self.lastEnd = Int(lastEnd)
        self.count = Int(count)
    }

    var reply: LuaReply {
        do throws(ScriptError) {
            return .value(try matches().bytes)
        } catch {
            return .failure(error.bytes)
        }
    }

    private func matches() throws(ScriptError) -> JSON {
        guard pattern.utf8.count <= RegexCall.maxPattern else {
            throw tooLarge(
                "the pattern has \(pattern.utf8.count) bytes, and \(RegexCall.maxPattern) are the most")
        }
        guard text.count <= RegexCall.maxText else {
            throw tooLarge("the text has \(text.count) bytes, and \(RegexCall.maxText) are the most")
        }
        let compiled = try compiledPattern()
        guard compiled.programSize * text.count <= RegexCall.maxWork else {
            throw tooLarge("the pattern is too large for a text of \(text.count) bytes")
        }
        let found = search(compiled)
        return .object([
            "groups": .int(Int64(compiled.groupCount)), "names": compiled.names,
            "spans": .array(found.spans.map { .int(Int64($0)) }),
            "next": found.next.map { .int(Int64($0)) } ?? .null,
        ])
    }

    /// The bytes at which matches and their groups begin and end, and where to go on if there may be more.
    ///
    /// It is left after 10 ms, because every search may go over the rest of the text; what is found does not
    /// depend on it.
    private func search(_ compiled: CompiledPattern) -> (spans: [Int], next: Int?) {
        let deadline = ContinuousClock.now + .milliseconds(10)
        var spans: [Int] = []
        var left = count
        var at = from
        var lastEnd = lastEnd
        while let match = compiled.match(in: text, from: at) {
            let isEmpty = match[1] == match[0]
            if !(isEmpty && match[0] == lastEnd) {
                spans += match
                lastEnd = match[1]
                left -= 1
            }
            at = isEmpty ? afterCharacter(match[1]) : match[1]
            guard at <= text.count else { return (spans, nil) }
            if left == 0 || spans.count > RegexCall.maxSpans || ContinuousClock.now > deadline {
                return (spans, at)
            }
        }
        return (spans, nil)
    }

    private func afterCharacter(_ offset: Int) -> Int {
        var next = offset + 1
        while next < text.count, text[next] & 0xC0 == 0x80 { next += 1 }
        return next
    }

    private func compiledPattern() throws(ScriptError) -> CompiledPattern {
        switch CompiledPattern.cached(pattern) {
        case .success(let compiled): return compiled
        case .failure(let error): throw invalid(error)
        }
    }

    private func invalid(_ error: PatternError) -> ScriptError {
        let part = error.part.isEmpty || error.part == pattern ? "" : " at `\(error.part)`"
        return ScriptError(
            code: "PG1070", kind: "script",
            message: "\(name): the pattern `\(pattern)` can't be used: \(error.reason)\(part).",
            hint:
                "It is a regular expression of RE2: without look-around and back-references; [[\\d]] is written as "
                + "\"\\\\d\" in Lua's quotation marks.",
            fields: ["pattern": .string(pattern), "position": .int(Int64(error.offset + 1))])
    }

    private func tooLarge(_ what: String) -> ScriptError {
        ScriptError(
            code: "PG1071", kind: "validation", message: "\(name): \(what).",
            hint: "Look at a part of the text, or at its lines one by one; simplify the pattern.")
    }
}

/// Why a pattern can't be used.
struct PatternError: Error, Hashable {
    var reason: String
    /// The part that is wrong; empty if there is none.
    var part: String
    /// Where that begins, in bytes.
    var offset: Int
}

// RE2 lets any number of threads match with one compiled pattern at a time, and nothing changes it once it is made.
final class CompiledPattern: @unchecked Sendable {
    private let regex: OpaquePointer
    let groupCount: Int
    let programSize: Int
    /// The names of groups, by their number as text.
    let names: JSON

    /// What is kept of one pattern and its matching, in bytes.
    private static let memoryBytes = 1_048_576
    /// How many patterns are kept.
    private static let capacity = 64

    private struct Cache {
        var patterns: [String: CompiledPattern] = [:]
        /// From the oldest on.
        var order: [String] = []
    }

    private static let cache = Mutex(Cache())

    /// The compiled pattern; the last ones are kept for the process.
    static func cached(_ pattern: String) -> Result<CompiledPattern, PatternError> {
        if let kept = cache.withLock({ $0.patterns[pattern] }) { return .success(kept) }
        return Result { () throws(PatternError) in try CompiledPattern(pattern) }.map { compiled in
            cache.withLock { cache in
                guard cache.patterns.updateValue(compiled, forKey: pattern) == nil else { return }
                cache.order.append(pattern)
                if cache.order.count > capacity { cache.patterns[cache.order.removeFirst()] = nil }
            }
            return compiled
        }
    }

    init(_ pattern: String) throws(PatternError) {
        var error = pg_regex_error()
        let bytes = Array(pattern.utf8)
        let made = bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                pg_regex_compile($0.baseAddress, $0.count, CompiledPattern.memoryBytes, &error)
            }
        }
        guard let made else {
            let reason = withUnsafeBytes(of: &error.message) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            let part = bytes.dropFirst(error.offset).prefix(error.length)
            throw PatternError(
                reason: reason, part: String(decoding: part, as: UTF8.self), offset: error.offset)
        }
        regex = made
        groupCount = Int(pg_regex_groups(made))
        programSize = Int(pg_regex_program_size(made))
        var names: [String: JSON] = [:]
        for group in 0..<groupCount {
            guard let name = pg_regex_group_name(made, Int32(group + 1)) else { continue }
            names["\(group + 1)"] = .string(String(cString: name))
        }
        self.names = .object(names)
    }

    deinit { pg_regex_free(regex) }

    /// Where the first match from a byte on begins and ends, and each of its groups; -1 for a group that took no part.
    func match(in text: [UInt8], from: Int) -> [Int]? {
        var spans = [Int](repeating: -1, count: 2 * (groupCount + 1))
        let isFound = text.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                pg_regex_find(regex, $0.baseAddress, $0.count, from, &spans)
            }
        }
        return isFound ? spans : nil
    }
}
