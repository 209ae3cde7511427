import Foundation
import PerigeeJournal

extension Settings {
    /// The largest secret, in bytes.
    public static let maxSecretBytes = 65_536

    /// The name of the file with the master key where systemd and Docker hand it over; it is never a secret.
    public static let masterKeyName = "perigee-master-key"

    /// What the name of a file ends with that has the hosts of a secret.
    private static let hostsEnding = ".hosts"

    /// Secrets that lie in files, one in each, named as scripts name them.
    ///
    /// That is how systemd (`LoadCredential=`) and Docker hand them over. A file is read anew at every use, so that a
    /// secret that was rotated counts for the next call. Line breaks at the end do not count. The file `NAME.hosts`
    /// has the hosts that the secret `NAME` may be sent to; without one it may be sent to any.
    ///
    /// - Parameter folder: the folder; where there is none, there are no secrets.
    /// - Returns: settings that know only secrets. A name that is no plain file name, and a file that is not text or
    ///   has more than ``maxSecretBytes``, is no secret.
    public static func files(in folder: String) -> Settings {
        Settings(
            secret: { secret($0, in: folder) },
            secrets: {
                let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
                return names.sorted().compactMap { secret($0, in: folder) }
            }, config: { _ in nil })
    }

    /// These settings, and where they have no value those of others.
    public func or(_ others: Settings) -> Settings {
        Settings(
            secret: { secret($0) ?? others.secret($0) }, secrets: { secrets() + others.secrets() },
            config: { config($0) ?? others.config($0) })
    }

    /// Whether a text can name a secret of the store or of a file.
    static func isSecretName(_ name: String) -> Bool {
        (1...200).contains(name.utf8.count) && !name.hasPrefix(".")
            && name.utf8.allSatisfy { byte in
                UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
                    || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "_-.".utf8.contains(byte)
            }
    }

    private static func secret(_ name: String, in folder: String) -> ProvidedSecret? {
        // A script writes the name: it must not lead out of the folder.
        guard isSecretName(name), !name.hasSuffix(hostsEnding), name != masterKeyName else { return nil }
        let path = "\(folder)/\(name)"
        guard let value = text(path), !value.isEmpty else { return nil }
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        let date = attributes?[.modificationDate] as? Date
        // Hosts that can't be read are none, and not all.
        let isBound = FileManager.default.fileExists(atPath: path + hostsEnding)
        return ProvidedSecret(
            name: name, value: value, hosts: isBound ? text(path + hostsEnding) ?? "" : nil, source: path,
            updatedAt: date.map { Timestamp(milliseconds: Int64($0.timeIntervalSince1970 * 1000)) })
    }

    private static func text(_ path: String) -> String? {
        guard let file = FileHandle(forReadingAtPath: path) else { return nil }
        defer { try? file.close() }
        guard let data = try? file.read(upToCount: maxSecretBytes + 1), data.count <= maxSecretBytes,
            var text = String(validating: data, as: UTF8.self)
        else { return nil }
        while text.last?.isNewline == true { text.removeLast() }
        return text
    }
}
