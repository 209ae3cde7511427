import Hummingbird
import Perigee
import PerigeeJournal

/// The page of an error's code: what it means and how to mend it, as `perigee explain` prints it.
struct ErrorCodePage {
    /// A piece of a sentence: words, or something of a script.
    struct Span: Hashable {
        var text: String?
        var code: String?
    }

    struct Words: Hashable {
        var spans: [Span]
    }

    struct List: Hashable {
        var items: [Words]
    }

    /// A heading, a paragraph, a list, or lines of code.
    struct Block: Hashable {
        var heading: String?
        var code: String?
        var paragraph: Words?
        var list: List?
    }

    var code: String
    var title: String
    var blocks: [Block]

    init(_ page: ErrorPage) {
        code = page.code
        title = page.title
        let lines = page.text.split(separator: "\n", omittingEmptySubsequences: false)
        blocks = Self.blocks(lines.dropFirst())
    }

    /// The path of a code's page.
    static func address(_ code: String) -> String { "/errors/\(percentEncoded(code))" }

    static func route(_ pages: Pages) -> Route {
        Route(.get, "/errors/{code}") { _, values in
            let code = values["code"]
            guard let page = ErrorPage.find(code) else { throw unknown(code) }
            return await pages.page(
                "explanation", title: "\(page.code) · \(page.title)", section: .none,
                content: ErrorCodePage(page))
        }
    }

    private static func unknown(_ code: String) -> Problem {
        Problem(
            status: .notFound, code: "PG4008", title: "No such error code",
            detail: "There is no error code \"\(code)\".",
            hint: ErrorPage.nearest(to: code).map { "Did you mean \($0)?" }
                ?? "A code is PG and four digits, as it stands behind an error.")
    }

    // MARK: Reading a page

    private static func blocks(_ lines: some Sequence<Substring>) -> [Block] {
        var blocks: [Block] = []
        var isInCode = false
        var joinsLast = false
        for line in lines {
            if line.hasPrefix("```") {
                isInCode.toggle()
                if isInCode { blocks.append(Block(code: "")) }
            } else if isInCode {
                blocks[blocks.count - 1].code?.append("\(line)\n")
            } else if line.hasPrefix("## ") {
                blocks.append(Block(heading: String(line.dropFirst(3))))
            } else if line.hasPrefix("- ") {
                let item = Words(spans: spans(line.dropFirst(2)))
                if blocks.last?.list == nil { blocks.append(Block(list: List(items: []))) }
                blocks[blocks.count - 1].list?.items.append(item)
            } else if !line.isEmpty {
                add(spans(line.drop { $0 == " " }), to: &blocks, joinsLast: joinsLast)
            }
            joinsLast = !line.isEmpty && !line.hasPrefix("#") && !line.hasPrefix("```")
        }
        return blocks
    }

    /// Adds a line of words: to what the line before belongs to, or as a new paragraph.
    private static func add(_ more: [Span], to blocks: inout [Block], joinsLast: Bool) {
        let last = blocks.count - 1
        let joined = [Span(text: " ")] + more
        if joinsLast, last >= 0, let item = blocks[last].list?.items.indices.last {
            blocks[last].list?.items[item].spans += joined
        } else if joinsLast, last >= 0, blocks[last].paragraph != nil {
            blocks[last].paragraph?.spans += joined
        } else {
            blocks.append(Block(paragraph: Words(spans: more)))
        }
    }

    /// A line cut at its backquotes.
    private static func spans(_ line: Substring) -> [Span] {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated().compactMap { index, part in
            guard !part.isEmpty else { return nil }
            return index % 2 == 0 ? Span(text: String(part)) : Span(code: String(part))
        }
    }
}

/// A code beside an error, with the address of the page that explains it.
struct CodeView: Hashable {
    var code: String
    /// `nil` for a code of a script's own.
    var address: String?

    init(_ code: String) {
        self.code = code
        address = ErrorPage.find(code).map { ErrorCodePage.address($0.code) }
    }
}
