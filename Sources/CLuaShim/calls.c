// The table `host`: the host's functions, and what the stdlib needs of C.
#include "state.h"

#include <stdio.h>
#include <string.h>

static int raise_encoding(lua_State *L) {
    pg_state *s = pg_of(L);
    if (s->starved) pg_end(s, PG_ENDED_MEMORY, NULL);
    lua_pushlstring(L, s->message.bytes, s->message.length);
    return pg_raise(L, "PG1020", "validation", lua_tostring(L, -1),
                    "Keep plain data only: text, numbers, true, false, lists and tables.");
}

/// Gives the host's answer to the script.
static int deliver(lua_State *L) {
    pg_state *s = pg_of(L);
    if (s->starved) pg_end(s, PG_ENDED_MEMORY, NULL);
    if (s->reply_kind == PG_FAILURE) return pg_raise_json(L, s->reply.bytes, s->reply.length);
    if (s->reply_kind == PG_CANCELLATION) return pg_raise_cancellation(L, s->reply.bytes, s->reply.length);
    if (s->reply_kind != PG_VALUE) return 0;
    luaL_checkstack(L, 6, NULL);
    pg_decode(L, s->reply.bytes, s->reply.length);
    return 1;
}

static int resumed(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    return deliver(L);
}

static int refuse_waiting(lua_State *L) {
    const char *label = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "this step";
    lua_pushfstring(
        L, "\"%s\" can't wait here: it is called from a place that Lua can't leave and come back to", label);
    return pg_raise(L, "PG1010", "script", lua_tostring(L, -1),
                    "Call it before or after, not inside: a module's first run, a message handler of xpcall, a reader "
                    "of load, a `__tostring` that string.format calls, or a metamethod that table.concat, insert, "
                    "remove, move or unpack call.");
}

static int call_host(lua_State *L) {
    pg_state *s = pg_of(L);
    bool may_wait = lua_toboolean(L, lua_upvalueindex(2));
    char script[128] = "";
    int line = 0;
    if (s->refusal_pending) pg_end(s, PG_ENDED_MEMORY, NULL);
    if (may_wait && (!lua_isyieldable(L) || s->blocked)) return refuse_waiting(L);
    pg_out(s);
    bool written = pg_encode_arguments(L, lua_gettop(L));
    if (written) {
        pg_find_script(L, script, sizeof script, &line);
        s->reply.length = 0;
        s->reply_kind = s->host.call(s->host.context, (int)lua_tointeger(L, lua_upvalueindex(1)), s->output.bytes,
                                     s->output.length, s->secrets.bytes, s->secrets.length, script, line);
    }
    pg_in(s);
    if (!written) return raise_encoding(L);
    if (!may_wait) return deliver(L);
    // What is answered at once, as in a replay, yields all the same: how deep calls may nest counts from the last wait.
    s->suspending = true;
    s->is_answered = s->reply_kind != PG_SUSPEND;
    return lua_yieldk(L, 0, 0, resumed);
}

static int host_secret(lua_State *L) {
    size_t length;
    const char *name = luaL_checklstring(L, 1, &length);
    bool plain = length > 0 && length <= 128;
    for (size_t at = 0; at < length; at++) {
        char c = name[at];
        plain = plain && ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    }
    if (!plain) {
        return pg_raise(L, "PG1011", "script", "secret: the name is not made of letters, digits and underscores",
                        "Write for example secret \"CRM_TOKEN\".");
    }
    char *kept = lua_newuserdatauv(L, length + 1, 0);
    memcpy(kept, name, length + 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_secret);
    lua_setmetatable(L, -2);
    return 1;
}

static int secret_text(lua_State *L) {
    lua_pushfstring(L, "secret:%s", (const char *)lua_touserdata(L, 1));
    return 1;
}

static int secret_refused(lua_State *L) {
    int at = lua_isuserdata(L, 1) ? 1 : 2;
    lua_pushfstring(L, "the secret %s can't be read or joined to text", (const char *)lua_touserdata(L, at));
    return pg_raise(L, "PG1021", "script", lua_tostring(L, -1),
                    "Give it to http as `auth`, in `headers` or in `json`.");
}

static int host_array(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1)) lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_array);
    lua_setmetatable(L, 1);
    return 1;
}

static int host_is_array(lua_State *L) {
    bool same = false;
    if (lua_istable(L, 1) && lua_getmetatable(L, 1)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_array);
        same = lua_rawequal(L, -1, -2);
    }
    lua_pushboolean(L, same);
    return 1;
}

static int host_errormeta(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_error);
    return 0;
}

static int host_json_encode(lua_State *L) {
    pg_state *s = pg_of(L);
    luaL_checkany(L, 1);
    pg_out(s);
    bool written = pg_encode_value(L, 1, 0);
    pg_in(s);
    if (!written) return raise_encoding(L);
    lua_pushlstring(L, s->output.bytes, s->output.length);
    return 1;
}

static int host_json_decode(lua_State *L) {
    size_t length;
    if (lua_type(L, 1) != LUA_TSTRING) {
        return pg_raise(L, "PG1020", "validation", "flow.json.decode needs text", "Give it the text of a JSON value.");
    }
    const char *text = lua_tolstring(L, 1, &length);
    pg_decode(L, text, length);
    return 1;
}

/// host.is_cancellation(value): whether this is the error that scripts can't catch.
static int host_is_cancellation(lua_State *L) {
    luaL_checkany(L, 1);
    lua_pushboolean(L, pg_is_cancellation(L, 1));
    return 1;
}

/// host.load(name): runs a piece of the stdlib once, with (host, environment).
static int host_load(lua_State *L) {
    pg_state *s = pg_of(L);
    const char *name = luaL_checkstring(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_pieces);
    if (lua_getfield(L, -1, name) != LUA_TNIL) return 1;
    const char *full = lua_pushfstring(L, "stdlib/%s", name);
    if (!pg_find_module(s, full, strlen(full))) return luaL_error(L, "no piece '%s'", name);
    if (pg_load_chunk(L, s->chunk.bytes, s->chunk.length, s->chunk_name, false) != LUA_OK) return lua_error(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_host);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_environment);
    lua_call(L, 2, 1);
    if (lua_isnil(L, -1)) lua_pop(L, 1), lua_pushboolean(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &pg_key_pieces);
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
    return 1;
}

static void make_metatables(lua_State *L) {
    static const luaL_Reg secret[] = {
        {"__tostring", secret_text}, {"__index", secret_refused}, {"__concat", secret_refused},
        {"__len", secret_refused}, {NULL, NULL},
    };
    lua_createtable(L, 0, 6);
    luaL_setfuncs(L, secret, 0);
    lua_pushliteral(L, "secret");
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_secret);
    lua_createtable(L, 0, 2);
    lua_pushliteral(L, "array");
    lua_setfield(L, -2, "__metatable");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_array);
}

void pg_open_host(lua_State *L, const char *const *functions, int count) {
    static const luaL_Reg own[] = {
        {"secret", host_secret}, {"array", host_array}, {"is_array", host_is_array}, {"errormeta", host_errormeta},
        {"load", host_load}, {"json_encode", host_json_encode}, {"json_decode", host_json_decode},
        {"fork", pg_fork}, {"is_cancellation", host_is_cancellation}, {"to_base64", pg_to_base64},
        {"from_base64", pg_from_base64}, {NULL, NULL},
    };
    make_metatables(L);
    lua_createtable(L, 0, count + 8);
    luaL_setfuncs(L, own, 0);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    for (int index = 0; index < count; index++) {
        lua_pushinteger(L, index);
        lua_pushboolean(L, strncmp(functions[index], "await_", 6) == 0);
        lua_pushcclosure(L, call_host, 2);
        lua_setfield(L, -2, functions[index]);
    }
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_host);
    lua_createtable(L, 0, 16);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &pg_key_pieces);
}
