// One run's memory: a reserved stretch of addresses for small blocks, which is dropped whole with the run, and blocks
// of their own for large ones. A small block's place in its stretch follows from what the run asked for before and from
// nothing else, so the hardened Lua may use it where stock Lua would use an address.
#ifdef __linux__
#define _GNU_SOURCE
#include <malloc.h>
#endif
#include "arena.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define FIRST_COMMIT ((size_t)128 << 10)
// What a burst of runs needed is kept until a shard has nothing to do: pages that are made anew cost more than a short
// run.
#define POOLED_ARENAS 4096
#define KEPT_ARENAS 32
#define GIVE_BACK_SECONDS 2
// By this part of the limit memory may grow beyond it while a stack is moved.
#define MOVED_STACK_SHARE 8

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER;
static pg_arena *pool;
static int pooled;
static int surplus;                 // so many have stayed in the pool for a while
static unsigned closings;

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

bool pg_arena_commit(pg_arena *a, size_t needed) {
    if (needed <= a->committed) return true;
    if (needed > a->reserved) return false;
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
    if (a->top + a->large + bytes <= limit && pg_arena_commit(a, a->top + bytes)) {
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

// From here on a block has pages of its own, as malloc may hold both while it moves one to a larger place; where pages
// can't be moved, none has.
#ifdef __linux__
#define MAPPED_SIZE ((size_t)4 << 20)
#else
#define MAPPED_SIZE SIZE_MAX
#endif

static void free_block(pg_large *held, size_t size) {
    if (size >= MAPPED_SIZE) munmap(held, size);
    else free(held);
}

/// What realloc does, for a block of `old` bytes (0 if there is none).
static pg_large *change_block(pg_large *held, size_t old, size_t new) {
    if (old < MAPPED_SIZE && new < MAPPED_SIZE) return realloc(held, new);
    pg_large *moved;
#ifdef __linux__
    if (old >= MAPPED_SIZE && new >= MAPPED_SIZE) {
        moved = mremap(held, old, new, MREMAP_MAYMOVE);
        return moved == MAP_FAILED ? NULL : moved;
    }
#endif
    if (new < MAPPED_SIZE) moved = malloc(new);
    else moved = mmap(NULL, new, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
    if (!moved || moved == MAP_FAILED) return NULL;
    if (!held) return moved;
    memcpy(moved, held, old < new ? old : new);
    free_block(held, old);
    return moved;
}

/// With what stands before it.
static size_t block_size(const pg_large *held) { return held ? sizeof *held + held->size : 0; }

/// Changes or makes (`block` is NULL) a large block.
static void *resize_large(pg_state *s, void *block, size_t size, size_t limit) {
    pg_arena *a = s->arena;
    pg_large *held = block ? (pg_large *)block - 1 : NULL;
    size_t before = held ? held->size : 0;
    if (size > before && (size > limit || a->top + a->large + (size - before) > limit)) return NULL;
    pg_large *next = held ? held->next : a->blocks, *previous = held ? held->previous : NULL;
    int inside = s->inside;
    s->inside = 0;
    // Until the block stands in the list again nothing may leave by a jump.
    pg_large *moved = change_block(held, block_size(held), sizeof *moved + size);
    if (!moved) {
        s->inside = inside;
        return NULL;
    }
    if (s->limits.blank && size > before) memset((char *)(moved + 1) + before, 0, size - before);
    *moved = (pg_large){next, previous, size, 0};
    if (next) next->previous = moved;
    if (previous) previous->next = moved;
    else a->blocks = moved;
    a->large += size - before;
    s->inside = inside;
    return moved + 1;
}

void *pg_arena_add_block(pg_state *s, size_t size) { return resize_large(s, NULL, size, s->limits.memory_bytes); }

static void drop_large(pg_state *s, void *block) {
    pg_arena *a = s->arena;
    pg_large *held = (pg_large *)block - 1;
    if (held->next) held->next->previous = held->previous;
    if (held->previous) held->previous->next = held->next;
    else a->blocks = held->next;
    a->large -= held->size;
    int inside = s->inside;
    s->inside = 0;
    free_block(held, block_size(held));
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
    // What stood there before would show between the fields of what comes.
    if (s->limits.blank && new <= SMALL_MAX) memset(moved, 0, size_of(class_of(new)));
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
    s->limits.memory_bytes += limit / MOVED_STACK_SHARE;
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
        if (surplus > pooled) surplus = pooled;
    }
    pthread_mutex_unlock(&pool_lock);
    return a;
}

pg_arena *pg_arena_create(size_t limit) {
    // With room for a stack that is moved beyond the limit.
    size_t reserved = (limit + limit / MOVED_STACK_SHARE + 0xffff) & ~(size_t)0xffff;
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

static void unmap(pg_arena *a) {
    munmap(a->base, a->reserved);
    free(a);
}

void pg_arena_close(pg_arena *a) {
    while (a->blocks) {
        pg_large *next = a->blocks->next;
        free_block(a->blocks, block_size(a->blocks));
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
    // What nobody has needed for thousands of runs goes back little by little, as a busy host has no idle moment.
    bool is_surplus = ++closings % 64 == 0 && surplus > KEPT_ARENAS;
    if (is_surplus) surplus--;
    if (closings % 4096 == 0) surplus = pooled;
    bool kept = pooled < POOLED_ARENAS && !is_surplus;
    if (kept) {
        a->next = pool;
        pool = a;
        pooled++;
    }
    pthread_mutex_unlock(&pool_lock);
    if (!kept) unmap(a);
}

/// What is not usable yet is zero already.
void pg_arena_clear(pg_arena *a) { memset(a->base, 0, a->committed); }

const char *pg_arena_base(const pg_arena *a) { return a->base; }

size_t pg_arena_bytes(const pg_arena *a) { return a->top + a->large; }

void pg_give_back(void) {
    static time_t last = -GIVE_BACK_SECONDS;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    pthread_mutex_lock(&pool_lock);
    // Looking for what malloc can spare takes milliseconds, and holds up everybody who needs memory.
    bool is_early = now.tv_sec - last < GIVE_BACK_SECONDS;
    if (is_early) {
        pthread_mutex_unlock(&pool_lock);
        return;
    }
    last = now.tv_sec;
    pg_arena **link = &pool;
    for (int kept = 0; *link && kept < KEPT_ARENAS; kept++) link = &(*link)->next;
    pg_arena *rest = *link;
    *link = NULL;
    for (pg_arena *a = rest; a; a = a->next) pooled--;
    if (surplus > pooled) surplus = pooled;
    pthread_mutex_unlock(&pool_lock);
    while (rest) {
        pg_arena *a = rest;
        rest = a->next;
        unmap(a);
    }
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
