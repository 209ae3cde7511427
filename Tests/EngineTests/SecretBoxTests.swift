import Foundation
@testable import Perigee
import PerigeeJournal
import Testing

@Suite("Sealed secrets")
struct SecretBoxTests {
    private static let key = MasterKey(base64: MasterKey.generate())
    private let now = Timestamp(milliseconds: 0)

    private func box(_ keys: [MasterKey?], namespace: String = "main") -> SecretBox {
        SecretBox(namespace: namespace, keys: keys.compactMap(\.self))
    }

    private func code(_ body: () throws -> String) -> String? {
        do { return "opened: \(try body())" } catch { return (error as? HostError)?.code }
    }

    @Test(arguments: ["s3cret", "ä\n\u{0}", String(repeating: "x", count: 65_536)])
    func `what is sealed opens again, is sealed in another way each time, and does not show`(_ value: String)
        throws
    {
        let box = box([Self.key])
        let first = try box.seal(value, name: "A", hosts: ["a.example"], at: now)
        let second = try box.seal(value, name: "A", hosts: ["a.example"], at: now)
        #expect(try box.open(first) == value)
        #expect(first.sealed != second.sealed)
        #expect(first.keyID == Self.key?.id)
        #expect(Data(first.sealed).range(of: Data(value.utf8)) == nil)
    }

    @Test func `no row opens that was moved, changed, cut off or given other hosts`() throws {
        let box = box([Self.key])
        let secret = try box.seal("s3cret", name: "A", hosts: ["a.example", "b.example"], at: now)
        func opened(_ change: (inout SealedSecret) -> Void) -> String? {
            var changed = secret
            change(&changed)
            return code { try box.open(changed) }
        }
        #expect(opened { $0.name = "B" } == "PG3072")
        #expect(opened { $0.hosts = [] } == "PG3072")
        #expect(opened { $0.hosts = ["a.example", "b.example", "c.example"] } == "PG3072")
        #expect(opened { $0.hosts = ["a.example,b.example"] } == "PG3072")
        #expect(opened { $0.sealed = Array($0.sealed.prefix(20)) } == "PG3072")
        for index in secret.sealed.indices {
            #expect(opened { $0.sealed[index] ^= 1 } == "PG3072")
        }
        let other = self.box([Self.key], namespace: "second")
        #expect(code { try other.open(secret) } == "PG3072")
    }

    @Test func `an older key opens, and none or another one says so`() throws {
        let new = MasterKey(base64: MasterKey.generate())
        let secret = try box([Self.key]).seal("s3cret", name: "A", hosts: [], at: now)
        #expect(try box([new, Self.key]).open(secret) == "s3cret")
        #expect(code { try box([new]).open(secret) } == "PG3071")
        #expect(code { try box([]).open(secret) } == "PG3070")
        #expect(throws: HostError.self) { try box([]).seal("x", name: "A", hosts: [], at: now) }
    }

    @Test func `a master key is 32 bytes in Base64, and its id says nothing of it`() throws {
        let text = MasterKey.generate()
        let key = try #require(MasterKey(base64: text))
        #expect(key.id.count == 16 && key.id == MasterKey(base64: text)?.id)
        #expect(MasterKey.list("\(text)\n \(MasterKey.generate()),\n")?.count == 2)
        for wrong in ["", "\n", "s3cret", String(text.dropFirst(4)), text + " x"] {
            #expect(MasterKey.list(wrong) == nil)
        }
        #expect(box([key]).isKey(text + "\n"))
        #expect(!box([key]).isKey(MasterKey.generate()))
    }

    @Test(arguments: [
        ("api.example", "https://api.example/x", true), ("api.example", "http://API.example:81/", true),
        ("API.example.", "https://api.example", true), ("api.example", "https://api.example./", true),
        ("api.example", "https://evil.example", false), ("api.example", "https://api.example.evil/", false),
        ("api.example", "https://xapi.example", false), ("api.example", "https://a.api.example", false),
        ("*.example", "https://a.b.example", true), ("*.example", "https://example", false),
        ("*.example", "https://evilexample", false), ("api.example:8443", "https://api.example:8443", true),
        ("api.example:8443", "https://api.example", false), ("api.example:443", "https://api.example", true),
        ("api.example:80", "http://api.example", true), ("127.0.0.1", "http://127.0.0.1:9/", true),
        ("[::1]:80", "http://[::1]/", true), ("[::1]", "http://[::2]/", false),
        ("api.example", "https://api.example@evil.example/", false),
        ("api.example", "https://evil.example/?@api.example", false),
        ("api.example", "https://evil.example#api.example", false),
        ("api.example", "https://evil.example\\@api.example", false),
        ("api.example", "https://api%2Eexample/", false), ("api.example", "nonsense", false),
        ("api.example", "", false), ("a.example b.example", "https://b.example", true),
    ])
    func `a secret goes to the hosts that it is bound to`(_ hosts: String, _ url: String, _ goes: Bool) throws
    {
        #expect(try #require(HostBinding(list: hosts)).permits(url) == goes)
    }

    @Test(arguments: [
        "", " ", "*", "*.", "a.*", "*.*", "https://a.example", "a.example/x", "a.example:", "a.example:0",
        "a.example:65536", "a b:x", "ä.example", "::1", "[::1", "*.[::1]", "*.10.0.0.1", "a..b",
        "a.example:+1",
    ])
    func `what is no host binds nothing`(_ text: String) {
        #expect(HostBinding(list: text) == nil)
    }
}
