// JSON to Lua values. It runs inside the coroutine, so that running out of memory is an error like any other there.
#include "state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    lua_State *L;
    pg_state *s;
    const char *start, *at, *end;
    int depth;
} reader;

static void push_value(reader *r, bool in_object);

/// Says where the text goes wrong: its byte, from 1, and its line.
static void fail(reader *r) {
    size_t line = 1;
    for (const char *at = r->start; at < r->at && at < r->end; at++) line += *at == '\n';
    char error[320];
    int length = snprintf(error, sizeof error,
                          "{\"code\":\"PG1020\",\"kind\":\"validation\",\"message\":\"the text is not JSON: it %s byte "
                          "%zu, on line %zu\",\"hint\":\"Check it where it comes from.\",\"position\":%zu}",
                          r->at >= r->end ? "ends too early, at" : "goes wrong at",
                          (size_t)(r->at - r->start) + 1, line, (size_t)(r->at - r->start) + 1);
    pg_raise_json(r->L, error, (size_t)length);
}

/// Adds to the text that is being put together.
static void keep(reader *r, const char *bytes, size_t length) {
    pg_out(r->s);
    bool kept = pg_append(&r->s->scratch, bytes, length);
    pg_in(r->s);
    if (!kept) pg_end(r->s, PG_ENDED_MEMORY, NULL);
}

static void skip_space(reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\n' || *r->at == '\r' || *r->at == '\t')) r->at++;
}

static void expect(reader *r, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length)) fail(r);
    r->at += length;
}

static unsigned quad(reader *r) {
    unsigned value = 0;
    if (r->end - r->at < 4) fail(r);
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        value <<= 4;
        if (c >= '0' && c <= '9') value |= (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f') value |= (unsigned)(c - 'a' + 10);
        else if (c >= 'A' && c <= 'F') value |= (unsigned)(c - 'A' + 10);
        else fail(r);
    }
    return value;
}

static void append_scalar(reader *r) {
    unsigned scalar = quad(r);
    if (scalar >= 0xD800 && scalar < 0xDC00) {
        expect(r, "\\u");
        unsigned low = quad(r);
        if (low < 0xDC00 || low > 0xDFFF) fail(r);
        scalar = 0x10000 + ((scalar - 0xD800) << 10) + (low - 0xDC00);
    } else if (scalar >= 0xDC00 && scalar < 0xE000) {
        fail(r);
    }
    char bytes[4];
    size_t length;
    if (scalar < 0x80) {
        bytes[0] = (char)scalar, length = 1;
    } else if (scalar < 0x800) {
        bytes[0] = (char)(0xC0 | scalar >> 6), bytes[1] = (char)(0x80 | (scalar & 63)), length = 2;
    } else if (scalar < 0x10000) {
        bytes[0] = (char)(0xE0 | scalar >> 12), bytes[1] = (char)(0x80 | (scalar >> 6 & 63));
        bytes[2] = (char)(0x80 | (scalar & 63)), length = 3;
    } else {
        bytes[0] = (char)(0xF0 | scalar >> 18), bytes[1] = (char)(0x80 | (scalar >> 12 & 63));
        bytes[2] = (char)(0x80 | (scalar >> 6 & 63)), bytes[3] = (char)(0x80 | (scalar & 63)), length = 4;
    }
    keep(r, bytes, length);
}

static void append_escape(reader *r) {
    if (r->at >= r->end) fail(r);
    switch (*r->at++) {
        case '"': keep(r, "\"", 1); break;
        case '\\': keep(r, "\\", 1); break;
        case '/': keep(r, "/", 1); break;
        case 'b': keep(r, "\b", 1); break;
        case 'f': keep(r, "\f", 1); break;
        case 'n': keep(r, "\n", 1); break;
        case 'r': keep(r, "\r", 1); break;
        case 't': keep(r, "\t", 1); break;
        case 'u': append_scalar(r); break;
        default: fail(r);
    }
}

/// Goes on to the next character that is not plain text: a quotation mark or a backslash.
static const char *skip_plain(reader *r) {
    const char *start = r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\') {
        if ((unsigned char)*r->at < 0x20) fail(r);
        r->at++;
    }
    if (r->at >= r->end) fail(r);
    return start;
}

static void push_string(reader *r) {
    r->at++;
    const char *start = skip_plain(r);
    if (*r->at == '"') {
        lua_pushlstring(r->L, start, (size_t)(r->at++ - start));
        return;
    }
    r->s->scratch.length = 0;
    while (true) {
        keep(r, start, (size_t)(r->at - start));
        if (*r->at++ == '"') break;
        append_escape(r);
        start = skip_plain(r);
    }
    lua_pushlstring(r->L, r->s->scratch.bytes, r->s->scratch.length);
}

static void digits(reader *r) {
    const char *start = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    if (r->at == start) fail(r);
}

static bool next_is(const reader *r, char one, char other) {
    return r->at < r->end && (*r->at == one || *r->at == other);
}

static void push_number(reader *r) {
    const char *start = r->at;
    bool integral = true;
    if (next_is(r, '-', '-')) r->at++;
    if (next_is(r, '0', '0')) r->at++;
    else digits(r);
    if (next_is(r, '.', '.')) {
        integral = false;
        r->at++;
        digits(r);
    }
    if (next_is(r, 'e', 'E')) {
        integral = false;
        r->at++;
        if (next_is(r, '+', '-')) r->at++;
        digits(r);
    }
    r->s->scratch.length = 0;
    keep(r, start, (size_t)(r->at - start));
    keep(r, "", 1);
    if (integral && lua_stringtonumber(r->L, r->s->scratch.bytes)) return;
    double value = strtod(r->s->scratch.bytes, NULL);
    if (isinf(value)) fail(r);
    lua_pushnumber(r->L, value);
}

static void push_array(reader *r) {
    lua_createtable(r->L, 0, 0);
    lua_rawgetp(r->L, LUA_REGISTRYINDEX, &pg_key_array);
    lua_setmetatable(r->L, -2);
    r->at++;
    skip_space(r);
    if (r->at < r->end && *r->at == ']') {
        r->at++;
        return;
    }
    for (lua_Integer index = 1;; index++) {
        push_value(r, false);
        lua_rawseti(r->L, -2, index);
        skip_space(r);
        if (r->at < r->end && *r->at == ']') break;
        expect(r, ",");
    }
    r->at++;
}

static void push_object(reader *r) {
    lua_createtable(r->L, 0, 4);
    r->at++;
    skip_space(r);
    if (r->at < r->end && *r->at == '}') {
        r->at++;
        return;
    }
    while (true) {
        skip_space(r);
        if (r->at >= r->end || *r->at != '"') fail(r);
        push_string(r);
        skip_space(r);
        expect(r, ":");
        push_value(r, true);
        lua_rawset(r->L, -3);
        skip_space(r);
        if (r->at < r->end && *r->at == '}') break;
        expect(r, ",");
    }
    r->at++;
}

/// In an object `null` means that the field is absent; in a list it keeps its place.
static void push_value(reader *r, bool in_object) {
    skip_space(r);
    if (r->at >= r->end) fail(r);
    if (++r->depth > 200) fail(r);
    luaL_checkstack(r->L, 6, "the value nests too deeply");
    switch (*r->at) {
        case '{': push_object(r); break;
        case '[': push_array(r); break;
        case '"': push_string(r); break;
        case 't': expect(r, "true"), lua_pushboolean(r->L, 1); break;
        case 'f': expect(r, "false"), lua_pushboolean(r->L, 0); break;
        case 'n':
            expect(r, "null");
            if (in_object) lua_pushnil(r->L);
            else lua_pushlightuserdata(r->L, NULL);
            break;
        default: push_number(r);
    }
    r->depth--;
}

void pg_decode(lua_State *L, const char *bytes, size_t length) {
    reader r = {L, pg_of(L), bytes, bytes, bytes + length, 0};
    push_value(&r, true);
    skip_space(&r);
    if (r.at != r.end) fail(&r);
}
