// What the parts of the shim share.
#ifndef PERIGEE_STATE_H
#define PERIGEE_STATE_H

#define PERIGEE_SHIM 1

#include "shim.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <setjmp.h>
#include <signal.h>
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

/// A number, a string or a boolean while such values are sorted. The head decides nearly every comparison: a string's
/// first bytes, or a number's whole part.
typedef struct {
    uint64_t head;
    union {
        const char *text;          // belongs to a value that the script or the stack holds
        lua_Integer integer;
        lua_Number number;
    };
    size_t length;
    uint32_t place;                // of the value, among those that are kept beside the keys
    uint8_t kind;
} pg_sort_key;
enum { PG_KEY_INTEGER = 0, PG_KEY_FLOAT = 1, PG_KEY_STRING = 2, PG_KEY_FALSE = 4, PG_KEY_TRUE = 6 };

/// A traversal by `next` that is under way.
typedef struct {
    const void *table;             // NULL: the place is free
    lua_Integer position;          // of the key that was returned last
    uint64_t used;                 // when it went on last; the oldest makes room
} pg_traversal;
enum { PG_TRAVERSALS = 8 };

typedef struct pg_slot pg_slot;
typedef struct pg_arena pg_arena;

struct pg_state {
    lua_State *main;               // owns the registry; scripts never run on it
    lua_State *run;                // the coroutine of the branch that ran last
    int branch;                    // its number; 0 is the run's own
    lua_State *volatile current;   // the coroutine that runs now
    pg_host host;
    pg_limits limits;

    pg_arena *arena;
    bool refusal_pending;          // a request was refused; it comes again once after a collection
    bool starved;                  // malloc refused what the border had to keep: the run can't go on

    volatile sig_atomic_t ended;   // 0, PG_ENDED_CPU or PG_ENDED_MEMORY: nothing runs any more
    jmp_buf escape;                // where an ended run is left to, and whether there is such a place now
    bool escapable;
    volatile sig_atomic_t inside;  // only Lua and C without locks is on the stack: it may be left at any instruction
    bool interrupted;              // it was left from the signal's handler
    char what[32];                 // the function that a limit ended
#ifdef PERIGEE_LUA
    perigee_lua_thread outer;      // what the thread had before it entered
#endif
    bool suspending, preempted;    // why the run yielded to the host
    bool is_answered;              // the host answered at once: the run goes on as soon as it has yielded
    bool is_script;                // the run is a main chunk: its result is kept
    bool has_called_back;          // string.gsub or table.sort has called a function of the script
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

    pg_sort_key *keys;
    size_t key_capacity;
    int pairs_place;               // of the key that pairs gave last, among the keys of its loop
    pg_traversal traversals[PG_TRAVERSALS];
    uint64_t traversal_clock;
    lua_Integer object_count;      // of the objects that were written as text
    const void *weak;              // the one metatable whose `__mode` counts
    void *random;                  // the state of math.random, and its size
    size_t random_size;
};

static inline pg_state *pg_of(lua_State *L) { return *(pg_state **)lua_getextraspace(L); }

/// Around everything that may hold a lock or half of something that outlives the run: malloc, Swift.
static inline void pg_out(pg_state *state) { state->inside = 0; }
static inline void pg_in(pg_state *state) { state->inside = 1; }

// buffer.c
bool pg_append(pg_buffer *buffer, const char *bytes, size_t length);
bool pg_append_text(pg_buffer *buffer, const char *text);

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
/// Raises the error that a script can't catch, and tells whether the value at an index is one.
int pg_raise_cancellation(lua_State *L, const char *bytes, size_t length);
bool pg_is_cancellation(lua_State *L, int index);
/// The innermost frame of a text that a person wrote.
bool pg_find_frame(lua_State *L, lua_Debug *frame);
bool pg_find_script(lua_State *L, char *script, size_t size, int *line);
void pg_describe(pg_state *state, lua_State *from);

// sandbox.c: fills the globals and the scripts' environment.
void pg_open_sandbox(lua_State *L);
bool pg_find_module(pg_state *state, const char *name, size_t length);
int pg_load_chunk(lua_State *L, const char *bytecode, size_t length, const char *name, bool in_environment);

// calls.c: makes the table `host`.
void pg_open_host(lua_State *L, const char *const *functions, int count);

// base64.c
int pg_to_base64(lua_State *L);
int pg_from_base64(lua_State *L);

// branches.c: the coroutines of a run's branches, in the registry by their numbers.
int pg_fork(lua_State *L);
void pg_keep_branch(lua_State *L, int number);
bool pg_enter_branch(pg_state *state, int number);
void pg_drop_branch(pg_state *state, int number);
bool pg_is_branch(lua_State *L, lua_State *co);

// protect.c: replaces pcall and xpcall.
void pg_open_protect(lua_State *L);

// search.c: replaces find, match, gmatch and gsub in the library `string`.
void pg_open_search(lua_State *L);
int pg_gsub(lua_State *L);

// coroutines.c: replaces resume, wrap and their kin.
void pg_open_coroutines(lua_State *L);

// state.c: a state without any Lua in it; NULL if there is no memory for it.
pg_state *pg_create_empty(pg_limits limits, pg_host host);

// arena.c
pg_arena *pg_arena_create(size_t limit);
void pg_arena_close(pg_arena *arena);
void pg_arena_clear(pg_arena *arena);
const char *pg_arena_base(const pg_arena *arena);
size_t pg_arena_bytes(const pg_arena *arena);
void *pg_allocate(void *context, void *block, size_t old, size_t new);

// watchdog.c: runs `work` where an ended run can be left from, and returns what it returns or how the run ended.
int pg_guard(pg_state *state, int (*work)(pg_state *state, void *argument), void *argument);
_Noreturn void pg_end(pg_state *state, int reason, const char *what);
_Noreturn void pg_exhaust(lua_State *L, int reason, const char *what);
bool pg_is_readable(lua_State *L);

// keys.c: sorts numbers, strings and booleans. The room for keys is the state's, so they are used up before any code of
// the script runs; sorting may move it. Sorted keys are no longer comparable with other ones. pg_read_key refuses a
// value of any other type.
bool pg_read_key(lua_State *L, int index, pg_sort_key *key);
pg_sort_key pg_integer_key(lua_Integer value);
bool pg_key_less(const pg_sort_key *a, const pg_sort_key *b);
pg_sort_key *pg_reserve_keys(lua_State *L, size_t count);
pg_sort_key *pg_sort_keys(lua_State *L, size_t count);
void pg_release_keys(pg_state *state);

// order.c, sort.c, text.c: replace what differs between processes.
void pg_open_order(lua_State *L);
void pg_open_sort(lua_State *L);
int pg_sort(lua_State *L);
void pg_open_text(lua_State *L);

// Keys in the registry (their addresses).
extern const char pg_key_host, pg_key_environment, pg_key_modules, pg_key_pieces, pg_key_error, pg_key_array,
    pg_key_secret, pg_key_definition, pg_key_branches, pg_key_cancellation;

#endif
