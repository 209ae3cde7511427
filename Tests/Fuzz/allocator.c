// Every request for memory is refused in turn, alone and with all that follow: the run ends with an error or at its
// memory limit, or it has the right result nevertheless, since Lua collects garbage and asks again.
#include "script.h"

typedef struct {
    const char *name, *body, *result;
} program;

static const program programs[] = {
    {"tables", "local t = {} for i = 1, 200 do t[i] = { i, key = i .. '' } end for i = 1, 200, 2 do t[i] = nil end"
               " return t[200][1]", "200"},
    {"strings", "local s = '' for i = 1, 40 do s = s .. i .. ',' end return #s:rep(20):upper() + #('%d'):format(7)",
     "2221"},
    {"coroutines", "local sum = 0 for i = 1, 10 do local co = coroutine.wrap(function(a) local b = coroutine.yield(a)"
                   " return b end) sum = sum + co(i) + co(i) end return sum", "110"},
    {"gsub", "local s = ('a-b '):rep(300):gsub('(%a)-(%a)', function(x, y) return y:rep(3) .. x end)"
             " return s:gsub('%s', ''):sub(-4)", "\"bbba\""},
    {"gmatch", "local n = 0 for k, v in ('a=1,b=2,'):rep(30):gmatch('(%w)=(%w)') do n = n + v end return n", "90"},
    {"sort", "local t = {} for i = 1, 100 do t[i] = (i * 37) % 101 end table.sort(t, function(a, b) return a > b end)"
             " return table.concat(t, ' ', 1, 3)", "\"100 99 98\""},
    {"stable sort", "local t = {} for i = 1, 60 do t[i] = ('%02d'):format(i * 37 % 61) end table.sort(t) return t[60]",
     "\"60\""},
    {"order", "local t, s = { [true] = 1 }, 0 for i = 1, 40 do t['k' .. i] = i t[i * 1.5] = i end"
              " for k, v in pairs(t) do t[k] = v + 1 s = s + v end local k = next(t) return s", "1641"},
    {"texts of objects", "local n = 0 for i = 1, 30 do n = n + #tostring({}) // #tostring({}) + #('%s'):format(i) end"
                         " return n + #tostring(coroutine.create(next)) // 100", "80"},
    {"JSON", "local v = decode(encode(input)) v.more = echo(v)[1].list for i = 1, 40 do v['k' .. i] = { i } end"
             " return #encode(decode(encode(v))) > 300 and v.more[2].text", "\"\\u0001ä\\\"\""},
    {"errors", "local n = 0 for i = 1, 20 do local ok, e = pcall(refuse) if e.code == 'PG9000' then n = n + 1 end"
               " ok, e = pcall(error, { i }) n = n + e[1] ok, e = pcall(function() local x = nil + i end)"
               " n = n + (e:find('nil', 1, true) and 1 or 0) end return n", "250"},
    {"load", "local f = load('local a = ... return a * 2', 'x') local g = load(function() return nil end) return f(21)",
     "42"},
    {"require", "local m = require('some.module') return m.double(4) .. m.name", "\"8some.module\""},
    {"waits", "local t = {} for i = 1, 5 do t[i] = await({ step = i, text = ('x'):rep(i) })[1] end"
              " return (('ab'):gsub('.', function(c) return await(c)[1] end)) .. #t", "\"115\""},
    {"secrets", "local ok, e = pcall(function() return 'a' .. secret('TOKEN') end) echo({ auth = secret('TOKEN') })"
                " return e.code", "\"PG1021\""},
    {"close", "local n = 0 local m = { __close = function() n = n + 1 end }"
              " do local c <close> = setmetatable({}, m) end"
              " pcall(function() local c <close> = setmetatable({}, m) error({}) end) return n", "2"},
    {"uncaught", "local function deep(n) if n == 0 then error({ code = 'X', message = 'gone', list = { 1, 2 } }) end"
                 " deep(n - 1) return 1 end deep(30)", NULL},
};

static const char argument[] = "{\"list\":[1,{\"text\":\"\\u0001ä\\\"\"}],\"n\":0.5}";

static const char *under_way = "compiling";
static long refused_request;

static void tell_place(void) { fprintf(stderr, "%s, when request %ld was refused\n", under_way, refused_request); }

/// Runs from the text to the end. Returns how it ended, or PG_FAILED if there was not even a state; gives the state.
static int live(const text *chunk, pg_state **state, bool with_opening, long refused) {
    if (with_opening) faults_countdown = refused;
    if (!open_script_state(state, 8 << 20, 20000)) return *state = NULL, PG_FAILED;
    faults_countdown = faults_hit ? faults_countdown : refused;
    int step = pg_prepare_script(*state, chunk->bytes, chunk->length, "=test.lua");
    if (step == PG_RETURNED) step = advance_to_end(*state);
    if (step == PG_RETURNED) step = pg_definition(*state);
    if (step == PG_RETURNED) step = pg_prepare_function(*state, "run", argument, sizeof argument - 1);
    if (step == PG_RETURNED) step = advance_to_end(*state);
    return step;
}

static void check(const program *p, const pg_state *state, int step, bool hit) {
    if (step == PG_ENDED_MEMORY && hit) return;
    if (step == PG_FAILED && (hit || !p->result)) return;
    pg_text value = step == PG_RETURNED && state ? pg_value(state) : (pg_text){NULL, 0};
    if (value.bytes && p->result && strlen(p->result) == value.length
        && memcmp(value.bytes, p->result, value.length) == 0) {
        return;
    }
    pg_text message = step == PG_FAILED && state ? pg_message(state) : value;
    fail("step %d: %.*s instead of %s", step, (int)message.length, message.bytes ? message.bytes : "",
         p->result ? p->result : "an error");
}

/// Refuses the first request, the second …, until a run asks for fewer. Returns how many runs that took.
static long refuse_each(const program *p, bool with_opening, bool go_on) {
    static text script, chunk;
    script.length = 0;
    put(&script, "return { run = function(input) ");
    put(&script, p->body);
    put(&script, "\nend }");
    if (!compile(script.bytes, script.length, "=test.lua", &chunk)) fail("this can't be compiled: %s", script.bytes);
    faults_go_on = go_on;
    under_way = p->name;
    for (long refused = 1;; refused++) {
        pg_state *state;
        faults_hit = false;
        refused_request = refused;
        int step = live(&chunk, &state, with_opening, refused);
        faults_countdown = 0;
        check(p, state, step, faults_hit);
        if (state) pg_close(state);
        if (!faults_hit) return refused;
    }
}

/// Compiles while each request is refused in turn: there is no bytecode then, and a message.
static long refuse_compiling(void) {
    static const char script[] = "local a <const> = { 1, 'two' } return function(...) return a[1] + ..., 'text' end";
    static text chunk;
    for (refused_request = 1;; refused_request++) {
        faults_hit = false;
        faults_countdown = refused_request;
        bool compiled = compile(script, sizeof script - 1, "=test.lua", &chunk);
        faults_countdown = 0;
        if (faults_hit) continue;
        if (!compiled) fail("what nothing was refused to is not compiled");
        return refused_request;
    }
}

int main(void) {
    tell_round = tell_place;
    __sanitizer_set_death_callback(tell_round);
    long runs = refuse_compiling();
    for (size_t at = 0; at < sizeof programs / sizeof *programs; at++) {
        for (int go_on = 0; go_on < 2; go_on++) {
            runs += refuse_each(&programs[at], at == 0, go_on);
        }
    }
    printf("%ld runs\n", runs);
    return 0;
}
