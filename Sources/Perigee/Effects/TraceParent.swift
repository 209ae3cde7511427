import Crypto
import PerigeeJournal

/// The header `traceparent` (W3C Trace Context, version 00).
///
/// Everything with one correlation id is one trace, and each attempt at a step is a span of its own. Both follow
/// from the record, so a call that is sent again after a crash has the span that it had.
enum TraceParent {
    static func value(correlation: String, step: String, attempt: Int) -> String {
        let trace = identifier(Array(SHA256.hash(data: Array("trace \(correlation)".utf8)).prefix(16)))
        let span = identifier(Array(SHA256.hash(data: Array("span \(step) \(attempt)".utf8)).prefix(8)))
        return "00-\(trace)-\(span)-01"
    }

    /// The bytes in hexadecimal digits; only zeros would not be valid.
    static func identifier(_ bytes: [UInt8]) -> String {
        let isZero = bytes.allSatisfy { $0 == 0 }
        return (isZero ? bytes.dropLast() + [1] : bytes[...]).hexadecimal
    }
}
