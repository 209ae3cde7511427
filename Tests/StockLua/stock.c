#include "stock.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

static int open_libraries(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base}, {LUA_STRLIBNAME, luaopen_string}, {LUA_TABLIBNAME, luaopen_table},
        {LUA_MATHLIBNAME, luaopen_math}, {LUA_UTF8LIBNAME, luaopen_utf8}, {LUA_COLIBNAME, luaopen_coroutine},
        {NULL, NULL},
    };
    for (const luaL_Reg *library = libraries; library->func; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    return 0;
}

static lua_State *make(void) {
    lua_State *L = luaL_newstate();
    if (!L) return NULL;
    lua_pushcfunction(L, open_libraries);
    if (lua_pcall(L, 0, 0, 0) == LUA_OK) return L;
    lua_close(L);
    return NULL;
}

int stock_lua_make(void) {
    lua_State *L = make();
    if (L) lua_close(L);
    return L != NULL;
}

/// The table of printed lines is the upvalue.
static int print(lua_State *L) {
    int count = lua_gettop(L);
    luaL_Buffer line;
    luaL_buffinit(L, &line);
    for (int index = 1; index <= count; index++) {
        if (index > 1) luaL_addchar(&line, '\t');
        luaL_tolstring(L, index, NULL);
        luaL_addvalue(&line);
    }
    luaL_addchar(&line, '\n');
    luaL_pushresult(&line);
    lua_rawseti(L, lua_upvalueindex(1), (lua_Integer)lua_rawlen(L, lua_upvalueindex(1)) + 1);
    return 0;
}

typedef struct {
    const char *text;
    size_t length;
    char *output;
    size_t output_length;
    int completed;
} running;

/// Leaves the text of all lines on the stack and copies it out.
static void keep_output(lua_State *L, int lines, running *r) {
    luaL_Buffer all;
    luaL_buffinit(L, &all);
    for (lua_Integer index = 1; lua_rawgeti(L, lines, index) != LUA_TNIL; index++) luaL_addvalue(&all);
    lua_pop(L, 1);
    luaL_pushresult(&all);
    const char *text = lua_tolstring(L, -1, &r->output_length);
    r->output = malloc(r->output_length + 1);
    if (r->output) memcpy(r->output, text, r->output_length + 1);
}

static int run(lua_State *L) {
    running *r = lua_touserdata(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, print, 1);
    lua_setglobal(L, "print");
    int status = luaL_loadbufferx(L, r->text, r->length, "=test.lua", "t");
    if (status == LUA_OK) status = lua_pcall(L, 0, 0, 0);
    r->completed = status == LUA_OK;
    if (!r->completed) {
        luaL_tolstring(L, -1, NULL);
        lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
    }
    keep_output(L, 2, r);
    return 0;
}

int stock_lua_run(const char *text, size_t length, char **output, size_t *output_length) {
    lua_State *L = make();
    if (!L) return -1;
    running r = {text, length, NULL, 0, 0};
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, &r);
    lua_pcall(L, 1, 0, 0);
    lua_close(L);
    if (!r.output) return -1;
    *output = r.output;
    *output_length = r.output_length;
    return r.completed;
}
