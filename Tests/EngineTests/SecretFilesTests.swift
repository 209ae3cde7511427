import Foundation
@testable import Perigee
import Testing

@Suite("Secrets in files")
struct SecretFilesTests {
    private func folder(_ files: [String: String]) throws -> String {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("perigee-secrets-\(UUID().uuidString)/inner")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in files { try Data(text.utf8).write(to: folder.appendingPathComponent(name)) }
        return folder.path
    }

    @Test func `a file is a secret, without the line break at its end, and is read anew`() throws {
        let folder = try folder(["CRM_TOKEN": "s3cret\r\n"])
        let settings = Settings.files(in: folder)
        #expect(settings.secret("CRM_TOKEN")?.value == "s3cret")
        try Data("rotated".utf8).write(to: URL(fileURLWithPath: folder + "/CRM_TOKEN"))
        #expect(settings.secret("CRM_TOKEN")?.value == "rotated")
        #expect(settings.secret("OTHER") == nil)
        #expect(settings.config("CRM_TOKEN") == nil)
    }

    @Test(arguments: ["../OUTSIDE", "/etc/hostname", "", ".", "..", ".hidden", "a/b", "a\0b", "ä"])
    func `a name does not lead out of the folder`(_ name: String) throws {
        let folder = try folder([".hidden": "x", "ä": "x"])
        try Data("x".utf8).write(to: URL(fileURLWithPath: folder + "/../OUTSIDE"))
        #expect(Settings.files(in: folder).secret(name) == nil)
    }

    @Test func `what is no text, empty or too large is no secret`() throws {
        let folder = try folder([
            "EMPTY": "\n", "BIG": String(repeating: "x", count: Settings.maxSecretBytes + 1),
        ])
        try Data([0xFF, 0xFE]).write(to: URL(fileURLWithPath: folder + "/BYTES"))
        for name in ["EMPTY", "BIG", "BYTES"] { #expect(Settings.files(in: folder).secret(name) == nil) }
        #expect(Settings.files(in: folder + "/none").secret("EMPTY") == nil)
    }

    @Test func `the environment comes first`() throws {
        let folder = try folder(["A": "file", "B": "file"])
        let settings = Settings.environment(["PERIGEE_SECRET_A": "variable", "PERIGEE_CONFIG_R": "emea"])
            .or(.files(in: folder))
        #expect(settings.secret("A")?.value == "variable")
        #expect(settings.secret("B")?.value == "file")
        #expect(settings.config("R") == "emea")
    }

    @Test func `a file of hosts binds the secret beside it, and is no secret itself`() throws {
        let folder = try folder([
            "A": "x", "A.hosts": "api.example,\n*.b.example:8443\n", "B": "y", "C": "z", "C.hosts": "",
            "perigee-master-key": "k",
        ])
        let settings = Settings.files(in: folder)
        #expect(settings.secrets().map(\.name) == ["A", "B", "C"])
        #expect(settings.secret("A")?.binding?.hosts == ["api.example", "*.b.example:8443"])
        #expect(settings.secret("B")?.binding == .anywhere)
        #expect(settings.secret("C")?.binding == nil)
        #expect(settings.secret("A.hosts") == nil)
        #expect(settings.secret("perigee-master-key") == nil)
        #expect(settings.secret("A")?.updatedAt != nil)
        #expect("\(settings.secrets())".contains("\"x\"") == false)
    }

    @Test func `a variable of hosts binds the secret of its name, and is no secret itself`() {
        let settings = Settings.environment([
            "PERIGEE_SECRET_A": "x", "PERIGEE_SECRET_HOSTS_A": "api.example", "PERIGEE_SECRET_B": "y",
            "PERIGEE_SECRET_HOSTS_B": "https://api.example",
        ])
        #expect(settings.secrets().map(\.name) == ["A", "B"])
        #expect(settings.secret("A")?.binding?.hosts == ["api.example"])
        #expect(settings.secret("B")?.binding == nil)
        #expect(settings.secret("HOSTS_A") == nil)
    }
}
