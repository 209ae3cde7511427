import ArgumentParser

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version of Perigee.")

    func run() {
        print("perigee \(perigeeVersion)")
    }
}
