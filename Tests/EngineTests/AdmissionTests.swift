import PerigeeJournal
import PerigeeTesting
import Synchronization
import Testing

@testable import Perigee

struct AdmissionTests {
    private let start = ContinuousClock.now
    private let full = Admission.mostAtStore.members

    private func admission(waiting: Int = 100, bytes: Int = 1000) -> Admission {
        Admission(limits: .init(waiting: .init(members: waiting, bytes: bytes), wait: .seconds(1)))
    }

    private func size(_ members: Int, bytes: Int = 0) -> Admission.Size {
        .init(members: members, bytes: bytes)
    }

    @Test func `what finds room goes at once, the rest in order of arrival`() {
        var admission = admission()
        #expect(admission.enter(size(full - 1), at: start) == .goes)
        #expect(admission.enter(size(1), at: start) == .goes)
        #expect(admission.enter(size(3), at: start) == .waits(ticket: 0))
        // There would be room for it sooner, but others came before.
        #expect(admission.enter(size(1), at: start) == .waits(ticket: 1))
        #expect(admission.leave(size(1), at: start) == 0..<0)
        #expect(admission.waiting == size(4))
        #expect(admission.leave(size(full - 1), at: start) == 0..<2)
        #expect(admission.waiting == size(0))
        #expect(admission.enter(size(1), at: start) == .goes)
    }

    @Test func `too many members, too many bytes and too long a wait are refused`() {
        var admission = admission()
        #expect(admission.enter(size(full), at: start) == .goes)
        #expect(admission.enter(size(60, bytes: 600), at: start) == .waits(ticket: 0))
        #expect(admission.enter(size(41), at: start) == .refused(after: 1))
        #expect(admission.enter(size(1, bytes: 401), at: start) == .refused(after: 1))
        #expect(admission.enter(size(40, bytes: 400), at: start) == .waits(ticket: 1))
        #expect(admission.enter(size(1), at: start) == .refused(after: 1))
        _ = admission.leave(size(full), at: start)
        #expect(admission.waiting == size(0))

        #expect(admission.enter(size(full), at: start) == .waits(ticket: 2))
        #expect(admission.enter(size(1), at: start + .milliseconds(1000)) == .refused(after: 1))
        #expect(admission.enter(size(100), at: start) == .refused(after: 1))
    }

    @Test(arguments: [(1001, 2), (2000, 2), (2001, 3), (500_000, 60)])
    func `a caller is told to wait about as long as the first in line has`(milliseconds: Int, seconds: Int) {
        var admission = admission()
        _ = admission.enter(size(full), at: start)
        _ = admission.enter(size(1), at: start)
        let later = start + .milliseconds(milliseconds)
        #expect(admission.retryAfter(size(1), at: later) == seconds)
        #expect(admission.retryAfter(size(1), at: start + .milliseconds(1000)) == nil)
    }

    @Test func `what would wait for too long is refused before anything has`() {
        var admission = admission(waiting: 100_000)
        #expect(admission.enter(size(full), at: start) == .goes)
        #expect(admission.enter(size(full), at: start) == .waits(ticket: 0))
        // The store takes half a second for as much as is at the store at once.
        let later = start + .milliseconds(500)
        #expect(admission.leave(size(full), at: later) == 0..<1)
        #expect(admission.enter(size(full), at: later) == .waits(ticket: 1))
        #expect(admission.enter(size(1), at: later) == .waits(ticket: 2))
        #expect(admission.enter(size(1), at: later) == .refused(after: 2))
        // It has become faster.
        #expect(admission.leave(size(full), at: later + .milliseconds(100)) == 1..<2)
        #expect(admission.enter(size(full), at: later + .milliseconds(100)) == .waits(ticket: 3))
    }

    @Test func `a request that is larger than every limit is taken where nothing waits`() {
        var admission = admission()
        #expect(admission.enter(size(50_000, bytes: 1 << 30), at: start) == .goes)
        #expect(admission.enter(size(50_000), at: start) == .waits(ticket: 0))
        #expect(admission.enter(size(1), at: start) == .refused(after: 1))
        #expect(admission.leave(size(50_000, bytes: 1 << 30), at: start) == 0..<1)
        #expect(admission.leave(size(50_000), at: start) == 1..<1)
    }

    @Test("Everything that is not refused goes to the store once, in order, and never too much at once")
    func randomWork() {
        var random = SeededGenerator.printingSeed()
        for _ in 0..<200 {
            var admission = admission(waiting: Int.random(in: 1...5000, using: &random))
            var atStore: [Admission.Size] = []
            var line: [(ticket: Int, size: Admission.Size)] = []
            for _ in 0..<300 {
                if Bool.random(using: &random) || atStore.isEmpty {
                    let new = size(.random(in: 1...2000, using: &random))
                    switch admission.enter(new, at: start) {
                    case .goes: atStore.append(new)
                    case .waits(let ticket): line.append((ticket, new))
                    case .refused: #expect(!line.isEmpty)
                    }
                } else {
                    let gone = atStore.remove(at: .random(in: atStore.indices, using: &random))
                    for ticket in admission.leave(gone, at: start) {
                        #expect(ticket == line.first?.ticket)
                        atStore.append(line.removeFirst().size)
                    }
                }
                #expect(atStore.count == 1 || atStore.reduce(0) { $0 + $1.members } <= full)
                #expect(atStore.isEmpty == false || line.isEmpty)
                #expect(admission.waiting.members == line.reduce(0) { $0 + $1.size.members })
            }
        }
    }
}
