#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model.h"

/// An open file of a disk; the real one lies behind it.
typedef struct {
    sqlite3_file base;
    faulty_disk *disk;
    disk_file *file;
    uint64_t generation;
    int syncs_directory;
} handle;

typedef enum { PASS, POWER, FAIL, FULL, DEAD } verdict;

static pthread_mutex_t registry = PTHREAD_MUTEX_INITIALIZER;
static faulty_disk *disks;
static sqlite3_vfs *system_vfs;
static sqlite3_vfs shim;

static sqlite3_file *real_of(sqlite3_file *file) { return (sqlite3_file *)((handle *)file + 1); }

/// Locks the disk and says whether the file is still one of it.
static int enter(handle *file) {
    pthread_mutex_lock(&file->disk->mutex);
    return !file->disk->is_off && file->generation == file->disk->generation;
}

static void leave(handle *file) { pthread_mutex_unlock(&file->disk->mutex); }

/// How many operations there were of those that the planned fault can meet.
static int64_t *counter(faulty_disk *disk) {
    if (disk->fault == FAULTY_DISK_READ_ERROR) return &disk->reads;
    return disk->fault == FAULTY_DISK_SYNC_ERROR ? &disk->syncs : &disk->changes;
}

/// Counts an operation and says what is to become of it.
static verdict judge(faulty_disk *disk, int is_read, int is_sync) {
    int64_t before = *counter(disk);
    if (is_read) disk->reads++;
    if (!is_read) disk->changes++;
    if (is_sync) disk->syncs++;
    int64_t number = *counter(disk);
    if (!disk->fault || number == before || number < disk->from || number >= disk->to) return PASS;
    if (disk->fault == FAULTY_DISK_FULL && is_sync) return PASS;
    disk->failures++;
    if (disk->fault == FAULTY_DISK_POWER) {
        disk->is_off = 1;
        disk->keeps_cache = 0;
        return POWER;
    }
    return disk->fault == FAULTY_DISK_FULL ? FULL : FAIL;
}

static int file_close(sqlite3_file *base) {
    handle *file = (handle *)base;
    sqlite3_file *real = real_of(base);
    faulty_disk *disk = file->disk;
    pthread_mutex_lock(&disk->mutex);
    int result = real->pMethods->xClose(real);
    int is_last = --disk->holders == 0;
    pthread_mutex_unlock(&disk->mutex);
    if (is_last) model_free(disk);
    return result;
}

static int file_read(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
    handle *file = (handle *)base;
    sqlite3_file *real = real_of(base);
    int result = SQLITE_IOERR_READ;
    if (enter(file) && judge(file->disk, 1, 0) == PASS) result = real->pMethods->xRead(real, bytes, count, offset);
    leave(file);
    return result;
}

static int file_write(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
    handle *file = (handle *)base;
    sqlite3_file *real = real_of(base);
    int result = SQLITE_IOERR_WRITE;
    if (enter(file)) {
        verdict fate = judge(file->disk, 0, 0);
        int part = count;
        if (fate == FAIL || fate == FULL) {
            // Whole sectors alone are done in part.
            part = (int)(model_random(file->disk, (uint64_t)(count / SECTOR + 1)) * SECTOR - offset % SECTOR);
            if (part < 0) part = 0;
        }
        int written = model_write(file->file, real, bytes, part, offset);
        if (fate == FULL) result = SQLITE_FULL;
        if (fate == PASS) result = written;
    }
    leave(file);
    return result;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
    handle *file = (handle *)base;
    sqlite3_file *real = real_of(base);
    int result = SQLITE_IOERR_TRUNCATE;
    if (enter(file)) {
        verdict fate = judge(file->disk, 0, 0);
        if (fate != FAIL) {
            int done = model_truncate(file->file, real, size);
            if (fate != POWER) result = done;
        }
    }
    leave(file);
    return result;
}

static int file_sync(sqlite3_file *base, int flags) {
    handle *file = (handle *)base;
    sqlite3_file *real = real_of(base);
    (void)flags;
    int result = SQLITE_IOERR_FSYNC;
    if (enter(file)) {
        verdict fate = judge(file->disk, 0, 1);
        if (fate == FAIL) {
            model_drop(file->disk, file->file, real);
        } else if (fate == PASS || model_random(file->disk, 2) == 0) {
            model_sync(file->file, real);
            if (file->syncs_directory) model_sync_directory(file->disk);
            file->syncs_directory = 0;
            if (fate == PASS) result = SQLITE_OK;
        }
    }
    leave(file);
    return result;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
    handle *file = (handle *)base;
    int result = enter(file) ? real_of(base)->pMethods->xFileSize(real_of(base), size) : SQLITE_IOERR_FSTAT;
    leave(file);
    return result;
}

static int file_lock(sqlite3_file *base, int level) {
    int is_alive = enter((handle *)base);
    leave((handle *)base);
    return is_alive ? real_of(base)->pMethods->xLock(real_of(base), level) : SQLITE_IOERR_LOCK;
}

static int file_unlock(sqlite3_file *base, int level) {
    return real_of(base)->pMethods->xUnlock(real_of(base), level);
}

static int file_reserved(sqlite3_file *base, int *is_reserved) {
    return real_of(base)->pMethods->xCheckReservedLock(real_of(base), is_reserved);
}

static int file_control(sqlite3_file *base, int operation, void *argument) {
    return real_of(base)->pMethods->xFileControl(real_of(base), operation, argument);
}

static int file_sector(sqlite3_file *base) { return real_of(base)->pMethods->xSectorSize(real_of(base)); }

static int file_character(sqlite3_file *base) {
    return real_of(base)->pMethods->xDeviceCharacteristics(real_of(base));
}

static int file_shm_map(sqlite3_file *base, int page, int size, int extends, void volatile **memory) {
    int is_alive = enter((handle *)base);
    leave((handle *)base);
    if (!is_alive) return SQLITE_IOERR_SHMMAP;
    return real_of(base)->pMethods->xShmMap(real_of(base), page, size, extends, memory);
}

static int file_shm_lock(sqlite3_file *base, int offset, int count, int flags) {
    int is_alive = enter((handle *)base);
    leave((handle *)base);
    if (!is_alive && (flags & SQLITE_SHM_LOCK)) return SQLITE_IOERR_SHMLOCK;
    return real_of(base)->pMethods->xShmLock(real_of(base), offset, count, flags);
}

static void file_shm_barrier(sqlite3_file *base) { real_of(base)->pMethods->xShmBarrier(real_of(base)); }

static int file_shm_unmap(sqlite3_file *base, int deletes) {
    int is_alive = enter((handle *)base);
    leave((handle *)base);
    return real_of(base)->pMethods->xShmUnmap(real_of(base), deletes && is_alive);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_character,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/// The locked disk of a file, or `NULL`, where the system itself has it.
static faulty_disk *disk_of(const char *path) {
    faulty_disk *found = NULL;
    pthread_mutex_lock(&registry);
    for (faulty_disk *disk = disks; path && disk && !found; disk = disk->next) {
        size_t length = strlen(disk->directory);
        if (strncmp(path, disk->directory, length) == 0 && path[length] == '/') found = disk;
    }
    if (found) pthread_mutex_lock(&found->mutex);
    pthread_mutex_unlock(&registry);
    return found;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags) {
    (void)vfs;
    faulty_disk *disk = disk_of(path);
    if (!disk) return system_vfs->xOpen(system_vfs, path, base, flags, out_flags);
    handle *file = (handle *)base;
    memset(file, 0, sizeof *file);
    int result = SQLITE_IOERR;
    disk_file *known = disk->is_off ? NULL : model_file(disk, path);
    int makes = known && !known->exists && (flags & SQLITE_OPEN_CREATE);
    verdict fate = makes ? judge(disk, 0, 0) : PASS;
    if (known && (fate == PASS || fate == POWER)) {
        sqlite3_file *real = real_of(base);
        result = system_vfs->xOpen(system_vfs, path, real, flags, out_flags);
        if (result == SQLITE_OK && makes) model_create(known);
        if (result == SQLITE_OK && fate == POWER) {
            real->pMethods->xClose(real);
            result = SQLITE_CANTOPEN;
        }
    }
    if (result == SQLITE_OK) {
        int is_log = flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL);
        *file = (handle){{&methods}, disk, known, disk->generation, is_log && (flags & SQLITE_OPEN_CREATE)};
        disk->holders++;
    }
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int syncs_directory) {
    (void)vfs;
    faulty_disk *disk = disk_of(path);
    if (!disk) return system_vfs->xDelete(system_vfs, path, syncs_directory);
    int result = SQLITE_IOERR_DELETE;
    disk_file *known = disk->is_off ? NULL : model_file(disk, path);
    if (known && !known->exists) result = SQLITE_IOERR_DELETE_NOENT;
    if (known && known->exists) {
        verdict fate = judge(disk, 0, 0);
        if (fate != FAIL && model_remove(disk, known)) {
            int done = system_vfs->xDelete(system_vfs, path, 0);
            if (fate == PASS && syncs_directory) model_sync_directory(disk);
            if (fate != POWER) result = done;
        }
    }
    pthread_mutex_unlock(&disk->mutex);
    return result;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *answer) {
    (void)vfs;
    faulty_disk *disk = disk_of(path);
    int is_off = disk && disk->is_off;
    if (disk) pthread_mutex_unlock(&disk->mutex);
    return is_off ? SQLITE_IOERR_ACCESS : system_vfs->xAccess(system_vfs, path, flags, answer);
}

static void install(void) {
    system_vfs = sqlite3_vfs_find(NULL);
    shim = *system_vfs;
    shim.pNext = NULL;
    shim.zName = "faulty-disk";
    shim.szOsFile = (int)sizeof(handle) + system_vfs->szOsFile;
    shim.xOpen = vfs_open;
    shim.xDelete = vfs_delete;
    shim.xAccess = vfs_access;
    sqlite3_vfs_register(&shim, 1);
}

faulty_disk *faulty_disk_attach(const char *directory, uint64_t seed) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install);
    faulty_disk *disk = calloc(1, sizeof *disk);
    char *real = disk ? realpath(directory, NULL) : NULL;
    if (!real) {
        free(disk);
        return NULL;
    }
    disk->directory = real;
    disk->random = seed;
    disk->holders = 1;
    pthread_mutex_init(&disk->mutex, NULL);
    pthread_mutex_lock(&registry);
    disk->next = disks;
    disks = disk;
    pthread_mutex_unlock(&registry);
    return disk;
}

void faulty_disk_detach(faulty_disk *disk) {
    pthread_mutex_lock(&registry);
    for (faulty_disk **link = &disks; *link; link = &(*link)->next) {
        if (*link == disk) {
            *link = disk->next;
            break;
        }
    }
    pthread_mutex_lock(&disk->mutex);
    int is_last = --disk->holders == 0;
    pthread_mutex_unlock(&disk->mutex);
    pthread_mutex_unlock(&registry);
    if (is_last) model_free(disk);
}

void faulty_disk_plan(faulty_disk *disk, faulty_disk_fault fault, int64_t first, int64_t count) {
    pthread_mutex_lock(&disk->mutex);
    disk->fault = fault;
    disk->failures = 0;
    disk->from = first + *counter(disk);
    disk->to = disk->from + count;
    pthread_mutex_unlock(&disk->mutex);
}

void faulty_disk_mend(faulty_disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    disk->fault = 0;
    pthread_mutex_unlock(&disk->mutex);
}

int faulty_disk_is_over(faulty_disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    int is_over = *counter(disk) + 1 >= disk->to;
    pthread_mutex_unlock(&disk->mutex);
    return is_over;
}

int64_t faulty_disk_failures(faulty_disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    int64_t count = disk->failures;
    pthread_mutex_unlock(&disk->mutex);
    return count;
}

void faulty_disk_pull(faulty_disk *disk, int keeps_cache) {
    pthread_mutex_lock(&disk->mutex);
    if (!disk->is_off) disk->keeps_cache = keeps_cache;
    disk->is_off = 1;
    pthread_mutex_unlock(&disk->mutex);
}

int faulty_disk_is_off(faulty_disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    int is_off = disk->is_off;
    pthread_mutex_unlock(&disk->mutex);
    return is_off;
}

int faulty_disk_restart(faulty_disk *disk) {
    pthread_mutex_lock(&disk->mutex);
    disk->fault = 0;
    int is_done = model_restart(disk);
    disk->generation++;
    disk->is_off = 0;
    pthread_mutex_unlock(&disk->mutex);
    return is_done;
}
