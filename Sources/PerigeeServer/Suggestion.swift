/// The word that was probably meant; `nil` if none is near.
func nearest(to word: String, among known: some Sequence<String>) -> String? {
    let limit = max(1, word.count / 3)
    return known.map { (word: $0, distance: editDistance(Array(word), Array($0))) }
        .filter { $0.distance <= limit }
        .min { ($0.distance, $0.word) < ($1.distance, $1.word) }?.word
}

/// ` Did you mean "status"?`, or nothing.
func didYouMean(_ word: String, among known: some Sequence<String>) -> String {
    nearest(to: word, among: known).map { " Did you mean \"\($0)\"?" } ?? ""
}

/// How many letters have to be put in, taken out, changed or swapped with their neighbour.
private func editDistance(_ left: [Character], _ right: [Character]) -> Int {
    guard left.count <= 64, right.count <= 64 else { return .max }
    var rows = [Array(0...right.count)]
    for (row, letter) in left.enumerated() {
        var next = [row + 1]
        for (column, other) in right.enumerated() {
            var cost = min(
                rows[row][column] + (letter == other ? 0 : 1), rows[row][column + 1] + 1, next[column] + 1)
            if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                cost = min(cost, rows[row - 1][column - 1] + 1)
            }
            next.append(cost)
        }
        rows.append(next)
    }
    return rows[left.count][right.count]
}
