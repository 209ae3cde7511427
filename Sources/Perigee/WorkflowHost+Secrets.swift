import PerigeeJournal

extension WorkflowHost {
    // MARK: Secrets

    /// What the secrets of calls are sealed and opened by.
    var secretBox: SecretBox { SecretBox(namespace: namespace, keys: options.masterKeys) }

    /// All secrets that calls may use, in order of their names, those that count first; never their values.
    ///
    /// - Throws: ``JournalError`` if the store fails.
    public func secrets() async throws -> [SecretInfo] {
        var known = Set<String>()
        let stored = try await journal.secrets(namespace: namespace).map(SecretInfo.init)
        known.formUnion(stored.map(\.name))
        let box = secretBox
        let provided = options.settings.secrets().filter { !box.isKey($0.value) }.map {
            SecretInfo($0, isUsed: known.insert($0.name).inserted)
        }
        // Of one name, the order in which they are looked for stays.
        return (stored + provided).enumerated().sorted {
            ($0.element.name, $0.offset) < ($1.element.name, $1.offset)
        }.map(\.element)
    }

    /// Keeps a secret in the store, sealed; it counts from the next attempt of any call on.
    ///
    /// - Parameters:
    ///   - name: as scripts name it: 1 to 200 letters, digits, `_`, `-` and `.`.
    ///   - value: 1 to ``Settings/maxSecretBytes`` bytes.
    ///   - hosts: the hosts that it may be sent to, 1 to 100: `api.example`, `*.example`, `api.example:8443`; `nil` for
    ///     any.
    ///   - by: who sets it.
    ///   - reason: why.
    /// - Throws: ``HostError`` if the host has no master key, or an argument can't be used; ``JournalError`` if the
    ///   store fails.
    public func setSecret(
        _ name: String, value: String, hosts: [String]?, by: String, reason: String? = nil
    ) async throws -> SecretInfo {
        guard Settings.isSecretName(name) else {
            throw HostError.invalid(
                "That can't be the name of a secret.",
                hint: "Use 1 to 200 letters, digits, _, - and . that do not begin with a dot.")
        }
        guard (1...Settings.maxSecretBytes).contains(value.utf8.count) else {
            throw HostError.invalid(
                "The value of \(name) is empty or has more than \(Settings.maxSecretBytes / 1024) KiB.",
                hint: "Nothing was changed; give the value itself.")
        }
        let binding = try self.binding(hosts)
        let now = ambient.now
        let sealed = try secretBox.seal(value, name: name, hosts: binding.hosts, at: now)
        let note = ActionNote(by: by, action: "secret.set", reason: reason)
        let saved = try await journal.saveSecret(sealed, replacing: nil, note: note, now: now)
        return SecretInfo(saved ?? sealed)
    }

    private func binding(_ hosts: [String]?) throws(HostError) -> HostBinding {
        guard let hosts else { return .anywhere }
        let hint = "Write hosts as api.example, *.example or api.example:8443, without https://."
        if let wrong = hosts.first(where: { !HostBinding.isHost($0) }) {
            throw .invalid("\"\(wrong.prefix(100))\" is no host that a secret can be bound to.", hint: hint)
        }
        guard hosts.count <= HostBinding.mostHosts, let binding = HostBinding(hosts) else {
            throw .invalid(
                "The secret is to be bound to \(hosts.count) hosts, and may be to 1 to \(HostBinding.mostHosts).",
                hint: hint)
        }
        return binding
    }

    /// Removes a secret from the store; the next attempt of any call does without it.
    ///
    /// - Throws: ``HostError`` if there is none; ``JournalError`` if the store fails.
    public func removeSecret(_ name: String, by: String, reason: String? = nil) async throws {
        let note = ActionNote(by: by, action: "secret.remove", reason: reason)
        let removed = try await journal.removeSecret(
            name, namespace: namespace, note: note, now: ambient.now)
        guard removed == nil else { return }
        let names = try await journal.secrets(namespace: namespace).map(\.name)
        throw HostError.unknownSecret(name, near: NearestName.of(name, among: names))
    }

    /// Seals all secrets of the store anew that another key than the first one seals.
    ///
    /// What it has done stays done: after a crash the next call goes on with the rest.
    ///
    /// - Returns: how many it sealed anew, and the id of the key that seals them all now.
    /// - Throws: ``HostError`` if the host has no master key, or not the one that a secret is sealed by;
    ///   ``JournalError`` if the store fails.
    public func rotateSecrets(by: String, reason: String? = nil) async throws -> (count: Int, keyID: String) {
        let box = secretBox
        let key = try box.sealingKey
        let note = ActionNote(by: by, action: "secret.rotate", reason: reason)
        var count = 0
        while true {
            let left = try await journal.secrets(namespace: namespace).filter { $0.keyID != key.id }
            if left.isEmpty { return (count, key.id) }
            try box.check(left)
            for old in left {
                var new = try box.seal(try box.open(old), name: old.name, hosts: old.hosts, at: ambient.now)
                new.updatedAt = old.updatedAt
                let saved = try await journal.saveSecret(
                    new, replacing: old.sealed, note: note, now: ambient.now)
                // One that was set or removed meanwhile is looked at again.
                if saved != nil { count += 1 }
            }
        }
    }
}
