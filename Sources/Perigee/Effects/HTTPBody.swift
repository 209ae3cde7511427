import Crypto
import Foundation
import PerigeeJournal

/// The body of a request, and the kind of data that it is.
struct HTTPBody: Sendable {
    var bytes: [UInt8] = []
    var contentType: String?

    /// Reads `json`, `form`, `multipart`, `text` or `bytes`, as the stdlib gave it.
    ///
    /// - Parameter key: what the boundary of `multipart` is made from, the same for every attempt.
    init(_ arguments: JSON, key: String) {
        if let json = arguments["json"] {
            (bytes, contentType) = (json.bytes, "application/json")
        } else if let form = arguments["form"]?.object {
            bytes = Array(HTTPBody.formEncoded(form).utf8)
            contentType = "application/x-www-form-urlencoded"
        } else if let parts = arguments["multipart"]?.array {
            let content = parts.map(HTTPBody.content)
            let boundary = HTTPBody.boundary(key, absentFrom: content)
            bytes = HTTPBody.multipart(parts, content, boundary)
            contentType = "multipart/form-data; boundary=\(boundary)"
        } else if let text = arguments["text"]?.string {
            (bytes, contentType) = (Array(text.utf8), "text/plain; charset=utf-8")
        } else if arguments["base64"] != nil {
            (bytes, contentType) = (HTTPBody.content(arguments), "application/octet-stream")
        }
    }

    // MARK: Form

    static func formEncoded(_ form: [String: JSON]) -> String {
        form.sorted { $0.key < $1.key }.flatMap { name, value in
            (value.array ?? [value]).map { one in
                "\(percentEncoded(name))=\(percentEncoded(one.string ?? one.text))"
            }
        }.joined(separator: "&")
    }

    static func percentEncoded(_ text: String) -> String {
        text.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
    }

    private static let unreserved = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

    // MARK: Multipart (RFC 7578)

    /// The bytes of a part; what is no text comes from the stdlib in Base64.
    private static func content(_ part: JSON) -> [UInt8] {
        if let base64 = part["base64"]?.string { return Array(Data(base64Encoded: base64) ?? Data()) }
        return Array((part["value"].map { $0.string ?? $0.text } ?? "").utf8)
    }

    private static func multipart(_ parts: [JSON], _ content: [[UInt8]], _ boundary: String) -> [UInt8] {
        var body: [UInt8] = []
        for (part, content) in zip(parts, content) {
            var head = "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(quoted(part["name"]))\""
            if part["filename"] != nil {
                head += "; filename=\"\(quoted(part["filename"]))\"\r\nContent-Type: "
                head += part["content_type"]?.string ?? "application/octet-stream"
            } else if let type = part["content_type"]?.string {
                head += "\r\nContent-Type: \(type)"
            }
            body += Array("\(head)\r\n\r\n".utf8) + content + Array("\r\n".utf8)
        }
        return body + Array("--\(boundary)--\r\n".utf8)
    }

    /// A name in quotes, with quotes and line ends written as browsers do.
    private static func quoted(_ name: JSON?) -> String {
        (name?.string ?? "").unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "\"": text += "%22"
            case "\r": text += "%0D"
            case "\n": text += "%0A"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    /// A boundary that follows from the key and stands in none of the parts.
    private static func boundary(_ key: String, absentFrom content: [[UInt8]]) -> String {
        var seed = "boundary \(key)"
        while true {
            let digits = SHA256.hash(data: Array(seed.utf8)).prefix(16).hexadecimal
            let boundary = "perigee-\(digits)"
            let marker = Data("--\(boundary)".utf8)
            guard content.contains(where: { Data($0).range(of: marker) != nil }) else { return boundary }
            seed = boundary
        }
    }
}
