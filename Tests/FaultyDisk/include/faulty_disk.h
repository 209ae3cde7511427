// A disk that fails: SQLite's own way to files, with a volatile cache and planned faults (see README.md).
#ifndef PERIGEE_FAULTY_DISK_H
#define PERIGEE_FAULTY_DISK_H

#include <stdint.h>

typedef struct faulty_disk faulty_disk;

typedef enum {
    /// Power fails at the operation; the disk is off until `faulty_disk_restart`.
    FAULTY_DISK_POWER = 1,
    /// Writes, syncs, truncations, deletions fail with EIO; a write may be done in part.
    FAULTY_DISK_WRITE_ERROR = 2,
    /// Writes fail because there is no room, after a part of them.
    FAULTY_DISK_FULL = 3,
    /// Reads fail with EIO.
    FAULTY_DISK_READ_ERROR = 4,
    /// Syncs alone fail with EIO.
    FAULTY_DISK_SYNC_ERROR = 5,
} faulty_disk_fault;

/// Puts every file that SQLite opens under a directory from now on onto a disk of its own. `NULL` without memory.
/// The seed decides what a fault leaves.
faulty_disk *faulty_disk_attach(const char *directory, uint64_t seed);

/// Takes the disk away, once its files are closed; they stay as they are.
void faulty_disk_detach(faulty_disk *disk);

/// Plans a fault for `count` operations from the `first` one on, 1 being the next. Only reads are counted for
/// `FAULTY_DISK_READ_ERROR`, only syncs for `FAULTY_DISK_SYNC_ERROR`, all that changes the disk for the others. It
/// replaces an earlier plan.
void faulty_disk_plan(faulty_disk *disk, faulty_disk_fault fault, int64_t first, int64_t count);

/// No fault is planned from now on.
void faulty_disk_mend(faulty_disk *disk);

/// Whether the last planned operation has been reached, failed or not; to be asked before the disk is mended.
int faulty_disk_is_over(faulty_disk *disk);

/// How many operations have failed since the last plan.
int64_t faulty_disk_failures(faulty_disk *disk);

/// Ends all access now, as the end of the process (`keeps_cache`) or of the power does.
void faulty_disk_pull(faulty_disk *disk, int keeps_cache);

/// Whether there is no access until the restart.
int faulty_disk_is_off(faulty_disk *disk);

/// Gives the disk back after its end with what has survived. Files that were opened before stay dead. 0 if the files
/// can't be written.
int faulty_disk_restart(faulty_disk *disk);

#endif
