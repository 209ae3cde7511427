// Bytes that are no text cross the border as Base64 (RFC 4648): host.to_base64 and host.from_base64.
#include "state.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// host.to_base64(bytes): the text, with padding.
int pg_to_base64(lua_State *L) {
    size_t length;
    const unsigned char *bytes = (const unsigned char *)luaL_checklstring(L, 1, &length);
    if (length > SIZE_MAX / 2) return luaL_error(L, "too many bytes");
    size_t size = (length + 2) / 3 * 4;
    luaL_Buffer buffer;
    char *text = luaL_buffinitsize(L, &buffer, size);
    for (size_t at = 0, to = 0; at < length; at += 3, to += 4) {
        size_t left = length - at;
        unsigned bits = (unsigned)bytes[at] << 16 | (left > 1 ? (unsigned)bytes[at + 1] << 8 : 0)
            | (left > 2 ? bytes[at + 2] : 0);
        text[to] = digits[bits >> 18];
        text[to + 1] = digits[bits >> 12 & 63];
        text[to + 2] = left > 1 ? digits[bits >> 6 & 63] : '=';
        text[to + 3] = left > 2 ? digits[bits & 63] : '=';
    }
    luaL_pushresultsize(&buffer, size);
    return 1;
}

static int value_of(char digit) {
    if (digit >= 'A' && digit <= 'Z') return digit - 'A';
    if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9') return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

/// host.from_base64(text): the bytes; nil for what is no Base64 with its padding.
int pg_from_base64(lua_State *L) {
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    if (length % 4) return lua_pushnil(L), 1;
    size_t padding = length == 0 ? 0 : (size_t)(text[length - 1] == '=') + (text[length - 2] == '=');
    luaL_Buffer buffer;
    char *bytes = luaL_buffinitsize(L, &buffer, length / 4 * 3);
    for (size_t at = 0, to = 0; at < length; at += 4, to += 3) {
        unsigned bits = 0;
        for (size_t place = at; place < at + 4; place++) {
            int value = place >= length - padding ? 0 : value_of(text[place]);
            if (value < 0) return lua_pushnil(L), 1;
            bits = bits << 6 | (unsigned)value;
        }
        bytes[to] = (char)(bits >> 16);
        bytes[to + 1] = (char)(bits >> 8 & 255);
        bytes[to + 2] = (char)(bits & 255);
    }
    luaL_pushresultsize(&buffer, length / 4 * 3 - padding);
    return 1;
}
