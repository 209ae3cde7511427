#include "allocator.h"

#include <sqlite3.h>

// A thread of its own gives memory back that nobody took for ten seconds, so that a host without work does so too.
const char *malloc_conf = "background_thread:true";

// Nobody asks SQLite how much memory it has, and to count it takes a lock for each piece. It has to be said before
// SQLite is first used.
__attribute__((constructor)) static void count_no_memory(void) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}
