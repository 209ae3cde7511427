// After a failure the run's stack is still there: what stands under a name of the line that failed. Everything is read
// raw, so that no code of the script runs, and inside a protected call.
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KEYS 64
#define MAX_KEY_BYTES 64
#define MAX_ANSWER_BYTES 4096

/// Pushes the innermost active local variable of that name to `from`.
static bool push_local(lua_State *from, lua_Debug *frame, const char *name) {
    const char *local;
    int found = 0;
    for (int index = 1; (local = lua_getlocal(from, frame, index)); index++) {
        if (strcmp(local, name) == 0) found = index;
        lua_pop(from, 1);
    }
    return found && lua_getlocal(from, frame, found);
}

static bool push_upvalue(lua_State *from, lua_Debug *frame, const char *name) {
    const char *upvalue;
    lua_getinfo(from, "f", frame);
    for (int index = 1; (upvalue = lua_getupvalue(from, -1, index)); index++) {
        if (strcmp(upvalue, name) == 0) {
            lua_remove(from, -2);
            return true;
        }
        lua_pop(from, 1);
    }
    lua_pop(from, 1);
    return false;
}

/// Pushes to L what a name means in the failed frame; nil for a name that nothing defines.
static void push_named(lua_State *L, lua_State *from, lua_Debug *frame, const char *name) {
    if (push_local(from, frame, name) || push_upvalue(from, frame, name)) {
        lua_xmove(from, L, 1);
        return;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_environment);
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

/// Replaces the value on top by what it has under a key: `s` and a text, or `i` and a whole number.
static bool step_into(lua_State *L, const char *part) {
    if (!lua_istable(L, -1) || !part[0]) return false;
    if (part[0] == 'i') lua_pushinteger(L, strtoll(part + 1, NULL, 10));
    else lua_pushstring(L, part + 1);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    return true;
}

static void add(pg_buffer *answer, const char *text) {
    pg_append_text(answer, text);
    pg_append(answer, "", 1);
}

static void add_keys(lua_State *L, pg_buffer *answer) {
    char length[24];
    int kept = 0;
    snprintf(length, sizeof length, "%llu", (unsigned long long)lua_rawlen(L, -1));
    add(answer, length);
    lua_pushnil(L);
    while (kept < MAX_KEYS && answer->length < MAX_ANSWER_BYTES - MAX_KEY_BYTES && lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) continue;
        const char *key = lua_tostring(L, -1);
        size_t bytes = lua_rawlen(L, -1);
        if (bytes > MAX_KEY_BYTES || strlen(key) != bytes) continue;
        add(answer, key);
        kept++;
    }
}

static void add_value(lua_State *L, pg_buffer *answer) {
    bool is_null = lua_islightuserdata(L, -1) && !lua_touserdata(L, -1);
    add(answer, is_null ? "null" : lua_typename(L, lua_type(L, -1)));
    if (lua_istable(L, -1)) add_keys(L, answer);
    if (lua_isinteger(L, -1)) {
        char digits[24];
        snprintf(digits, sizeof digits, "%lld", (long long)lua_tointeger(L, -1));
        add(answer, digits);
    }
    if (lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) <= MAX_KEY_BYTES) add(answer, lua_tostring(L, -1));
}

typedef struct {
    const char *path, *end;
} name_path;

static int look_up(lua_State *L) {
    pg_state *s = pg_of(L);
    const name_path *names = lua_touserdata(L, 1);
    lua_Debug frame;
    if (!lua_checkstack(s->run, 4) || !pg_find_frame(s->run, &frame)) return 0;
    push_named(L, s->run, &frame, names->path);
    for (const char *part = names->path + strlen(names->path) + 1; part < names->end; part += strlen(part) + 1) {
        if (!step_into(L, part)) return 0;
    }
    add_value(L, &s->output);
    return 0;
}

/// Called through pg_guard.
static int look_up_protected(pg_state *s, void *names) {
    lua_pushcfunction(s->main, look_up);
    lua_pushlightuserdata(s->main, names);
    if (lua_pcall(s->main, 1, 0, 0) == LUA_OK) return PG_RETURNED;
    lua_pop(s->main, 1);
    return PG_FAILED;
}

pg_text pg_look_up(pg_state *s, const char *path, size_t length) {
    s->output.length = 0;
    // Only a run that an error has ended still has the frames where that happened.
    if (!s->run || lua_status(s->run) <= LUA_YIELD || length == 0 || path[length - 1] != 0) return (pg_text){NULL, 0};
    name_path names = {path, path + length};
    if (pg_guard(s, look_up_protected, &names) != PG_RETURNED) return (pg_text){NULL, 0};
    return s->output.length ? (pg_text){s->output.bytes, s->output.length} : (pg_text){NULL, 0};
}
