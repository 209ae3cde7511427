// Lua values to JSON: keys in byte order, whole numbers as integers, and a clear refusal, with its path, of what JSON
// can't hold. Nothing here raises a Lua error, so nothing is left half done.
#include "state.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool write_value(lua_State *L, pg_state *s, int index, int flags);

/// The length of the UTF-8 sequence at `at`, or 0 if there is none.
static size_t utf8_length(const unsigned char *at, size_t left) {
    if (at[0] < 0x80) return 1;
    if (at[0] >= 0xC2 && at[0] < 0xE0 && left > 1 && (at[1] & 0xC0) == 0x80) return 2;
    if (at[0] >= 0xE0 && at[0] < 0xF0 && left > 2 && (at[1] & 0xC0) == 0x80 && (at[2] & 0xC0) == 0x80) {
        if ((at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] >= 0xA0)) return 0;
        return 3;
    }
    if (at[0] >= 0xF0 && at[0] < 0xF5 && left > 3 && (at[1] & 0xC0) == 0x80 && (at[2] & 0xC0) == 0x80
        && (at[3] & 0xC0) == 0x80) {
        if ((at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] >= 0x90)) return 0;
        return 4;
    }
    return 0;
}

/// Adds a key to the message: its first bytes, with a question mark for each that does not belong into a message.
static void key_text(pg_state *s, const char *key, size_t length) {
    const unsigned char *bytes = (const unsigned char *)key;
    for (size_t at = 0; at < length && at < 64;) {
        size_t step = utf8_length(bytes + at, length - at);
        bool shown = step && bytes[at] >= 0x20;
        pg_append(&s->message, shown ? key + at : "?", shown ? step : 1);
        at += shown ? step : 1;
    }
}

/// Starts the message with the path to the value: `json.items[3]`.
static void path_text(pg_state *s) {
    s->message.length = 0;
    for (int level = 0; level < s->depth; level++) {
        pg_place *place = &s->path[level];
        char number[32];
        if (place->key) {
            if (s->message.length) pg_append_text(&s->message, ".");
            key_text(s, place->key, place->key_length);
        } else {
            snprintf(number, sizeof number, "[%lld]", (long long)place->index);
            pg_append_text(&s->message, number);
        }
    }
    if (!s->message.length) pg_append_text(&s->message, "the value");
}

static bool refuse(pg_state *s, const char *why) {
    path_text(s);
    pg_append_text(&s->message, " ");
    pg_append_text(&s->message, why);
    return false;
}

static bool starve(pg_state *s) {
    s->starved = true;
    return refuse(s, "needs more memory than there is");
}

static bool put(pg_state *s, const char *bytes, size_t length) {
    if (s->output.length + length > s->limits.value_bytes) {
        char why[64];
        snprintf(why, sizeof why, "is larger than %zu KiB", s->limits.value_bytes / 1024);
        s->depth = 0;
        return refuse(s, why);
    }
    return pg_append(&s->output, bytes, length) || starve(s);
}

static bool write_string(pg_state *s, const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    size_t plain = 0;
    if (!put(s, "\"", 1)) return false;
    for (size_t at = 0; at < length;) {
        size_t step = utf8_length(bytes + at, length - at);
        if (!step) return refuse(s, "is not valid UTF-8 text; only text can be kept");
        if (step > 1 || (bytes[at] >= 0x20 && bytes[at] != '"' && bytes[at] != '\\')) {
            at += step;
            continue;
        }
        char escape[8];
        switch (bytes[at]) {
            case '"': strcpy(escape, "\\\""); break;
            case '\\': strcpy(escape, "\\\\"); break;
            case '\n': strcpy(escape, "\\n"); break;
            case '\r': strcpy(escape, "\\r"); break;
            case '\t': strcpy(escape, "\\t"); break;
            default: snprintf(escape, sizeof escape, "\\u%04x", bytes[at]);
        }
        if (!put(s, text + plain, at - plain) || !put(s, escape, strlen(escape))) return false;
        plain = ++at;
    }
    return put(s, text + plain, length - plain) && put(s, "\"", 1);
}

static bool write_number(lua_State *L, pg_state *s, int index) {
    char text[40];
    if (lua_isinteger(L, index)) {
        snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, index));
        return put(s, text, strlen(text));
    }
    double value = lua_tonumber(L, index);
    if (isnan(value)) return refuse(s, "is not a number (NaN); only real numbers can be kept");
    if (isinf(value)) return refuse(s, "is infinite; only real numbers can be kept");
    if (value == floor(value) && value >= -9223372036854775808.0 && value < 9223372036854775808.0) {
        snprintf(text, sizeof text, "%lld", (long long)value);
    } else {
        // Every decimal of 15 digits comes back from a normal number; a subnormal one holds fewer.
        for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtod(text, NULL) == value) break;
        }
    }
    return put(s, text, strlen(text));
}

static bool enter_place(pg_state *s, const char *key, size_t key_length, lua_Integer index) {
    pg_place *place = &s->path[s->depth++];
    place->key = key;
    place->key_length = key_length;
    place->index = index;
    return true;
}

static bool write_array(lua_State *L, pg_state *s, int index, lua_Integer count, int flags) {
    if (!put(s, "[", 1)) return false;
    for (lua_Integer item = 1; item <= count; item++) {
        if (item > 1 && !put(s, ",", 1)) return false;
        enter_place(s, NULL, 0, item);
        lua_rawgeti(L, index, item);
        bool hole = lua_isnil(L, -1);
        bool written = hole ? refuse(s, "is nil: the list has a hole; use flow.json.null for an empty place")
                            : write_value(L, s, lua_gettop(L), flags);
        if (!written) return false;
        lua_pop(L, 1);
        s->depth--;
    }
    return put(s, "]", 1);
}

static int by_key(const void *left, const void *right) {
    const pg_field *a = left, *b = right;
    size_t common = a->key_length < b->key_length ? a->key_length : b->key_length;
    int order = memcmp(a->key, b->key, common);
    return order ? order : (a->key_length > b->key_length) - (a->key_length < b->key_length);
}

static bool note_field(pg_state *s, const char *key, size_t key_length, size_t start) {
    if (s->field_count == s->field_capacity) {
        size_t capacity = s->field_capacity ? s->field_capacity * 2 : 32;
        pg_field *grown = realloc(s->fields, capacity * sizeof *grown);
        if (!grown) return starve(s);
        s->fields = grown;
        s->field_capacity = capacity;
    }
    s->fields[s->field_count++] = (pg_field){key, key_length, start, s->output.length};
    return true;
}

/// Puts the fields that were written from `start` on into the order of their keys.
static bool sort_fields(pg_state *s, size_t first, size_t start) {
    size_t count = s->field_count - first;
    pg_field *fields = s->fields + first;
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++) sorted = by_key(&fields[i - 1], &fields[i]) < 0;
    s->scratch.length = 0;
    if (!sorted) {
        qsort(fields, count, sizeof *fields, by_key);
        for (size_t i = 0; i < count; i++) {
            if (i && !pg_append(&s->scratch, ",", 1)) return starve(s);
            if (!pg_append(&s->scratch, s->output.bytes + fields[i].start, fields[i].end - fields[i].start)) {
                return starve(s);
            }
        }
        memcpy(s->output.bytes + start, s->scratch.bytes, s->scratch.length);
    }
    s->field_count = first;
    return true;
}

static bool write_object(lua_State *L, pg_state *s, int index, int flags) {
    size_t first = s->field_count;
    if (!put(s, "{", 1)) return false;
    size_t start = s->output.length;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            if (lua_isinteger(L, -2)) {
                enter_place(s, NULL, 0, lua_tointeger(L, -2));
                return refuse(s, "has a number as its key beside others, or after a gap; a list counts 1, 2, 3 … and "
                                 "an object has keys of text");
            }
            return refuse(s, "has a key that is not text; only text can be a key");
        }
        size_t length;
        const char *key = lua_tolstring(L, -2, &length);
        if (s->field_count > first && !put(s, ",", 1)) return false;
        size_t field_start = s->output.length;
        enter_place(s, key, length, 0);
        if (!write_string(s, key, length) || !put(s, ":", 1)) return false;
        if (!write_value(L, s, lua_gettop(L), flags)) return false;
        s->depth--;
        if (!note_field(s, key, length, field_start)) return false;
        lua_pop(L, 1);
    }
    return sort_fields(s, first, start) && put(s, "}", 1);
}

static size_t count_keys(lua_State *L, int index) {
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        count++;
        lua_pop(L, 1);
    }
    return count;
}

static bool has_metatable(lua_State *L, int index, const void *key) {
    if (!lua_getmetatable(L, index)) return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static bool write_table(lua_State *L, pg_state *s, int index, int flags) {
    const void *table = lua_topointer(L, index);
    for (int level = 0; level < s->depth; level++) {
        if (s->path[level].table == table) return refuse(s, "contains itself; only a tree can be kept");
    }
    if (s->depth >= s->limits.value_depth) {
        char why[64];
        snprintf(why, sizeof why, "nests deeper than %d levels", s->limits.value_depth);
        return refuse(s, why);
    }
    if (!lua_checkstack(L, 8)) return refuse(s, "nests too deeply");
    s->path[s->depth].table = table;
    lua_Integer count = (lua_Integer)lua_rawlen(L, index);
    bool marked = has_metatable(L, index, &pg_key_array);
    if (!marked && count == 0) return write_object(L, s, index, flags);
    size_t keys = count_keys(L, index);
    if (keys != (size_t)count) {
        return refuse(s, keys > (size_t)count ? "is a list that also has named fields or gaps; keep them apart"
                                              : "is a list with a hole; use flow.json.null for an empty place");
    }
    return write_array(L, s, index, count, flags);
}

/// Adds the path to the value to the secrets' places, as a JSON pointer. The argument's own number begins the pointer,
/// but not the path in messages: the names of options say enough.
static bool write_pointer(pg_state *s) {
    char argument[32];
    snprintf(argument, sizeof argument, "/%d", s->argument);
    bool kept = pg_append_text(&s->secrets, argument);
    for (int level = 0; level < s->depth; level++) {
        pg_place *place = &s->path[level];
        char number[32];
        if (!place->key) {
            snprintf(number, sizeof number, "/%lld", (long long)place->index - 1);
            kept = kept && pg_append_text(&s->secrets, number);
            continue;
        }
        kept = kept && pg_append(&s->secrets, "/", 1);
        for (size_t at = 0; at < place->key_length; at++) {
            if (place->key[at] == '~') kept = kept && pg_append_text(&s->secrets, "~0");
            else if (place->key[at] == '/') kept = kept && pg_append_text(&s->secrets, "~1");
            else kept = kept && pg_append(&s->secrets, place->key + at, 1);
        }
    }
    return kept && pg_append(&s->secrets, "", 1);
}

/// A secret is written as `secret:NAME`; where it stands is noted, so that the host can put its value there.
static bool write_secret(lua_State *L, pg_state *s, int index, int flags) {
    const char *name = lua_touserdata(L, index);
    if (!(flags & PG_ALLOW_SECRETS)) return refuse(s, "is a secret; a secret can only be given to http");
    for (int level = 0; level < s->depth; level++) {
        // A zero byte ends the pointer.
        pg_place *place = &s->path[level];
        if (place->key && memchr(place->key, 0, place->key_length)) {
            return refuse(s, "is a secret under a key with a zero byte");
        }
    }
    if (!write_pointer(s) || !pg_append(&s->secrets, name, strlen(name) + 1)) {
        return starve(s);
    }
    return put(s, "\"secret:", 8) && put(s, name, strlen(name)) && put(s, "\"", 1);
}

static bool write_value(lua_State *L, pg_state *s, int index, int flags) {
    switch (lua_type(L, index)) {
        case LUA_TNIL: return put(s, "null", 4);
        case LUA_TBOOLEAN: return lua_toboolean(L, index) ? put(s, "true", 4) : put(s, "false", 5);
        case LUA_TNUMBER: return write_number(L, s, index);
        case LUA_TSTRING: {
            size_t length;
            const char *text = lua_tolstring(L, index, &length);
            return write_string(s, text, length);
        }
        case LUA_TTABLE: {
            pg_place *place = &s->path[s->depth];
            place->table = NULL;
            bool written = write_table(L, s, index, flags);
            place->table = NULL;
            return written;
        }
        case LUA_TLIGHTUSERDATA:
            if (!lua_touserdata(L, index)) return put(s, "null", 4);
            return refuse(s, "is a handle; only data can be kept");
        case LUA_TUSERDATA:
            if (has_metatable(L, index, &pg_key_secret)) return write_secret(L, s, index, flags);
            return refuse(s, "is a handle; only data can be kept");
        case LUA_TFUNCTION:
            if (flags & PG_FUNCTIONS_AS_TRUE) return put(s, "true", 4);
            return refuse(s, "is a function; only data can be kept");
        default: return refuse(s, "is a coroutine; only data can be kept");
    }
}

static void begin(pg_state *s) {
    s->output.length = s->secrets.length = s->message.length = 0;
    s->field_count = 0;
    s->depth = 0;
}

bool pg_encode_value(lua_State *L, int index, int flags) {
    pg_state *s = pg_of(L);
    begin(s);
    return lua_checkstack(L, 8) ? write_value(L, s, lua_absindex(L, index), flags) : refuse(s, "nests too deeply");
}

bool pg_encode_arguments(lua_State *L, int count) {
    pg_state *s = pg_of(L);
    begin(s);
    if (!lua_checkstack(L, 8)) return refuse(s, "nests too deeply");
    if (!put(s, "[", 1)) return false;
    for (int index = 1; index <= count; index++) {
        if (index > 1 && !put(s, ",", 1)) return false;
        s->argument = index - 1;
        if (!write_value(L, s, index, PG_ALLOW_SECRETS)) return false;
    }
    return put(s, "]", 1);
}
