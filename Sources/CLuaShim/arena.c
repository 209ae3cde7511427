// One run's memory: a reserved stretch of addresses for small blocks, which is dropped whole with the run, and blocks
// of malloc for large ones. A small block's place in its stretch follows from what the run asked for before and from
// nothing else, so the hardened Lua may use it where stock Lua would use an address.
#include "state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Under AddressSanitizer every block comes from malloc, so that it sees each of them.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SMALL_MAX 0
#endif
#endif
#ifndef SMALL_MAX
#define SMALL_MAX 2048
#endif
#define SMALL_CLASSES 40
#define FIRST_COMMIT ((size_t)128 << 10)
#define POOLED_ARENAS 64

typedef struct large large;

struct large {
    large *next, *previous;
    size_t size;
    size_t padding;                 // keeps the block at a multiple of 16
};

struct pg_arena {
    char *base;
    size_t reserved, committed;
    size_t top;                     // everything below has been given out
    size_t large;                   // bytes of large blocks
    void *free[SMALL_CLASSES];   // the block that was freed last, which holds the one freed before it
    large *blocks;
    pg_arena *next;                 // in the pool
};

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pg_arena *pool;
static int pooled;

/// Sixteen bytes apart up to 512, then four steps to each doubling.
static int class_of(size_t size) {
    if (size <= 512) return (int)((size + 15) / 16) - 1;
    int doubling = size > 1024;
    size_t base = doubling ? 1024 : 512, step = base / 4;
    return 32 + doubling * 4 + (int)((size - base + step - 1) / step) - 1;
}

static size_t size_of(int class) {
    if (class < 32) return (size_t)(class + 1) * 16;
    size_t base = class < 36 ? 512 : 1024;
    return base + (size_t)((class - 32) % 4 + 1) * (base / 4);
}

static bool is_small(const pg_arena *a, const void *block) {
    return (uintptr_t)block - (uintptr_t)a->base < a->reserved;
}

static bool commit(pg_arena *a, size_t needed) {
    size_t wanted = a->committed ? a->committed : FIRST_COMMIT;
    while (wanted < needed) wanted *= 2;
    if (wanted > a->reserved) wanted = a->reserved;
    if (mprotect(a->base, wanted, PROT_READ | PROT_WRITE) != 0) return false;
    a->committed = wanted;
    return true;
}

static void *take_small(pg_arena *a, size_t size, size_t limit) {
    int class = class_of(size);
    void *block = a->free[class];
    if (block) {
        memcpy(&a->free[class], block, sizeof block);
        return block;
    }
    size_t bytes = size_of(class);
    if (a->top + a->large + bytes <= limit && (a->top + bytes <= a->committed || commit(a, a->top + bytes))) {
        block = a->base + a->top;
        a->top += bytes;
        return block;
    }
    // Before it refuses, a block that is too large will do; it keeps its size from now on.
    for (int larger = class + 1; larger < SMALL_CLASSES; larger++) {
        block = a->free[larger];
        if (!block) continue;
        memcpy(&a->free[larger], block, sizeof block);
        return block;
    }
    return NULL;
}

static void give_small(pg_arena *a, void *block, size_t size) {
    int class = class_of(size);
    memcpy(block, &a->free[class], sizeof block);
    a->free[class] = block;
}

/// Changes or makes (`block` is NULL) a large block.
static void *resize_large(pg_state *s, void *block, size_t size, size_t limit) {
    pg_arena *a = s->arena;
    large *held = block ? (large *)block - 1 : NULL;
    size_t before = held ? held->size : 0;
    if (size > before && (size > limit || a->top + a->large + (size - before) > limit)) return NULL;
    large *next = held ? held->next : a->blocks, *previous = held ? held->previous : NULL;
    int inside = s->inside;
    s->inside = 0;
    large *moved = realloc(held, sizeof *moved + size);
    s->inside = inside;
    if (!moved) return NULL;
    *moved = (large){next, previous, size, 0};
    if (next) next->previous = moved;
    if (previous) previous->next = moved;
    else a->blocks = moved;
    a->large += size - before;
    return moved + 1;
}

static void drop_large(pg_state *s, void *block) {
    pg_arena *a = s->arena;
    large *held = (large *)block - 1;
    if (held->next) held->next->previous = held->previous;
    if (held->previous) held->previous->next = held->next;
    else a->blocks = held->next;
    a->large -= held->size;
    int inside = s->inside;
    s->inside = 0;
    free(held);
    s->inside = inside;
}

static void drop(pg_state *s, void *block, size_t size) {
    if (is_small(s->arena, block)) give_small(s->arena, block, size);
    else drop_large(s, block);
}

static void *resize(pg_state *s, void *block, size_t old, size_t new) {
    pg_arena *a = s->arena;
    size_t limit = s->limits.memory_bytes;
    bool small = block && is_small(a, block);
    if (small && new <= SMALL_MAX && class_of(old) == class_of(new)) return block;
    if (block && !small && new > SMALL_MAX) return resize_large(s, block, new, limit);
    void *moved = new <= SMALL_MAX ? take_small(a, new, limit) : resize_large(s, NULL, new, limit);
    // A block can always be made smaller: it just stays what it is.
    if (!moved) return block && new <= old ? block : NULL;
    if (block) {
        memcpy(moved, block, old < new ? old : new);
        drop(s, block, old);
    }
    return moved;
}

/// While Lua moves a stack it doesn't collect garbage, so a refusal would be final however much there is to collect.
/// Such a move may go an eighth beyond the limit; whatever is asked for next has to collect.
static void *move_stack(pg_state *s, void *block, size_t old, size_t new) {
    size_t limit = s->limits.memory_bytes;
    if (!s->current || pg_is_readable(s->current) || new <= old) return NULL;
    s->limits.memory_bytes += limit / 8;
    void *moved = resize(s, block, old, new);
    s->limits.memory_bytes = limit;
    return moved;
}

/// A first refusal makes Lua collect garbage and ask for just the same again; when that is refused too, or anything
/// else wants to grow meanwhile, or all of the memory would not do, the run is at its end.
static void refuse(pg_state *s, size_t new) {
    if (s->escapable && (s->refusal_pending || new > s->limits.memory_bytes)) pg_end(s, PG_ENDED_MEMORY, NULL);
    s->refusal_pending = true;
}

void *pg_allocate(void *context, void *block, size_t old, size_t new) {
    pg_state *s = context;
    if (!block) old = 0;
    if (new == 0) {
        if (block) drop(s, block, old);
        return NULL;
    }
    void *moved = resize(s, block, old, new);
    if (!moved) moved = move_stack(s, block, old, new);
    if (!moved) refuse(s, new);
    else if (new > old) s->refusal_pending = false;
    return moved;
}

static pg_arena *pooled_arena(size_t reserved) {
    pthread_mutex_lock(&pool_lock);
    pg_arena **link = &pool;
    while (*link && (*link)->reserved != reserved) link = &(*link)->next;
    pg_arena *a = *link;
    if (a) {
        *link = a->next;
        pooled--;
    }
    pthread_mutex_unlock(&pool_lock);
    return a;
}

pg_arena *pg_arena_create(size_t limit) {
    size_t reserved = (limit + 0xffff) & ~(size_t)0xffff;
    pg_arena *a = pooled_arena(reserved);
    if (a) return a;
    a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->reserved = reserved;
    a->base = mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_NORESERVE, -1, 0);
    if (a->base != MAP_FAILED) return a;
    free(a);
    return NULL;
}

void pg_arena_close(pg_arena *a) {
    while (a->blocks) {
        large *next = a->blocks->next;
        free(a->blocks);
        a->blocks = next;
    }
    if (a->committed > FIRST_COMMIT) {
        // The pages go back to the machine, and are no longer to be touched.
        madvise(a->base + FIRST_COMMIT, a->committed - FIRST_COMMIT, MADV_DONTNEED);
        mprotect(a->base + FIRST_COMMIT, a->reserved - FIRST_COMMIT, PROT_NONE);
        a->committed = FIRST_COMMIT;
    }
    a->top = a->large = 0;
    memset(a->free, 0, sizeof a->free);
    pthread_mutex_lock(&pool_lock);
    bool kept = pooled < POOLED_ARENAS;
    if (kept) {
        a->next = pool;
        pool = a;
        pooled++;
    }
    pthread_mutex_unlock(&pool_lock);
    if (kept) return;
    munmap(a->base, a->reserved);
    free(a);
}

const char *pg_arena_base(const pg_arena *a) { return a->base; }

size_t pg_arena_bytes(const pg_arena *a) { return a->top + a->large; }
