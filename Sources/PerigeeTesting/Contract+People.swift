import PerigeeJournal

extension JournalContract {
    static var decisionChecks: [Check] {
        [
            Check(area: "decisions", promise: "the first decision counts and wakes the run") { scene in
                _ = try await scene.startWaiting("run_1", [approvalWait("a")])
                let decision = Decision(
                    outcome: "reject", by: "boss", at: at(5), comment: "no", form: payload(#"{"x":1}"#),
                    data: payload(#"[1]"#), via: "page", shown: "abc")
                let first = try require(
                    try await scene.journal.decide(approval: "a", decision), "the approval")
                try expectEqual(first.isNew, true)
                try expectEqual(first.approval.status, .decided)
                try expectEqual(first.approval.decision, decision)
                let late = Decision(outcome: "approve", by: "other", at: at(6))
                let second = try require(try await scene.journal.decide(approval: "a", late), "the approval")
                try expectEqual(second.isNew, false)
                try expectEqual(second.approval, first.approval)
                try expectEqual(second.approval, try await scene.journal.approval(id: "a"))
                let answers = try await scene.claim(at: at(6)).flatMap(\.answers)
                try expectEqual(answers.map(\.payload), [decision.payload])
                try expectEqual(answers.map(\.at), [at(5)])
            },
            Check(area: "decisions", promise: "an approval whose time ran out has expired") { scene in
                _ = try await scene.startWaiting("run_1", [approvalWait("a", due: at(5))])
                try expectEqual(try await scene.claim(at: at(5)).flatMap(\.answers).map(\.payload), [nil])
                let late = try await scene.journal.decide(
                    approval: "a", Decision(outcome: "approve", by: "b", at: at(6)))
                try expectEqual(late?.isNew, false)
                try expectEqual(late?.approval.status, .expired)
                try expectEqual(late?.approval.decision, nil)
            },
            Check(area: "decisions", promise: "an approval shows what is asked; an unknown one is none") {
                scene in
                _ = try await scene.startWaiting("run_1", [approvalWait("a", due: at(50))])
                let wait = approvalWait("a", due: at(50))
                guard case .approval(let request) = wait.kind else { return }
                try expectEqual(
                    try await scene.journal.approval(id: "a"),
                    ApprovalRecord(
                        id: "a", run: "run_1", namespace: "main", workflow: "onboarding",
                        address: address("a"),
                        request: request, status: .waiting, openedAt: at(0), dueAt: at(50)))
                try expect(try await scene.journal.approval(id: "b") == nil, "there is no b")
                let none = try await scene.journal.decide(
                    approval: "b", Decision(outcome: "approve", by: "b", at: at(6)))
                try expect(none == nil, "there is no b to decide")
            },
            Check(area: "decisions", promise: "the inbox lists what is due first, then the oldest") { scene in
                let waits = [
                    approvalWait("a", openedAt: at(2)), approvalWait("b", due: at(9)),
                    approvalWait("c", due: at(8)),
                    approvalWait("d", openedAt: at(1)),
                ]
                _ = try await scene.startWaiting("run_1", waits)
                _ = try await scene.journal.decide(
                    approval: "b", Decision(outcome: "approve", by: "b", at: at(6)))
                func inbox(_ status: ApprovalStatus?, limit: Int = 500) async throws -> [String] {
                    try await scene.journal.approvals(namespace: "main", status: status, limit: limit).map(
                        \.id)
                }
                try expectEqual(try await inbox(nil), ["c", "b", "d", "a"])
                try expectEqual(try await inbox(.waiting), ["c", "d", "a"])
                try expectEqual(try await inbox(.waiting, limit: 1), ["c"])
                try expectEqual(try await inbox(.expired), [])
                try await expectInvalid { _ = try await inbox(nil, limit: 501) }
            },
            Check(area: "decisions", promise: "the inbox lists the kinds that are asked for") { scene in
                let waits = [
                    approvalWait("a"), approvalWait("p", kind: .park, due: at(9)),
                    approvalWait("f", kind: .form),
                ]
                _ = try await scene.startWaiting("run_1", waits)
                func inbox(_ kinds: Set<ApprovalKind>) async throws -> [String] {
                    try await scene.journal.approvals(namespace: "main", status: nil, kinds: kinds, limit: 9)
                        .map(\.id)
                }
                try expectEqual(try await inbox([]), ["p", "a", "f"])
                try expectEqual(try await inbox([.park]), ["p"])
                try expectEqual(try await inbox([.form, .approval]), ["a", "f"])
            },
        ]
    }
}
