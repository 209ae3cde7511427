import Foundation
import Perigee
import PerigeeJournal

/// What a body of events says: one event, or a batch whose members stand for themselves.
enum EventBody {
    case one(NewEvent)
    case batch([Result<NewEvent, Problem>])

    /// Reads a request in any of the forms that are understood: `{type, data, id?}`, a list of those, and
    /// CloudEvents 1.0 in its structured, batched and binary modes.
    ///
    /// - Parameters:
    ///   - mediaType: the media type, in lower case and without parameters.
    ///   - attributes: the `ce-` headers by name without the prefix, in lower case, with values as received.
    ///   - body: the whole body.
    /// - Throws: what is wrong with a request of which nothing can be used.
    init(mediaType: String?, attributes: [String: String], body: [UInt8]) throws(Problem) {
        switch mediaType {
        case "application/cloudevents+json":
            self = .one(try NewEvent(cloudEvent: try parsedJSON(body), at: ""))
        case "application/cloudevents-batch+json":
            guard let members = try parsedJSON(body).array else { throw .notABatch }
            self = try .batch(of: members) { (member, pointer) throws(Problem) in
                try NewEvent(cloudEvent: member, at: pointer)
            }
        case _ where !attributes.isEmpty:
            self = .one(try NewEvent(binary: attributes, mediaType: mediaType, body: body))
        case let type where type.map { isJSON(mediaType: $0) } ?? true:
            let value = try parsedJSON(body)
            if let members = value.array {
                self = try .batch(of: members, read: NewEvent.init(anyForm:at:))
            } else {
                self = .one(try NewEvent(anyForm: value, at: ""))
            }
        default:
            throw .unsupportedMediaType(mediaType ?? "none", takes: "application/json")
        }
    }

    private static func batch(
        of members: [JSON], read: (JSON, String) throws(Problem) -> NewEvent
    ) throws(Problem) -> EventBody {
        guard !members.isEmpty else {
            throw .invalid("The list of events is empty.", hint: "Send at least one event.")
        }
        return .batch(
            members.enumerated().map { index, member in
                Result { () throws(Problem) in try read(member, "/\(index)") }
            })
    }
}

extension Problem {
    fileprivate static let notABatch = Problem.invalid(
        "A CloudEvents batch is a list of events.",
        hint: "Send [event, …], or one event as application/cloudevents+json.")

    /// One member of an event is not as it should be.
    fileprivate static func badEvent(_ pointer: String, _ detail: String, hint: String) -> Problem {
        .invalid(
            "The event is not valid: \(detail)", faults: [Fault(pointer: pointer, detail: detail)], hint: hint
        )
    }
}

extension NewEvent {
    /// Reads `{type, data, id?, source?}`, or a CloudEvent, which is known by its `specversion`.
    fileprivate init(anyForm value: JSON, at pointer: String) throws(Problem) {
        if value["specversion"] != nil {
            try self.init(cloudEvent: value, at: pointer)
            return
        }
        let known = ["type", "data", "id", "source", "correlation_id", "causation_id"]
        let hint =
            "Send an object such as {\"type\": \"order.paid\", \"data\": {\"id\": 7}, \"id\": \"evt-1\"}."
        guard let fields = value.object else {
            throw .badEvent(pointer, "it is \(value.kindName), not an object.", hint: hint)
        }
        if let unknown = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw .badEvent(
                "\(pointer)/\(unknown)",
                "it has no field \"\(unknown)\".\(didYouMean(unknown, among: known))", hint: hint)
        }
        self.init(
            type: try Self.text("type", of: value, at: pointer, hint: hint), data: fields["data"] ?? .null,
            id: try Self.optionalText("id", of: value, at: pointer, hint: hint),
            source: try Self.optionalText("source", of: value, at: pointer, hint: hint),
            correlationID: try Self.optionalText("correlation_id", of: value, at: pointer, hint: hint),
            causationID: try Self.optionalText("causation_id", of: value, at: pointer, hint: hint))
    }

    /// Reads a CloudEvent in the JSON format.
    fileprivate init(cloudEvent value: JSON, at pointer: String) throws(Problem) {
        guard value.object != nil else {
            throw .badEvent(pointer, "it is \(value.kindName), not an object.", hint: Self.cloudEventHint)
        }
        guard value["specversion"]?.string == "1.0" else {
            throw .badEvent(
                "\(pointer)/specversion", "its specversion is not \"1.0\".", hint: Self.cloudEventHint)
        }
        self.init(
            type: try Self.text("type", of: value, at: pointer, hint: Self.cloudEventHint),
            data: try Self.data(of: value, at: pointer),
            id: try Self.text("id", of: value, at: pointer, hint: Self.cloudEventHint),
            source: try Self.text("source", of: value, at: pointer, hint: Self.cloudEventHint),
            correlationID: try Self.optionalText(
                "correlationid", of: value, at: pointer, hint: Self.cloudEventHint),
            causationID: try Self.optionalText(
                "causationid", of: value, at: pointer, hint: Self.cloudEventHint))
    }

    /// Reads a CloudEvent whose attributes are headers and whose data is the body.
    fileprivate init(binary attributes: [String: String], mediaType: String?, body: [UInt8]) throws(Problem) {
        func attribute(_ name: String) throws(Problem) -> String {
            guard let value = attributes[name].flatMap({ percentDecoded(Self.unquoted($0)) }), !value.isEmpty
            else {
                throw .badEvent(
                    "ce-\(name)", "it has no usable header ce-\(name).", hint: Self.cloudEventHint)
            }
            return value
        }
        guard try attribute("specversion") == "1.0" else {
            throw .badEvent("ce-specversion", "its ce-specversion is not 1.0.", hint: Self.cloudEventHint)
        }
        self.init(
            type: try attribute("type"), data: try Self.data(mediaType: mediaType, body: body),
            id: try attribute("id"), source: try attribute("source"),
            correlationID: attributes["correlationid"] == nil ? nil : try attribute("correlationid"),
            causationID: attributes["causationid"] == nil ? nil : try attribute("causationid"))
    }

    /// The data of the JSON format: `data`, or `data_base64` with its bytes in base 64.
    private static func data(of value: JSON, at pointer: String) throws(Problem) -> JSON {
        guard let encoded = value["data_base64"] else { return value["data"] ?? .null }
        guard value["data"] == nil, let text = encoded.string, let bytes = Data(base64Encoded: text) else {
            throw .badEvent(
                "\(pointer)/data_base64", "its data_base64 is not base 64, or stands beside data.",
                hint: cloudEventHint)
        }
        return try data(mediaType: value["datacontenttype"]?.string?.lowercased(), body: Array(bytes))
    }

    /// Bytes of a media type as a JSON value: JSON as it is, text as text.
    private static func data(mediaType: String?, body: [UInt8]) throws(Problem) -> JSON {
        if body.isEmpty { return .null }
        guard let mediaType, !isJSON(mediaType: mediaType) else { return try parsedJSON(body) }
        guard mediaType.hasPrefix("text/"), let text = String(validating: body, as: UTF8.self) else {
            throw .unsupportedMediaType(mediaType, takes: "application/json")
        }
        return .string(text)
    }

    /// A header value whose sender put it in quotes, as the HTTP binding allows, without them.
    private static func unquoted(_ value: String) -> String {
        guard value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else { return value }
        return String(value.dropFirst().dropLast()).replacing("\\\"", with: "\"").replacing(
            "\\\\", with: "\\")
    }

    private static func text(_ name: String, of value: JSON, at pointer: String, hint: String) throws(Problem)
        -> String
    {
        guard let text = value[name]?.string, !text.isEmpty else {
            throw .badEvent("\(pointer)/\(name)", "its \(name) is missing or not a text.", hint: hint)
        }
        return text
    }

    private static func optionalText(
        _ name: String, of value: JSON, at pointer: String, hint: String
    ) throws(Problem) -> String? {
        guard let field = value[name], field != .null else { return nil }
        return try text(name, of: .object([name: field]), at: pointer, hint: hint)
    }

    private static let cloudEventHint =
        "A CloudEvent has specversion \"1.0\", and id, source and type that are texts and not empty."
}
