/// The key in an `Idempotency-Key` header: a structured-field string (RFC 9651) such as `"8e03978e"`, or
/// bare.
///
/// - Returns: `nil` without a header.
/// - Throws: `PG4020` if it is empty, longer than 255 characters or not text of this form.
func idempotencyKey(_ header: String?) throws(Problem) -> String? {
    guard let header else { return nil }
    let text = header.trimmed
    let key = text.hasPrefix("\"") ? quotedString(text) : text
    guard let key, !key.isEmpty, key.utf8.count <= 255, key.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
    else {
        throw .invalid(
            "The Idempotency-Key header is not a text of 1 to 255 printable ASCII characters.",
            hint: "Send it as in Idempotency-Key: \"8e03978e-40d5\".")
    }
    return key
}

/// The text of a structured-field string, without its parameters; `nil` if it is none.
private func quotedString(_ text: String) -> String? {
    var rest = text.unicodeScalars.dropFirst()
    var value = String.UnicodeScalarView()
    while let scalar = rest.popFirst() {
        switch scalar {
        case "\"":
            return rest.isEmpty || rest.first == ";" ? String(value) : nil
        case "\\":
            guard let escaped = rest.popFirst(), escaped == "\"" || escaped == "\\" else { return nil }
            value.append(escaped)
        default: value.append(scalar)
        }
    }
    return nil
}

/// The seconds to wait that a `Prefer: wait=N` header asks for (RFC 7240), 60 at most; `nil` if it asks for
/// none.
///
/// A preference that can't be read is ignored, as the standard says.
func waitPreference(_ header: String?) -> Int? {
    for preference in (header ?? "").split(separator: ",") {
        let parts = preference.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1).map {
            String($0).trimmed
        }
        if parts.count == 2, parts[0].lowercased() == "wait",
            let seconds = Int(parts[1].filter { $0 != "\"" }), seconds >= 0
        {
            return min(seconds, 60)
        }
    }
    return nil
}

extension String {
    /// Without spaces, tabs and line ends before and after.
    var trimmed: String {
        var view = self[...]
        while view.first?.isWhitespace == true { view.removeFirst() }
        while view.last?.isWhitespace == true { view.removeLast() }
        return String(view)
    }
}
