import Hummingbird
import Perigee
import PerigeeJournal

/// `/v1/store`: what the database takes of the disk, and giving free space back while it is in use.
struct StoreRoutes {
    let host: WorkflowHost

    var routes: [Route] {
        [
            Route(.get, "/v1/store") { _, _ in Response(json: .object(try await host.storeSpace().fields)) },
            // It is asked again and again, so that nobody waits for a long answer and who asks can stop.
            Route(.post, "/v1/store:compact") { _, _ in
                let (space, isDone) = try await host.compactStore()
                return Response(json: .object(space.fields.merging(["done": .bool(isDone)]) { $1 }))
            },
        ]
    }
}

extension StoreSpace {
    /// `{file_bytes, log_bytes, used_bytes, free_bytes, gives_back}`.
    fileprivate var fields: [String: JSON] {
        [
            "file_bytes": .int(Int64(file)), "log_bytes": .int(Int64(log)), "used_bytes": .int(Int64(used)),
            "free_bytes": .int(Int64(free)), "gives_back": .bool(givesBack),
        ]
    }
}
