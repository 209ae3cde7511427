#include "model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t model_random(faulty_disk *disk, uint64_t below) {
    uint64_t mixed = disk->random += 0x9E3779B97F4A7C15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return (mixed ^ (mixed >> 31)) % below;
}

static int64_t size_of(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? (int64_t)status.st_size : -1;
}

static void settle(disk_file *file, int64_t size) {
    file->sizes[0] = size;
    file->size_count = 1;
}

static void forget_sectors(disk_file *file) {
    for (int64_t i = 0; i < file->sector_count; i++) {
        free(file->sectors[i]);
        file->sectors[i] = NULL;
    }
}

disk_file *model_file(faulty_disk *disk, const char *path) {
    for (disk_file *file = disk->files; file; file = file->next) {
        if (strcmp(file->path, path) == 0) return file;
    }
    disk_file *file = calloc(1, sizeof *file);
    if (!file) return NULL;
    file->path = strdup(path);
    if (!file->path) {
        free(file);
        return NULL;
    }
    int64_t size = size_of(path);
    file->exists = size >= 0;
    file->durable = file->exists ? NAMES_FILE : NAMES_NOTHING;
    settle(file, size < 0 ? 0 : size);
    file->next = disk->files;
    disk->files = file;
    return file;
}

void model_create(disk_file *file) {
    forget_sectors(file);
    file->exists = 1;
    settle(file, 0);
}

/// The sector as it stands in the cache, with room for one more version.
static sector *dirty(disk_file *file, sqlite3_file *real, int64_t number) {
    if (number >= file->sector_count) {
        int64_t count = number + number / 2 + 64;
        sector **more = realloc(file->sectors, (size_t)count * sizeof *more);
        if (!more) return NULL;
        memset(more + file->sector_count, 0, (size_t)(count - file->sector_count) * sizeof *more);
        file->sectors = more;
        file->sector_count = count;
    }
    sector *found = file->sectors[number];
    if (!found) {
        found = malloc(sizeof *found);
        if (!found) return NULL;
        int result = real->pMethods->xRead(real, found->bytes[0], SECTOR, number * SECTOR);
        if (result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ) {
            free(found);
            return NULL;
        }
        found->count = 1;
        found->is_dropped = 0;
        file->sectors[number] = found;
    }
    if (found->count == VERSIONS) {
        memmove(found->bytes[1], found->bytes[2], (VERSIONS - 2) * SECTOR);
        found->count--;
    }
    memcpy(found->bytes[found->count], found->bytes[found->count - 1], SECTOR);
    found->count++;
    found->is_dropped = 0;
    return found;
}

static void may_have_size(disk_file *file, int64_t size) {
    if (file->sizes[file->size_count - 1] == size) return;
    if (file->size_count == SIZES) file->size_count--;
    file->sizes[file->size_count++] = size;
}

int model_write(disk_file *file, sqlite3_file *real, const unsigned char *bytes, int count, int64_t offset) {
    for (int64_t at = offset; at < offset + count;) {
        int within = (int)(at % SECTOR), part = SECTOR - within;
        if (part > offset + count - at) part = (int)(offset + count - at);
        sector *place = dirty(file, real, at / SECTOR);
        if (!place) return SQLITE_IOERR_NOMEM;
        memcpy(place->bytes[place->count - 1] + within, bytes + (at - offset), (size_t)part);
        at += part;
    }
    sqlite3_int64 size = 0;
    int result = real->pMethods->xFileSize(real, &size);
    if (result != SQLITE_OK) return result;
    if (offset + count > size) may_have_size(file, offset + count);
    return count ? real->pMethods->xWrite(real, bytes, count, offset) : SQLITE_OK;
}

int model_truncate(disk_file *file, sqlite3_file *real, int64_t size) {
    sqlite3_int64 old = 0;
    int result = real->pMethods->xFileSize(real, &old);
    for (int64_t at = size; result == SQLITE_OK && at < old;) {
        int within = (int)(at % SECTOR);
        sector *place = dirty(file, real, at / SECTOR);
        if (!place) return SQLITE_IOERR_NOMEM;
        memset(place->bytes[place->count - 1] + within, 0, (size_t)(SECTOR - within));
        at += SECTOR - within;
    }
    if (result != SQLITE_OK) return result;
    may_have_size(file, size);
    return real->pMethods->xTruncate(real, size);
}

void model_sync(disk_file *file, sqlite3_file *real) {
    for (int64_t i = 0; i < file->sector_count; i++) {
        if (!file->sectors[i] || file->sectors[i]->is_dropped) continue;
        free(file->sectors[i]);
        file->sectors[i] = NULL;
    }
    sqlite3_int64 size = 0;
    if (real->pMethods->xFileSize(real, &size) == SQLITE_OK) settle(file, size);
}

int model_drop(faulty_disk *disk, disk_file *file, sqlite3_file *real) {
    int is_seen = model_random(disk, 4) != 0;
    uint64_t percent = model_random(disk, 3) * 50;
    sqlite3_int64 size = 0;
    int result = real->pMethods->xFileSize(real, &size);
    for (int64_t i = 0; result == SQLITE_OK && i < file->sector_count; i++) {
        sector *place = file->sectors[i];
        if (!place || place->is_dropped) continue;
        if (model_random(disk, 100) < percent) {
            free(place);
            file->sectors[i] = NULL;
            continue;
        }
        place->is_dropped = 1;
        if (is_seen || i * SECTOR >= size) continue;
        sqlite3_int64 rest = size - i * SECTOR;
        place->count = 1;
        result = real->pMethods->xWrite(real, place->bytes[0], rest < SECTOR ? (int)rest : SECTOR, i * SECTOR);
    }
    return result;
}

/// What is read after a power failure: any version of every sector that was not synced.
static unsigned char *survivor(faulty_disk *disk, disk_file *file, int64_t *size) {
    int64_t current = size_of(file->path);
    *size = file->sizes[model_random(disk, (uint64_t)file->size_count)];
    if (current < 0) return NULL;
    int64_t room = ((current > *size ? current : *size) / SECTOR + 1) * SECTOR;
    unsigned char *bytes = calloc(1, (size_t)room);
    int descriptor = bytes ? open(file->path, O_RDONLY | O_CLOEXEC) : -1;
    int64_t at = 0;
    for (ssize_t got = 1; descriptor >= 0 && at < current && got > 0; at += got) {
        got = read(descriptor, bytes + at, (size_t)(current - at));
    }
    if (descriptor >= 0) close(descriptor);
    if (at != current) {
        free(bytes);
        return NULL;
    }
    uint64_t percent = model_random(disk, 5) * 25;
    int has_garbage = model_random(disk, 2) == 0;
    for (int64_t i = 0; i < file->sector_count && (i + 1) * SECTOR <= room; i++) {
        sector *place = file->sectors[i];
        if (!place) continue;
        int is_kept = !place->is_dropped && model_random(disk, 100) < percent;
        int version = 0;
        if (is_kept) version = place->count - 1;
        if (is_kept && model_random(disk, 4) == 0) version = (int)model_random(disk, (uint64_t)place->count);
        memcpy(bytes + i * SECTOR, place->bytes[version], SECTOR);
        // A file may have grown before what belongs there was written.
        if (version == 0 && i * SECTOR >= file->sizes[0] && has_garbage) {
            for (int j = 0; j < SECTOR; j++) bytes[i * SECTOR + j] = (unsigned char)model_random(disk, 256);
        }
    }
    return bytes;
}

int model_remove(faulty_disk *disk, disk_file *file) {
    if (file->exists && file->durable == NAMES_FILE) {
        file->ghost = survivor(disk, file, &file->ghost_size);
        if (!file->ghost) return 0;
        file->durable = NAMES_GHOST;
    }
    file->exists = 0;
    forget_sectors(file);
    settle(file, 0);
    return 1;
}

void model_sync_directory(faulty_disk *disk) {
    for (disk_file *file = disk->files; file; file = file->next) {
        file->durable = file->exists ? NAMES_FILE : NAMES_NOTHING;
        free(file->ghost);
        file->ghost = NULL;
    }
}

/// A new file takes the old one's name, which those that have it open do not see.
static int replace(const char *path, const unsigned char *bytes, int64_t size) {
    char name[4096];
    snprintf(name, sizeof name, "%s.new", path);
    int descriptor = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) return 0;
    int64_t at = 0;
    for (ssize_t put = 1; at < size && put > 0; at += put) put = write(descriptor, bytes + at, (size_t)(size - at));
    return close(descriptor) == 0 && at == size && rename(name, path) == 0;
}

static int restart_file(faulty_disk *disk, disk_file *file) {
    int64_t size = 0;
    if (file->exists && size_of(file->path) < 0) {
        // It was given another name, which is taken to be durable.
        file->exists = 0;
        file->durable = NAMES_NOTHING;
        forget_sectors(file);
        settle(file, 0);
    }
    naming survives = file->durable;
    if (disk->keeps_cache || model_random(disk, 2) == 0) survives = file->exists ? NAMES_FILE : NAMES_NOTHING;
    if (disk->keeps_cache) {
        // The cache outlives the process: the sectors stay as they are, only the file is a new one.
        if (!file->exists) return 1;
        sector **kept = file->sectors;
        int64_t count = file->sector_count;
        file->sectors = NULL;
        file->sector_count = 0;
        unsigned char *bytes = survivor(disk, file, &size);
        file->sectors = kept;
        file->sector_count = count;
        int is_done = bytes && replace(file->path, bytes, size_of(file->path));
        free(bytes);
        return is_done;
    }
    int is_done = 1;
    unsigned char *bytes = NULL;
    if (survives == NAMES_FILE) {
        bytes = survivor(disk, file, &size);
        is_done = bytes && replace(file->path, bytes, size);
    } else if (survives == NAMES_GHOST) {
        is_done = replace(file->path, file->ghost, file->ghost_size);
    } else {
        unlink(file->path);
    }
    free(bytes);
    free(file->ghost);
    file->ghost = NULL;
    forget_sectors(file);
    file->exists = survives != NAMES_NOTHING;
    file->durable = file->exists ? NAMES_FILE : NAMES_NOTHING;
    settle(file, file->exists ? size_of(file->path) : 0);
    return is_done;
}

int model_restart(faulty_disk *disk) {
    int is_done = 1;
    for (disk_file *file = disk->files; file; file = file->next) {
        if (!restart_file(disk, file)) is_done = 0;
        char name[4096];
        snprintf(name, sizeof name, "%s-shm", file->path);
        unlink(name);
    }
    return is_done;
}

void model_free(faulty_disk *disk) {
    while (disk->files) {
        disk_file *file = disk->files;
        disk->files = file->next;
        forget_sectors(file);
        free(file->sectors);
        free(file->ghost);
        free(file->path);
        free(file);
    }
    pthread_mutex_destroy(&disk->mutex);
    free(disk->directory);
    free(disk);
}
