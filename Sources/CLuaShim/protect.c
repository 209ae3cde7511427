// pcall and xpcall for scripts: as in stock Lua, but what cancels a branch goes on up.
#include "state.h"

/// Gives what a protected call ended with. Below the results stand as many values as `context` says.
static int finish(lua_State *L, int status, lua_KContext context) {
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)context;
    if (pg_is_cancellation(L, -1)) return lua_error(L);
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

static int protected_call(lua_State *L) {
    // Stock Lua finds the name of its own function for this message.
    if (lua_isnone(L, 1)) return luaL_error(L, "bad argument #1 to 'pcall' (value expected)");
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, finish);
    return finish(L, status, 0);
}

static int protected_call_with_handler(lua_State *L) {
    int count = lua_gettop(L);
    if (!lua_isfunction(L, 2)) {
        const char *got = lua_islightuserdata(L, 2) ? "light userdata" : luaL_typename(L, 2);
        return luaL_error(L, "bad argument #2 to 'xpcall' (function expected, got %s)", got);
    }
    // Stack: the function, the handler, `true`, the function, its arguments.
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    int status = lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, finish);
    return finish(L, status, 2);
}

/// Puts both into the table on top of the stack.
void pg_open_protect(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"pcall", protected_call}, {"xpcall", protected_call_with_handler}, {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
