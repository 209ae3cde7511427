import HTTPTypes
import Perigee
import PerigeeJournal
import Testing

@testable import PerigeeServer

struct EventBodyTests {
    private func one(
        _ body: String, type: String? = "application/json", attributes: [String: String] = [:]
    ) throws -> NewEvent {
        guard
            case .one(let event) = try EventBody(
                mediaType: type, attributes: attributes, body: Array(body.utf8))
        else { throw Problem.unexpected }
        return event
    }

    private func batch(_ body: String, type: String = "application/json") throws -> [Result<
        NewEvent, Problem
    >] {
        guard
            case .batch(let members) = try EventBody(mediaType: type, attributes: [:], body: Array(body.utf8))
        else { throw Problem.unexpected }
        return members
    }

    private func problem(
        _ body: String, type: String? = "application/json", attributes: [String: String] = [:]
    ) -> Problem? {
        do {
            _ = try EventBody(mediaType: type, attributes: attributes, body: Array(body.utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test func `the short form is a type, data and an id`() throws {
        let event = try one(#"{"type":"order.paid","data":{"n":1},"id":"e1"}"#)
        #expect(
            event.type == "order.paid" && event.data == ["n": 1] && event.id == "e1" && event.source == nil)
        let bare = try one(#"{"type":"ping"}"#, type: nil)
        #expect(bare.data == .null && bare.id == nil)
    }

    @Test func `a CloudEvent in its structured mode keeps id and source`() throws {
        let text =
            #"{"specversion":"1.0","id":"a","source":"/shop","type":"order.paid","data":[1],"subject":"x"}"#
        for type in ["application/cloudevents+json", "application/json"] {
            let event = try one(text, type: type)
            #expect(
                event.type == "order.paid" && event.id == "a" && event.source == "/shop" && event.data == [1])
        }
    }

    @Test func `what an event belongs to and came of is read in every form`() throws {
        let short = try one(#"{"type":"t","correlation_id":"c","causation_id":"e"}"#)
        let structured = try one(
            #"{"specversion":"1.0","id":"a","source":"s","type":"t","correlationid":"c","causationid":"e"}"#)
        let binary = try one(
            "1",
            attributes: [
                "specversion": "1.0", "id": "a", "source": "s", "type": "t", "correlationid": "c",
                "causationid": "e",
            ])
        for event in [short, structured, binary] {
            #expect(event.correlationID == "c" && event.causationID == "e")
        }
        #expect(try one(#"{"type":"t"}"#).correlationID == nil)
    }

    @Test func `data in base 64 is decoded by its content type`() throws {
        let head = #"{"specversion":"1.0","id":"a","source":"s","type":"t""#
        let json = try one(head + #","data_base64":"eyJhIjoxfQ=="}"#, type: "application/cloudevents+json")
        #expect(json.data == ["a": 1])
        let text = try one(
            head + #","datacontenttype":"text/plain","data_base64":"aGk="}"#,
            type: "application/cloudevents+json")
        #expect(text.data == "hi")
        #expect(problem(head + #","data_base64":"*"}"#)?.faults.first?.pointer == "/data_base64")
        #expect(problem(head + #","data":1,"data_base64":"aGk="}"#)?.code == "PG4020")
    }

    @Test func `a CloudEvent in its binary mode has percent-encoded headers`() throws {
        let attributes = [
            "specversion": "1.0", "id": "Euro%20%E2%82%AC%20%F0%9F%98%80", "source": "\"/shop\"",
            "type": "order.paid",
        ]
        let event = try one(#"{"n":1}"#, attributes: attributes)
        #expect(event.id == "Euro € 😀" && event.source == "/shop" && event.data == ["n": 1])
        #expect(try one("", type: nil, attributes: attributes).data == .null)
        #expect(try one("hi", type: "text/plain", attributes: attributes).data == "hi")
        #expect(problem("x", type: "image/png", attributes: attributes)?.code == "PG4043")
    }

    @Test(arguments: ["specversion", "id", "source", "type"])
    func `a CloudEvent without a required attribute is refused by its name`(name: String) {
        var attributes = ["specversion": "1.0", "id": "a", "source": "s", "type": "t"]
        attributes[name] = nil
        #expect(problem("1", attributes: attributes)?.faults.first?.pointer == "ce-\(name)")
        var fields: [String: JSON] = ["specversion": "1.0", "id": "a", "source": "s", "type": "t"]
        fields[name] = name == "id" ? 5 : ""
        let text = JSON.object(fields).text
        #expect(problem(text, type: "application/cloudevents+json")?.faults.first?.pointer == "/\(name)")
    }

    @Test func `members of a batch stand for themselves`() throws {
        let members = try batch(#"[{"type":"a"},{"typ":"b"},7,{"type":""}]"#)
        #expect(try members[0].get().type == "a")
        let pointers = members.dropFirst().map { member -> String? in
            guard case .failure(let problem) = member else { return nil }
            return problem.faults.first?.pointer
        }
        #expect(pointers == ["/1/typ", "/2", "/3/type"])
        let event = #"{"specversion":"1.0","id":"a","source":"s","type":"t"}"#
        #expect(try batch("[\(event),\(event)]", type: "application/cloudevents-batch+json").count == 2)
    }

    @Test func `an unknown field is refused with the one that was meant`() {
        #expect(problem(#"{"type":"a","dta":1}"#)?.detail.contains("Did you mean \"data\"?") == true)
    }

    @Test(arguments: [
        ("", "PG4044"), ("{", "PG4044"), ("[]", "PG4020"), ("7", "PG4020"), ("{}", "PG4020"),
        (#"{"type":"a","type":"b"}"#, "PG4044"), (#"{"type":"a","id":7}"#, "PG4020"),
    ])
    func `an unusable body is refused as a whole`(body: String, code: String) {
        #expect(problem(body)?.code == code)
    }

    @Test func `the place where JSON breaks is told, and too much depth by its own code`() {
        #expect(problem(#"{"type": oops}"#)?.detail.contains("at byte 9") == true)
        let deep =
            #"{"type":"a","data":"# + String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
            + "}"
        #expect(problem(deep)?.code == "PG4045")
    }

    @Test func `a type that is no JSON is refused, and a batch must be a list`() {
        #expect(problem("a=1", type: "application/x-www-form-urlencoded")?.status == .unsupportedMediaType)
        #expect(problem("{}", type: "application/cloudevents-batch+json")?.code == "PG4020")
    }

    @Test func `answers of a batch stand in the members' places`() async throws {
        let members: [Result<Int, Problem>] = [.success(1), .failure(.unexpected), .success(2), .success(3)]
        let items = try await answered(members, instance: "/v1/events") { good in
            #expect(good == [1, 2, 3])
            return [.success("one"), .success("two")]
        } json: { (answer: String) in
            .string(answer)
        }
        #expect(items[0] == "one" && items[2] == "two")
        #expect(items[1]["code"] == "PG4000" && items[3]["code"] == "PG4000")
        let none: [Result<Int, Problem>] = [.failure(.unexpected)]
        _ = try await answered(none, instance: "/") { _ -> [Result<String, HostError>] in
            Issue.record("nothing was good, and something was sent")
            return []
        } json: {
            .string($0)
        }
    }
}
