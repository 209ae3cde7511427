import PerigeeJournal

extension JournalContract {
    static var versionChecks: [Check] {
        [
            Check(area: "versions", promise: "the same texts are the same version, others the next") {
                scene in
                func save(_ bundle: String, _ text: String) async throws -> Int {
                    try await scene.journal.saveVersion(
                        namespace: "main", workflow: "w", bundle: bundle, files: ["w.lua": text], now: at(0)
                    ).number
                }
                try expectEqual(try await save("b1", "one"), 1)
                try expectEqual(try await save("b1", "one"), 1)
                try expectEqual(try await save("b2", "two"), 2)
                try expectEqual(try await save("b1", "one"), 3)
            },
            Check(area: "versions", promise: "texts come back as they were given") { scene in
                let files = ["w.lua": "return 'é\u{0}'", "lib/a.lua": ""]
                let version = try await scene.journal.saveVersion(
                    namespace: "main", workflow: "w", bundle: "b1", files: files, now: at(5))
                try expectEqual(version.createdAt, at(5))
                try expectEqual(try await scene.journal.files(bundle: "b1"), files)
                try expectEqual(try await scene.journal.files(bundle: "none"), nil)
                try await expectInvalid {
                    _ = try await scene.journal.saveVersion(
                        namespace: "main", workflow: "w", bundle: "b9", files: [:], now: at(5))
                }
            },
        ]
    }

    static var submitChecks: [Check] {
        [
            Check(area: "submit", promise: "a run by itself is queued as it was given") { scene in
                let number = try await scene.start(newRun("run_1", key: "k"), at: at(3))
                let run = try await scene.run("run_1")
                try expectEqual(
                    run,
                    RunRecord(
                        id: "run_1", number: number, namespace: "main", workflow: "onboarding", version: 1,
                        bundle: "b1", status: .queued, key: "k", input: payload(#"{"n":1}"#),
                        trigger: payload(#"{"type":"manual"}"#), correlationID: "c-run_1", createdAt: at(3)))
            },
            Check(area: "submit", promise: "a run that can't begin needs attention and is not claimed") {
                scene in
                var run = newRun("run_1")
                run.status = .attention
                run.error = payload(#"{"kind":"script"}"#)
                _ = try await scene.start(run)
                try expectEqual(try await scene.run("run_1").status, .attention)
                try expectEqual(try await scene.run("run_1").error, run.error)
                try expectEqual(try await scene.claim().count, 0)
            },
            Check(
                area: "submit", promise: "a claimant gets as many new runs as it has room for, as by a claim"
            ) {
                scene in
                _ = try await scene.journal.heartbeat(host: "host-1", now: at(0), leaseUntil: at(60))
                var later = newRun("run_3")
                later.startAt = at(9)
                var timed = newRun("run_1")
                timed.timeoutMilliseconds = 5000
                let results = try await scene.journal.submit(
                    [
                        Submission(namespace: "main", starts: [timed]),
                        Submission(namespace: "main", starts: [later]),
                        Submission(namespace: "main", starts: [newRun("run_2"), newRun("run_4")]),
                    ], now: at(1), claimant: Claimant(host: "host-1", limit: 2))
                let receipts = try results.map { try $0.get() }
                try expectEqual(receipts.map(\.wakesRuns), [false, true, true])
                try expectEqual(
                    receipts.map { $0.claimed.map(\.run.id) }, [["run_1"], [], ["run_2"]])
                try expectEqual(receipts[0].claimed.first?.run, try await scene.run("run_1"))
                try expectEqual(try await scene.run("run_1").deadlineAt, at(6))
                try expectEqual(try await scene.claim(at: at(1)).map(\.run.id), ["run_4"])
            },
            Check(area: "submit", promise: "an event starts runs that name it") { scene in
                let receipt = try await scene.submit(
                    Submission(
                        namespace: "main", event: event("1"), starts: [newRun("run_1"), newRun("run_2")]))
                try expectEqual(
                    receipt,
                    SubmissionReceipt(
                        eventID: "evt_1", runs: ["run_1", "run_2"], isDuplicate: false, wakesRuns: true))
                try expectEqual(try await scene.run("run_2").eventID, "evt_1")
            },
            Check(area: "submit", promise: "an event that is known does nothing and gives the first receipt")
            {
                scene in
                try await scene.send(event("1"), starts: [newRun("run_1")])
                let again = try await scene.submit(
                    Submission(
                        namespace: "main", event: event("2", sourceID: "1"), starts: [newRun("run_2")],
                        idempotencyKey: "not recorded", requestDigest: "d"))
                try expectEqual(
                    again, SubmissionReceipt(eventID: "evt_1", runs: ["run_1"], isDuplicate: true))
                try expect(try await scene.journal.run(id: "run_2") == nil, "a duplicate starts nothing")
                _ = try await scene.submit(
                    Submission(
                        namespace: "main", starts: [newRun("run_3")], idempotencyKey: "not recorded",
                        requestDigest: "other"))
            },
            Check(area: "submit", promise: "a bad member does not fail the others, and leaves nothing") {
                scene in
                _ = try await scene.start(newRun("run_1"))
                let results = try await scene.journal.submit(
                    [
                        Submission(namespace: "main", event: event("1"), starts: [newRun("run_2")]),
                        Submission(
                            namespace: "main", event: event("2"), starts: [newRun("run_3"), newRun("run_1")]),
                        Submission(namespace: "other", event: event("3"), starts: []),
                        Submission(namespace: "main", starts: [newRun("run_4")]),
                    ], now: at(1))
                try expectEqual(try results[0].get().runs, ["run_2"])
                try await expectInvalid { _ = try results[1].get() }
                try await expectInvalid { _ = try results[2].get() }
                try expectEqual(try results[3].get().runs, ["run_4"])
                try expect(try await scene.journal.run(id: "run_3") == nil, "a refused member starts nothing")
                let retried = try await scene.submit(
                    Submission(namespace: "main", event: event("2"), starts: [newRun("run_3")]))
                try expectEqual(retried.isDuplicate, false)
            },
        ]
    }

    static var keyChecks: [Check] {
        [
            Check(area: "submit", promise: "a run with a known business key is taken instead") { scene in
                let one = newRun("run_1", key: "k")
                let two = newRun("run_2", key: "k")
                let receipt = try await scene.submit(Submission(namespace: "main", starts: [one, two]))
                try expectEqual(receipt.runs, ["run_1", "run_1"])
                try await scene.send(event("1"), starts: [newRun("run_3", key: "k")])
                try expect(try await scene.journal.run(id: "run_3") == nil, "the key is taken")
                let other = newRun("run_4", workflow: "other", key: "k")
                try expectEqual(
                    try await scene.submit(Submission(namespace: "main", starts: [other])).runs, ["run_4"])
                let elsewhere = Submission(namespace: "second", starts: [newRun("run_5", key: "k")])
                try expectEqual(try await scene.submit(elsewhere).runs, ["run_5"])
            },
            Check(area: "submit", promise: "an idempotency key stands for exactly one request") { scene in
                func request(_ run: String, digest: String, namespace: String = "main") -> Submission {
                    Submission(
                        namespace: namespace, starts: [newRun(run)], idempotencyKey: "i",
                        requestDigest: digest)
                }
                let first = try await scene.submit(request("run_1", digest: "d"))
                var expected = first
                expected.isDuplicate = true
                expected.wakesRuns = false
                try expectEqual(try await scene.submit(request("run_2", digest: "d")), expected)
                try await expectError(.idempotencyKeyReused(key: "i")) {
                    _ = try await scene.submit(request("run_3", digest: "e"))
                }
                let elsewhere = request("run_4", digest: "e", namespace: "second")
                try expectEqual(try await scene.submit(elsewhere).runs, ["run_4"])
            },
        ]
    }
}
