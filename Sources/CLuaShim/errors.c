// Raising errors as tables, and describing an error that nothing caught.
#include "state.h"

#include <stdio.h>
#include <string.h>

static void set_error_metatable(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_error) == LUA_TTABLE) lua_setmetatable(L, -2);
    else lua_pop(L, 1);
}

static void set_text(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

int pg_raise(lua_State *L, const char *code, const char *kind, const char *message, const char *hint) {
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 4);
    set_text(L, "code", code);
    set_text(L, "kind", kind);
    set_text(L, "message", message);
    set_text(L, "hint", hint);
    set_error_metatable(L);
    return lua_error(L);
}

int pg_raise_json(lua_State *L, const char *bytes, size_t length) {
    luaL_checkstack(L, 6, NULL);
    pg_decode(L, bytes, length);
    if (lua_istable(L, -1)) set_error_metatable(L);
    return lua_error(L);
}

int pg_raise_cancellation(lua_State *L, const char *bytes, size_t length) {
    luaL_checkstack(L, 6, NULL);
    pg_decode(L, bytes, length);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_cancellation) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushliteral(L, "cancelled");
        lua_setfield(L, -2, "__metatable");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_cancellation);
    }
    if (lua_istable(L, -2)) lua_setmetatable(L, -2);
    else lua_pop(L, 1);
    return lua_error(L);
}

bool pg_is_cancellation(lua_State *L, int index) {
    if (!lua_istable(L, index) || !lua_getmetatable(L, index)) return false;
    bool same = lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_cancellation) == LUA_TTABLE && lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static bool is_script(const lua_Debug *frame) {
    return frame->currentline > 0 && strncmp(frame->source, "=stdlib/", 8) != 0;
}

/// The path of a script in full; of a text that a script loads what Lua's own messages call it.
static const char *name_of(const lua_Debug *frame) {
    return frame->source[0] == '=' ? frame->source + 1 : frame->short_src;
}

bool pg_find_frame(lua_State *L, lua_Debug *frame) {
    for (int level = 0; lua_getstack(L, level, frame); level++) {
        if (lua_getinfo(L, "Sl", frame) && is_script(frame)) return true;
    }
    return false;
}

bool pg_find_script(lua_State *L, char *script, size_t size, int *line) {
    lua_Debug frame;
    if (!pg_find_frame(L, &frame)) return false;
    snprintf(script, size, "%s", name_of(&frame));
    *line = frame.currentline;
    return true;
}

static void write_traceback(pg_state *s, lua_State *from) {
    lua_Debug frame;
    char text[256];
    int kept = 0;
    s->traceback.length = 0;
    for (int level = 0; kept < 20 && lua_getstack(from, level, &frame); level++) {
        if (!lua_getinfo(from, "Sln", &frame) || !is_script(&frame)) continue;
        snprintf(text, sizeof text, "%s%s:%d in function '%s'", kept ? "\n" : "", name_of(&frame), frame.currentline,
                 frame.name ? frame.name : "?");
        pg_append_text(&s->traceback, text);
        kept++;
    }
}

/// Runs protected on the main state with the error object as its argument. Only fields are read: code of the script,
/// such as a `__tostring` of its own, is not run.
static int describe(lua_State *L) {
    pg_state *s = pg_of(L);
    size_t length;
    s->has_error_value = false;
    if (lua_istable(L, 1)) {
        if (pg_encode_value(L, 1, PG_FUNCTIONS_AS_TRUE)) {
            s->error_value.length = 0;
            s->has_error_value = pg_append(&s->error_value, s->output.bytes, s->output.length);
        }
        lua_pushliteral(L, "message");
        lua_rawget(L, 1);
    } else {
        lua_pushvalue(L, 1);
    }
    s->message.length = 0;
    if (lua_isstring(L, -1)) {
        const char *text = lua_tolstring(L, -1, &length);
        pg_append(&s->message, text, length < 8192 ? length : 8192);
    } else {
        pg_append_text(&s->message, "error value is ");
        pg_append_text(&s->message, lua_isnil(L, 1) ? "nil" : luaL_typename(L, 1));
        pg_append_text(&s->message, lua_istable(L, 1) ? " without a message" : "");
    }
    return 0;
}

void pg_describe(pg_state *s, lua_State *from) {
    s->line = 0;
    s->script[0] = 0;
    if (from != s->main) {
        pg_find_script(from, s->script, sizeof s->script, &s->line);
        write_traceback(s, from);
    }
    lua_pushcfunction(s->main, describe);
    if (from == s->main) lua_insert(from, -2);
    else lua_xmove(from, s->main, 1);
    if (lua_pcall(s->main, 1, 0, 0) != LUA_OK) {
        lua_pop(s->main, 1);
        s->message.length = 0;
        pg_append_text(&s->message, "an error that can't be described");
    }
}
