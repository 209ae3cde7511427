// table.sort as a stable merge sort whose comparator may wait and be interrupted. The elements are read once, put in
// order aside, and written back at the end: when the comparator fails, the table is as it was before.
#include "state.h"

#include <limits.h>
#include <string.h>

/// The state of a merge sort that asks one question at a time: whether one element is less than another. It sorts the
/// numbers of the elements, in runs of `width`; of a pair of runs the left one is set aside while they are merged.
typedef struct {
    uint32_t count;
    uint64_t width, from;          // of the pair of runs that is merged now
    uint64_t left, right, out;     // in `spare`, in `order` and in `order`
    bool checking;                 // whether the pair is in order already
    uint32_t *order, *spare;
} merge_sort;

static uint64_t middle_of(const merge_sort *m) { return m->from + m->width; }

static uint64_t end_of(const merge_sort *m) {
    uint64_t end = m->from + 2 * m->width;
    return end < m->count ? end : m->count;
}

/// Goes to the first pair of runs at or behind `from`; false when everything is sorted.
static bool find_pair(merge_sort *m) {
    while (m->width < m->count) {
        m->checking = true;
        if (middle_of(m) < m->count) return true;
        m->width *= 2;
        m->from = 0;
    }
    return false;
}

static void ask(const merge_sort *m, uint32_t *a, uint32_t *b) {
    *a = m->order[m->checking ? middle_of(m) : m->right];
    *b = m->checking ? m->order[middle_of(m) - 1] : m->spare[m->left];
}

/// Takes the answer; false when everything is sorted.
static bool answer(merge_sort *m, bool less) {
    if (m->checking && !less) {
        m->from += 2 * m->width;
        return find_pair(m);
    }
    if (m->checking) {
        m->checking = false;
        memcpy(m->spare, m->order + m->from, m->width * sizeof *m->order);
        m->left = 0;
        m->right = middle_of(m);
        m->out = m->from;
    } else {
        if (less) m->order[m->out++] = m->order[m->right++];
        else m->order[m->out++] = m->spare[m->left++];
    }
    // The first answer said that the right run's first element is less than the left run's last one.
    if (m->left == m->width - 1 && m->right == middle_of(m)) m->order[m->out++] = m->order[m->right++];
    if (m->left < m->width && m->right < end_of(m)) return true;
    memcpy(m->order + m->out, m->spare + m->left, (m->width - m->left) * sizeof *m->order);
    m->from += 2 * m->width;
    return find_pair(m);
}

// On the stack: the table, the comparator or nil, the elements, the merge sort.
enum { TABLE = 1, COMPARATOR = 2, ELEMENTS = 3, MERGE = 4 };

static int write_back(lua_State *L, const merge_sort *m) {
    for (uint32_t at = 0; at < m->count; at++) {
        lua_rawgeti(L, ELEMENTS, (lua_Integer)m->order[at] + 1);
        lua_seti(L, TABLE, (lua_Integer)at + 1);
    }
    return 0;
}

static int answered(lua_State *L, int status, lua_KContext context);

/// Compares the two values on top of the stack, and leaves one there that is true or false.
static void compare(lua_State *L) {
    if (!lua_isnil(L, COMPARATOR)) {
        lua_pushvalue(L, COMPARATOR);
        lua_insert(L, -3);
        lua_callk(L, 2, 1, 0, answered);
        return;
    }
    int kind = lua_type(L, -2);
    bool plain = kind == lua_type(L, -1) && (kind == LUA_TNUMBER || kind == LUA_TSTRING);
    if (!plain && (luaL_getmetafield(L, -2, "__lt") != LUA_TNIL || luaL_getmetafield(L, -1, "__lt") != LUA_TNIL)) {
        lua_insert(L, -3);
        lua_callk(L, 2, 1, 0, answered);
        return;
    }
    // Raises what Lua says of two values that can't be compared.
    bool less = lua_compare(L, -2, -1, LUA_OPLT);
    lua_pop(L, 2);
    lua_pushboolean(L, less);
}

static int go_on(lua_State *L, merge_sort *m) {
    uint32_t a, b;
    do {
        ask(m, &a, &b);
        lua_settop(L, MERGE);
        lua_rawgeti(L, ELEMENTS, (lua_Integer)a + 1);
        lua_rawgeti(L, ELEMENTS, (lua_Integer)b + 1);
        compare(L);
    } while (answer(m, lua_toboolean(L, -1)));
    return write_back(L, m);
}

static int answered(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    merge_sort *m = lua_touserdata(L, MERGE);
    return answer(m, lua_toboolean(L, -1)) ? go_on(L, m) : write_back(L, m);
}

/// Sorts numbers, or strings, without a question; false if the elements are something else.
static bool sort_plain(lua_State *L, uint32_t count) {
    int kind = lua_rawgeti(L, ELEMENTS, 1);
    lua_pop(L, 1);
    if (kind != LUA_TNUMBER && kind != LUA_TSTRING) return false;
    pg_sort_key *keys = pg_reserve_keys(L, count);
    for (uint32_t at = 0; at < count; at++) {
        if (lua_rawgeti(L, ELEMENTS, (lua_Integer)at + 1) != kind) return false;
        pg_read_key(L, -1, &keys[at]);
        keys[at].place = at;
        lua_pop(L, 1);
    }
    keys = pg_sort_keys(L, count);
    // Writing may call a script's __newindex, which may use the room for keys.
    uint32_t *order = lua_newuserdatauv(L, (size_t)count * sizeof *order, 0);
    for (uint32_t at = 0; at < count; at++) order[at] = keys[at].place;
    pg_release_keys(pg_of(L));
    merge_sort sorted = {.count = count, .order = order};
    write_back(L, &sorted);
    return true;
}

static int merge_elements(lua_State *L, uint32_t count) {
    pg_of(L)->has_called_back = true;
    merge_sort *m = lua_newuserdatauv(L, sizeof *m + 2 * (size_t)count * sizeof *m->order, 0);
    *m = (merge_sort){.count = count, .width = 1, .order = (uint32_t *)(m + 1)};
    m->spare = m->order + count;
    for (uint32_t at = 0; at < count; at++) m->order[at] = at;
    find_pair(m);
    return go_on(L, m);
}

/// Accepts a table, or something that has all of the metamethods that stand for one.
static void check_sortable(lua_State *L) {
    if (lua_istable(L, TABLE)) return;
    static const char *const needed[] = {"__index", "__newindex", "__len"};
    for (int at = 0; at < 3; at++) {
        if (luaL_getmetafield(L, TABLE, needed[at]) == LUA_TNIL) luaL_checktype(L, TABLE, LUA_TTABLE);
        lua_pop(L, 1);
    }
}

int pg_sort(lua_State *L) {
    check_sortable(L);
    lua_Integer count = luaL_len(L, TABLE);
    if (count < 2) return 0;
    luaL_argcheck(L, count < INT_MAX, 1, "array too big");
    if (!lua_isnoneornil(L, COMPARATOR)) luaL_checktype(L, COMPARATOR, LUA_TFUNCTION);
    lua_settop(L, COMPARATOR);
    // The length may be a lie: the room grows with what is really read.
    lua_createtable(L, count < 4096 ? (int)count : 4096, 0);
    for (lua_Integer at = 1; at <= count; at++) {
        lua_geti(L, TABLE, at);
        lua_rawseti(L, ELEMENTS, at);
    }
    if (lua_isnil(L, COMPARATOR) && sort_plain(L, (uint32_t)count)) return 0;
    lua_settop(L, ELEMENTS);
    return merge_elements(L, (uint32_t)count);
}

void pg_open_sort(lua_State *L) {
    lua_getglobal(L, "table");
    lua_pushcfunction(L, pg_sort);
    lua_setfield(L, -2, "sort");
    lua_pop(L, 1);
}
