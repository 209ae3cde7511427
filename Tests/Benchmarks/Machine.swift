import Foundation
import GRDBSQLite
import PerigeeLua

/// Where the figures come from: without it they mean little.
struct Machine: Codable {
    var cpu: String
    var cores: Int
    var kernel: String
    var swift: String
    var lua: String
    var sqlite: String

    static var current: Machine {
        Machine(
            cpu: cpuModel ?? output("sysctl", "-n", "machdep.cpu.brand_string") ?? "unknown CPU",
            cores: ProcessInfo.processInfo.activeProcessorCount,
            kernel: output("uname", "-sr") ?? "unknown kernel",
            swift: output("swift", "--version") ?? "unknown Swift",
            lua: LuaRelease.linked.name,
            sqlite: "SQLite " + String(cString: sqlite3_libversion()))
    }

    var summary: String {
        "\(cores) × \(cpu), \(kernel), \(swift), \(lua), \(sqlite)"
    }

    private static var cpuModel: String? {
        guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
        return line?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The first line that a program prints; `nil` if it can't be run.
    private static func output(_ command: String...) -> String? {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil, let data = try? pipe.fileHandleForReading.readToEnd() else {
            return nil
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        return String(decoding: data, as: UTF8.self).split(separator: "\n").first.map(String.init)
    }
}
