@testable import Perigee
import Foundation
import Testing

@Suite("The scripts folder", .timeLimit(.minutes(5)))
struct ScriptFolderTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
        "perigee-\(UUID().uuidString)/scripts")

    /// What is wrong with a script that requires `lib.m`.
    private func problem(requiring name: String = "lib.m") throws -> ScriptProblem? {
        let text = "local m = require \"\(name)\"\nreturn workflow { run = function() end }"
        try TestHost.write(text, to: "a.lua", in: folder)
        return try #require(ScriptCheck.run(folder: folder.path)).first { $0.workflow == "a" }?.problem
    }

    @Test(arguments: [
        "../secret", "..secret", "/etc/passwd", "lib/m", "lib.m.", ".lib", "lib..m", "stdlib.http", "lib\\m",
        "C:m", "",
    ])
    func `a module is a plain dotted name inside the folder`(name: String) throws {
        let problem = try problem(requiring: name.replacing("\\", with: "\\\\"))
        #expect(problem?.code == "PG1006")
    }

    @Test func `a link that leads out of the folder is refused`() throws {
        let outside = folder.deletingLastPathComponent().appendingPathComponent("outside.lua")
        try TestHost.write("return { secret = 1 }", to: "outside.lua", in: folder.deletingLastPathComponent())
        try TestHost.write("return {}", to: "lib/other.lua", in: folder)
        let link = folder.appendingPathComponent("lib/m.lua").path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: outside.path)
        #expect(try problem()?.message == "lib/m.lua is a link that leads out of the scripts folder.")

        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "../../outside.lua")
        #expect(try problem()?.code == "PG1006")

        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "other.lua")
        #expect(try problem() == nil)
    }

    @Test func `a folder that is a link out of the scripts folder is refused`() throws {
        let outside = folder.deletingLastPathComponent()
        try TestHost.write("return { secret = 1 }", to: "elsewhere/m.lua", in: outside)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: folder.appendingPathComponent("lib").path,
            withDestinationPath: outside.appendingPathComponent("elsewhere").path)
        #expect(try problem()?.code == "PG1006")
    }

    @Test func `what is no file is not read`() throws {
        try TestHost.write("return {}", to: "lib/other.lua", in: folder)
        try #require(mkfifo(folder.appendingPathComponent("lib/m.lua").path, 0o600) == 0)
        #expect(try problem()?.message == "lib/m.lua is not a file.")
    }

    @Test func `a file of more than 1 MiB is not read`() throws {
        let text = "return {}" + String(repeating: " ", count: ScriptFolder.maxFileBytes)
        try TestHost.write(text, to: "lib/m.lua", in: folder)
        #expect(try problem()?.message == "lib/m.lua has \(text.utf8.count) bytes; 1 MiB is the most.")
    }
}
