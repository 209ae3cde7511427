import Logging
import PerigeeJournal

/// Finds the values of secrets: in the store, and where it has none of that name in the settings.
struct SecretFinder: Sendable {
    let journal: any Journal
    let box: SecretBox
    let settings: Settings
    let ambient: any Ambient
    let logger: Logger

    /// The value of a secret that is to be sent somewhere.
    ///
    /// - Parameter urls: everywhere that it is to be sent to.
    /// - Throws: ``SecretRefusal`` if there is none, it can't be read or may not be sent there; `CancellationError`.
    func value(_ name: String, for urls: Set<String>) async throws -> String {
        let (value, binding) = try await find(name)
        if let url = urls.sorted().first(where: { !binding.permits($0) }) {
            throw SecretRefusal.notBound(name, to: url, binding)
        }
        return value
    }

    private func find(_ name: String) async throws -> (String, HostBinding) {
        let reader = StoreReader(ambient: ambient, logger: logger)
        let stored = try await reader.read { try await journal.secret(name, namespace: box.namespace) }
        if let sealed = stored {
            do throws(HostError) {
                let value = try box.open(sealed)
                if sealed.hosts.isEmpty { return (value, .anywhere) }
                guard let binding = HostBinding(sealed.hosts) else { throw .unreadableSecret(name) }
                return (value, binding)
            } catch {
                throw SecretRefusal(error)
            }
        }
        guard let provided = settings.secret(name), !box.isKey(provided.value) else {
            throw SecretRefusal.notSet(name)
        }
        guard let binding = provided.binding else { throw SecretRefusal.unreadableHosts(provided) }
        return (provided.value, binding)
    }
}

/// Why a call can't have a secret: nothing is sent, and its run needs a person.
struct SecretRefusal: Error {
    let error: ScriptError

    init(_ error: HostError) {
        self.error = ScriptError(
            code: error.code, kind: "validation", message: error.message, hint: error.hint)
    }

    private init(_ code: String, _ message: String, _ hint: String) {
        error = ScriptError(code: code, kind: "validation", message: message, hint: hint)
    }

    static func notSet(_ name: String) -> SecretRefusal {
        SecretRefusal(
            "PG2030", "The secret \"\(name)\" is not set in this deployment.",
            "Run perigee secrets set \(name), set PERIGEE_SECRET_\(name), or put it into a file of that name."
        )
    }

    static func notBound(_ name: String, to url: String, _ binding: HostBinding) -> SecretRefusal {
        SecretRefusal(
            "PG2190",
            "The secret \"\(name)\" may not be sent to \(HTTPCall.shownHost(url)); nothing was sent.",
            "It is bound to \(binding.hosts.joined(separator: ", ")). Correct the call, or bind the secret to "
                + "that host too.")
    }

    static func unreadableHosts(_ secret: ProvidedSecret) -> SecretRefusal {
        SecretRefusal(
            "PG2191", "The hosts of the secret \"\(secret.name)\" (\(secret.source)) can't be read.",
            "Write them as api.example, *.example or api.example:8443, separated by commas.")
    }

    static func noWebhookKey(_ name: String) -> SecretRefusal {
        SecretRefusal(
            "PG2173", "The secret \"\(name)\" holds no key that webhooks can be signed with.",
            "Set it to whsec_ or whsk_ and a key in Base64, or to several of these with spaces between them; "
                + "then retry the run.")
    }
}
