// One run's memory, as arena.c and image.c see it.
#ifndef PERIGEE_ARENA_H
#define PERIGEE_ARENA_H

#include "state.h"

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

/// Stands before the bytes of a large block.
typedef struct pg_large pg_large;
struct pg_large {
    pg_large *next, *previous;
    size_t size;
    size_t padding;                 // keeps the block at a multiple of 16
};

struct pg_arena {
    char *base;
    size_t reserved, committed;
    size_t top;                     // everything below has been given out
    size_t large;                   // bytes of large blocks
    void *free[SMALL_CLASSES];      // the block that was freed last, which holds the one freed before it
    pg_large *blocks;               // the newest first
    pg_arena *next;                 // in the pool
};

/// Makes the first bytes of the stretch usable, and a large block; false and NULL if there is no memory for it.
bool pg_arena_commit(pg_arena *arena, size_t bytes);
void *pg_arena_add_block(pg_state *state, size_t size);

#endif
