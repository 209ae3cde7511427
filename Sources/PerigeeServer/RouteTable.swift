import HTTPTypes
import Hummingbird

/// One address of the server and what answers there.
struct Route: Sendable {
    var method: HTTPRequest.Method
    /// As Hummingbird writes paths: `/runs/{id}`, `/hooks/**`.
    var path: String
    var handler: @Sendable (Request, PathValues) async throws -> Response

    init(
        _ method: HTTPRequest.Method, _ path: String,
        handler: @escaping @Sendable (Request, PathValues) async throws -> Response
    ) {
        self.method = method
        self.path = path
        self.handler = handler
    }
}

/// The values that a path's captures have, percent-decoded.
struct PathValues: Sendable {
    let parameters: Parameters

    /// The value of `{name}`; the empty text if it is not valid UTF-8, which no id is.
    subscript(_ name: String) -> String {
        parameters.get(name).flatMap { percentDecoded($0) } ?? ""
    }

    /// What `**` stands for, without slashes around it.
    var rest: String {
        parameters.getCatchAll().compactMap { percentDecoded(String($0)) }.joined(separator: "/")
    }
}

/// All addresses, for the answer to a method that an address does not take.
struct RouteTable: Sendable {
    let routes: [Route]

    /// The methods that a path takes, in alphabetical order; empty if there is no such path.
    func methods(for path: String) -> [String] {
        let parts = path.split(separator: "/")
        var methods = Set<String>()
        for route in routes where Self.matches(RouterPath(route.path), parts) {
            methods.insert(route.method.rawValue)
            if route.method == .get { methods.insert("HEAD") }
        }
        return methods.sorted()
    }

    private static func matches(_ path: RouterPath, _ parts: [Substring]) -> Bool {
        let components = path.components
        guard components.last == .recursiveWildcard || components.count == parts.count,
            components.count <= parts.count
        else { return false }
        return zip(components, parts).allSatisfy { component, part in component ~= part }
    }
}
