/// Finds what somebody meant to write.
package enum NearestName {
    /// The candidate that is fewest changes away from a name, if it is near enough to be meant.
    ///
    /// Transposed neighbours count as one change (optimal string alignment distance).
    package static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        guard name.utf8.count <= 64 else { return nil }
        let written = Array(name.lowercased().utf8)
        let limit = max(1, min(3, written.count / 3 + 1))
        let measured = candidates.map { (name: $0, distance: distance(written, Array($0.lowercased().utf8))) }
        return measured.filter { $0.distance <= limit && $0.distance < max(written.count, 2) }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
    }

    private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        guard second.count <= 64 else { return .max }
        var beforeLast = [Int](repeating: 0, count: second.count + 1)
        var last = Array(0...second.count)
        for (row, byte) in first.enumerated() {
            var current = [row + 1]
            for (column, other) in second.enumerated() {
                var best = min(
                    last[column + 1] + 1, current[column] + 1, last[column] + (byte == other ? 0 : 1))
                if row > 0, column > 0, byte == second[column - 1], first[row - 1] == other {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[second.count]
    }
}
