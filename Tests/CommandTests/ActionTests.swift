import Foundation
import PerigeeJournal
import Testing

@Suite(.serialized, .timeLimit(.minutes(5)))
struct ActionTests {
    private static let scripts = [
        "hello.lua": helloScript,
        "broken.lua": "return workflow { run = function() call(\"Book\", \"none\", {}) return 1 end }",
    ]

    @Test func `runs are paused, resumed, passed over and forked, and the audit says by whom`() throws {
        let place = try Workplace(scripts: Self.scripts)
        try place.serve()
        _ = try place.run("run", "broken", "--wait", "30s")
        let dry = try place.run("runs", "retry", "@last", "--dry-run")
        #expect(dry.status == 0)
        #expect(try JSON(parsing: dry.output.utf8)["sends_again"]?.array?.first?["label"] == "Book")
        let unasked = try place.run("runs", "retry", "@last")
        #expect(unasked.status == 2)
        #expect(unasked.errors.contains("1 call would be sent again:"))
        #expect(unasked.errors.contains("[PG5030]"))
        let unreasoned = try place.run("runs", "set-result", "@last", "--result", "7")
        #expect(unreasoned.errors.contains("[PG4136]"))
        let skipped = try place.run(
            "runs", "skip", "@last", "Book", "--reason", "booked by phone", "--by", "ana", "-o", "json")
        #expect(skipped.status == 0)
        let audit = try place.run("audit", "list", "--run", "@last", "-o", "json")
        let record = try JSON(parsing: audit.output.utf8)["items"]?.array?.first
        #expect(record?["action"] == "skip")
        #expect(record?["by"] == "ana")
        #expect(record?["reason"] == "booked by phone")
        let fork = try place.run("runs", "fork", "@last", "--yes", "--version", "newest", "-o", "json")
        #expect(fork.status == 0)
        #expect(try JSON(parsing: fork.output.utf8)["trigger"]?["type"] == "rerun")
    }

    @Test func `a batch is previewed, refused without --yes, and worked off`() throws {
        let place = try Workplace(scripts: Self.scripts)
        try place.serve()
        for id in ["1", "2"] { _ = try place.run("run", "hello", "--input", "id=\(id)") }
        let unasked = try place.run("runs", "terminate", "-q", "workflow:hello")
        #expect(unasked.status == 2)
        #expect(unasked.errors.contains("terminate would act on 2 runs:"))
        #expect(unasked.errors.contains("[PG5030]"))
        let both = try place.run("runs", "pause", "@last", "-q", "workflow:hello")
        #expect(both.status == 2)
        let made = try place.run(
            "runs", "terminate", "-q", "workflow:hello", "--yes", "--reason", "a drill", "-o", "json")
        let batch = try #require(try JSON(parsing: made.output.utf8)["id"]?.string)
        var shown = ""
        while !shown.contains("\tcompleted\t") { shown = try place.run("batches", "list").output }
        #expect(shown.hasPrefix(batch))
        let items = try place.run("batches", "show", batch, "--state", "done")
        #expect(items.output.split(separator: "\n").count == 2)
        let late = try place.run("batches", "abort", batch)
        #expect(late.status == 6)
        #expect(late.errors.contains("[PG4141]"))
    }
}
