@testable import Perigee
import Testing

/// The thread of a shard.
@Suite(.timeLimit(.minutes(5))) struct ShardThreadTests {
    @Test func `it works in order, says when there is nothing to do, and works again`() async {
        let (idle, becameIdle) = AsyncStream.makeStream(of: Void.self)
        let (work, done) = AsyncStream.makeStream(of: Int.self)
        let thread = ShardThread(name: "test") { becameIdle.yield() }
        var (moments, numbers) = (idle.makeAsyncIterator(), work.makeAsyncIterator())
        await moments.next()
        for number in 1...3 { thread.post { done.yield(number) } }
        for number in 1...3 { #expect(await numbers.next() == number) }
        await moments.next()
        thread.post { done.yield(4) }
        #expect(await numbers.next() == 4)
        thread.stop()
    }
}
