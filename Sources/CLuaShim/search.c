// string.find, match, gmatch and gsub over our own matcher. What gsub calls may wait for the host or be preempted: all
// that it knows lives in values on its Lua stack.
#include "patterns.h"

#include <string.h>

/// Returns where a search from the third argument on begins, from 0; that may be beyond the subject.
static lua_Unsigned first_position(lua_State *L, size_t length) {
    lua_Integer from = luaL_optinteger(L, 3, 1);
    if (from > 0) return (lua_Unsigned)from - 1;
    if (from == 0 || from < -(lua_Integer)length) return 0;
    return length - (lua_Unsigned)-from;
}

static int push_nil(lua_State *L) {
    lua_pushnil(L);
    return 1;
}

static bool is_plain(const char *pattern, size_t length) {
    for (size_t at = 0; at < length; at++) {
        if (pg_is_magic(pattern[at])) return false;
    }
    return true;
}

/// Returns where the pattern's text stands in the subject from `from` on, or NULL.
static const char *find_text(pg_matcher *m, const char *from) {
    size_t length = (size_t)(m->pattern_end - m->pattern);
    if (length == 0) return from;
    while ((size_t)(m->subject_end - from) >= length) {
        const char *last = m->subject_end - length + 1;
        const char *found = memchr(from, *m->pattern, (size_t)(last - from));
        pg_take_steps(m, (size_t)((found ? found : last) - from));
        if (!found) return NULL;
        if (pg_same_bytes(m, found + 1, m->pattern + 1, length - 1)) return found;
        from = found + 1;
    }
    return NULL;
}

static int push_found(pg_matcher *m, const char *start, const char *end) {
    lua_pushinteger(m->L, start - m->subject + 1);
    lua_pushinteger(m->L, end - m->subject);
    return 2;
}

/// The shared part of find and match: fills the matcher and returns where to begin, or NULL if that is nowhere.
static const char *start_search(lua_State *L, pg_matcher *m, const char *function) {
    size_t length, pattern_length;
    const char *subject = luaL_checklstring(L, 1, &length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    lua_Unsigned from = first_position(L, length);
    if (from > length) return NULL;
    pg_start_matching(m, L, function, subject, length, pattern, pattern_length, true);
    return subject + from;
}

static int search_find(lua_State *L) {
    pg_matcher m;
    const char *from = start_search(L, &m, "string.find"), *end;
    if (!from) return push_nil(L);
    size_t length;
    const char *pattern = lua_tolstring(L, 2, &length);
    if (lua_toboolean(L, 4) || is_plain(pattern, length)) {
        m.pattern = pattern;
        const char *start = find_text(&m, from);
        if (!start) return push_nil(L);
        return push_found(&m, start, start + length);
    }
    const char *start = pg_next_match(&m, from, NULL, &end);
    if (!start) return push_nil(L);
    return push_found(&m, start, end) + pg_push_captures(&m, NULL, NULL);
}

static int search_match(lua_State *L) {
    pg_matcher m;
    const char *from = start_search(L, &m, "string.match"), *end;
    const char *start = from ? pg_next_match(&m, from, NULL, &end) : NULL;
    if (!start) return push_nil(L);
    return pg_push_captures(&m, start, end);
}

/// Where an iteration of gmatch is, in its third upvalue; NULL at its end. The first two are the texts.
typedef struct {
    const char *at, *last;
} iteration;

static int next_of_gmatch(lua_State *L) {
    pg_matcher m;
    size_t length, pattern_length;
    const char *subject = lua_tolstring(L, lua_upvalueindex(1), &length);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
    iteration *i = lua_touserdata(L, lua_upvalueindex(3));
    if (!i->at) return 0;
    pg_start_matching(&m, L, "string.gmatch", subject, length, pattern, pattern_length, false);
    const char *end, *start = pg_next_match(&m, i->at, i->last, &end);
    i->at = i->last = start ? end : NULL;
    return start ? pg_push_captures(&m, start, end) : 0;
}

static int search_gmatch(lua_State *L) {
    size_t length;
    const char *subject = luaL_checklstring(L, 1, &length);
    luaL_checkstring(L, 2);
    lua_Unsigned from = first_position(L, length);
    lua_settop(L, 2);
    iteration *i = lua_newuserdatauv(L, sizeof *i, 0);
    *i = (iteration){from <= length ? subject + from : NULL, NULL};
    lua_pushcclosure(L, next_of_gmatch, 3);
    return 1;
}

/// The places on gsub's stack: its arguments, its state if it calls, and its output once that is large.
enum { SUBJECT = 1, PATTERN, REPLACEMENT, LIMIT, STATE, OUTPUT };

/// What gsub knows. The texts are kept by the strings on its stack, the output by the userdata there.
typedef struct {
    const char *at, *copied;       // where to look next; up to where the subject stands in the output
    const char *start, *end;       // of the last match
    lua_Integer count, limit;
    long long steps;
    bool changed;
    char *output;
    size_t length, capacity;
    char small[192];
} substitution;

static void append(lua_State *L, substitution *g, const char *bytes, size_t length) {
    if (g->capacity - g->length < length) {
        size_t capacity = g->capacity * 2;
        while (capacity - g->length < length) capacity *= 2;
        // In memory of Lua's, it is counted, freed after an error, and asked for again after a collection.
        char *grown = lua_newuserdatauv(L, capacity, 0);
        memcpy(grown, g->output, g->length);
        lua_replace(L, OUTPUT);
        g->output = grown;
        g->capacity = capacity;
    }
    memcpy(g->output + g->length, bytes, length);
    g->length += length;
}

/// Puts what stands on top of the stack for the last match, and what was passed over before it, into the output.
static void replace_with_value(lua_State *L, substitution *g) {
    size_t length;
    if (lua_toboolean(L, -1)) {
        if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
        const char *text = lua_tolstring(L, -1, &length);
        append(L, g, g->copied, (size_t)(g->start - g->copied));
        append(L, g, text, length);
        g->copied = g->end;
        g->changed = true;
    }
    lua_settop(L, OUTPUT);
}

static void append_capture(lua_State *L, substitution *g, pg_matcher *m, pg_capture capture) {
    if (capture.length >= 0) return append(L, g, capture.start, (size_t)capture.length);
    size_t length;
    pg_push_capture(m, capture);
    const char *text = lua_tolstring(L, -1, &length);
    append(L, g, text, length);
    lua_pop(L, 1);
}

/// The same with the replacement's text, in which a % and a digit stand for a capture.
static void replace_with_text(lua_State *L, substitution *g, pg_matcher *m) {
    size_t length;
    const char *text = lua_tolstring(L, REPLACEMENT, &length), *end = text + length, *sign;
    append(L, g, g->copied, (size_t)(g->start - g->copied));
    while ((sign = memchr(text, '%', (size_t)(end - text)))) {
        append(L, g, text, (size_t)(sign - text));
        text = sign + 2;
        if (sign[1] == '%') {
            append(L, g, "%", 1);
        } else if (sign[1] == '0') {
            append(L, g, g->start, (size_t)(g->end - g->start));
        } else if (sign[1] >= '1' && sign[1] <= '9') {
            append_capture(L, g, m, pg_capture_of(m, sign[1] - '1', g->start, g->end));
        } else {
            luaL_error(L, "invalid use of '%c' in replacement string", '%');
        }
    }
    append(L, g, text, (size_t)(end - text));
    g->copied = g->end;
    g->changed = true;
}

static int called(lua_State *L, int status, lua_KContext context);

/// Pushes what the replacement table has for the key on top of the stack. Tables are followed here, so that a function
/// at the end of the chain may wait.
static void look_up(lua_State *L) {
    enum { LONGEST_CHAIN = 2000 };
    int key = lua_gettop(L);
    lua_pushvalue(L, REPLACEMENT);
    for (int link = 0; lua_istable(L, -1) && link < LONGEST_CHAIN; link++) {
        lua_pushvalue(L, key);
        if (lua_rawget(L, -2) != LUA_TNIL) return;
        int kind = luaL_getmetafield(L, -2, "__index");
        if (kind == LUA_TNIL) return;
        lua_remove(L, -2);
        if (kind == LUA_TFUNCTION) {
            lua_insert(L, -2);
            lua_pushvalue(L, key);
            return lua_callk(L, 2, 1, 0, called);
        }
        lua_remove(L, -2);
    }
    // What is left is no table, or a chain without end: Lua itself knows what to do.
    lua_pushvalue(L, key);
    lua_gettable(L, -2);
}

/// Puts the replacement of the last match into the output; only functions are called, which may take some time.
static void replace(lua_State *L, substitution *g, pg_matcher *m) {
    switch (lua_type(L, REPLACEMENT)) {
        case LUA_TFUNCTION:
            lua_pushvalue(L, REPLACEMENT);
            lua_callk(L, pg_push_captures(m, g->start, g->end), 1, 0, called);
            return replace_with_value(L, g);
        case LUA_TTABLE:
            pg_push_capture(m, pg_capture_of(m, 0, g->start, g->end));
            look_up(L);
            return replace_with_value(L, g);
        default: replace_with_text(L, g, m);
    }
}

/// Goes on from `g->at` to the end and leaves the two results.
static int substitute(lua_State *L, substitution *g) {
    pg_matcher m;
    size_t length, pattern_length;
    const char *subject = lua_tolstring(L, SUBJECT, &length);
    const char *pattern = lua_tolstring(L, PATTERN, &pattern_length);
    pg_start_matching(&m, L, "string.gsub", subject, length, pattern, pattern_length, true);
    while (g->count < g->limit && !(m.anchored && g->count)) {
        m.steps = g->steps;
        g->start = pg_next_match(&m, g->at, g->end, &g->end);
        g->steps = m.steps;
        if (!g->start) break;
        g->at = g->end;
        g->count++;
        replace(L, g, &m);
    }
    if (g->changed) {
        append(L, g, g->copied, (size_t)(subject + length - g->copied));
        lua_pushlstring(L, g->output, g->length);
    } else {
        lua_pushvalue(L, SUBJECT);
    }
    lua_pushinteger(L, g->count);
    return 2;
}

/// Comes back from a call that has waited or was preempted.
static int called(lua_State *L, int status, lua_KContext context) {
    (void)status, (void)context;
    substitution *g = lua_touserdata(L, STATE);
    replace_with_value(L, g);
    return substitute(L, g);
}

static void start_substitution(lua_State *L, substitution *g, lua_Integer limit) {
    size_t length;
    const char *subject = lua_tolstring(L, SUBJECT, &length);
    g->at = g->copied = subject;
    g->start = g->end = NULL;
    g->count = 0;
    g->limit = limit;
    g->changed = false;
    g->length = 0;
    g->steps = PG_STEPS_PER_CALL + PG_STEPS_PER_BYTE * (long long)length;
    g->output = g->small;
    g->capacity = sizeof g->small;
}

/// With a text as replacement nothing is called, and the state may stand on the C stack.
static int substitute_text(lua_State *L, lua_Integer limit) {
    substitution g;
    start_substitution(L, &g, limit);
    lua_tolstring(L, REPLACEMENT, NULL);
    lua_settop(L, OUTPUT);
    return substitute(L, &g);
}

int pg_gsub(lua_State *L) {
    size_t length;
    luaL_checklstring(L, SUBJECT, &length);
    luaL_checkstring(L, PATTERN);
    int kind = lua_type(L, REPLACEMENT);
    lua_Integer limit = luaL_optinteger(L, LIMIT, (lua_Integer)length + 1);
    bool is_text = kind == LUA_TSTRING || kind == LUA_TNUMBER;
    luaL_argexpected(L, is_text || kind == LUA_TFUNCTION || kind == LUA_TTABLE, REPLACEMENT, "string/function/table");
    lua_settop(L, LIMIT);
    if (is_text) return substitute_text(L, limit);
    pg_of(L)->has_called_back = true;
    substitution *g = lua_newuserdatauv(L, sizeof *g, 0);
    start_substitution(L, g, limit);
    lua_settop(L, OUTPUT);
    return substitute(L, g);
}

void pg_open_search(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"find", search_find}, {"match", search_match}, {"gmatch", search_gmatch}, {"gsub", pg_gsub}, {NULL, NULL},
    };
    lua_getglobal(L, "string");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
