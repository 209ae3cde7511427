// Numbers, strings and booleans as records that sort without asking Lua: numbers by value, exactly also where integers
// meet floats, then strings by their bytes, then false and true.
#include "state.h"

#include <math.h>
#include <string.h>

#define RUN 8
#define KEPT_CAPACITY 1024

/// Two to the power of 63: the first float that is greater than every integer.
static const lua_Number beyond = 9223372036854775808.0;

static uint64_t head_of_integer(lua_Integer value) { return (uint64_t)value ^ ((uint64_t)1 << 63); }

static uint64_t head_of_float(lua_Number value) {
    if (value >= beyond) return UINT64_MAX;
    if (!(value >= -beyond)) return 0;
    return head_of_integer((lua_Integer)floor(value));
}

static uint64_t big_endian(const unsigned char *bytes, int count) {
    uint64_t value = 0;
    for (int at = 0; at < count; at++) value = value << 8 | bytes[at];
    return value;
}

/// The first eight bytes, with zeros behind a shorter text, which is read as two halves that may overlap.
static uint64_t head_of_text(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    if (length >= 8) return big_endian(bytes, 8);
    if (length >= 4) return big_endian(bytes, 4) << 32 | big_endian(bytes + length - 4, 4) << (64 - 8 * length);
    if (length >= 2) return big_endian(bytes, 2) << 48 | big_endian(bytes + length - 2, 2) << (64 - 8 * length);
    return length ? (uint64_t)bytes[0] << 56 : 0;
}

bool pg_read_key(lua_State *L, int index, pg_sort_key *key) {
    switch (lua_type(L, index)) {
        case LUA_TSTRING:
            key->kind = PG_KEY_STRING;
            key->text = lua_tolstring(L, index, &key->length);
            key->head = head_of_text(key->text, key->length);
            return true;
        case LUA_TNUMBER:
            if (lua_isinteger(L, index)) {
                key->kind = PG_KEY_INTEGER;
                key->integer = lua_tointeger(L, index);
                key->head = head_of_integer(key->integer);
            } else {
                key->kind = PG_KEY_FLOAT;
                key->number = lua_tonumber(L, index);
                key->head = head_of_float(key->number);
            }
            return true;
        case LUA_TBOOLEAN:
            key->kind = lua_toboolean(L, index) ? PG_KEY_TRUE : PG_KEY_FALSE;
            key->head = 0;
            return true;
        default: return false;
    }
}

pg_sort_key pg_integer_key(lua_Integer value) {
    return (pg_sort_key){.head = head_of_integer(value), .integer = value, .kind = PG_KEY_INTEGER};
}

/// Compares two numbers or two strings that have the same head.
static bool less_behind_head(const pg_sort_key *a, const pg_sort_key *b) {
    if (a->kind == PG_KEY_STRING) {
        size_t common = a->length < b->length ? a->length : b->length;
        int order = common > 8 ? memcmp(a->text + 8, b->text + 8, common - 8) : 0;
        return order ? order < 0 : a->length < b->length;
    }
    if (a->kind == PG_KEY_FLOAT && b->kind == PG_KEY_FLOAT) return a->number < b->number;
    // An integer and a float of one head: the integer is the float's whole part, unless the float is beyond them all.
    if (b->kind == PG_KEY_FLOAT) return b->number >= beyond || (b->number >= -beyond && b->number > floor(b->number));
    return a->kind == PG_KEY_FLOAT && a->number < -beyond;
}

static inline bool less(const pg_sort_key *a, const pg_sort_key *b) {
    // An integer's kind and a float's differ in the last bit only.
    int rank_a = a->kind >> 1, rank_b = b->kind >> 1;
    if (rank_a != rank_b) return rank_a < rank_b;
    if (a->head != b->head) return a->head < b->head;
    return less_behind_head(a, b);
}

bool pg_key_less(const pg_sort_key *a, const pg_sort_key *b) { return less(a, b); }

static void insertion_sort(pg_sort_key *keys, size_t count) {
    for (size_t i = 1; i < count; i++) {
        if (!less(&keys[i], &keys[i - 1])) continue;
        pg_sort_key moved = keys[i];
        size_t to = i;
        do {
            keys[to] = keys[to - 1];
            to--;
        } while (to > 0 && less(&moved, &keys[to - 1]));
        keys[to] = moved;
    }
}

/// Merges two sorted neighbours in place; the left one is set aside in `spare`.
static void merge(pg_sort_key *keys, size_t middle, size_t count, pg_sort_key *spare) {
    if (!less(&keys[middle], &keys[middle - 1])) return;
    memcpy(spare, keys, middle * sizeof *keys);
    size_t left = 0, right = middle, out = 0;
    while (left < middle && right < count) {
        if (less(&keys[right], &spare[left])) keys[out++] = keys[right++];
        else keys[out++] = spare[left++];
    }
    memcpy(keys + out, spare + left, (middle - left) * sizeof *keys);
}

/// Begins the heads of strings that all begin alike where they begin to differ. They can be compared with each other
/// then, and with no other key.
static void skip_common_prefix(pg_sort_key *keys, size_t count) {
    size_t common = keys[0].kind == PG_KEY_STRING ? keys[0].length : 0;
    for (size_t at = 1; at < count && common > 0; at++) {
        if (keys[at].kind != PG_KEY_STRING) return;
        size_t same = 0, most = keys[at].length < common ? keys[at].length : common;
        while (same < most && keys[at].text[same] == keys[0].text[same]) same++;
        common = same;
    }
    if (common == 0) return;
    for (size_t at = 0; at < count; at++) {
        keys[at].head = head_of_text(keys[at].text + common, keys[at].length - common);
    }
}

pg_sort_key *pg_sort_keys(lua_State *L, size_t count) {
    pg_state *s = pg_of(L);
    if (count <= 2 * RUN) {
        insertion_sort(s->keys, count);
        return s->keys;
    }
    pg_sort_key *keys = pg_reserve_keys(L, 2 * count);
    skip_common_prefix(keys, count);
    for (size_t from = 0; from < count; from += RUN) {
        insertion_sort(keys + from, count - from < RUN ? count - from : RUN);
    }
    for (size_t width = RUN; width < count; width *= 2) {
        for (size_t from = 0; from + width < count; from += 2 * width) {
            size_t length = count - from < 2 * width ? count - from : 2 * width;
            merge(keys + from, width, length, keys + count);
        }
    }
    return keys;
}

pg_sort_key *pg_reserve_keys(lua_State *L, size_t count) {
    pg_state *s = pg_of(L);
    if (count <= s->key_capacity) return s->keys;
    size_t capacity = count < 64 ? 64 : count, old = s->key_capacity * sizeof *s->keys;
    // The room counts as memory of the run. As everything else of Lua's, it is asked for again after a collection.
    pg_sort_key *grown = pg_allocate(s, s->keys, old, capacity * sizeof *grown);
    if (!grown) {
        lua_gc(L, LUA_GCCOLLECT, 0);
        grown = pg_allocate(s, s->keys, old, capacity * sizeof *grown);
    }
    if (!grown) luaL_error(L, "not enough memory");
    s->keys = grown, s->key_capacity = capacity;
    return grown;
}

void pg_release_keys(pg_state *s) {
    if (s->key_capacity <= KEPT_CAPACITY) return;
    pg_allocate(s, s->keys, s->key_capacity * sizeof *s->keys, 0);
    s->keys = NULL;
    s->key_capacity = 0;
}
