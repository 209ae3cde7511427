// Regular expressions in time linear in the text, by RE2. Nothing here throws, logs or ends the process.
#ifndef PERIGEE_REGEX_H
#define PERIGEE_REGEX_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pg_regex pg_regex;

/// Why a pattern can't be used, and where: the offset of the part that is wrong and its length, in bytes.
typedef struct {
    char message[128];
    size_t offset;
    size_t length;
} pg_regex_error;

/// Compiles a pattern, which is UTF-8. NULL and an error if it can't be used, or if its program needs more than
/// `memory_bytes`, which bound what is kept while it is matched too.
pg_regex *pg_regex_compile(const char *pattern, size_t length, size_t memory_bytes, pg_regex_error *error);
void pg_regex_free(pg_regex *regex);

/// How many groups a pattern has, without the whole match.
int pg_regex_groups(const pg_regex *regex);

/// The name of a group, counted from 1; NULL if it has none. It lives as long as the regex.
const char *pg_regex_group_name(const pg_regex *regex, int group);

/// How many steps a byte of the text may cost.
int pg_regex_program_size(const pg_regex *regex);

/// Looks for the first match at or after the byte `from` of a text, which is UTF-8. `spans` has two places for the
/// whole match and for each group: where it begins and ends, in bytes; -1 for a group that took no part.
/// Several threads may use one regex at the same time.
bool pg_regex_find(const pg_regex *regex, const char *text, size_t length, size_t from, ptrdiff_t *spans);

#ifdef __cplusplus
}
#endif
#endif
