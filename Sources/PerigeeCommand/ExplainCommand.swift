import ArgumentParser
import Perigee

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Print what an error's code means, and how to mend it.",
        discussion: """
            Examples:
              perigee explain PG1050   the page of a code
              perigee explain 1050     the same
              perigee explain          all codes, one line each
            """)

    @Argument(help: "The code that stands behind an error: PG and four digits.")
    var code: String?

    func run() throws {
        guard let code else {
            for page in ErrorPage.all { print("\(page.code)  \(page.title)") }
            return
        }
        guard let page = ErrorPage.find(code) else {
            throw CommandFailure.usage(
                "There is no error code \"\(code)\".",
                hint: ErrorPage.nearest(to: code).map { "Did you mean `perigee explain \($0)`?" }
                    ?? "`perigee explain` lists all codes.")
        }
        print(page.text, terminator: "")
    }
}
