import Foundation

extension Settings {
    /// The largest secret that is read from a file, in bytes.
    public static let maxSecretBytes = 65_536

    /// Secrets that lie in files, one in each, named as scripts name them.
    ///
    /// That is how systemd (`LoadCredential=`) and Docker hand them over. A file is read anew at every use, so that a
    /// secret that was rotated counts for the next call. Line breaks at the end do not count.
    ///
    /// - Parameter folder: the folder; where there is none, there are no secrets.
    /// - Returns: settings that know only secrets. A name that is no plain file name, and a file that is not text or
    ///   has more than ``maxSecretBytes``, is no secret.
    public static func files(in folder: String) -> Settings {
        Settings(secret: { secret($0, in: folder) }, config: { _ in nil })
    }

    /// These settings, and where they have no value those of others.
    public func or(_ others: Settings) -> Settings {
        Settings(secret: { secret($0) ?? others.secret($0) }, config: { config($0) ?? others.config($0) })
    }

    private static func secret(_ name: String, in folder: String) -> String? {
        // A script writes the name: it must not lead out of the folder.
        let isPlain = name.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "_-.".utf8.contains(byte)
        }
        guard isPlain, !name.isEmpty, !name.hasPrefix("."), name.utf8.count <= 255,
            let file = FileHandle(forReadingAtPath: folder + "/" + name)
        else { return nil }
        defer { try? file.close() }
        guard let data = try? file.read(upToCount: maxSecretBytes + 1), data.count <= maxSecretBytes,
            var text = String(validating: data, as: UTF8.self)
        else { return nil }
        while text.last?.isNewline == true { text.removeLast() }
        return text.isEmpty ? nil : text
    }
}
