import Crypto
import Foundation
import PerigeeJournal

/// Seals the secrets of a namespace, and opens them: AES-256 in Galois/Counter Mode, with a random nonce for each.
///
/// What is sealed belongs to its namespace, its name and its hosts: it can't be opened under any other.
struct SecretBox: Sendable {
    let namespace: String
    /// The first one seals; the others still open what they have sealed.
    let keys: [MasterKey]

    private static let nonceBytes = 12
    private static let tagBytes = 16

    /// The key that seals.
    ///
    /// - Throws: ``HostError`` if the host has none.
    var sealingKey: MasterKey {
        get throws(HostError) {
            guard let key = keys.first else { throw .noMasterKey }
            return key
        }
    }

    /// Seals a value.
    ///
    /// - Throws: ``HostError`` if the host has no key; what `Crypto` throws.
    func seal(_ value: String, name: String, hosts: [String], at now: Timestamp) throws -> SealedSecret {
        let key = try sealingKey
        let box = try AES.GCM.seal(
            Data(value.utf8), using: key.key, authenticating: owner(name: name, hosts: hosts))
        return SealedSecret(
            namespace: namespace, name: name, hosts: hosts, keyID: key.id,
            sealed: Array(box.nonce) + box.ciphertext + box.tag, createdAt: now, updatedAt: now)
    }

    /// Opens what was sealed.
    ///
    /// - Throws: ``HostError`` if the host has not its key, or it is not what was sealed under this name.
    func open(_ secret: SealedSecret) throws(HostError) -> String {
        guard !keys.isEmpty else { throw .noMasterKey }
        guard let key = keys.first(where: { $0.id == secret.keyID }) else {
            throw .wrongMasterKey([secret])
        }
        let sealed = secret.sealed
        guard sealed.count >= SecretBox.nonceBytes + SecretBox.tagBytes,
            let box = try? AES.GCM.SealedBox(
                nonce: AES.GCM.Nonce(data: sealed.prefix(SecretBox.nonceBytes)),
                ciphertext: sealed.dropFirst(SecretBox.nonceBytes).dropLast(SecretBox.tagBytes),
                tag: sealed.suffix(SecretBox.tagBytes)),
            let value = try? AES.GCM.open(
                box, using: key.key, authenticating: owner(name: secret.name, hosts: secret.hosts))
        else { throw .unreadableSecret(secret.name) }
        return String(decoding: value, as: UTF8.self)
    }

    /// Checks that every secret of a store can be opened by one of the keys.
    ///
    /// - Throws: ``HostError`` if there is no key, or another one is needed.
    func check(_ secrets: [SealedSecret]) throws(HostError) {
        guard !secrets.isEmpty else { return }
        guard !keys.isEmpty else { throw .noMasterKey }
        let known = Set(keys.map(\.id))
        let others = secrets.filter { !known.contains($0.keyID) }
        guard others.isEmpty else { throw .wrongMasterKey(others) }
    }

    /// Whether a text is one of the keys themselves, which no script may have.
    func isKey(_ text: String) -> Bool {
        let ids = Set((MasterKey.list(text) ?? []).map(\.id))
        return keys.contains { ids.contains($0.id) }
    }

    /// What a sealed value is bound to.
    private func owner(name: String, hosts: [String]) -> Data {
        let parts = ["perigee secret 1", namespace, name] + hosts
        return Data(JSON.array(parts.map(JSON.string)).bytes)
    }
}
