// An allocator that refuses what it is told to.
#include "faults.h"

#undef malloc
#undef calloc
#undef realloc
#undef strndup

#ifdef __APPLE__
#include <malloc/malloc.h>
#define malloc_usable_size malloc_size
#else
#include <malloc.h>
#endif

long faults_countdown;
bool faults_go_on, faults_hit;

static bool refused(void) {
    if (faults_countdown == 0) return false;
    if (faults_countdown > 1) return --faults_countdown, false;
    if (!faults_go_on) faults_countdown = 0;
    faults_hit = true;
    return true;
}

void *faulty_malloc(size_t size) { return refused() ? NULL : malloc(size); }

void *faulty_calloc(size_t count, size_t size) { return refused() ? NULL : calloc(count, size); }

/// Making a block smaller never fails: nobody is prepared for that.
void *faulty_realloc(void *block, size_t size) {
    if (block && size <= malloc_usable_size(block)) return realloc(block, size);
    return refused() ? NULL : realloc(block, size);
}

char *faulty_strndup(const char *text, size_t length) { return refused() ? NULL : strndup(text, length); }
