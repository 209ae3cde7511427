// Nothing to call: what links this gets its memory from jemalloc, on Linux, and SQLite does not count what it takes.
#ifndef PERIGEE_ALLOCATOR_H
#define PERIGEE_ALLOCATOR_H

/// What jemalloc reads as the process starts, before the environment's MALLOC_CONF.
extern const char *malloc_conf;

#endif
