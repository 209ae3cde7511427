/// The Lua half of the host, as it was when this program was built.
enum Stdlib {
    /// The texts by their path in a bundle: `stdlib/http.lua`.
    static let files: [String: String] = Dictionary(
        uniqueKeysWithValues: pieces.map {
            ("stdlib/\($0.name).lua", String(decoding: $0.text, as: UTF8.self))
        })

    /// The names that a script may use without declaring them: Lua's own and the host's.
    static let ambientNames: Set<String> = luaNames.union(hostNames)

    private static let hostNames: Set<String> = [
        "ask", "call", "checkpoint", "config", "each", "emit", "flow", "http", "log", "os", "parallel",
        "print",
        "saga", "secret", "sleep", "try", "wait", "workflow",
    ]

    private static let luaNames: Set<String> = [
        "_G", "_VERSION", "assert", "coroutine", "error", "getmetatable", "ipairs", "load", "math", "next",
        "pairs",
        "pcall", "rawequal", "rawget", "rawlen", "rawset", "require", "select", "setmetatable", "string",
        "table",
        "tonumber", "tostring", "type", "utf8", "xpcall",
    ]

    /// Names of stock Lua that a script can't have, with the way to do it here.
    static let absentNames: [String: String] = [
        "io": "A workflow has no files; read and write through http or call.",
        "debug": "Use log.info(text, { … }) to see a value in the run's timeline.",
        "package": "require \"lib.name\" loads a module of the scripts folder.",
        "dofile": "require \"lib.name\" loads a module of the scripts folder.",
        "loadfile": "require \"lib.name\" loads a module of the scripts folder.",
        "collectgarbage": "Memory is managed by the host; the limit is per run.",
    ]

    private static let pieces: [(name: String, text: [UInt8])] = [
        ("ask", PackageResources.ask_lua), ("bounds", PackageResources.bounds_lua),
        ("branches", PackageResources.branches_lua), ("breaker", PackageResources.breaker_lua),
        ("calendar", PackageResources.calendar_lua), ("call", PackageResources.call_lua),
        ("checkpoint", PackageResources.checkpoint_lua), ("config", PackageResources.config_lua),
        ("each", PackageResources.each_lua), ("emit", PackageResources.emit_lua),
        ("errors", PackageResources.errors_lua), ("flow", PackageResources.flow_lua),
        ("flow_call", PackageResources.flow_call_lua), ("flow_child", PackageResources.flow_child_lua),
        ("flow_continue", PackageResources.flow_continue_lua),
        ("flow_csv", PackageResources.flow_csv_lua), ("flow_dates", PackageResources.flow_dates_lua),
        ("flow_encodings", PackageResources.flow_encodings_lua),
        ("flow_json", PackageResources.flow_json_lua), ("flow_list", PackageResources.flow_list_lua),
        ("flow_lock", PackageResources.flow_lock_lua), ("flow_metric", PackageResources.flow_metric_lua),
        ("flow_regex", PackageResources.flow_regex_lua), ("flow_run", PackageResources.flow_run_lua),
        ("flow_start", PackageResources.flow_start_lua), ("flow_state", PackageResources.flow_state_lua),
        ("flow_text", PackageResources.flow_text_lua), ("flow_time", PackageResources.flow_time_lua),
        ("given_secret", PackageResources.given_secret_lua),
        ("http", PackageResources.http_lua), ("http_auth", PackageResources.http_auth_lua),
        ("http_gate", PackageResources.http_gate_lua),
        ("http_multipart", PackageResources.http_multipart_lua),
        ("http_pages", PackageResources.http_pages_lua),
        ("http_webhook", PackageResources.http_webhook_lua),
        ("log", PackageResources.log_lua),
        ("options", PackageResources.options_lua), ("os", PackageResources.os_lua),
        ("parallel", PackageResources.parallel_lua), ("park", PackageResources.park_lua),
        ("prelude", PackageResources.prelude_lua), ("question", PackageResources.question_lua),
        ("print", PackageResources.print_lua), ("saga", PackageResources.saga_lua),
        ("sealed", PackageResources.sealed_lua),
        ("secret", PackageResources.secret_lua),
        ("sleep", PackageResources.sleep_lua), ("try", PackageResources.try_lua),
        ("wait", PackageResources.wait_lua), ("workflow", PackageResources.workflow_lua),
        ("workflow_of_run", PackageResources.workflow_of_run_lua),
    ]
}
