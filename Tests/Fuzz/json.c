// JSON through the border. A random value comes back from JSON as it went; random bytes are a value or an error.
#include "script.h"

enum { DEPTH = 5 };

static text source, json, chunk, kept;

static void put_number(text *t) {
    char number[64];
    double value;
    uint64_t bits = random_bits();
    switch (below(5)) {
        case 0: snprintf(number, sizeof number, "%d", (int)below(200) - 100); break;
        case 1: snprintf(number, sizeof number, "%lld", (long long)(bits >> below(63))); break;
        case 2: snprintf(number, sizeof number, "-%llu", (unsigned long long)(bits >> (1 + below(62)))); break;
        case 3: snprintf(number, sizeof number, "%.17g", (double)(int64_t)bits / (double)(1 + below(1 << 20))); break;
        default:
            memcpy(&value, &bits, sizeof value);
            // Neither text has words for what is no number.
            snprintf(number, sizeof number, "%.17g", value - value == 0 ? value : 0.5);
    }
    put(t, number);
}

/// A scalar in UTF-8, as its bytes.
static size_t random_scalar(unsigned char *to) {
    uint32_t scalar = below(3) ? 0x20 + (uint32_t)below(0x5f) : (uint32_t)below(0x110000);
    if (scalar >= 0xD800 && scalar < 0xE000) scalar = '"';
    if (scalar < 0x80) return to[0] = (unsigned char)scalar, 1;
    size_t more = scalar < 0x800 ? 1 : scalar < 0x10000 ? 2 : 3;
    for (size_t at = more; at > 0; at--, scalar >>= 6) to[at] = (unsigned char)(0x80 | (scalar & 63));
    to[0] = (unsigned char)((0xFF << (7 - more) & 0xFF) | scalar);
    return more + 1;
}

static void put_lua_text(text *t) {
    unsigned char bytes[4];
    char escape[8];
    put(t, "\"");
    for (size_t count = below(8); count > 0; count--) {
        size_t length = random_scalar(bytes);
        for (size_t at = 0; at < length; at++) {
            snprintf(escape, sizeof escape, "\\%03u", bytes[at]);
            put(t, escape);
        }
    }
    put(t, "\"");
}

static void put_lua_value(text *t, int depth) {
    size_t count = below(5);
    switch (below(depth < DEPTH ? 7 : 4)) {
        case 0: put(t, one_in(2) ? "true" : "false"); break;
        case 1: case 2: put_number(t); break;
        case 3: put_lua_text(t); break;
        case 4: case 5:
            put(t, one_in(2) ? "array {" : "{");
            for (; count > 0; count--) {
                if (one_in(8)) put(t, "null");
                else put_lua_value(t, depth + 1);
                put(t, ",");
            }
            put(t, "}");
            break;
        default:
            put(t, "{");
            for (; count > 0; count--) {
                put(t, "["), put_lua_text(t), put(t, "]=");
                put_lua_value(t, depth + 1), put(t, ",");
            }
            put(t, "}");
    }
}

static void put_json_text(text *t) {
    static const char *const escapes[] = {
        "\\n", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r", "\\t", "\\u0041", "\\u00e4", "\\ud83d\\ude00", "\\u0000",
    };
    put(t, "\"");
    for (size_t count = below(8); count > 0; count--) {
        unsigned char bytes[4];
        size_t length = random_scalar(bytes);
        if (one_in(3) || bytes[0] < 0x20 || bytes[0] == '"' || bytes[0] == '\\') put(t, ONE_OF(escapes));
        else put_bytes(t, (char *)bytes, length);
    }
    put(t, "\"");
}

static void put_json(text *t, int depth) {
    static const char *const spaces[] = {"", "", "", " ", "\n\t", "\r"};
    size_t count = below(5);
    put(t, ONE_OF(spaces));
    switch (below(depth < DEPTH ? 7 : 4)) {
        case 0: put(t, one_in(3) ? "null" : one_in(2) ? "true" : "false"); break;
        case 1: case 2: put_number(t); break;
        case 3: put_json_text(t); break;
        case 4: case 5:
            put(t, "[");
            for (; count > 0; count--) put_json(t, depth + 1), put(t, count > 1 ? "," : "");
            put(t, "]");
            break;
        default:
            put(t, "{");
            for (; count > 0; count--) {
                put_json_text(t), put(t, ":");
                put_json(t, depth + 1), put(t, count > 1 ? "," : "");
            }
            put(t, "}");
    }
    put(t, ONE_OF(spaces));
}

static pg_state *prepare(pg_state **place, const text *script) {
    if (!compile(script->bytes, script->length, "=test.lua", &chunk)) fail("this can't be compiled: %s", script->bytes);
    pg_state *state = open_script_state(place, 16 << 20, 10000);
    if (!state) fail("there is no state");
    if (pg_prepare_script(state, chunk.bytes, chunk.length, "=test.lua") != PG_RETURNED
        || advance_to_end(state) != PG_RETURNED) {
        fail("the script has failed: %.*s", (int)pg_message(state).length, pg_message(state).bytes);
    }
    return state;
}

/// A Lua value to JSON, back, and to JSON again.
static void go_there_and_back(void) {
    pg_state *state;
    source.length = 0;
    put(&source, "return { run = function() local text = encode(");
    put_lua_value(&source, 0);
    put(&source, ") local again = encode(decode(text)) if again ~= text then error(text .. again) end\n"
                 "local echoed = encode(echo(decode(text))) if echoed ~= '[' .. text .. ']' then error(text) end\n"
                 "end }");
    prepare(&state, &source);
    if (pg_prepare_function(state, "run", "{}", 2) != PG_RETURNED || advance_to_end(state) != PG_RETURNED) {
        fail("%.*s\n%s", (int)pg_message(state).length, pg_message(state).bytes, source.bytes);
    }
    pg_close(state);
}

/// Gives JSON to a function that returns it; returns whether it is JSON, whose bytes are kept.
static bool pass(const text *given, bool must_be_json) {
    static const char returning[] = "return { run = function(value) return value end }";
    pg_state *state;
    source.length = 0;
    put(&source, returning);
    prepare(&state, &source);
    int step = pg_prepare_function(state, "run", given->bytes, given->length);
    if (step == PG_RETURNED) step = advance_to_end(state);
    read_outcome(state, step);
    pg_text value = pg_value(state);
    bool good = step == PG_RETURNED;
    if (!good && must_be_json) fail("%.*s: %s", (int)pg_message(state).length, pg_message(state).bytes, given->bytes);
    kept.length = 0;
    put(&kept, "");
    if (good && value.bytes) put_bytes(&kept, value.bytes, value.length);
    else if (good) put(&kept, "null");
    pg_close(state);
    return good;
}

static void give_bytes(void) {
    static const char marks[] = "{}[]\",:\\u0d8-+.eE123ntf \n\0\x80\xff";
    static text first;
    json.length = 0;
    put_json(&json, 0);
    bool changed = one_in(2);
    if (changed) {
        for (size_t count = 1 + below(4); count > 0; count--) mutate(&json, marks, sizeof marks - 1);
    } else if (one_in(100)) {
        json.length = 0;
        for (size_t depth = 90 + below(200); depth > 0; depth--) put(&json, one_in(2) ? "[" : "{\"a\":");
        changed = true;
    }
    if (!pass(&json, !changed)) return;
    first = kept;
    pass(&first, true);
    if (first.length != kept.length || memcmp(first.bytes, kept.bytes, kept.length) != 0) {
        fail("%s became %s and then %s", json.bytes, first.bytes, kept.bytes);
    }
}

static void one_round(void) {
    if (one_in(2)) go_there_and_back();
    else give_bytes();
}

int main(int count, char **arguments) { return do_rounds(count, arguments, one_round); }
