import Foundation

/// What callgrind counted of a whole process.
struct CallgrindProfile {
    private(set) var instructions = 0
    /// Calls of the functions that give memory.
    private(set) var allocations = 0

    private static let allocators: Set<Substring> = [
        "malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign",
    ]

    /// - Parameter file: what `--callgrind-out-file` names.
    init(_ file: URL) throws {
        let text = try String(contentsOf: file, encoding: .utf8)
        var allocatorIDs: Set<Substring> = []
        var callsAllocator = false
        for line in text.utf8.split(separator: UInt8(ascii: "\n")).map(Substring.init) {
            if line.hasPrefix("totals: ") {
                instructions = Int(line.dropFirst("totals: ".count)) ?? 0
            } else if line.hasPrefix("calls=") {
                // "calls=12 +3": how often, and where the callee's text begins.
                guard callsAllocator else { continue }
                allocations += Int(line.dropFirst("calls=".count).prefix { $0 != " " }) ?? 0
            } else if line.hasPrefix("cfn=") || line.hasPrefix("fn=") {
                // "cfn=(7) malloc" where a function is named first, and "cfn=(7)" from then on.
                let parts = line.drop { $0 != "(" }.split(separator: " ", maxSplits: 1)
                guard let id = parts.first else { continue }
                if let name = parts.dropFirst().first, CallgrindProfile.allocators.contains(name) {
                    allocatorIDs.insert(id)
                }
                if line.hasPrefix("cfn=") { callsAllocator = allocatorIDs.contains(id) }
            }
        }
        guard instructions > 0 else { throw BenchmarkError("\(file.path) is no profile of callgrind's.") }
    }
}
