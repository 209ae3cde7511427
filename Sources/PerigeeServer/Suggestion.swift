import PerigeeJournal

/// ` Did you mean "status"?`, or nothing.
func didYouMean(_ word: String, among known: some Sequence<String>) -> String {
    NearestName.of(word, among: known).map { " Did you mean \"\($0)\"?" } ?? ""
}
