/// The text of a reply, by the charset that its `Content-Type` names.
enum ReplyText {
    /// The body as text.
    ///
    /// - Returns: `nil` for bytes that are no text: then, or where the charset is not known here.
    static func decode(_ body: [UInt8], contentType: String?) -> String? {
        switch charset(contentType) {
        case nil, "utf-8", "utf8", "us-ascii", "ascii":
            let text = body.starts(with: [0xEF, 0xBB, 0xBF]) ? body.dropFirst(3) : body[...]
            return String(validating: text, as: UTF8.self)
        // Senders write Latin-1 and mean this superset of it, as browsers read it.
        case "iso-8859-1", "latin1", "windows-1252", "cp1252":
            var text = String.UnicodeScalarView()
            text.append(contentsOf: body.map(windows1252))
            return String(text)
        case "utf-16": return utf16(body, bigEndian: !body.starts(with: [0xFF, 0xFE]))
        case "utf-16be": return utf16(body, bigEndian: true)
        case "utf-16le": return utf16(body, bigEndian: false)
        default: return nil
        }
    }

    /// The parameter `charset` of a media type, in lower case and without quotes.
    private static func charset(_ contentType: String?) -> String? {
        for parameter in (contentType ?? "").split(separator: ";").dropFirst() {
            let pair = parameter.split(separator: "=", maxSplits: 1)
            guard pair.count == 2, pair[0].filter({ $0 != " " }).lowercased() == "charset" else { continue }
            return pair[1].filter { $0 != " " && $0 != "\"" && $0 != "'" }.lowercased()
        }
        return nil
    }

    private static func utf16(_ body: [UInt8], bigEndian: Bool) -> String? {
        guard body.count.isMultiple(of: 2) else { return nil }
        var units = stride(from: 0, to: body.count, by: 2).map { at in
            let (first, second) = (UInt16(body[at]), UInt16(body[at + 1]))
            return bigEndian ? first << 8 | second : second << 8 | first
        }
        if units.first == 0xFEFF { units.removeFirst() }
        return String(validating: units, as: UTF16.self)
    }

    private static func windows1252(_ byte: UInt8) -> Unicode.Scalar {
        (0x80...0x9F).contains(byte) ? upper[Int(byte) - 0x80] : Unicode.Scalar(byte)
    }

    /// What stands in windows-1252 where Latin-1 has control characters, 0x80 to 0x9F.
    private static let upper: [Unicode.Scalar] = [
        "€", "\u{81}", "‚", "ƒ", "„", "…", "†", "‡", "ˆ", "‰", "Š", "‹", "Œ", "\u{8D}", "Ž", "\u{8F}",
        "\u{90}", "‘", "’", "“", "”", "•", "–", "—", "˜", "™", "š", "›", "œ", "\u{9D}", "ž", "Ÿ",
    ]
}
