import Testing

@testable import PerigeeServer

struct NoncesTests {
    @Test func `a nonce is good once, and for its purpose alone`() {
        let nonces = Nonces()
        let nonce = nonces.make(for: "decide a")
        #expect(nonces.use(nonce, for: "decide b") == .unknown)
        #expect(nonces.use(nonce, for: "decide a") == .accepted)
        #expect(nonces.use(nonce, for: "decide a") == .repeated)
        #expect(nonces.make(for: "decide a") != nonce)
    }

    @Test func `another process's nonce, or a made-up one, is not known`() {
        let nonces = Nonces()
        let foreign = Nonces().make(for: "x")
        for text in [foreign, "", ".", "a.b", "a.b.c", "\(nonces.make(for: "x"))x"] {
            #expect(nonces.use(text, for: "x") == .unknown, "\(text)")
        }
    }

    @Test func `memory is bounded, and the newest are remembered`() {
        let nonces = Nonces(capacity: 4)
        let all = (0..<9).map { _ in nonces.make(for: "x") }
        for nonce in all { #expect(nonces.use(nonce, for: "x") == .accepted) }
        #expect(nonces.use(all[8], for: "x") == .repeated)
        #expect(nonces.use(all[0], for: "x") == .accepted)
    }
}
