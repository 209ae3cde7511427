import Foundation
import Synchronization

/// What is known of the terminal that the command runs in.
enum Terminal {
    static var outputIsTTY: Bool { isatty(STDOUT_FILENO) == 1 }
    static var inputIsTTY: Bool { isatty(STDIN_FILENO) == 1 }

    /// Whether to colour: on a terminal that can, unless `NO_COLOR` says otherwise.
    static var hasColour: Bool {
        let environment = ProcessInfo.processInfo.environment
        return outputIsTTY && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
    }

    /// A line that somebody types without being shown it; `nil` if the input ends.
    static func readHidden(_ prompt: String) -> String? {
        FileHandle.standardError.write(Data(prompt.utf8))
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var hidden = before
        hidden.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
            standardError("")
        }
        return readLine()
    }

    /// The keys that are pressed, one at a time and without an echo, until the task is cancelled.
    ///
    /// `restore` gives the terminal back as it was; it must be called before the process ends.
    static func keys() -> (keys: AsyncStream<Character>, restore: @Sendable () -> Void) {
        var before = termios()
        tcgetattr(STDIN_FILENO, &before)
        var raw = before
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        let (keys, continuation) = AsyncStream.makeStream(of: Character.self)
        let reader = Thread {
            var byte: UInt8 = 0
            while read(STDIN_FILENO, &byte, 1) == 1 { continuation.yield(Character(UnicodeScalar(byte))) }
            continuation.finish()
        }
        reader.start()
        let saved = Mutex(before)
        return (keys, { saved.withLock { _ = tcsetattr(STDIN_FILENO, TCSANOW, &$0) } })
    }
}

/// Colours, or none.
struct Style: Sendable {
    var isOn: Bool

    func green(_ text: String) -> String { paint(text, "32") }
    func red(_ text: String) -> String { paint(text, "31") }
    func yellow(_ text: String) -> String { paint(text, "33") }
    func blue(_ text: String) -> String { paint(text, "34") }
    func bold(_ text: String) -> String { paint(text, "1") }
    func dim(_ text: String) -> String { paint(text, "2") }

    private func paint(_ text: String, _ code: String) -> String {
        isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}

/// Writes a line to standard error.
func standardError(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
}

/// Writes a line to standard output at once, also into a pipe.
func standardOutput(_ line: String) {
    print(line)
    fflush(nil)
}

extension String {
    /// Without what a terminal would obey: control characters other than line ends and tabs.
    var printable: String {
        guard unicodeScalars.contains(where: \.isCommand) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { $0.isCommand ? "\u{FFFD}" : $0 }))
    }

    /// In one line, for tables and records.
    var oneLine: String {
        String(printable.map { $0.isNewline || $0 == "\t" ? " " : $0 })
    }

    /// Filled with spaces to a width, in characters.
    func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}

extension Unicode.Scalar {
    fileprivate var isCommand: Bool {
        (value < 0x20 && value != 0x0A && value != 0x09) || (0x7F...0x9F).contains(value)
    }
}
