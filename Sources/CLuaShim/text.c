// tostring and string.format without addresses: an object is written with a number, counted in the order in which
// objects are first written. And math.randomseed without the time.
#include "state.h"

#include <math.h>
#include <string.h>

static const char key_objects;

static bool is_object(lua_State *L, int index) {
    int kind = lua_type(L, index);
    return kind == LUA_TTABLE || kind == LUA_TFUNCTION || kind == LUA_TTHREAD || kind == LUA_TUSERDATA
        || kind == LUA_TLIGHTUSERDATA;
}

static lua_Integer number_of_object(lua_State *L, int index) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_objects);
    lua_pushvalue(L, index);
    if (lua_rawget(L, -2) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_pushvalue(L, index);
        lua_pushinteger(L, ++pg_of(L)->object_count);
        lua_pushvalue(L, -1);
        lua_insert(L, -3);
        lua_rawset(L, -4);
    }
    lua_Integer number = lua_tointeger(L, -1);
    lua_pop(L, 2);
    return number;
}

/// Pushes the text of a value that has no `__tostring`.
static void push_text(lua_State *L, int index) {
    if (is_object(L, index)) {
        const char *kind = luaL_typename(L, index);
        lua_Integer number = number_of_object(L, index);
        int named = luaL_getmetafield(L, index, "__name");
        if (named == LUA_TSTRING) kind = lua_tostring(L, -1);
        lua_pushfstring(L, "%s: %I", kind, (LUAI_UACINT)number);
        if (named != LUA_TNIL) lua_remove(L, -2);
    } else if (lua_type(L, index) == LUA_TNUMBER && isnan(lua_tonumber(L, index))) {
        lua_pushliteral(L, "nan");
    } else {
        luaL_tolstring(L, index, NULL);
    }
}

static int check_text(lua_State *L) {
    if (!lua_isstring(L, -1)) return luaL_error(L, "'__tostring' must return a string");
    lua_tostring(L, -1);
    return 1;
}

static int text_made(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    return check_text(L);
}

static int plain_tostring(lua_State *L) {
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) {
        push_text(L, 1);
        return 1;
    }
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 1, 0, text_made);
    return check_text(L);
}

/// Puts a text in the place of an argument of `%s`.
static void replace_by_text(lua_State *L, int index) {
    if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
        lua_pushvalue(L, index);
        lua_call(L, 1, 1);
        check_text(L);
    } else {
        push_text(L, index);
    }
    lua_replace(L, index);
}

static int refuse_address(lua_State *L) {
    return pg_raise(L, "PG1041", "script", "string.format: `%p` writes an address, which differs on every machine",
                    "Write the object with `%s` or tostring: it gets a number that is the same in every process.");
}

/// Makes the arguments such that the stock function, which is called in this very frame, writes no address. So its
/// errors name the caller's line and arguments.
static int plain_format(lua_State *L) {
    lua_CFunction stock = lua_tocfunction(L, lua_upvalueindex(1));
    int last = lua_gettop(L), argument = 1;
    size_t length;
    const char *format = luaL_checklstring(L, 1, &length), *end = format + length;
    for (const char *at = format; at < end; at++) {
        if (*at != '%') continue;
        if (++at < end && *at == '%') continue;
        while (at < end && *at && strchr("-+ #0123456789.", *at)) at++;
        if (at == end || ++argument > last) break;
        if (*at == 'p') return refuse_address(L);
        luaL_checkstack(L, 8, NULL);
        int kind = lua_type(L, argument);
        // The sign of a NaN differs between processors.
        if (kind == LUA_TNUMBER && isnan(lua_tonumber(L, argument))) {
            if (*at == 's') lua_pushliteral(L, "nan");
            else lua_pushnumber(L, copysign(lua_tonumber(L, argument), 1));
            lua_replace(L, argument);
        } else if (*at == 's' && kind != LUA_TSTRING) {
            replace_by_text(L, argument);
        }
    }
    return stock(L);
}

/// Seeds from the run's own seed when there is no argument. The stock function, called in this very frame, finds its
/// generator in the first upvalue.
static int plain_randomseed(lua_State *L) {
    lua_CFunction stock = lua_tocfunction(L, lua_upvalueindex(2));
    if (lua_gettop(L) == 0) lua_pushinteger(L, (lua_Integer)pg_of(L)->limits.seed);
    return stock(L);
}

void pg_open_text(lua_State *L) {
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "k");
    lua_setfield(L, -2, "__mode");
    pg_of(L)->weak = lua_topointer(L, -1);
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_objects);

    lua_pushcfunction(L, plain_tostring);
    lua_setglobal(L, "tostring");

    lua_getglobal(L, "string");
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, plain_format, 1);
    lua_setfield(L, -2, "format");

    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_getupvalue(L, -1, 1);
    lua_insert(L, -2);
    lua_pushcclosure(L, plain_randomseed, 2);
    lua_setfield(L, -2, "randomseed");
    lua_pop(L, 2);
}
