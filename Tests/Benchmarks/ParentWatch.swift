import Foundation

/// Ends a process that this program starts of itself with the one that started it, however that one ends: its standard
/// input is a pipe that only the other holds open.
enum ParentWatch {
    static func begin() {
        Thread.detachNewThread {
            var byte: UInt8 = 0
            while read(STDIN_FILENO, &byte, 1) > 0 {}
            _exit(1)
        }
    }
}
