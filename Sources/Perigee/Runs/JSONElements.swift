import PerigeeJournal

/// Takes a JSON array that the Lua border wrote apart without decoding what is in it.
enum JSONElements {
    /// The elements of an array, each as its bytes.
    static func split(_ array: [UInt8]) -> [ArraySlice<UInt8>] {
        var elements: [ArraySlice<UInt8>] = []
        var depth = 0
        var inString = false
        var start = 1
        var at = 0
        while at < array.count {
            let byte = array[at]
            if inString {
                if byte == UInt8(ascii: "\\") {
                    at += 1
                } else if byte == UInt8(ascii: "\"") {
                    inString = false
                }
            } else {
                switch byte {
                case UInt8(ascii: "\""): inString = true
                case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    depth -= 1
                    if depth == 0, at > start { elements.append(array[start..<at]) }
                case UInt8(ascii: ",") where depth == 1:
                    elements.append(array[start..<at])
                    start = at + 1
                default: break
                }
            }
            at += 1
        }
        return elements
    }

    /// The text of an element that is a JSON string.
    static func text(_ element: ArraySlice<UInt8>) -> String? {
        guard element.first == UInt8(ascii: "\""), element.count >= 2 else { return nil }
        let inner = element.dropFirst().dropLast()
        guard inner.contains(UInt8(ascii: "\\")) else { return String(decoding: inner, as: UTF8.self) }
        return (try? JSON(parsing: element))?.string
    }
}
