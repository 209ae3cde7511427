// Making, running and dropping a state. Whatever can raise runs inside lua_pcall or lua_resume.
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char pg_key_host, pg_key_environment, pg_key_modules, pg_key_pieces, pg_key_error, pg_key_array, pg_key_secret,
    pg_key_definition, pg_key_branches, pg_key_cancellation;

#define FIRST_GARBAGE 128

typedef struct {
    const char *const *functions;
    int count;
} opening;

static int open(lua_State *L) {
    opening *o = lua_touserdata(L, 1);
    pg_open_sandbox(L);
    pg_open_host(L, o->functions, o->count);
    return 0;
}

typedef struct {
    lua_CFunction function;
    void *argument;
} protected_call;

/// Called through pg_guard.
static int run_protected(pg_state *s, void *context) {
    protected_call *call = context;
    s->current = s->main;
    pg_in(s);
    lua_pushcfunction(s->main, call->function);
    lua_pushlightuserdata(s->main, call->argument);
    int status = lua_pcall(s->main, 1, 0, 0);
    pg_out(s);
    if (status == LUA_OK) return PG_RETURNED;
    pg_describe(s, s->main);
    return PG_FAILED;
}

static int protect(pg_state *s, lua_CFunction function, void *argument) {
    protected_call call = {function, argument};
    return pg_guard(s, run_protected, &call);
}

/// An error outside of every protected call would end the process: it ends the state instead.
static int panic(lua_State *L) { pg_end(pg_of(L), PG_ENDED_MEMORY, NULL); }

static int make_main(pg_state *s, void *unused) {
    (void)unused;
    s->main = lua_newstate(pg_allocate, s);
    if (!s->main) return PG_FAILED;
    *(pg_state **)lua_getextraspace(s->main) = s;
    lua_atpanic(s->main, panic);
    // Most runs end before they have made this much garbage, in KiB.
    lua_gc(s->main, LUA_GCSTEP, -FIRST_GARBAGE);
    return PG_RETURNED;
}

pg_state *pg_create_empty(pg_limits limits, pg_host host) {
    pg_state *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->limits = limits;
    s->host = host;
    s->path = calloc((size_t)limits.value_depth + 4, sizeof *s->path);
    s->arena = pg_arena_create(limits.memory_bytes);
    if (s->arena && limits.blank) pg_arena_clear(s->arena);
    if (s->path && s->arena) return s;
    pg_close(s);
    return NULL;
}

static pg_state *create_bare(pg_limits limits, pg_host host) {
    pg_state *s = pg_create_empty(limits, host);
    if (!s || pg_guard(s, make_main, NULL) == PG_RETURNED) return s;
    pg_close(s);
    return NULL;
}

pg_state *pg_create(pg_limits limits, pg_host host, const char *const *functions, int count) {
    pg_state *s = create_bare(limits, host);
    opening o = {functions, count};
    if (!s || protect(s, open, &o) == PG_RETURNED) return s;
    pg_close(s);
    return NULL;
}

void pg_close(pg_state *s) {
    // Nothing in a state has a finalizer: its memory is all that there is to give back.
    if (s->arena) pg_arena_close(s->arena);
    pg_buffer *buffers[] = {&s->reply, &s->chunk, &s->output, &s->scratch, &s->secrets,
                            &s->message, &s->error_value, &s->traceback};
    for (size_t index = 0; index < sizeof buffers / sizeof *buffers; index++) free(buffers[index]->bytes);
    free(s->fields);
    free(s->path);
    free(s);
}

size_t pg_memory(const pg_state *s) { return pg_arena_bytes(s->arena); }

void pg_set_reply(pg_state *s, const char *bytes, size_t length) {
    s->reply.length = 0;
    s->starved |= !pg_append(&s->reply, bytes, length);
}

void pg_set_chunk(pg_state *s, const char *bytecode, size_t length, const char *name) {
    s->chunk.length = 0;
    s->starved |= !pg_append(&s->chunk, bytecode, length);
    snprintf(s->chunk_name, sizeof s->chunk_name, "=%s", name);
}

typedef struct {
    const char *bytes, *name;
    size_t length;
} text_argument;

static int run_prelude(lua_State *L) {
    text_argument *a = lua_touserdata(L, 1);
    if (pg_load_chunk(L, a->bytes, a->length, a->name, false) != LUA_OK) return lua_error(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_host);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_environment);
    lua_call(L, 2, 0);
    return 0;
}

int pg_prelude(pg_state *s, const char *bytecode, size_t length, const char *name) {
    text_argument argument = {bytecode, name, length};
    return protect(s, run_prelude, &argument);
}

static void new_run(lua_State *L) {
    pg_state *s = pg_of(L);
    s->run = lua_newthread(L);
    s->branch = 0;
    pg_keep_branch(L, 0);
}

static int prepare_script(lua_State *L) {
    text_argument *a = lua_touserdata(L, 1);
    new_run(L);
    if (pg_load_chunk(L, a->bytes, a->length, a->name, true) != LUA_OK) return lua_error(L);
    lua_xmove(L, pg_of(L)->run, 1);
    return 0;
}

int pg_prepare_script(pg_state *s, const char *bytecode, size_t length, const char *name) {
    text_argument argument = {bytecode, name, length};
    s->is_script = true;
    return protect(s, prepare_script, &argument);
}

static int prepare_function(lua_State *L) {
    text_argument *a = lua_touserdata(L, 1);
    new_run(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_definition);
    lua_pushstring(L, a->name);
    if (!lua_istable(L, -2) || lua_rawget(L, -2) != LUA_TFUNCTION) return luaL_error(L, "`%s` is no function", a->name);
    pg_decode(L, a->bytes, a->length);
    lua_xmove(L, pg_of(L)->run, 2);
    return 0;
}

int pg_prepare_function(pg_state *s, const char *field, const char *argument, size_t length) {
    text_argument a = {argument, field, length};
    s->is_script = false;
    return protect(s, prepare_function, &a);
}

static int keep_definition(lua_State *L) {
    pg_state *s = pg_of(L);
    lua_pop(L, 1);
    lua_xmove(s->run, L, 1);
    if (!lua_istable(L, -1)) {
        return pg_raise(L, "PG1016", "script", "the script does not return a workflow",
                        "End it with `return workflow { name = \"…\", run = function(input) … end }`.");
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_definition);
    return 0;
}

static int fail_with(pg_state *s, const char *message) {
    s->message.length = 0;
    pg_append_text(&s->message, message);
    return PG_FAILED;
}

/// Called through pg_guard: what looks into a table has to have entered its state.
static int encode_result(pg_state *s, void *context) {
    int *results = context;
    s->has_value = pg_encode_value(s->run, -*results, 0);
    if (s->has_value) return PG_RETURNED;
    pg_buffer *m = &s->message;
    char *text = m->bytes ? strndup(m->bytes, m->length) : NULL;
    m->length = 0;
    pg_append_text(m, "the workflow's result can't be kept: ");
    if (text) pg_append_text(m, text);
    free(text);
    return PG_FAILED;
}

static int finish(pg_state *s, int results) {
    lua_State *L = s->run;
    s->has_value = false;
    s->has_error_value = false;
    s->traceback.length = 0;
    s->script[0] = 0;
    s->line = 0;
    if (s->is_script) {
        lua_settop(L, lua_gettop(L) - results + (results ? 1 : 0));
        if (!results) {
            if (!lua_checkstack(L, 1)) return fail_with(s, "the stack is full");
            lua_pushnil(L);
        }
        return protect(s, keep_definition, NULL);
    }
    if (results == 0 || lua_isnil(L, -results)) return PG_RETURNED;
    return pg_guard(s, encode_result, &results);
}

/// Called through pg_guard.
static int resume_run(pg_state *s, void *context) {
    int *results = context;
    if (!pg_enter_branch(s, s->branch)) return fail_with(s, "the branch has ended");
    int arguments = lua_status(s->run) == LUA_OK ? lua_gettop(s->run) - 1 : 0;
    s->current = s->run;
    pg_in(s);
    int status = lua_resume(s->run, NULL, arguments, results);
    while (status == LUA_YIELD && s->is_answered) {
        s->is_answered = s->suspending = false;
        lua_pop(s->run, *results);
        status = lua_resume(s->run, NULL, 0, results);
    }
    pg_out(s);
    // A buffer of the system's Lua does not ask again when it is refused, and raises an error that can be caught.
    if (s->refusal_pending) pg_end(s, PG_ENDED_MEMORY, NULL);
    if (status == LUA_OK) return PG_RETURNED;
    if (status == LUA_YIELD) {
        lua_pop(s->run, *results);
        return s->suspending ? PG_SUSPENDED : PG_PREEMPTED;
    }
    s->has_error_value = false;
    pg_describe(s, s->run);
    return PG_FAILED;
}

int pg_advance(pg_state *s, int branch, int kind, const char *bytes, size_t length) {
    int results = 0;
    if (s->ended) return s->ended;
    s->branch = branch;
    if (!s->preempted) {
        s->cpu_used = 0;
        pg_set_reply(s, bytes, length);
    }
    s->reply_kind = kind;
    s->suspending = s->preempted = s->is_answered = s->refusal_pending = false;
    s->blocked = 0;
    int ended = pg_guard(s, resume_run, &results);
    if (branch != 0 && ended == PG_RETURNED) pg_drop_branch(s, branch);
    return ended == PG_RETURNED && branch == 0 ? finish(s, results) : ended;
}

static int encode_definition(lua_State *L) {
    pg_state *s = pg_of(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_definition);
    pg_out(s);
    bool written = pg_encode_value(L, -1, PG_FUNCTIONS_AS_TRUE);
    pg_in(s);
    if (written) return 0;
    lua_pushliteral(L, "workflow: ");
    lua_pushlstring(L, s->message.bytes, s->message.length);
    lua_concat(L, 2);
    return pg_raise(L, "PG1020", "validation", lua_tostring(L, -1), "Declare plain data only.");
}

int pg_definition(pg_state *s) {
    s->has_value = true;
    s->script[0] = 0;
    s->line = 0;
    return protect(s, encode_definition, NULL);
}

static pg_text text_of(const pg_buffer *buffer) { return (pg_text){buffer->bytes, buffer->length}; }

pg_text pg_value(const pg_state *s) { return s->has_value ? text_of(&s->output) : (pg_text){NULL, 0}; }
pg_text pg_message(const pg_state *s) { return text_of(&s->message); }
pg_text pg_error_value(const pg_state *s) { return s->has_error_value ? text_of(&s->error_value) : (pg_text){NULL, 0}; }
pg_text pg_traceback(const pg_state *s) { return text_of(&s->traceback); }
const char *pg_script(const pg_state *s) { return s->script; }
int pg_line(const pg_state *s) { return s->line; }

const char *pg_what(const pg_state *s) { return s->what; }

typedef struct {
    const char *text, *name;
    size_t length;
    int (*write)(void *context, const void *bytes, size_t length);
    void *context;
    char *message;
    size_t message_size;
} compilation;

static int dump(lua_State *L, const void *bytes, size_t length, void *context) {
    compilation *c = context;
    pg_out(pg_of(L));
    int stopped = c->write(c->context, bytes, length);
    pg_in(pg_of(L));
    return stopped;
}

/// Called through pg_guard. Loading and dumping raise nothing outside of their own protected call.
static int compile(pg_state *s, void *context) {
    compilation *c = context;
    lua_State *L = s->current = s->main;
    pg_in(s);
    int failed = luaL_loadbufferx(L, c->text, c->length, c->name, "t") != LUA_OK;
    if (!failed) {
        // Places and names of locals are told of scripts only, and take a third of the time to load.
        failed = lua_dump(L, dump, c, strncmp(c->name, "=stdlib/", 8) == 0);
        pg_out(s);
        if (failed) snprintf(c->message, c->message_size, "0:not enough memory");
        return failed;
    }
    pg_out(s);
    const char *why = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "0:unknown error";
    snprintf(c->message, c->message_size, "%s", why);
    return 1;
}

int pg_compile(const char *text, size_t length, const char *name,
               int (*write)(void *context, const void *bytes, size_t length), void *context,
               char *message, size_t message_size) {
    compilation c = {text, name, length, write, context, message, message_size};
    // A text is compiled in a state of its own, within bounds: there are texts that take the compiler hours.
    pg_limits limits = {.memory_bytes = 256 << 20, .slice_nanoseconds = 50000000, .cpu_nanoseconds = 2000000000};
    pg_state *s = create_bare(limits, (pg_host){NULL, NULL, NULL});
    int result = s ? pg_guard(s, compile, &c) : PG_ENDED_MEMORY;
    if (result == PG_ENDED_CPU) snprintf(message, message_size, "0:it takes too long to compile");
    if (result == PG_ENDED_MEMORY) snprintf(message, message_size, "0:it needs too much memory to compile");
    if (s) pg_close(s);
    return result != 0;
}
