// Our find, match, gmatch and gsub against those of Lua's own library: the same results, or errors of the same text.
#include "patterns.h"
#include "random.h"

static const char driver[] =
    "local kind, s, p, x, y = ...\n"
    "local out = {}\n"
    "local function show(...)\n"
    "  for i = 1, select('#', ...) do\n"
    "    local v = select(i, ...)\n"
    "    out[#out + 1] = (math.type(v) or type(v)) .. ':' .. tostring(v)\n"
    "  end\n"
    "end\n"
    "local calls = 0\n"
    "local function answer(...)\n"
    "  show('called', ...)\n"
    "  calls = calls + 1\n"
    "  local choice = (calls + #s) % 6\n"
    "  if choice == 0 then return nil elseif choice == 1 then return false elseif choice == 2 then return calls\n"
    "  elseif choice == 3 then return 0.5 elseif choice == 4 then return '%1<' .. tostring((...)) .. '>' end\n"
    "  return ''\n"
    "end\n"
    "local map = { a = 'x', b = false, ab = 'yy', [1] = 'one', [''] = 'empty', aa = 7 }\n"
    "local loop = setmetatable({}, {}) getmetatable(loop).__index = loop\n"
    "local replacements = {\n"
    "  y, map, answer, setmetatable({ a = 'A' }, { __index = answer and function(_, k) return answer(k) end }),\n"
    "  setmetatable({}, { __index = setmetatable({}, { __index = map }) }), setmetatable({}, { __index = 5 }), loop,\n"
    "  setmetatable({}, { __index = 'text' }), function() return {} end, function(c) error(c, 0) end, 42, 2.5,\n"
    "  function(c) if calls > 1 then error('late') end return answer(c) end, true,\n"
    "}\n"
    "show(pcall(function()\n"
    "  if kind <= 2 then show(string.find(s, p, x, y == '1'))\n"
    "  elseif kind <= 4 then show(string.match(s, p, x))\n"
    "  elseif kind <= 6 then for a, b, c in string.gmatch(s, p, x) do show('found', a, b, c) end\n"
    "  else show(string.gsub(s, p, replacements[kind - 6], x)) end\n"
    "end))\n"
    "return table.concat(out, '\\n')\n";

enum { KINDS = 6 + 14 };

static lua_State *stock, *own;
static bool exhausted;
static text subject, pattern, replacement;

/// In place of the watchdog's: there is no run here that could be ended.
_Noreturn void pg_exhaust(lua_State *L, int reason, const char *what) {
    (void)reason;
    exhausted = true;
    luaL_error(L, "%s is exhausted", what);
    abort();
}

static lua_State *open_state(bool with_own) {
    static pg_state nothing;
    lua_State *L = luaL_newstate();
    *(pg_state **)lua_getextraspace(L) = &nothing;
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    lua_settop(L, 0);
    if (with_own) pg_open_search(L);
    if (luaL_loadbufferx(L, driver, sizeof driver - 1, "=driver", "t") != LUA_OK) fail("%s", lua_tostring(L, -1));
    return L;
}

static void put_literal(text *t) {
    static const char bytes[] = "aaaabbbcxyzAZ019 _,;=<>]\n\t\0\xe4\xff";
    static const char magic[] = "^$*+?.([%-)";
    if (one_in(12)) {
        put_byte(t, '%');
        put_byte(t, ONE_OF(magic));
    } else {
        put_byte(t, bytes[below(sizeof bytes - 1)]);
    }
}

static void put_class(text *t) {
    static const char letters[] = "acdglpsuwxzACDGLPSUWXZkq";
    put_byte(t, '%');
    put_byte(t, letters[below(sizeof letters - 1)]);
}

static void put_set(text *t) {
    put(t, one_in(3) ? "[^" : "[");
    if (one_in(8)) put(t, one_in(2) ? "]" : "-");
    for (size_t count = below(one_in(6) ? 12 : 4); count > 0; count--) {
        if (one_in(3)) put_class(t);
        else if (one_in(3)) put(t, one_in(2) ? "a-c" : "0-9");
        else put_literal(t);
    }
    put(t, one_in(20) ? "-" : "");
    put(t, one_in(40) ? "" : "]");
}

static void put_items(text *t, int depth) {
    static const char *const ends[] = {"", "", "", "", "*", "+", "-", "?"};
    for (size_t count = 1 + below(4); count > 0; count--) {
        size_t choice = below(20);
        if (choice < 8) put_literal(t), put(t, ONE_OF(ends));
        else if (choice < 11) put_class(t), put(t, ONE_OF(ends));
        else if (choice < 13) put_set(t), put(t, ONE_OF(ends));
        else if (choice < 14) put(t, "."), put(t, ONE_OF(ends));
        else if (choice < 15) put(t, "()");
        else if (choice < 16) put(t, "%b"), put_literal(t), put_literal(t);
        else if (choice < 17) put(t, "%f"), put_set(t);
        else if (choice < 18) put(t, "%"), put_byte(t, '0' + (int)below(4));
        else if (depth < 3) put(t, "("), put_items(t, depth + 1), put(t, one_in(30) ? "" : ")");
    }
}

/// Patterns at the bounds: of captures and of nesting. Their subjects are such that the stock matcher comes to an end.
static void make_deep(void) {
    static const char *const items[] = {"()", "(a)", "(", "a?", "a-", "a*", "a"};
    size_t choice = below(sizeof items / sizeof *items);
    size_t count = one_in(2) ? 30 + below(5) : 190 + below(20);
    while (count-- > 0) put(&pattern, items[choice]);
    if (one_in(2)) put(&pattern, "b");
    bool linear = choice < 4;
    for (size_t length = linear && one_in(2) ? 250 : below(3); length > 0; length--) put(&subject, "a");
}

static void make_texts(void) {
    static const char bytes[] = "^$*+?.([%-)]ab0";
    subject.length = pattern.length = replacement.length = 0;
    put(&subject, ""), put(&pattern, ""), put(&replacement, "");
    if (one_in(60)) {
        make_deep();
    } else {
        for (size_t length = below(30); length > 0; length--) {
            if (one_in(10)) put_byte(&subject, "()[]%.-^$"[below(9)]);
            else put_literal(&subject);
        }
        put(&pattern, one_in(8) ? "^" : "");
        put_items(&pattern, 0);
        put(&pattern, one_in(8) ? "$" : "");
        if (one_in(3)) {
            for (size_t count = below(4); count > 0; count--) mutate(&pattern, bytes, sizeof bytes - 1);
        }
    }
    for (size_t length = below(6); length > 0; length--) {
        if (one_in(3)) put(&replacement, "%"), put_byte(&replacement, "0123%a"[below(6)]);
        else put_literal(&replacement);
    }
}

/// Whether the stock matcher may need too long: each repetition multiplies the ways.
static bool is_costly(void) {
    int repetitions = 0;
    if (subject.length < 3 || subject.length > 200) return false;
    for (size_t at = 0; at < pattern.length; at++) repetitions += memchr("*+-?", pattern.bytes[at], 4) != NULL;
    return repetitions > 4;
}

static const char *result_of(lua_State *L, int kind, lua_Integer position, bool flag, size_t *length) {
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, kind);
    lua_pushlstring(L, subject.bytes, subject.length);
    lua_pushlstring(L, pattern.bytes, pattern.length);
    if (position == 99) lua_pushnil(L);
    else lua_pushinteger(L, position);
    if (flag) lua_pushliteral(L, "1");
    else lua_pushlstring(L, replacement.bytes, replacement.length);
    if (lua_pcall(L, 5, 1, 0) != LUA_OK) fail("the driver has failed: %s", lua_tostring(L, -1));
    return lua_tolstring(L, -1, length);
}

static void compare_once(void) {
    make_texts();
    if (is_costly()) return;
    int kind = 1 + (int)below(KINDS);
    lua_Integer position = one_in(3) ? (lua_Integer)below(50) - 25 : 99;
    if (one_in(200)) position = one_in(2) ? LUA_MININTEGER : LUA_MAXINTEGER;
    bool flag = kind <= 2 && one_in(3);
    size_t length, expected_length;
    exhausted = false;
    const char *result = result_of(own, kind, position, flag, &length);
    if (exhausted) return;
    const char *expected = result_of(stock, kind, position, flag, &expected_length);
    if (length == expected_length && memcmp(result, expected, length) == 0) return;
    fprintf(stderr, "kind %d\nsubject: ", kind);
    fwrite(subject.bytes, 1, subject.length, stderr);
    fprintf(stderr, "\npattern: ");
    fwrite(pattern.bytes, 1, pattern.length, stderr);
    fail("\nreplacement: %s\nposition: %lld\nours:\n%s\n\nLua's:\n%s", replacement.bytes, (long long)position, result,
         expected);
}

int main(int count, char **arguments) {
    stock = open_state(false);
    own = open_state(true);
    int status = do_rounds(count, arguments, compare_once);
    lua_close(stock);
    lua_close(own);
    return status;
}
