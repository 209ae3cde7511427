// Making, running and dropping a state. Whatever can raise runs inside lua_pcall or lua_resume.
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char pg_key_host, pg_key_environment, pg_key_modules, pg_key_pieces, pg_key_error, pg_key_array, pg_key_secret,
    pg_key_definition, pg_key_run;

/// Counts every byte. A first refusal makes Lua collect garbage and ask for just the same again; when that is refused
/// too, or anything else wants to grow meanwhile, or all of the memory would not do, the run is at its end, whatever
/// the script does with the error.
static void *allocate(void *context, void *block, size_t old, size_t new) {
    pg_state *s = context;
    if (!block) old = 0;
    if (new == 0) {
        s->memory_used -= old;
        free(block);
        return NULL;
    }
    if (new > old && s->memory_used + (new - old) > s->limits.memory_bytes) {
        bool again = s->refusal_pending && s->refused_block == block && s->refused_old == old && s->refused_new == new;
        bool another = s->refusal_pending && !again;
        s->refusal_pending = true;
        s->refused_block = block, s->refused_old = old, s->refused_new = new;
        if ((again || another || new > s->limits.memory_bytes) && s->run) pg_end(s, PG_ENDED_MEMORY);
        return NULL;
    }
    void *moved = realloc(block, new);
    if (!moved) return NULL;
    if (new > old) s->refusal_pending = false;
    s->memory_used += new - old;
    return moved;
}

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

static int protect(pg_state *s, lua_CFunction function, void *argument) {
    lua_pushcfunction(s->main, function);
    lua_pushlightuserdata(s->main, argument);
    int status = lua_pcall(s->main, 1, 0, 0);
    if (status == LUA_OK) return PG_RETURNED;
    pg_describe(s, s->main);
    return PG_FAILED;
}

pg_state *pg_create(pg_limits limits, pg_host host, const char *const *functions, int count) {
    pg_state *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->limits = limits;
    s->host = host;
    s->path = calloc((size_t)limits.value_depth + 4, sizeof *s->path);
    s->main = s->path ? lua_newstate(allocate, s) : NULL;
    if (s->main) *(pg_state **)lua_getextraspace(s->main) = s;
    opening o = {functions, count};
    if (s->main && protect(s, open, &o) == PG_RETURNED) return s;
    pg_close(s);
    return NULL;
}

void pg_close(pg_state *s) {
    if (s->main) lua_close(s->main);
    pg_buffer *buffers[] = {&s->reply, &s->chunk, &s->output, &s->scratch, &s->secrets,
                            &s->message, &s->error_value, &s->traceback};
    for (size_t index = 0; index < sizeof buffers / sizeof *buffers; index++) free(buffers[index]->bytes);
    free(s->fields);
    free(s->keys);
    free(s->path);
    free(s);
}

size_t pg_memory(const pg_state *s) { return s->memory_used; }

void pg_set_reply(pg_state *s, const char *bytes, size_t length) {
    s->reply.length = 0;
    pg_append(&s->reply, bytes, length);
}

void pg_set_chunk(pg_state *s, const char *bytecode, size_t length, const char *name) {
    s->chunk.length = 0;
    pg_append(&s->chunk, bytecode, length);
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
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_run);
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
    if (!pg_encode_value(L, -results, 0)) {
        pg_buffer *m = &s->message;
        char *text = m->bytes ? strndup(m->bytes, m->length) : NULL;
        m->length = 0;
        pg_append_text(m, "the workflow's result can't be kept: ");
        if (text) pg_append_text(m, text);
        free(text);
        return PG_FAILED;
    }
    s->has_value = true;
    return PG_RETURNED;
}

int pg_advance(pg_state *s, int kind, const char *bytes, size_t length) {
    int results = 0;
    bool starting = lua_status(s->run) == LUA_OK;
    if (s->ended) return s->ended;
    if (!s->preempted) s->cpu_used = 0;
    s->reply_kind = kind;
    if (!s->preempted) pg_set_reply(s, bytes, length);
    s->suspending = s->preempted = s->refusal_pending = false;
    s->blocked = 0;
    s->current = s->run;
    pg_enter(s);
    int status = lua_resume(s->run, NULL, starting ? lua_gettop(s->run) - 1 : 0, &results);
    // The libraries' buffers do not ask again when they are refused, and raise a plain error.
    if (status > LUA_YIELD && s->refusal_pending) pg_end(s, PG_ENDED_MEMORY);
    pg_leave(s);
    if (s->ended) return s->ended;
    if (status == LUA_OK) return finish(s, results);
    if (status == LUA_YIELD) {
        lua_pop(s->run, results);
        return s->suspending ? PG_SUSPENDED : PG_PREEMPTED;
    }
    s->has_error_value = false;
    pg_describe(s, s->run);
    return PG_FAILED;
}

static int encode_definition(lua_State *L) {
    pg_state *s = pg_of(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_definition);
    if (pg_encode_value(L, -1, PG_FUNCTIONS_AS_TRUE)) return 0;
    pg_terminate(&s->message);
    lua_pushfstring(L, "workflow: %s", s->message.bytes);
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

typedef struct {
    int (*write)(void *context, const void *bytes, size_t length);
    void *context;
} sink;

static int dump(lua_State *L, const void *bytes, size_t length, void *context) {
    (void)L;
    sink *to = context;
    return to->write(to->context, bytes, length);
}

int pg_compile(const char *text, size_t length, const char *name,
               int (*write)(void *context, const void *bytes, size_t length), void *context,
               char *message, size_t message_size) {
    // The state is only for this text: loading and dumping raise nothing outside of their own protected call.
    lua_State *L = luaL_newstate();
    if (!L) {
        snprintf(message, message_size, "0:not enough memory");
        return 1;
    }
    sink to = {write, context};
    int failed = luaL_loadbufferx(L, text, length, name, "t") != LUA_OK;
    if (failed) {
        const char *why = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "0:unknown error";
        snprintf(message, message_size, "%s", why);
    } else {
        failed = lua_dump(L, dump, &to, 0);
        if (failed) snprintf(message, message_size, "0:not enough memory");
    }
    lua_close(L);
    return failed;
}
