// coroutine.resume and its kin, replaced so that a coroutine that stops for the host (a durable verb, the end of a
// time slice) stops everything around it too, and is not taken for a yield of its own.
#include "state.h"

static lua_State *coroutine_argument(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

static bool stops_for_host(const pg_state *s) { return s->suspending || s->preempted; }

/// Resumes `co` with `count` values that are on L's stack. Returns the number of results, now on L's stack, -1 for an
/// error, which is there then, or -2 if the host wants everything to stop.
static int resume(lua_State *L, lua_State *co, int count) {
    pg_state *s = pg_of(L);
    bool blocks = !lua_isyieldable(L);
    int results = 0, status;
    if (!lua_checkstack(co, count)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, co, count);
    s->blocked += blocks;
    do {
        s->preempted = false;
        s->current = co;
        status = lua_resume(co, L, count, &results);
        s->current = L;
        count = 0;
        // Where the script can't be left, a time slice is only noted.
    } while (status == LUA_YIELD && s->preempted && s->blocked);
    s->blocked -= blocks;
    if (status == LUA_YIELD && stops_for_host(s)) return -2;
    if (status == LUA_OK || status == LUA_YIELD) {
        if (!lua_checkstack(L, results + 1)) {
            lua_pop(co, results);
            lua_pushliteral(L, "too many results to resume");
            return -1;
        }
        lua_xmove(co, L, results);
        return results;
    }
    lua_xmove(co, L, 1);
    return -1;
}

static bool can_resume(lua_State *L, lua_State *co) {
    lua_Debug frame;
    if (co == L || pg_is_branch(L, co) || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &frame))) {
        lua_pushliteral(L, "cannot resume non-suspended coroutine");
        return false;
    }
    int status = lua_status(co);
    if (status != LUA_YIELD && (status != LUA_OK || lua_gettop(co) == 0)) {
        lua_pushliteral(L, "cannot resume dead coroutine");
        return false;
    }
    return true;
}

/// Runs the pending `__close` methods of `co`, which can't yield, and leaves the error, if there is one, on its stack.
static int close_thread(lua_State *L, lua_State *co) {
    pg_state *s = pg_of(L);
    s->current = co;
    s->blocked++;
#if LUA_VERSION_RELEASE_NUM >= 50406
    int status = lua_closethread(co, L);
#else
    int status = lua_resetthread(co);
#endif
    s->blocked--;
    s->current = L;
    return status;
}

static int resume_next(lua_State *L, int status, lua_KContext context);

static int resume_results(lua_State *L, int results) {
    if (results == -2) return lua_yieldk(L, 0, 0, resume_next);
    if (results < 0) {
        if (pg_is_cancellation(L, -1)) return lua_error(L);
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_insert(L, -(results + 1));
    return results + 1;
}

static int resume_next(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    lua_settop(L, 1);
    return resume_results(L, resume(L, lua_tothread(L, 1), 0));
}

static int co_resume(lua_State *L) {
    lua_State *co = coroutine_argument(L);
    if (!can_resume(L, co)) return resume_results(L, -1);
    return resume_results(L, resume(L, co, lua_gettop(L) - 1));
}

static int wrap_next(lua_State *L, int status, lua_KContext context);

static int wrap_results(lua_State *L, lua_State *co, int results) {
    if (results == -2) return lua_yieldk(L, 0, 0, wrap_next);
    if (results >= 0) return results;
    int status = lua_status(co);
    if (status != LUA_OK && status != LUA_YIELD) {
        lua_xmove(L, co, 1);
        close_thread(L, co);
        lua_xmove(co, L, 1);
    }
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap_next(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    lua_settop(L, 0);
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    return wrap_results(L, co, resume(L, co, 0));
}

static int wrapped(lua_State *L) {
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    if (!can_resume(L, co)) return wrap_results(L, co, -1);
    return wrap_results(L, co, resume(L, co, lua_gettop(L)));
}

static int co_wrap(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

static int co_close(lua_State *L) {
    lua_State *co = coroutine_argument(L);
    lua_Debug frame;
    if (co == L || pg_is_branch(L, co) || (lua_status(co) == LUA_OK && lua_getstack(co, 0, &frame))) {
        return luaL_error(L, "cannot close a coroutine that runs");
    }
    int status = close_thread(L, co);
    lua_pushboolean(L, status == LUA_OK);
    if (status == LUA_OK) return 1;
    lua_xmove(co, L, 1);
    if (pg_is_cancellation(L, -1)) return lua_error(L);
    return 2;
}

/// Whether a callback of string.gsub or table.sort is being run by `L`. Verbs may wait there; a coroutine's own yield
/// is refused as in stock Lua.
static bool is_in_callback(lua_State *L) {
    lua_Debug frame;
    for (int level = 1; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "f", &frame);
        lua_CFunction function = lua_tocfunction(L, -1);
        lua_pop(L, 1);
        if (function && (function == pg_gsub || function == pg_sort)) return true;
    }
    return false;
}

static int co_yield(lua_State *L) {
    const char *refusal = NULL;
    if (L == pg_of(L)->run || L == pg_of(L)->main) refusal = "attempt to yield from outside a coroutine";
    else if (pg_of(L)->has_called_back && is_in_callback(L)) refusal = "attempt to yield across a C-call boundary";
    if (refusal) {
        lua_pushstring(L, refusal);
        return lua_error(L);
    }
    return lua_yield(L, lua_gettop(L));
}

static int co_running(lua_State *L) {
    lua_pushthread(L);
    lua_pushboolean(L, L == pg_of(L)->run);
    return 2;
}

static int co_isyieldable(lua_State *L) {
    lua_pushboolean(L, L != pg_of(L)->run && lua_isyieldable(L));
    return 1;
}

void pg_open_coroutines(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"resume", co_resume}, {"wrap", co_wrap}, {"yield", co_yield}, {"close", co_close},
        {"running", co_running}, {"isyieldable", co_isyieldable}, {NULL, NULL},
    };
    luaL_requiref(L, "coroutine", luaopen_coroutine, 1);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
