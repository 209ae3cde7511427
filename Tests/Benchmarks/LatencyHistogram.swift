import Foundation

/// How long many things took, in a memory that does not grow with them; its answers are exact to two parts in a hundred.
struct LatencyHistogram: Sendable {
    private static let step = log(1.02)
    /// In seconds; what is shorter counts as this.
    private static let shortest = 1e-5

    private var counts = [Int](repeating: 0, count: 1000)
    private(set) var count = 0

    mutating func add(_ seconds: Double) {
        let bucket = Int(log(max(seconds, Self.shortest) / Self.shortest) / Self.step)
        counts[min(bucket, counts.count - 1)] += 1
        count += 1
    }

    /// The seconds that so great a part did not exceed; 0 if there was nothing.
    ///
    /// - Parameter part: 0 to 1.
    func percentile(_ part: Double) -> Double {
        var left = Int(Double(count) * part)
        for (bucket, found) in counts.enumerated() {
            left -= found
            if left < 0 { return Self.shortest * exp((Double(bucket) + 0.5) * Self.step) }
        }
        return 0
    }
}
