// What the fuzz programs share: random choices that a seed repeats, and rounds until the time is up.
#ifndef PERIGEE_FUZZ_RANDOM_H
#define PERIGEE_FUZZ_RANDOM_H

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_TEXT 65536
#define SECONDS_PER_ROUND 60

/// The seed of the round under way, which repeats it as the first one.
static uint64_t round_seed, random_state;

/// Called by the sanitizers when they have found something.
void __sanitizer_set_death_callback(void (*callback)(void));

static inline void tell_seed(void) {
    fprintf(stderr, "it is repeated by --seed %llu\n", (unsigned long long)round_seed);
}

/// Tells which round it was.
static void (*tell_round)(void) = tell_seed;

static inline void fail(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    tell_round();
    exit(1);
}

/// A round that does not come to its end has found something too.
static inline void end_round(int number) {
    (void)number;
    fail("the round takes longer than %d s", SECONDS_PER_ROUND);
}

/// SplitMix64.
static inline uint64_t random_bits(void) {
    random_state += 0x9E3779B97F4A7C15u;
    uint64_t mixed = (random_state ^ (random_state >> 30)) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EBu;
    return mixed ^ (mixed >> 31);
}

static inline size_t below(size_t count) { return count ? (size_t)(random_bits() % count) : 0; }

static inline bool one_in(size_t count) { return below(count) == 0; }

#define ONE_OF(choices) ((choices)[below(sizeof(choices) / sizeof *(choices))])

/// A text that is put together; what does not fit is left out.
typedef struct {
    size_t length;
    char bytes[MAX_TEXT + 1];
} text;

static inline void put_bytes(text *t, const char *bytes, size_t length) {
    if (length > MAX_TEXT - t->length) length = MAX_TEXT - t->length;
    memcpy(t->bytes + t->length, bytes, length);
    t->length += length;
    t->bytes[t->length] = 0;
}

static inline void put(text *t, const char *words) { put_bytes(t, words, strlen(words)); }

static inline void put_byte(text *t, int byte) { put_bytes(t, &(char){(char)byte}, 1); }

/// Takes out `count` bytes at `at` and puts others there.
static inline void splice(text *t, size_t at, size_t count, const char *bytes, size_t length) {
    if (t->length - count + length > MAX_TEXT) return;
    memmove(t->bytes + at + length, t->bytes + at + count, t->length - at - count);
    memcpy(t->bytes + at, bytes, length);
    t->length += length - count;
    t->bytes[t->length] = 0;
}

/// Changes some bytes: others, fewer, or a part once more somewhere else.
static inline void mutate(text *t, const char *bytes, size_t count) {
    char part[256];
    size_t at = below(t->length + 1), length = below(1 + (t->length - at < 16 ? t->length - at : 16));
    memcpy(part, t->bytes + at, length);
    switch (below(5)) {
        case 0: splice(t, at, 0, &(char){(char)random_bits()}, 1); break;
        case 1: splice(t, at, 0, &bytes[below(count)], 1); break;
        case 2: splice(t, at, length, "", 0); break;
        case 3: splice(t, below(t->length + 1), 0, part, length); break;
        default: splice(t, at, at < t->length, &bytes[below(count)], 1);
    }
}

/// Does rounds until the time of the first two arguments, `seed seconds`, is up.
static inline int do_rounds(int count, char **arguments, void (*one_round)(void)) {
    if (count < 3) return fprintf(stderr, "%s seed seconds …\n", arguments[0]), 2;
    uint64_t first = strtoull(arguments[1], NULL, 10);
    double seconds = strtod(arguments[2], NULL);
    unsigned long long rounds = 0;
    struct timespec start, now;
    __sanitizer_set_death_callback(tell_round);
    signal(SIGALRM, end_round);
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        round_seed = random_state = first + rounds++;
        alarm(SECONDS_PER_ROUND);
        one_round();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) * 1e-9 < seconds);
    printf("%llu rounds\n", rounds);
    return 0;
}

#endif
