// Lua's patterns, with a bound on the work of one call.
#ifndef PERIGEE_PATTERNS_H
#define PERIGEE_PATTERNS_H

#include "state.h"

/// The steps that one call may take: a fixed number, and as many again for each byte of its subject.
#define PG_STEPS_PER_CALL 50000000LL
#define PG_STEPS_PER_BYTE 64LL

/// How many captures a pattern can have.
#define PG_MOST_CAPTURES 32

/// The lengths of captures that are no text: one that is still open, and a position.
enum { PG_CAPTURE_OPEN = -1, PG_CAPTURE_POSITION = -2 };

typedef struct {
    const char *start;
    ptrdiff_t length;
} pg_capture;

/// A pattern on its way through a subject. Both texts belong to Lua strings that the caller keeps on the stack.
typedef struct {
    lua_State *L;
    const char *function;          // whose call it is, for the message when its steps are used up
    const char *subject, *subject_end, *pattern, *pattern_end;
    long long steps;               // what is left of them
    bool anchored;                 // the pattern matches at the first position only
    int first;                     // the byte with which each match begins, or -1
    int depth, count;              // how deep the matching is nested; the number of captures
    pg_capture captures[PG_MOST_CAPTURES];
} pg_matcher;

/// Prepares `m` for the texts, whose pattern may begin with an anchor unless `anchors` is false.
void pg_start_matching(pg_matcher *m, lua_State *L, const char *function, const char *subject, size_t subject_length,
                       const char *pattern, size_t pattern_length, bool anchors);
/// Returns where the next match from `from` on begins, with its end in `end`, or NULL. A match that ends at `last`,
/// where the match before it has ended, does not count.
const char *pg_next_match(pg_matcher *m, const char *from, const char *last, const char **end);
/// A capture of the match from `start` to `end`; if there are none, the first is the whole match.
pg_capture pg_capture_of(pg_matcher *m, int number, const char *start, const char *end);
void pg_push_capture(pg_matcher *m, pg_capture capture);
/// Pushes all captures and returns how many; the whole match if there are none and `start` is not NULL.
int pg_push_captures(pg_matcher *m, const char *start, const char *end);

/// Whether a pattern with this byte is more than plain text.
static inline bool pg_is_magic(char c) {
    switch (c) {
        case '^': case '$': case '*': case '+': case '?': case '.': case '(': case '[': case '%': case '-': return true;
        default: return false;
    }
}

/// Compares bytes and takes one step for each.
bool pg_same_bytes(pg_matcher *m, const char *one, const char *other, size_t length);
/// Takes steps; a call that has none left ends the run.
void pg_take_steps(pg_matcher *m, size_t steps);

#endif
