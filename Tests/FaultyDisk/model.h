// What a disk holds, beside what is on its platters: the volatile cache, sector by sector.
#ifndef PERIGEE_FAULTY_MODEL_H
#define PERIGEE_FAULTY_MODEL_H

#include <pthread.h>
#include <sqlite3.h>

#include "faulty_disk.h"

enum { SECTOR = 512, VERSIONS = 4, SIZES = 8 };

/// A sector that was written and not synced. Version 0 is on the platters, the last one is in the cache.
typedef struct {
    int count;
    /// A sync failed and the system has forgotten that it has to write it.
    int is_dropped;
    unsigned char bytes[VERSIONS][SECTOR];
} sector;

typedef enum { NAMES_NOTHING, NAMES_FILE, NAMES_GHOST } naming;

/// A file by its name; the real file holds what the cache shows.
typedef struct disk_file {
    struct disk_file *next;
    char *path;
    sector **sectors;
    int64_t sector_count;
    /// The sizes that it may have after a power failure; the first one is on the platters.
    int64_t sizes[SIZES];
    int size_count;
    int exists;
    /// What the directory on the platters has under this name.
    naming durable;
    unsigned char *ghost;
    int64_t ghost_size;
} disk_file;

struct faulty_disk {
    struct faulty_disk *next;
    char *directory;
    pthread_mutex_t mutex;
    disk_file *files;
    uint64_t random;
    uint64_t generation;
    int is_off, keeps_cache;
    int holders;
    faulty_disk_fault fault;
    int64_t from, to;
    int64_t reads, changes, syncs, failures;
};

uint64_t model_random(faulty_disk *disk, uint64_t below);

/// The file of a name, which is made known if it is not. `NULL` without memory.
disk_file *model_file(faulty_disk *disk, const char *path);

/// Notes that a file was made under this name.
void model_create(disk_file *file);

/// Writes to the cache. The real file is written too.
int model_write(disk_file *file, sqlite3_file *real, const unsigned char *bytes, int count, int64_t offset);

/// The cache gets another size.
int model_truncate(disk_file *file, sqlite3_file *real, int64_t size);

/// All that is in the cache reaches the platters, but for what was dropped.
void model_sync(disk_file *file, sqlite3_file *real);

/// A part reaches the platters, and the system forgets the rest; it may be seen until then, or not any more.
int model_drop(faulty_disk *disk, disk_file *file, sqlite3_file *real);

/// Notes that the name was removed. 0 without memory.
int model_remove(faulty_disk *disk, disk_file *file);

/// What the directory shows reaches the platters.
void model_sync_directory(faulty_disk *disk);

/// Leaves in the directory what survives. 0 if the files can't be written.
int model_restart(faulty_disk *disk);

void model_free(faulty_disk *disk);

#endif
