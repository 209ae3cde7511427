// The border between Swift and Lua. Swift calls only what stands here, and none of it raises a Lua error.
#ifndef PERIGEE_SHIM_H
#define PERIGEE_SHIM_H

#include <stddef.h>
#include <stdint.h>

typedef struct pg_state pg_state;
typedef struct pg_image pg_image;

/// How the host answers a call of one of its functions.
/// A cancellation is an error that scripts can't catch: it passes through pcall and coroutines up to the host.
enum { PG_VALUE = 0, PG_NOTHING = 1, PG_FAILURE = 2, PG_SUSPEND = 3, PG_CANCELLATION = 4 };

/// How a slice of a run ended.
enum { PG_SUSPENDED = 1, PG_PREEMPTED = 2, PG_RETURNED = 3, PG_FAILED = 4, PG_ENDED_CPU = 5, PG_ENDED_MEMORY = 6 };

/// The host's side. `call` returns one of the above, having given its bytes to pg_set_reply.
/// `module` returns 1 having given a chunk to pg_set_chunk, or 0 if there is no such module.
/// Secrets are pairs of texts, each ended by a zero byte: JSON pointer, name.
typedef struct {
    void *context;
    int (*call)(void *context, int function, const char *arguments, size_t length,
                const char *secrets, size_t secrets_length, const char *script, int line);
    int (*module)(void *context, const char *name, size_t length);
} pg_host;

typedef struct {
    size_t memory_bytes;
    uint64_t slice_nanoseconds;
    uint64_t cpu_nanoseconds;
    size_t value_bytes;
    int value_depth;
    uint64_t seed;                  // of math.random
    uint32_t hash_seed;             // of the places of strings in tables
    int blank;                      // whether all memory is zero before it is used, as pg_image_create needs it
} pg_limits;

/// Bytes that belong to the state until the next call on it.
typedef struct {
    const char *bytes;
    size_t length;
} pg_text;

/// Makes a state with its libraries and its sandbox; NULL if the memory limit does not even allow that.
/// `functions` are the names of the host's functions; those that begin with "await_" may suspend.
pg_state *pg_create(pg_limits limits, pg_host host, const char *const *functions, int count);
void pg_close(pg_state *state);
size_t pg_memory(const pg_state *state);

/// An image of two states that were made in the same way, both blank and with different `seed`s, and that no thread is
/// in; NULL if they are not the same in all but their addresses, or have drawn random numbers.
pg_image *pg_image_create(pg_state *first, pg_state *second);
void pg_image_close(pg_image *image);
/// A state as those were, with the random numbers of its own seed; NULL if there is no memory for it.
pg_state *pg_create_from(const pg_image *image, pg_limits limits, pg_host host);

/// Gives back to the system what ended states and malloc keep, but for the memory of some states.
void pg_give_back(void);

/// Compiles a text and gives its bytecode to `write` (which returns 0 to go on). Returns 0, or 1 with a message.
int pg_compile(const char *text, size_t length, const char *name,
               int (*write)(void *context, const void *bytes, size_t length), void *context,
               char *message, size_t message_size);

/// Runs a chunk of the stdlib with (host, environment). Returns PG_RETURNED or PG_FAILED.
int pg_prelude(pg_state *state, const char *bytecode, size_t length, const char *name);
/// Makes the run's coroutine of a script's main chunk; pg_advance starts it and keeps the table it returns.
int pg_prepare_script(pg_state *state, const char *bytecode, size_t length, const char *name);
/// Makes the run's coroutine of a function of the kept table with a JSON argument.
int pg_prepare_function(pg_state *state, const char *field, const char *argument, size_t length);
/// Starts a branch or goes on with it: 0 is the run's own coroutine, others are those that scripts began by
/// `host.fork(number, function)`. `kind` is PG_NOTHING at the start and after PG_PREEMPTED, when the same branch has to
/// go on first. A branch that returned is gone; only the result of branch 0 is kept.
int pg_advance(pg_state *state, int branch, int kind, const char *bytes, size_t length);
/// The kept table as JSON with `true` for functions. Returns PG_RETURNED or PG_FAILED.
int pg_definition(pg_state *state);

/// From within the host's callbacks: the answer's bytes, and the chunk of a module. They are copied.
void pg_set_reply(pg_state *state, const char *bytes, size_t length);
void pg_set_chunk(pg_state *state, const char *bytecode, size_t length, const char *name);

/// After PG_RETURNED: the value as JSON; NULL for no value.
pg_text pg_value(const pg_state *state);
/// After PG_FAILED: the message; the error table as JSON or NULL; the innermost script and line; the traceback.
pg_text pg_message(const pg_state *state);
pg_text pg_error_value(const pg_state *state);
pg_text pg_traceback(const pg_state *state);
/// After PG_FAILED: what a name means in the innermost script's frame, or NULL. `path` is the name and then keys, each
/// ended by a zero byte: `firm`, `sjson`, `i1`. The answer has its parts ended the same: the type (`null` for JSON's
/// null); for a table its length and up to 64 of its text keys; for a whole number or a short text the value.
pg_text pg_look_up(pg_state *state, const char *path, size_t length);
/// After PG_FAILED and PG_ENDED_…: where.
const char *pg_script(const pg_state *state);
int pg_line(const pg_state *state);
/// After PG_ENDED_…: the function of Lua's library that used it up; empty if it was the script itself.
const char *pg_what(const pg_state *state);

/// The Lua that this program is linked with: its own line about itself, and whether it is built by dev/lua.
const char *pg_lua_ident(void);
int pg_lua_is_hardened(void);

/// What became of a program that tells by a truth value whether Lua does right.
enum { PG_PROBE_FAILED = -1, PG_PROBE_WRONG = 0, PG_PROBE_SOUND = 1 };
/// Runs a small program in a bare state with little memory and time.
int pg_probe(const char *program);

#endif
