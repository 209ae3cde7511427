#include "allocator.h"

// A thread of its own gives memory back that nobody took for ten seconds, so that a host without work does so too.
const char *malloc_conf = "background_thread:true";
