import FaultyDisk
import Foundation

/// A directory whose files lie on a disk that fails as a test says.
final class FailingDisk: @unchecked Sendable {
    struct NoDisk: Error {}

    /// Only the C side looks at what is behind it, under a lock.
    private let disk: OpaquePointer

    init(directory: String, seed: UInt64) throws {
        guard let disk = faulty_disk_attach(directory, seed) else { throw NoDisk() }
        self.disk = disk
    }

    deinit { faulty_disk_detach(disk) }

    /// Whether the last planned operation has been reached, whether it failed or not.
    var isPlanOver: Bool { faulty_disk_is_over(disk) == 1 }

    /// How many operations have failed since the last plan.
    var failures: Int { Int(faulty_disk_failures(disk)) }

    /// Plans a fault from the `first` operation of its kind on, 1 being the next.
    func plan(_ fault: faulty_disk_fault, first: Int, count: Int = 1) {
        faulty_disk_plan(disk, fault, Int64(first), Int64(count))
    }

    /// Whether there is no access until the restart.
    var isOff: Bool { faulty_disk_is_off(disk) == 1 }

    func mend() { faulty_disk_mend(disk) }

    /// The process ends now, or the power fails.
    func pull(keepingCache: Bool) { faulty_disk_pull(disk, keepingCache ? 1 : 0) }

    func restart() throws {
        guard faulty_disk_restart(disk) == 1 else { throw NoDisk() }
    }
}

extension faulty_disk_fault {
    static let transient = [
        FAULTY_DISK_WRITE_ERROR, FAULTY_DISK_FULL, FAULTY_DISK_READ_ERROR, FAULTY_DISK_SYNC_ERROR,
    ]
}
