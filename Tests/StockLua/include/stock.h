// Stock Lua beside ours, for tests and benchmarks: the same library, without sandbox, shim or limits.
#ifndef PERIGEE_STOCK_H
#define PERIGEE_STOCK_H

#include <stddef.h>

/// Makes a state with the pure libraries and closes it. Returns 1 if there was memory for it.
int stock_lua_make(void);

/// Runs a text, named `test.lua` in messages, in a state of its own. `output` gets what it printed, and after that the
/// message of the error that ended it; the caller frees it. Returns 1 if no error did, 0 if one did, or -1 if there is
/// no memory, and then no output.
int stock_lua_run(const char *text, size_t length, char **output, size_t *output_length);

#endif
