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

/// What this process takes of the machine.
enum Footprint {
    /// Memory that is really there, in bytes; `nil` where the system does not tell it in `/proc`.
    static var residentBytes: Double? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        return text.split(separator: " ").dropFirst().first.flatMap { Double($0) }.map {
            $0 * Double(getpagesize())
        }
    }

    /// Gives memory that was freed, and that the allocator keeps for later, back to the system; does nothing where the
    /// allocator is not glibc's.
    static func trim() {
        #if os(Linux)
            guard let symbol = dlsym(nil, "malloc_trim") else { return }
            _ = unsafeBitCast(symbol, to: (@convention(c) (Int) -> Int32).self)(0)
        #endif
    }

    /// CPU time so far, of all threads, in seconds.
    static var cpuSeconds: Double {
        var usage = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &usage)
        return Double(usage.tv_sec) + Double(usage.tv_nsec) / 1e9
    }
}
