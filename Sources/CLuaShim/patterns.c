// The matcher of Lua's patterns. Every position, repetition and compared byte takes a step of the call's budget, since
// no hook can stop C code: a pattern can need more time than there is.
#include "patterns.h"

#include <string.h>

/// How deep items that may have to go back can nest. Each takes a frame of the C stack.
#define MAX_DEPTH 200
/// Bytes that are compared at a time: few of them are paid for in vain.
#define COMPARED_AT_ONCE 64

enum { CONTROL = 1, SPACE = 2, PUNCTUATION = 4, DIGIT = 8, UPPER = 16, LOWER = 32, HEXADECIMAL = 64, ZERO = 128 };

#define C8 CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL
#define B (CONTROL | SPACE)
#define P PUNCTUATION
#define D (DIGIT | HEXADECIMAL)
#define X (UPPER | HEXADECIMAL)
#define U UPPER
#define Y (LOWER | HEXADECIMAL)
#define L LOWER
/// The classes of ASCII, whatever the locale is; bytes above have none.
static const unsigned char classes[256] = {
    CONTROL | ZERO, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL, CONTROL,
    CONTROL, B, B, B, B, B, CONTROL, CONTROL, C8, C8,
    SPACE, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
    D, D, D, D, D, D, D, D, D, D, P, P, P, P, P, P,
    P, X, X, X, X, X, X, U, U, U, U, U, U, U, U, U,
    U, U, U, U, U, U, U, U, U, U, U, P, P, P, P, P,
    P, Y, Y, Y, Y, Y, Y, L, L, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, P, P, P, P, CONTROL,
};
#undef C8
#undef B
#undef P
#undef D
#undef X
#undef U
#undef Y
#undef L

/// What each letter after a % stands for; 0 where it stands for itself.
static const unsigned char class_letters[26] = {
    ['a' - 'a'] = UPPER | LOWER, ['c' - 'a'] = CONTROL, ['d' - 'a'] = DIGIT,
    ['g' - 'a'] = UPPER | LOWER | DIGIT | PUNCTUATION, ['l' - 'a'] = LOWER, ['p' - 'a'] = PUNCTUATION,
    ['s' - 'a'] = SPACE, ['u' - 'a'] = UPPER, ['w' - 'a'] = UPPER | LOWER | DIGIT, ['x' - 'a'] = HEXADECIMAL,
    ['z' - 'a'] = ZERO,
};

static const char *match(pg_matcher *m, const char *s, const char *p);

static _Noreturn void exhaust(pg_matcher *m) { pg_exhaust(m->L, PG_ENDED_CPU, m->function); }

void pg_take_steps(pg_matcher *m, size_t steps) {
    m->steps -= (long long)steps;
    if (m->steps < 0) exhaust(m);
}

bool pg_same_bytes(pg_matcher *m, const char *one, const char *other, size_t length) {
    while (length) {
        size_t part = length < COMPARED_AT_ONCE ? length : COMPARED_AT_ONCE;
        pg_take_steps(m, part);
        if (memcmp(one, other, part)) return false;
        one += part, other += part, length -= part;
    }
    return true;
}

/// The classes that `letter` stands for after a %, or 0 if it stands for itself.
static inline unsigned char class_of(unsigned char letter) {
    unsigned place = (letter | 32u) - 'a';
    return letter < 128 && place < 26 ? class_letters[place] : 0;
}

/// Whether `c` is what a % and `letter` stand for: a capital is the opposite of its class.
static inline bool in_class(unsigned char c, unsigned char letter) {
    unsigned char class = class_of(letter);
    if (!class) return c == letter;
    return ((classes[c] & class) != 0) == ((letter & 32) != 0);
}

/// Returns what follows the set at `p`. Its first byte belongs to it even if it is the bracket that closes sets.
static const char *set_end(pg_matcher *m, const char *p) {
    const char *at = p + 1;
    if (*at == '^') at++;
    do {
        if (at == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
        if (*at++ == '%' && at < m->pattern_end) at++;
    } while (*at != ']');
    // Finding the end is quicker than comparing.
    pg_take_steps(m, (size_t)(at - p) / 4);
    return at + 1;
}

/// Returns what follows the item at `p`, one that stands for a single byte: its repetition or the next item.
static inline const char *item_end(pg_matcher *m, const char *p) {
    if (*p == '[') return set_end(m, p);
    if (*p != '%') return p + 1;
    if (p + 1 == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return p + 2;
}

/// Whether `c` is in the set from `p` to the bracket at `last`.
static bool in_set(pg_matcher *m, unsigned char c, const char *p, const char *last) {
    bool found = false, opposite = p[1] == '^';
    const char *at = p + 1 + opposite;
    while (at < last && !found) {
        if (*at == '%') {
            found = in_class(c, (unsigned char)at[1]);
            at += 2;
        } else if (at[1] == '-' && at + 2 < last) {
            found = (unsigned char)*at <= c && c <= (unsigned char)at[2];
            at += 3;
        } else {
            found = (unsigned char)*at++ == c;
        }
    }
    pg_take_steps(m, (size_t)(at - p));
    return found != opposite;
}

/// Whether the item from `p` to `rest` stands for the byte at `s`.
static inline bool fits(pg_matcher *m, const char *s, const char *p, const char *rest) {
    if (s >= m->subject_end) return false;
    unsigned char c = (unsigned char)*s;
    switch (*p) {
        case '.': return true;
        case '%': return in_class(c, (unsigned char)p[1]);
        case '[': return in_set(m, c, p, rest - 1);
        default: return (unsigned char)*p == c;
    }
}

/// Returns the end of the bytes from `s` on that all fit the item.
static const char *run_end(pg_matcher *m, const char *s, const char *p, const char *rest) {
    const char *at = s, *end = m->subject_end;
    unsigned char class = *p == '%' ? class_of((unsigned char)p[1]) : 0;
    if (*p == '[') {
        while (at < end && in_set(m, (unsigned char)*at, p, rest - 1)) at++;
    } else if (*p == '.') {
        at = end;
    } else if (class) {
        bool wanted = (p[1] & 32) != 0;
        while (at < end && ((classes[(unsigned char)*at] & class) != 0) == wanted) at++;
    } else {
        char literal = *p == '%' ? p[1] : *p;
        while (at < end && *at == literal) at++;
    }
    pg_take_steps(m, *p == '.' ? 0 : (size_t)(at - s));
    return at;
}

/// As many bytes as fit, and then fewer and fewer, until the rest of the pattern matches.
static const char *match_most(pg_matcher *m, const char *s, const char *p, const char *rest) {
    for (const char *at = run_end(m, s, p, rest); at >= s; at--) {
        const char *end = match(m, at, rest + 1);
        if (end) return end;
    }
    return NULL;
}

/// As few bytes as possible, and then more and more, until the rest of the pattern matches.
static const char *match_least(pg_matcher *m, const char *s, const char *p, const char *rest) {
    while (true) {
        const char *end = match(m, s, rest + 1);
        if (end) return end;
        if (!fits(m, s, p, rest)) return NULL;
        s++;
    }
}

static const char *open_capture(pg_matcher *m, const char *s, const char *p, ptrdiff_t length) {
    if (m->count >= PG_MOST_CAPTURES) luaL_error(m->L, "too many captures");
    m->captures[m->count++] = (pg_capture){s, length};
    const char *end = match(m, s, p);
    if (!end) m->count--;
    return end;
}

static const char *close_capture(pg_matcher *m, const char *s, const char *p) {
    int number = m->count - 1;
    while (number >= 0 && m->captures[number].length != PG_CAPTURE_OPEN) number--;
    if (number < 0) luaL_error(m->L, "invalid pattern capture");
    m->captures[number].length = s - m->captures[number].start;
    const char *end = match(m, s, p);
    if (!end) m->captures[number].length = PG_CAPTURE_OPEN;
    return end;
}

/// Goes over a text between the two bytes at `p`, which may nest.
static const char *match_balance(pg_matcher *m, const char *s, const char *p) {
    if (m->pattern_end - p < 2) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->subject_end || *s != *p) return NULL;
    const char opening = p[0], closing = p[1];
    size_t open = 1;
    for (const char *at = s + 1; at < m->subject_end; at++) {
        if (*at == closing) {
            if (--open > 0) continue;
            pg_take_steps(m, (size_t)(at - s));
            return at + 1;
        }
        if (*at == opening) open++;
    }
    pg_take_steps(m, (size_t)(m->subject_end - s));
    return NULL;
}

/// Whether a run of the bytes of the set at `p` begins at `s`; beyond both ends of the subject there are zero bytes.
static bool at_frontier(pg_matcher *m, const char *s, const char *p, const char *rest) {
    unsigned char before = s == m->subject ? 0 : (unsigned char)s[-1];
    return !in_set(m, before, p, rest - 1) && in_set(m, (unsigned char)*s, p, rest - 1);
}

/// Goes over a repetition of what a capture has matched.
static const char *match_again(pg_matcher *m, const char *s, int digit) {
    int number = digit - '1';
    if (number < 0 || number >= m->count || m->captures[number].length == PG_CAPTURE_OPEN) {
        luaL_error(m->L, "invalid capture index %%%d", number + 1);
    }
    const pg_capture *capture = &m->captures[number];
    if (capture->length < 0 || m->subject_end - s < capture->length) return NULL;
    return pg_same_bytes(m, capture->start, s, (size_t)capture->length) ? s + capture->length : NULL;
}

/// Matches the items that have a percent sign and are more than a byte. Returns false if the one at `p` is none of
/// them; else moves `s`, to NULL if it does not match, and `p`.
static bool match_special(pg_matcher *m, const char **s, const char **p) {
    const char *at = *p, *rest;
    switch (at[1]) {
        case 'b':
            *s = match_balance(m, *s, at + 2);
            *p = at + 4;
            return true;
        case 'f':
            if (at[2] != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
            rest = set_end(m, at + 2);
            if (!at_frontier(m, *s, at + 2, rest)) *s = NULL;
            *p = rest;
            return true;
        case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
            *s = match_again(m, *s, at[1]);
            *p = at + 2;
            return true;
        default: return false;
    }
}

/// Matches the pattern from `p` on at `s`; returns the end of the match or NULL. Only what may have to go back nests.
static const char *match_items(pg_matcher *m, const char *s, const char *p) {
    while (p != m->pattern_end) {
        if (--m->steps < 0) exhaust(m);
        switch (*p) {
            case '(':
                if (p[1] == ')') return open_capture(m, s, p + 2, PG_CAPTURE_POSITION);
                return open_capture(m, s, p + 1, PG_CAPTURE_OPEN);
            case ')': return close_capture(m, s, p + 1);
            case '$':
                if (p + 1 == m->pattern_end) return s == m->subject_end ? s : NULL;
                break;
            case '%':
                if (!match_special(m, &s, &p)) break;
                if (!s) return NULL;
                continue;
        }
        const char *rest = item_end(m, p), *end;
        bool fit = fits(m, s, p, rest);
        switch (*rest) {
            case '*':
                if (fit) return match_most(m, s, p, rest);
                p = rest + 1;
                break;
            case '+': return fit ? match_most(m, s + 1, p, rest) : NULL;
            case '-':
                if (fit) return match_least(m, s, p, rest);
                p = rest + 1;
                break;
            case '?':
                if (fit && (end = match(m, s + 1, rest + 1))) return end;
                p = rest + 1;
                break;
            default:
                if (!fit) return NULL;
                s++;
                p = rest;
        }
    }
    return s;
}

static const char *match(pg_matcher *m, const char *s, const char *p) {
    if (++m->depth > MAX_DEPTH) luaL_error(m->L, "pattern too complex");
    const char *end = match_items(m, s, p);
    m->depth--;
    return end;
}

void pg_start_matching(pg_matcher *m, lua_State *L, const char *function, const char *subject, size_t subject_length,
                       const char *pattern, size_t pattern_length, bool anchors) {
    m->L = L;
    m->function = function;
    m->subject = subject;
    m->subject_end = subject + subject_length;
    m->anchored = anchors && *pattern == '^';
    m->pattern = pattern + m->anchored;
    m->pattern_end = pattern + pattern_length;
    m->steps = PG_STEPS_PER_CALL + PG_STEPS_PER_BYTE * (long long)subject_length;
    m->count = 0;
    m->first = -1;
    if (m->anchored || !pattern_length || pg_is_magic(*pattern) || *pattern == ')') return;
    // Read beyond the last byte, the zero that ends every Lua string is no repetition.
    bool optional = pattern[1] == '*' || pattern[1] == '?' || pattern[1] == '-';
    if (!optional) m->first = (unsigned char)*pattern;
}

const char *pg_next_match(pg_matcher *m, const char *from, const char *last, const char **end) {
    for (const char *s = from;; s++) {
        if (m->first >= 0) {
            const char *found = memchr(s, m->first, (size_t)(m->subject_end - s));
            pg_take_steps(m, (size_t)((found ? found : m->subject_end) - s));
            if (!found) return NULL;
            s = found;
        }
        m->count = m->depth = 0;
        *end = match(m, s, m->pattern);
        if (*end && *end != last) return s;
        if (m->anchored || s == m->subject_end) return NULL;
    }
}

pg_capture pg_capture_of(pg_matcher *m, int number, const char *start, const char *end) {
    if (number == 0 && m->count == 0) return (pg_capture){start, end - start};
    if (number >= m->count) luaL_error(m->L, "invalid capture index %%%d", number + 1);
    if (m->captures[number].length == PG_CAPTURE_OPEN) luaL_error(m->L, "unfinished capture");
    return m->captures[number];
}

void pg_push_capture(pg_matcher *m, pg_capture capture) {
    if (capture.length == PG_CAPTURE_POSITION) lua_pushinteger(m->L, capture.start - m->subject + 1);
    else lua_pushlstring(m->L, capture.start, (size_t)capture.length);
}

int pg_push_captures(pg_matcher *m, const char *start, const char *end) {
    int count = m->count == 0 && start ? 1 : m->count;
    luaL_checkstack(m->L, count, "too many captures");
    for (int number = 0; number < count; number++) pg_push_capture(m, pg_capture_of(m, number, start, end));
    return count;
}
