import ArgumentParser
import Foundation
import PerigeeJournal

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send", abstract: "Tell the server that something happened.",
        discussion: """
            Examples:
              perigee send demo.requested --sample
              perigee send lead.created --data id=L1 employees:=1200
              perigee send lead.created --data @lead.json --id lead-7 --source crm

            k=v is text, k:=7 a number or other JSON. The same --source and --id twice start nothing twice.
            """)

    @Argument(help: "What happened: the event's type.")
    var event: String

    @Option(
        parsing: .upToNextOption, help: "@file.json, - for standard input, '{…}', or k=v and k:=JSON words.")
    var data: [String] = []

    @Flag(help: "Send mocks/events/EVENT.json, or else an input made for a workflow that the event starts.")
    var sample = false

    @Option(help: "The sender's id of the event, which tells duplicates.")
    var id: String?

    @Option(help: "Who tells it: an address or a name.")
    var source: String?

    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if sample, !data.isEmpty { throw ValidationError("--sample and --data exclude each other.") }
    }

    func run() async throws {
        let client = try server.client()
        let data = sample ? try await sampleData(client) : try InputText.json(data)
        var body: [String: JSON] = ["type": .string(event), "data": data]
        if let id { body["id"] = .string(id) }
        if let source { body["source"] = .string(source) }
        let receipt = try await client.post("/v1/events", .object(body))
        let columns = [
            Column("EVENT", field: "event_id"),
            Column("RUNS") { ($0["runs"]?.array ?? []).map { $0.string ?? "" }.joined(separator: ",") },
        ]
        Listing(columns: columns, format: output.format).write(item: receipt, lines: lines)
    }

    private func lines(_ receipt: JSON) -> [(name: String, value: String)] {
        let runs = (receipt["runs"]?.array ?? []).compactMap(\.string)
        let isDuplicate = receipt["duplicate"]?.bool == true
        let none = isDuplicate ? "" : "none: no workflow is started by this event"
        return [(name: "event", value: receipt["event_id"].text + (isDuplicate ? " (accepted before)" : ""))]
            + (runs.isEmpty ? [none] : runs).map { (name: "run", value: $0) }
    }

    private func sampleData(_ client: APIClient) async throws -> JSON {
        if let file = SampleFile.path(event: event) { return try InputText.file(file) }
        let workflows = try await client.get("/v1/workflows")["items"]?.array ?? []
        let started = workflows.filter { workflow in
            workflow["triggers"]?.array?.contains { $0["event"]?.string == event } == true
        }
        let sample = started.lazy.compactMap { $0["sample"] }.first { $0 != .null }
        guard let sample else {
            throw CommandFailure.notFound(
                "sample for the event", event,
                hint:
                    "Put one into \(SampleFile.folder)/\(event).json, "
                    + "or declare the `input` of the workflow that it starts."
            )
        }
        return sample
    }
}

/// The samples of events that people keep beside their mocks.
enum SampleFile {
    static let folder = "mocks/events"

    /// The file of an event's sample, if there is one.
    static func path(event: String, in folder: String = folder) -> String? {
        guard !event.contains("/") else { return nil }
        let path = "\(folder)/\(event).json"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }
}
