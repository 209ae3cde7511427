// `pairs` and `next` in one order, the same in every process: numbers ascending, strings by their bytes, false, true.
// Both go over a snapshot of the keys: a field may be assigned or removed meanwhile, and a new one is not visited.
#include "state.h"

#include <string.h>

/// So many keys stand in the upvalues of the iterator; more stand in a table.
#define FEW 200

/// The keys of the table at index 1. A list has none of the records: its keys are 1 to `count`. The other keys
/// are kept on the stack from `first` on, or in a table there.
typedef struct {
    pg_sort_key *keys;
    size_t count, room;
    bool is_list;
    int first;
    uint32_t kept;
} key_set;

/// Says which keys have no order. All of them are looked at, since the first of them is a matter of chance.
static int refuse_keys(lua_State *L, const char *function) {
    static const char *const words[] = {"flow.json.null", "a table", "a function", "a coroutine", "a handle"};
    bool found[5] = {false};
    lua_settop(L, 1);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        switch (lua_type(L, -1)) {
            case LUA_TLIGHTUSERDATA: found[lua_touserdata(L, -1) ? 4 : 0] = true; break;
            case LUA_TTABLE: found[1] = true; break;
            case LUA_TFUNCTION: found[2] = true; break;
            case LUA_TTHREAD: found[3] = true; break;
            case LUA_TUSERDATA: found[4] = true; break;
            default: break;
        }
    }
    int which = 0;
    while (which < 4 && !found[which]) which++;
    lua_pushfstring(L, "%s: this table has %s as a key, and such keys have no order that is the same on every machine",
                    function, words[which]);
    return pg_raise(L, "PG1040", "script", lua_tostring(L, -1),
                    "Keep the keys in a list beside the table and go over that, or use an id of the object as a key.");
}

/// Moves the keys that are kept on the stack to a table, which stays there; the key on top stays on top.
static void keep_in_table(lua_State *L, const key_set *set) {
    lua_createtable(L, 2 * FEW, 0);
    lua_insert(L, set->first);
    for (uint32_t place = 0; place < set->kept; place++) {
        lua_pushvalue(L, set->first + 1 + (int)place);
        lua_rawseti(L, set->first, (lua_Integer)place + 1);
    }
    lua_replace(L, set->first + 1);
    lua_settop(L, set->first + 1);
}

static pg_sort_key *reserve(lua_State *L, key_set *set) {
    set->room = set->count + set->count / 2 + 64;
    return pg_reserve_keys(L, set->room);
}

/// Adds the key below the value on top of the stack, and leaves the key on top.
static void add_key(lua_State *L, key_set *set, const char *function) {
    if (set->count == set->room) set->keys = reserve(L, set);
    pg_sort_key *key = &set->keys[set->count++];
    if (set->kept == FEW) {
        lua_pop(L, 1);
        keep_in_table(L, set);
        lua_pushnil(L);
    }
    // The key stays where it is, and once more in the place of the value.
    lua_copy(L, -2, -1);
    if (!pg_read_key(L, -1, key)) refuse_keys(L, function);
    key->place = set->kept++;
    if (set->kept > FEW) lua_rawseti(L, set->first, set->kept);
    else if (set->kept % 16 == 0) luaL_checkstack(L, 24, NULL);
}

static void collect(lua_State *L, key_set *set, const char *function) {
    *set = (key_set){.is_list = true, .first = lua_gettop(L) + 1};
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        if (set->is_list) {
            if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == (lua_Integer)set->count + 1) {
                set->count++;
                lua_pop(L, 1);
                continue;
            }
            set->is_list = false;
            set->keys = reserve(L, set);
            for (size_t at = 0; at < set->count; at++) set->keys[at] = pg_integer_key((lua_Integer)at + 1);
        }
        add_key(L, set, function);
    }
    if (!set->is_list) set->keys = pg_sort_keys(L, set->count);
}

static void push_key(lua_State *L, const key_set *set, size_t at) {
    const pg_sort_key *key = &set->keys[at];
    switch (key->kind) {
        case PG_KEY_INTEGER: lua_pushinteger(L, key->integer); break;
        case PG_KEY_FLOAT: lua_pushnumber(L, key->number); break;
        case PG_KEY_STRING:
            if (set->kept <= FEW) lua_pushvalue(L, set->first + (int)key->place);
            else lua_rawgeti(L, set->first, (lua_Integer)key->place + 1);
            break;
        default: lua_pushboolean(L, key->kind == PG_KEY_TRUE);
    }
}

static void push_key_table(lua_State *L, const key_set *set) {
    lua_createtable(L, (int)set->count, 0);
    for (size_t at = 0; at < set->count; at++) {
        push_key(L, set, at);
        lua_rawseti(L, -2, (lua_Integer)at + 1);
    }
}

static int invalid_key(lua_State *L) {
    lua_pushliteral(L, "invalid key to 'next'");
    return lua_error(L);
}

/// The iterator of a list; its upvalue is the last index.
static int next_in_list(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer count = lua_tointeger(L, lua_upvalueindex(1)), index = lua_tointeger(L, 2);
    if (index < 0 || (index == 0 && !lua_isnoneornil(L, 2))) return invalid_key(L);
    while (index < count) {
        index++;
        lua_pushinteger(L, index);
        if (lua_rawgeti(L, 1, index) != LUA_TNIL) return 2;
        lua_pop(L, 2);
    }
    lua_pushnil(L);
    return 1;
}

/// Where a key stands among the upvalues; 0 for none, before the first. It is nearly always where the last step of any
/// iterator came to.
static int place_of_key(lua_State *L) {
    int place = pg_of(L)->pairs_place;
    if (lua_rawequal(L, 2, lua_upvalueindex(place))) return place;
    if (lua_isnoneornil(L, 2)) return 0;
    for (place = 1; !lua_isnone(L, lua_upvalueindex(place)); place++) {
        if (lua_rawequal(L, 2, lua_upvalueindex(place))) return place;
    }
    return invalid_key(L);
}

/// The iterator of few keys, which are its upvalues.
static int next_of_few(lua_State *L) {
    if (!lua_istable(L, 1)) luaL_checktype(L, 1, LUA_TTABLE);
    for (int place = place_of_key(L) + 1;; place++) {
        // Behind the last one there is none, which is pushed as nil.
        lua_pushvalue(L, lua_upvalueindex(place));
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL) {
            pg_of(L)->pairs_place = place;
            return 2;
        }
        if (lua_isnil(L, -2)) return 1;
        lua_pop(L, 2);
    }
}

/// Pushes the first key of a snapshot behind `position` that the table still has, and its value; returns the key's
/// position, or 0 and nothing pushed. The snapshot is a table of keys, or the length of a list.
static lua_Integer advance(lua_State *L, int keys, lua_Integer position) {
    if (lua_isinteger(L, keys)) {
        for (lua_Integer count = lua_tointeger(L, keys); position < count;) {
            lua_pushinteger(L, ++position);
            if (lua_rawgeti(L, 1, position) != LUA_TNIL) return position;
            lua_pop(L, 2);
        }
        return 0;
    }
    while (lua_rawgeti(L, keys, ++position) != LUA_TNIL) {
        lua_pushvalue(L, -1);
        if (lua_rawget(L, 1) != LUA_TNIL) return position;
        lua_pop(L, 2);
    }
    lua_pop(L, 1);
    return 0;
}

/// The iterator of many keys; its upvalues are the position and the table of the keys.
static int next_of_many(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    bool begins = lua_isnoneornil(L, 2);
    lua_Integer position = advance(L, lua_upvalueindex(2), begins ? 0 : lua_tointeger(L, lua_upvalueindex(1)));
    if (!position) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, position);
    lua_replace(L, lua_upvalueindex(1));
    return 2;
}

static void push_iterator(lua_State *L) {
    key_set set;
    collect(L, &set, "pairs");
    if (set.is_list) {
        lua_pushinteger(L, (lua_Integer)set.count);
        lua_pushcclosure(L, next_in_list, 1);
    } else if (set.count <= FEW) {
        luaL_checkstack(L, (int)set.count + 4, NULL);
        for (size_t at = 0; at < set.count; at++) push_key(L, &set, at);
        lua_pushcclosure(L, next_of_few, (int)set.count);
    } else {
        lua_pushinteger(L, 0);
        push_key_table(L, &set);
        lua_pushcclosure(L, next_of_many, 2);
    }
    pg_release_keys(pg_of(L));
}

static int pairs_called(lua_State *L, int status, lua_KContext context) {
    (void)L, (void)status, (void)context;
    return 3;
}

/// Refuses as stock Lua does, where the loop's first step fails.
static void check_traversed(lua_State *L) {
    if (lua_istable(L, 1)) return;
    luaL_error(L, "bad argument #1 to 'for iterator' (table expected, got %s)", luaL_typename(L, 1));
}

static int ordered_pairs(lua_State *L) {
    luaL_checkany(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        lua_callk(L, 1, 3, 0, pairs_called);
        return 3;
    }
    check_traversed(L);
    lua_settop(L, 1);
    push_iterator(L);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

// `next` is stateless for scripts. The traversals that are under way, each with its snapshot, are kept so that a step
// costs no more than one of `pairs`: the table and the snapshot in a table that is the upvalue of `next`, the rest in
// the state. A step of a traversal that had to make room begins it again.

static void keep(lua_State *L, int place, int table, int keys) {
    lua_pushvalue(L, table);
    lua_rawseti(L, lua_upvalueindex(1), 2 * place + 1);
    lua_pushvalue(L, keys);
    lua_rawseti(L, lua_upvalueindex(1), 2 * place + 2);
}

static bool is_later(lua_State *L, int index, const pg_sort_key *string) {
    size_t length;
    const char *text = lua_tolstring(L, index, &length);
    int order = memcmp(text, string->text, length < string->length ? length : string->length);
    return order ? order > 0 : length > string->length;
}

/// Gives the least key.
static int first_key(lua_State *L) {
    pg_sort_key least, key;
    bool found = false;
    lua_settop(L, 1);
    lua_pushnil(L);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        // Among strings no record is needed to see that one comes later.
        if (found && least.kind == PG_KEY_STRING && lua_type(L, 3) == LUA_TSTRING && is_later(L, 3, &least)) continue;
        if (!pg_read_key(L, 3, &key)) return refuse_keys(L, "next");
        if (found && !pg_key_less(&key, &least)) continue;
        least = key;
        found = true;
        lua_copy(L, 3, 2);
    }
    if (!found) return 1;
    lua_pushvalue(L, 2);
    lua_rawget(L, 1);
    return 2;
}

/// Pushes the snapshot of the traversal of the table at index 1 that has come to the key at index 2; NULL if none has.
static pg_traversal *find_traversal(lua_State *L) {
    pg_state *s = pg_of(L);
    const void *table = lua_topointer(L, 1);
    for (int place = 0; place < PG_TRAVERSALS; place++) {
        pg_traversal *traversal = &s->traversals[place];
        if (traversal->table != table) continue;
        if (lua_rawgeti(L, lua_upvalueindex(1), 2 * place + 2) == LUA_TNUMBER) lua_pushinteger(L, traversal->position);
        else lua_rawgeti(L, -1, traversal->position);
        bool same = lua_rawequal(L, -1, 2);
        lua_pop(L, 1);
        if (same) return traversal;
        lua_pop(L, 1);
    }
    return NULL;
}

/// Begins a traversal behind the key at index 2 and pushes its snapshot.
static pg_traversal *begin_traversal(lua_State *L) {
    pg_state *s = pg_of(L);
    key_set set;
    pg_sort_key last;
    // Lua itself knows whether the table has the key, or had it until the script took it out a moment ago.
    lua_pushvalue(L, 2);
    lua_next(L, 1);
    lua_settop(L, 2);
    collect(L, &set, "next");
    if (!pg_read_key(L, 2, &last)) invalid_key(L);
    size_t position = 0;
    for (size_t high = set.count; position < high;) {
        size_t middle = position + (high - position) / 2;
        pg_sort_key key = pg_integer_key((lua_Integer)middle + 1);
        if (!set.is_list) {
            // What is sorted among others may have lost its head's beginning.
            push_key(L, &set, middle);
            pg_read_key(L, -1, &key);
            lua_pop(L, 1);
        }
        if (pg_key_less(&last, &key)) high = middle;
        else position = middle + 1;
    }
    if (set.is_list) lua_pushinteger(L, (lua_Integer)set.count);
    else push_key_table(L, &set);
    pg_release_keys(s);
    lua_copy(L, -1, 3);
    lua_settop(L, 3);
    int place = 0;
    for (int other = 1; other < PG_TRAVERSALS; other++) {
        if (s->traversals[other].used < s->traversals[place].used) place = other;
    }
    keep(L, place, 1, 3);
    s->traversals[place] = (pg_traversal){lua_topointer(L, 1), (lua_Integer)position, 0};
    return &s->traversals[place];
}

static void end_traversal(lua_State *L, pg_traversal *traversal) {
    int place = (int)(traversal - pg_of(L)->traversals);
    *traversal = (pg_traversal){NULL, 0, 0};
    lua_pushnil(L);
    keep(L, place, -1, -1);
}

static int ordered_next(lua_State *L) {
    pg_state *s = pg_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    if (lua_isnoneornil(L, 2)) return first_key(L);
    lua_settop(L, 2);
    pg_traversal *traversal = find_traversal(L);
    if (!traversal) traversal = begin_traversal(L);
    lua_Integer position = advance(L, 3, traversal->position);
    if (position) {
        traversal->position = position;
        traversal->used = ++s->traversal_clock;
        return 2;
    }
    end_traversal(L, traversal);
    lua_pushnil(L);
    return 1;
}

void pg_open_order(lua_State *L) {
    lua_pushcfunction(L, ordered_pairs);
    lua_setglobal(L, "pairs");
    lua_createtable(L, 2 * PG_TRAVERSALS, 0);
    lua_pushcclosure(L, ordered_next, 1);
    lua_setglobal(L, "next");
}
