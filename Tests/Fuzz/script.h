// Running scripts in a fuzz program: compiling, and a host that answers without thinking.
#ifndef PERIGEE_FUZZ_SCRIPT_H
#define PERIGEE_FUZZ_SCRIPT_H

#include "random.h"
#include "shim.h"

/// Of `await_step`, `echo`, `answer` and `refuse`: the first suspends, the second gives its arguments back.
static const char *const host_functions[] = {"await_step", "echo", "answer", "refuse"};

static const char prelude[] =
    "local host, env = ...\n"
    "for _, name in ipairs { 'echo', 'answer', 'refuse', 'secret', 'array', 'is_array', 'null' } do\n"
    "  env[name] = host[name]\n"
    "end\n"
    "env.await, env.encode, env.decode = host.await_step, host.json_encode, host.json_decode\n"
    "env.errormeta, env.load_piece = host.errormeta, host.load\n";

/// What `answer` and a suspended call give; a text of JSON, or not.
static const char *host_answer = "[1,{\"a\":\"b\"}]";
static size_t host_answer_length = 13;

/// A name gets the module whose text begins with the same letter, or else the first.
static const char *const modules[] = {
    "local name = ... return { name = name, double = function(x) return x + x end }",
    "circle = require 'circle.b' return circle",
    "error { code = 'FAILS' }",
    "nothing = true",
    "waits = await 'module' return waits",
};

static int keep_chunk(void *context, const void *bytes, size_t length) {
    put_bytes(context, bytes, length);
    return 0;
}

/// Compiles a text; `chunk` is empty if that fails, or if the result is too long to be kept.
static inline bool compile(const char *bytes, size_t length, const char *name, text *chunk) {
    char message[256] = "";
    chunk->length = 0;
    if (pg_compile(bytes, length, name, keep_chunk, chunk, message, sizeof message) != 0) {
        if (!*message) fail("a text that can't be compiled has no message");
        return false;
    }
    return chunk->length < MAX_TEXT;
}

static int answer_call(void *context, int function, const char *arguments, size_t length, const char *secrets,
                       size_t secrets_length, const char *script, int line) {
    static const char refusal[] = "{\"code\":\"PG9000\",\"message\":\"refused\"}";
    pg_state *state = *(pg_state **)context;
    (void)secrets, (void)secrets_length, (void)script, (void)line;
    switch (function) {
        case 0: return PG_SUSPEND;
        case 1: return pg_set_reply(state, arguments, length), PG_VALUE;
        case 2: return pg_set_reply(state, host_answer, host_answer_length), PG_VALUE;
        default: return pg_set_reply(state, refusal, sizeof refusal - 1), PG_FAILURE;
    }
}

static int find_module(void *context, const char *name, size_t length) {
    static text chunk;
    const char *body = modules[0];
    for (size_t at = 1; at < sizeof modules / sizeof *modules; at++) {
        if (length && *name == *modules[at]) body = modules[at];
    }
    if (length < 3 || !compile(body, strlen(body), "=module.lua", &chunk)) return 0;
    pg_set_chunk(*(pg_state **)context, chunk.bytes, chunk.length, length < 64 ? name : "long");
    return 1;
}

/// Makes a state with the prelude; NULL if its memory does not do. `place` has to live as long as the state.
static inline pg_state *open_script_state(pg_state **place, size_t memory, uint64_t milliseconds) {
    static text chunk;
    pg_limits limits = {memory, 2000000, milliseconds * 1000000, 256 << 10, 100, 1, 1, 0};
    pg_host host = {place, answer_call, find_module};
    *place = pg_create(limits, host, host_functions, sizeof host_functions / sizeof *host_functions);
    if (!*place) return NULL;
    if (compile(prelude, sizeof prelude - 1, "=stdlib/prelude.lua", &chunk)
        && pg_prelude(*place, chunk.bytes, chunk.length, "=stdlib/prelude.lua") == PG_RETURNED) {
        return *place;
    }
    pg_close(*place);
    return NULL;
}

/// Goes on until the run returns, fails or ends; a run that waits too often is left.
static inline int advance_to_end(pg_state *state) {
    int step = pg_advance(state, 0, PG_NOTHING, NULL, 0);
    for (int waits = 0; waits < 100; waits++) {
        while (step == PG_PREEMPTED) step = pg_advance(state, 0, PG_NOTHING, NULL, 0);
        if (step != PG_SUSPENDED) return step;
        step = pg_advance(state, 0, PG_VALUE, host_answer, host_answer_length);
    }
    return step;
}

/// Reads every byte that a step has left, so that AddressSanitizer sees what is not there.
static inline void read_outcome(pg_state *state, int step) {
    static volatile unsigned char sink;
    pg_text parts[] = {pg_value(state), pg_message(state), pg_error_value(state), pg_traceback(state)};
    if (step < PG_SUSPENDED || step > PG_ENDED_MEMORY) fail("there is no step %d", step);
    if (step == PG_FAILED && parts[1].length == 0) fail("a failure has no message");
    for (int part = step == PG_RETURNED ? 0 : 1; part < 4; part++) {
        if (step != PG_FAILED && part > 0) break;
        if (!parts[part].bytes) continue;
        for (size_t at = 0; at < parts[part].length; at++) sink = (unsigned char)parts[part].bytes[at];
    }
    if (strlen(pg_script(state)) > 0 && pg_line(state) < 0) fail("a line is negative");
    (void)sink;
}

#endif
