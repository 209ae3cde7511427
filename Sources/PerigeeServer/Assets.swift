import Crypto
import HTTPTypes
import Hummingbird
import PerigeeJournal
import NIOCore

/// The dashboard's files: a stylesheet, a script and an icon, each under an address that changes with its
/// content.
enum Assets {
    struct File: Sendable {
        var name: String
        var mediaType: String
        var bytes: [UInt8]
        /// The first 16 hexadecimal digits of the content's SHA-256.
        var hash: String

        init(_ name: String, _ mediaType: String, _ bytes: [UInt8]) {
            self.name = name
            self.mediaType = mediaType
            self.bytes = bytes
            hash = SHA256.hash(data: bytes).prefix(8).hexadecimal
        }

        var address: String { "/assets/\(name)?v=\(hash)" }
    }

    static let stylesheet = File("perigee.css", "text/css; charset=utf-8", PackageResources.perigee_css)
    static let script = File("perigee.js", "text/javascript; charset=utf-8", PackageResources.perigee_js)
    static let icon = File("perigee.svg", "image/svg+xml", PackageResources.perigee_svg)

    static var routes: [Route] {
        [stylesheet, script, icon].map { file in
            Route(.get, "/assets/\(file.name)") { request, _ in try response(file, request) }
        }
    }

    /// The answer with the file.
    ///
    /// A year in the caches where the address has the content's hash, asked for anew otherwise.
    private static func response(_ file: File, _ request: Request) throws -> Response {
        let isPinned = try request.query()["v"] == file.hash
        let headers: HTTPFields = [
            .contentType: file.mediaType, .eTag: "\"\(file.hash)\"",
            .cacheControl: isPinned ? "public, max-age=31536000, immutable" : "no-cache",
        ]
        if request.headers[.ifNoneMatch]?.contains("\"\(file.hash)\"") == true {
            return Response(status: .notModified, headers: headers)
        }
        return Response(
            status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: file.bytes)))
    }
}
