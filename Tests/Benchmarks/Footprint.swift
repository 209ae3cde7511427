import Foundation

/// What this process takes of the machine.
enum Footprint {
    /// Memory that is really there, in bytes; `nil` where the system does not tell it in `/proc`.
    static var residentBytes: Double? {
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return nil }
        return text.split(separator: " ").dropFirst().first.flatMap { Double($0) }.map {
            $0 * Double(getpagesize())
        }
    }

    /// CPU time so far, of all threads, in seconds.
    static var cpuSeconds: Double {
        // POSIX counts in millionths.
        Double(clock()) / 1e6
    }

    /// Bytes that this process has had to be written to disks so far; `nil` where the system does not tell it in `/proc`.
    static var writtenBytes: Double? {
        guard let text = try? String(contentsOfFile: "/proc/self/io", encoding: .utf8) else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("write_bytes:") }
        return line?.split(separator: " ").last.flatMap { Double($0) }
    }
}
