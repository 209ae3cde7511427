// Random and mutated Lua texts: each is refused with a message, or runs within small limits.
#include "script.h"

static text *files;
static size_t file_count;

/// Words that mean something here: random texts of them compile more often than random bytes.
static const char *const words[] = {
    "local ", "function ", "end ", "if ", "then ", "else ", "while ", "do ", "for ", "in ", "repeat ", "until ",
    "return ", "goto a ", "::a:: ", "break ", "nil ", "true ", "not ", "and ", "or ", "<close> ", "<const> ", "...",
    "..", "=", "==", "~=", "+", "-", "*", "//", "%", "^", "#", "&", "~", "|", "<<", "(", ")", "{", "}", "[", "]", ";",
    ",", ":", "x ", "y ", "t ", "_ENV ", "self ", "1 ", "0x7fffffffffffffff ", "1e308 ", "'text' ", "[[long]] ", "--",
    "\n", "pcall(", "error(", "setmetatable(", "coroutine.wrap(", "coroutine.yield(", "coroutine.close(", "table.sort(",
    "table.concat(", "table.unpack(", "table.move(", "string.rep(", "string.format(", "string.gsub(", "string.pack(",
    "utf8.char(", "load(", "require(", "await(", "echo(", "answer()", "refuse()", "encode(", "decode(", "select(",
    "tostring(", "tonumber(", "next(", "pairs(", "math.random(", "{ __index = ", "{ __close = ", "{ __gc = ",
    "await, ", "await(input)", "secret('A')", "array {", "is_array(", "null ", "errormeta(", "load_piece('a')",
    "{ __eq = ", "{ __concat = ", "{ __len = ", "{ __call = ", "{ __tostring = ",
};

static void read_files(int count, char **names) {
    files = calloc((size_t)count + 1, sizeof *files);
    for (int at = 0; files && at < count; at++) {
        FILE *file = fopen(names[at], "rb");
        if (!file) fail("%s can't be read", names[at]);
        text *t = &files[file_count++];
        t->length = fread(t->bytes, 1, MAX_TEXT, file);
        fclose(file);
    }
    if (file_count == 0) fail("this needs some Lua files after the seed and the seconds");
}

/// A place at which a line begins.
static size_t line_of(const text *t) {
    size_t at = below(t->length + 1);
    while (at > 0 && t->bytes[at - 1] != '\n') at--;
    return at;
}

static void splice_lines(text *t) {
    const text *from = &files[below(file_count)];
    size_t start = line_of(from), end = start;
    for (size_t lines = 1 + below(6); lines > 0 && end < from->length; lines--) {
        const char *newline = memchr(from->bytes + end, '\n', from->length - end);
        end = newline ? (size_t)(newline - from->bytes) + 1 : from->length;
    }
    splice(t, line_of(t), 0, from->bytes + start, end - start);
}

static void make_text(text *t) {
    static const char marks[] = "()[]{}.:,;='\"\\-~#%\n\0\x80\xff" "0123456789abcxyz";
    t->length = 0;
    if (one_in(4)) {
        for (size_t count = below(60); count > 0; count--) put(t, ONE_OF(words));
        return;
    }
    *t = files[below(file_count)];
    for (size_t count = below(8); count > 0; count--) {
        switch (below(4)) {
            case 0: mutate(t, marks, sizeof marks - 1); break;
            case 1: {
                const char *word = ONE_OF(words);
                splice(t, below(t->length + 1), 0, word, strlen(word));
                break;
            }
            default: splice_lines(t);
        }
    }
}

/// Runs a chunk as a script, and then what it has defined.
static void run_chunk(const text *chunk) {
    enum { MEMORY = 4 << 20, MILLISECONDS = 20 };
    pg_state *state = open_script_state(&state, MEMORY, MILLISECONDS);
    if (!state) fail("there is no state");
    int step = pg_prepare_script(state, chunk->bytes, chunk->length, "=test.lua");
    if (step == PG_RETURNED) step = advance_to_end(state);
    read_outcome(state, step);
    if (step == PG_RETURNED) {
        step = pg_definition(state);
        read_outcome(state, step);
        step = pg_prepare_function(state, "run", host_answer, host_answer_length);
        if (step == PG_RETURNED) step = advance_to_end(state);
        read_outcome(state, step);
    }
    // A stack may go an eighth beyond the limit.
    if (pg_memory(state) > MEMORY + MEMORY / 8) fail("%zu bytes are in use", pg_memory(state));
    pg_close(state);
}

static void one_round(void) {
    static text script, chunk;
    make_text(&script);
    if (compile(script.bytes, script.length, "=test.lua", &chunk)) run_chunk(&chunk);
}

int main(int count, char **arguments) {
    if (count > 3) read_files(count - 3, arguments + 3);
    else fail("this needs a seed, the seconds and some Lua files");
    int status = do_rounds(count, arguments, one_round);
    free(files);
    return status;
}
