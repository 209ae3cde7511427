// The coroutines of a run's branches. The host decides which of them runs; to scripts each looks like a main program.
#include "state.h"

/// A table in the registry has each coroutine under its number, and its number under the coroutine.
static void push_branches(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_branches) == LUA_TTABLE) return;
    lua_pop(L, 1);
    lua_createtable(L, 1, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_branches);
}

/// Takes the coroutine on top of the stack.
void pg_keep_branch(lua_State *L, int number) {
    luaL_checkstack(L, 4, NULL);
    push_branches(L);
    // The one that had the number before is no branch any more.
    if (lua_rawgeti(L, -1, number) == LUA_TTHREAD) {
        lua_pushnil(L);
        lua_rawset(L, -3);
    } else {
        lua_pop(L, 1);
    }
    lua_pushvalue(L, -2);
    lua_pushinteger(L, number);
    lua_rawset(L, -3);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -2, number);
    lua_pop(L, 2);
}

/// host.fork(number, function): the branch runs when the host says so.
int pg_fork(lua_State *L) {
    lua_Integer number = luaL_checkinteger(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    luaL_argcheck(L, number > 0 && number <= INT32_MAX, 1, "out of range");
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 2);
    lua_xmove(L, co, 1);
    pg_keep_branch(L, (int)number);
    return 0;
}

/// Makes the branch the one that runs. It looks into a table, so it is called inside pg_guard.
bool pg_enter_branch(pg_state *s, int number) {
    lua_State *L = s->main;
    if (!lua_checkstack(L, 4)) return false;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_branches) == LUA_TTABLE) {
        lua_rawgeti(L, -1, number);
        lua_State *co = lua_tothread(L, -1);
        lua_pop(L, 2);
        if (co) s->run = co;
        return co != NULL;
    }
    lua_pop(L, 1);
    return false;
}

/// Called through pg_guard. Fields that are there are only cleared, so nothing is allocated.
static int drop(pg_state *s, void *context) {
    const int *number = context;
    lua_State *L = s->main;
    if (!lua_checkstack(L, 4)) return PG_RETURNED;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_branches);
    if (lua_rawgeti(L, -1, *number) == LUA_TTHREAD) {
        lua_pushnil(L);
        lua_rawset(L, -3);
        lua_pushnil(L);
        lua_rawseti(L, -2, *number);
    } else {
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return PG_RETURNED;
}

void pg_drop_branch(pg_state *s, int number) {
    pg_guard(s, drop, &number);
}

bool pg_is_branch(lua_State *L, lua_State *co) {
    luaL_checkstack(L, 3, NULL);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_branches) != LUA_TTABLE) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushthread(co);
    lua_xmove(co, L, 1);
    bool found = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return found;
}
