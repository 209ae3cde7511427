// Which Lua this program is linked with, and what is wrong with it: small programs in a bare state of their own.
#include "state.h"

#include <stdlib.h>

#define MAX_BYTES (4u << 20)
#define MAX_INSTRUCTIONS 1000000

const char *pg_lua_ident(void) { return lua_ident; }

int pg_lua_is_hardened(void) {
#ifdef PERIGEE_LUA
    return 1;
#else
    return 0;
#endif
}

static void *allocate_bounded(void *context, void *block, size_t old, size_t new) {
    size_t *used = context;
    if (!block) old = 0;
    if (new > old && *used + (new - old) > MAX_BYTES) return NULL;
    void *moved = NULL;
    if (new == 0) free(block);
    else if (!(moved = realloc(block, new))) return NULL;
    *used += new - old;
    return moved;
}

static void stop(lua_State *L, lua_Debug *frame) {
    (void)frame;
    luaL_error(L, "the probe does not end");
}

/// Runs protected with the program's text as its argument; returns what the program returns.
static int run_program(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base}, {LUA_COLIBNAME, luaopen_coroutine}, {LUA_STRLIBNAME, luaopen_string},
        {LUA_TABLIBNAME, luaopen_table}, {LUA_UTF8LIBNAME, luaopen_utf8}, {NULL, NULL},
    };
    for (const luaL_Reg *library = libraries; library->func; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    if (luaL_loadstring(L, lua_touserdata(L, 1)) != LUA_OK) return lua_error(L);
    lua_sethook(L, stop, LUA_MASKCOUNT, MAX_INSTRUCTIONS);
    lua_call(L, 0, 1);
    return 1;
}

int pg_probe(const char *program) {
    size_t used = 0;
    int result = PG_PROBE_FAILED;
    lua_State *L = lua_newstate(allocate_bounded, &used);
    if (!L) return result;
    lua_pushcfunction(L, run_program);
    lua_pushlightuserdata(L, (void *)program);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK) result = lua_toboolean(L, -1) ? PG_PROBE_SOUND : PG_PROBE_WRONG;
    lua_close(L);
    return result;
}
