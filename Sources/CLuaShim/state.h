// What the parts of the shim share.
#ifndef PERIGEE_STATE_H
#define PERIGEE_STATE_H

#include "shim.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdatomic.h>
#include <stdbool.h>

/// Bytes that grow; they belong to the state, so that a Lua error can't leak them.
typedef struct {
    char *bytes;
    size_t length, capacity;
} pg_buffer;

/// One field of a table while its keys are sorted: where it stands in the output.
typedef struct {
    const char *key;
    size_t key_length, start, end;
} pg_field;

/// A step of the path to the value that is being written.
typedef struct {
    const void *table;
    const char *key;
    size_t key_length;
    lua_Integer index;
} pg_place;

typedef struct pg_slot pg_slot;

struct pg_state {
    lua_State *main;               // owns the registry; scripts never run on it
    lua_State *run;                // the run's coroutine
    lua_State *volatile current;   // the coroutine that runs now
    pg_host host;
    pg_limits limits;

    size_t memory_used;
    const void *refused_block;     // the request that was refused last and may come again after a collection
    size_t refused_old, refused_new;
    bool refusal_pending;

    volatile int ended;            // 0, PG_ENDED_CPU or PG_ENDED_MEMORY: nothing runs any more
    bool suspending, preempted;    // why the run yielded to the host
    bool is_script;                // the run is a main chunk: its result is kept
    int blocked;                   // resumes under way from where Lua can't yield
    uint64_t cpu_used;
    pg_slot *slot;

    int reply_kind;
    pg_buffer reply, chunk, output, scratch, secrets, message, error_value, traceback;
    char chunk_name[128];
    bool has_value, has_error_value;
    char script[128];
    int line;

    pg_field *fields;
    size_t field_count, field_capacity;
    pg_place *path;
    int depth;
    int argument;                  // which of a call's arguments is written, from 0
};

static inline pg_state *pg_of(lua_State *L) { return *(pg_state **)lua_getextraspace(L); }

// buffer.c
bool pg_append(pg_buffer *buffer, const char *bytes, size_t length);
bool pg_append_text(pg_buffer *buffer, const char *text);
bool pg_terminate(pg_buffer *buffer);

// encode.c: writes the values from `first` to `last` of L's stack as an array, or just one value, to state->output.
// They raise nothing; on failure the reason stands in state->message.
enum { PG_ALLOW_SECRETS = 1, PG_FUNCTIONS_AS_TRUE = 2 };
bool pg_encode_arguments(lua_State *L, int count);
bool pg_encode_value(lua_State *L, int index, int flags);

// decode.c: pushes a value; raises an error table for bad JSON.
void pg_decode(lua_State *L, const char *bytes, size_t length);

// errors.c
int pg_raise(lua_State *L, const char *code, const char *kind, const char *message, const char *hint);
int pg_raise_json(lua_State *L, const char *bytes, size_t length);
/// The innermost frame of a text that a person wrote.
bool pg_find_frame(lua_State *L, lua_Debug *frame);
bool pg_find_script(lua_State *L, char *script, size_t size, int *line);
void pg_describe(pg_state *state, lua_State *from);

// sandbox.c: fills the globals and the scripts' environment.
void pg_open_sandbox(lua_State *L);
int pg_load_chunk(lua_State *L, const char *bytecode, size_t length, const char *name, bool in_environment);

// calls.c: makes the table `host`.
void pg_open_host(lua_State *L, const char *const *functions, int count);

// coroutines.c: replaces resume, wrap and their kin.
void pg_open_coroutines(lua_State *L);

// watchdog.c
void pg_enter(pg_state *state);
void pg_leave(pg_state *state);
void pg_end(pg_state *state, int reason);
int pg_stop_here(lua_State *L);

// Keys in the registry (their addresses).
extern const char pg_key_host, pg_key_environment, pg_key_modules, pg_key_pieces, pg_key_error, pg_key_array,
    pg_key_secret, pg_key_definition, pg_key_run;

#endif
