import HTTPTypes
import Hummingbird
import NIOCore
import PerigeeJournal

extension Request {
    /// The media type without its parameters, in lower case: `application/json`; `nil` if the request names
    /// none.
    var mediaType: String? {
        headers[.contentType].map { value in
            let end = value.firstIndex(of: ";") ?? value.endIndex
            return value[..<end].filter { $0 != " " && $0 != "\t" }.lowercased()
        }
    }

    /// The whole body.
    ///
    /// It stops reading as soon as there is more than the limit.
    ///
    /// - Parameter limit: the most bytes it may have.
    /// - Throws: `PG4042` if it is larger.
    func bytes(limit: Int) async throws -> [UInt8] {
        do {
            let buffer = try await body.collect(upTo: limit)
            return Array(buffer.readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Problem.tooLarge(limit: limit)
        }
    }

    /// The body as JSON.
    ///
    /// - Throws: `PG4043` for another type, `PG4044` and `PG4045` for a body that is no usable JSON.
    func json(limit: Int) async throws -> JSON {
        if let mediaType, !isJSON(mediaType: mediaType) {
            throw Problem.unsupportedMediaType(mediaType, takes: "application/json")
        }
        return try parsedJSON(try await bytes(limit: limit))
    }

    /// The fields of the query.
    func query() throws -> FormFields {
        guard let fields = FormFields(uri.query ?? "") else {
            throw Problem.invalid(
                "An escape in the query of the address is broken.", hint: "Write a percent sign as %25.")
        }
        return fields
    }

    /// The fields of a form of the dashboard.
    ///
    /// - Parameter limit: the most bytes that the body may have.
    func form(limit: Int = 65_536) async throws -> FormFields {
        guard mediaType == "application/x-www-form-urlencoded" else {
            throw Problem.unsupportedMediaType(
                mediaType ?? "none", takes: "application/x-www-form-urlencoded")
        }
        let text = String(decoding: try await bytes(limit: limit), as: UTF8.self)
        guard let fields = FormFields(text) else {
            throw Problem.invalid("An escape in the form is broken.", hint: "Write a percent sign as %25.")
        }
        return fields
    }
}

/// Whether a media type is JSON: `application/json` or one with the suffix `+json`.
func isJSON(mediaType: String) -> Bool {
    mediaType == "application/json" || mediaType == "text/json" || mediaType.hasSuffix("+json")
}

func parsedJSON(_ bytes: [UInt8]) throws(Problem) -> JSON {
    do throws(JSONError) {
        return try JSON(parsing: bytes)
    } catch {
        throw .notJSON(error)
    }
}

/// A whole number in a query, within bounds.
func boundedInteger(
    _ text: String?, name: String, in bounds: ClosedRange<Int>, or standard: Int
) throws(Problem) -> Int {
    guard let text, !text.isEmpty else { return standard }
    guard let number = Int(text), bounds.contains(number) else {
        throw .invalid(
            "\(name)=\(text) is not a whole number from \(bounds.lowerBound) to \(bounds.upperBound).",
            hint: "Leave it out for \(standard).")
    }
    return number
}
