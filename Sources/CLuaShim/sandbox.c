// The globals that the stdlib has, and the environment that scripts have.
#include "state.h"

#include <stdio.h>
#include <string.h>

#define MAX_LOADED_TEXT (1 << 20)

bool pg_find_module(pg_state *s, const char *name, size_t length) {
    pg_out(s);
    bool found = s->host.module(s->host.context, name, length);
    pg_in(s);
    if (s->starved) pg_end(s, PG_ENDED_MEMORY, NULL);
    return found;
}

int pg_load_chunk(lua_State *L, const char *bytecode, size_t length, const char *name, bool in_environment) {
    int status = luaL_loadbufferx(L, bytecode, length, name, "b");
    if (status == LUA_OK && in_environment) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_environment);
        if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
    }
    return status;
}

static const char too_long[] = "load: the text is longer than 1 MiB";

/// Joins the pieces that a reader function gives and pushes the text; returns NULL, or why there is none.
static const char *read_pieces(lua_State *L) {
    luaL_Buffer text;
    size_t total = 0;
    luaL_buffinit(L, &text);
    while (true) {
        lua_pushvalue(L, 1);
        lua_call(L, 0, 1);
        size_t length = 0;
        const char *piece = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
        if (!piece && !lua_isnil(L, -1)) return "reader function must return a string";
        total += length;
        if (total > MAX_LOADED_TEXT) return too_long;
        if (length == 0) {
            lua_pop(L, 1);
            luaL_pushresult(&text);
            return NULL;
        }
        luaL_addvalue(&text);
    }
}

static int refuse_text(lua_State *L, const char *why) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
}

static int sandbox_load(lua_State *L) {
    size_t length;
    bool is_text = lua_isstring(L, 1), has_environment = !lua_isnone(L, 4);
    if (!is_text) luaL_checktype(L, 1, LUA_TFUNCTION);
    const char *name = luaL_optstring(L, 2, is_text ? lua_tostring(L, 1) : "=(load)");
    // The stdlib's own chunks are left out of messages: a script must not pass for one.
    if (strncmp(name, "=stdlib/", 8) == 0) name = "=(load)";
    const char *why = is_text ? NULL : read_pieces(L);
    if (is_text) lua_pushvalue(L, 1);
    if (why) return refuse_text(L, why);
    const char *text = lua_tolstring(L, -1, &length);
    if (length > MAX_LOADED_TEXT) return refuse_text(L, too_long);
    if (luaL_loadbufferx(L, text, length, name, "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    if (has_environment) lua_pushvalue(L, 4);
    else lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_environment);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
    return 1;
}

/// The `__close` of the mark of a module that is being loaded: takes the mark away if the module has failed.
static int end_loading(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_modules);
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    if (!lua_rawequal(L, -1, 1)) return 0;
    lua_pop(L, 1);
    lua_pushnil(L);
    lua_rawset(L, -3);
    return 0;
}

static void push_loading_mark(lua_State *L, int name) {
    lua_newuserdatauv(L, 0, 1);
    lua_pushvalue(L, name);
    lua_setiuservalue(L, -2, 1);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, end_loading);
    lua_setfield(L, -2, "__close");
    lua_setmetatable(L, -2);
}

static int sandbox_require(lua_State *L) {
    pg_state *s = pg_of(L);
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    lua_settop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_modules);
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) != LUA_TNIL) {
        bool loading = lua_type(L, 3) == LUA_TUSERDATA && lua_getiuservalue(L, 3, 1) != LUA_TNONE;
        lua_settop(L, 3);
        if (!loading) return 1;
        lua_pushfstring(L, "the modules require each other in a circle: \"%s\" is being loaded already", name);
        return pg_raise(L, "PG1006", "script", lua_tostring(L, -1), "Move what both need into a third module.");
    }
    lua_pop(L, 1);
    if (strncmp(name, "stdlib/", 7) == 0 || !pg_find_module(s, name, length)) {
        lua_pushfstring(L, "there is no module \"%s\" in this version of the script", name);
        return pg_raise(L, "PG1006", "script", lua_tostring(L, -1),
                        "Require it by a name that stands in the script, require \"lib.name\", with lib/name.lua in "
                        "the scripts folder.");
    }
    push_loading_mark(L, 1);
    lua_toclose(L, 3);
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 3);
    lua_rawset(L, 2);
    if (pg_load_chunk(L, s->chunk.bytes, s->chunk.length, s->chunk_name, true) != LUA_OK) return lua_error(L);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushboolean(L, 1);
    }
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, 2);
    return 1;
}

static void refuse_field(lua_State *L, const char *name, const char *message, const char *hint) {
    lua_pushstring(L, name);
    if (lua_rawget(L, 2) != LUA_TNIL) pg_raise(L, "PG1002", "script", message, hint);
    lua_pop(L, 1);
}

static int sandbox_setmetatable(lua_State *L) {
    int kind = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, kind == LUA_TNIL || kind == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return luaL_error(L, "cannot change a protected metatable");
    if (kind == LUA_TTABLE) {
        refuse_field(L, "__gc", "`__gc` does not exist in workflow scripts",
                     "Release things in the script itself, or by `local x <close> = …`.");
        refuse_field(L, "__mode", "`__mode` does not exist in workflow scripts: what a weak table holds would depend "
                     "on when memory is collected", "Remove the entries yourself when they are no longer needed.");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int null_text(lua_State *L) {
    lua_pushstring(L, lua_touserdata(L, 1) ? "handle" : "null");
    return 1;
}

static void open_libraries(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base}, {LUA_STRLIBNAME, luaopen_string}, {LUA_TABLIBNAME, luaopen_table},
        {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}, {NULL, NULL},
    };
    for (const luaL_Reg *library = libraries; library->func; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    lua_getglobal(L, "string");
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string");
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    lua_pushlightuserdata(L, NULL);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, null_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "null");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

/// Seeds the random numbers, and notes where their state is: the upvalue of the function that does it.
static void open_random(lua_State *L) {
    pg_state *s = pg_of(L);
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    if (lua_getupvalue(L, -1, 1)) {
        s->random = lua_touserdata(L, -1);
        s->random_size = lua_rawlen(L, -1);
        lua_pop(L, 1);
    }
    lua_pushinteger(L, (lua_Integer)s->limits.seed);
    lua_call(L, 1, 0);
    // The seed is not left behind on the stack, where it would be all that two states differ in.
    for (int slot = 0; slot < 6; slot++) lua_pushinteger(L, 0);
    lua_pop(L, 7);
}

void pg_open_sandbox(lua_State *L) {
    static const char *const kept[] = {
        "assert", "error", "ipairs", "next", "pairs", "rawequal", "rawget", "rawlen", "rawset", "select",
        "getmetatable", "tonumber", "tostring", "type", "_VERSION", "math", "string", "table", "utf8",
        "coroutine", NULL,
    };
    static const luaL_Reg replaced[] = {
        {"load", sandbox_load}, {"require", sandbox_require}, {"setmetatable", sandbox_setmetatable}, {NULL, NULL},
    };
    open_libraries(L);
    pg_open_search(L);
    pg_open_coroutines(L);
    pg_open_order(L);
    pg_open_sort(L);
    pg_open_text(L);
    open_random(L);
    lua_createtable(L, 0, 64);
    for (int index = 0; kept[index]; index++) {
        lua_getglobal(L, kept[index]);
        lua_setfield(L, -2, kept[index]);
    }
    luaL_setfuncs(L, replaced, 0);
    pg_open_protect(L);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "_G");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_environment);
    lua_createtable(L, 0, 8);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_modules);
}
