// A state that is ready to run, and copies of it: to make one anew for every run takes ten times as long.
//
// The state is made twice, in memory that was zero before. Made in the same way, the two can differ in addresses only,
// and a word of one that is an address of its memory stands for the same place as the word of the other. So it is known
// which words a copy has to change, without knowing what any of them means. Where anything else differs there is no
// image. Tables keep their order in a copy because the hardened Lua hashes an object by its place in the arena.
#include "arena.h"

#include <stdlib.h>
#include <string.h>

/// A stretch of memory of both states: the arena, each large block, and the state itself.
typedef struct {
    const char *first, *second;
    size_t size;
} region;

/// An address: so far into a region. NULL has the region -1.
typedef struct {
    int region;
    size_t offset;
} address;

/// A word of the content that holds an offset into a region, to which a copy adds where that lies.
typedef struct {
    uint32_t at;
    int32_t region;
} place;

/// A copy of a region, with the words to change.
typedef struct {
    size_t size;
    char *bytes;
    place *places;
    size_t place_count;
} content;

enum { POINTERS = 5 + PG_TRAVERSALS };

struct pg_image {
    size_t memory_bytes;
    int count;                      // of the contents: the arena's, and the large blocks' after it
    content *contents;
    address free[SMALL_CLASSES];
    address pointers[POINTERS];     // of the state, in the order of `collect_pointers`
    pg_state state;                 // its numbers
};

static void collect_pointers(pg_state *s, void **places[POINTERS]) {
    places[0] = (void **)&s->main;
    places[1] = (void **)&s->run;
    places[2] = (void **)&s->weak;
    places[3] = &s->random;
    places[4] = (void **)&s->keys;
    for (int index = 0; index < PG_TRAVERSALS; index++) places[5 + index] = (void **)&s->traversals[index].table;
}

static bool have_same_numbers(const pg_state *a, const pg_state *b) {
    for (int index = 0; index < PG_TRAVERSALS; index++) {
        if (a->traversals[index].position != b->traversals[index].position) return false;
        if (a->traversals[index].used != b->traversals[index].used) return false;
    }
    return a->pairs_place == b->pairs_place && a->traversal_clock == b->traversal_clock
        && a->object_count == b->object_count && a->random_size == b->random_size
        && a->key_capacity == b->key_capacity;
}

static void copy_numbers(pg_state *to, const pg_state *from) {
    memcpy(to->traversals, from->traversals, sizeof to->traversals);
    to->pairs_place = from->pairs_place;
    to->traversal_clock = from->traversal_clock;
    to->object_count = from->object_count;
    to->random_size = from->random_size;
    to->key_capacity = from->key_capacity;
}

/// Finds the region that two addresses lie in at the same place; false if there is none.
static bool resolve(const region *regions, int count, const void *first, const void *second, address *found) {
    for (int index = 0; index < count; index++) {
        size_t offset = (uintptr_t)first - (uintptr_t)regions[index].first;
        // An address may stand right behind the end.
        if (offset > regions[index].size || (uintptr_t)second - (uintptr_t)regions[index].second != offset) continue;
        *found = (address){index, offset};
        return true;
    }
    *found = (address){-1, 0};
    return !first && !second;
}

/// Copies one region and notes its addresses; false if the two differ in anything else.
static bool take_content(pg_image *image, int index, const region *regions, const pg_state *first) {
    const region *own = &regions[index];
    content *taken = &image->contents[index];
    size_t words = own->size / sizeof(uintptr_t);
    *taken = (content){own->size, malloc(own->size + 1), malloc((words + 1) * sizeof(place)), 0};
    if (!taken->bytes || !taken->places || words > UINT32_MAX) return false;
    memcpy(taken->bytes, own->first, own->size);
    for (size_t word = 0; word < words; word++) {
        size_t at = word * sizeof(uintptr_t);
        uintptr_t a, b;
        memcpy(&a, own->first + at, sizeof a);
        memcpy(&b, own->second + at, sizeof b);
        // The random numbers are a copy's own.
        size_t into_random = (uintptr_t)(own->first + at) - (uintptr_t)first->random;
        if (a == b || into_random < first->random_size) continue;
        address target;
        if (!resolve(regions, image->count + 1, (void *)a, (void *)b, &target) || target.region < 0) return false;
        memcpy(taken->bytes + at, &target.offset, sizeof target.offset);
        taken->places[taken->place_count++] = (place){(uint32_t)word, target.region};
    }
    place *trimmed = realloc(taken->places, (taken->place_count + 1) * sizeof *trimmed);
    if (trimmed) taken->places = trimmed;
    size_t rest = words * sizeof(uintptr_t);
    return memcmp(own->first + rest, own->second + rest, own->size - rest) == 0;
}

static bool take_pointers(pg_image *image, const region *regions, pg_state *first, pg_state *second) {
    void **of_first[POINTERS], **of_second[POINTERS];
    collect_pointers(first, of_first);
    collect_pointers(second, of_second);
    for (int index = 0; index < POINTERS; index++) {
        if (!resolve(regions, image->count, *of_first[index], *of_second[index], &image->pointers[index])) return false;
    }
    for (int class = 0; class < SMALL_CLASSES; class++) {
        void *a = first->arena->free[class], *b = second->arena->free[class];
        if (!resolve(regions, 1, a, b, &image->free[class])) return false;
    }
    return true;
}

static uint64_t rotate(uint64_t word, int by) { return word << by | word >> (64 - by); }

/// What Lua's math.randomseed(seed) does: xoshiro256** (Blackman and Vigna 2018), whose first 16 numbers are left out.
/// It is done here as a call of Lua would leave its traces in the state.
static void seed_random(uint64_t words[4], uint64_t seed) {
    words[0] = seed;
    words[1] = 0xff;
    words[2] = words[3] = 0;
    for (int number = 0; number < 16; number++) {
        uint64_t shifted = words[1] << 17;
        words[2] ^= words[0];
        words[3] ^= words[1];
        words[1] ^= words[2];
        words[0] ^= words[3];
        words[2] ^= shifted;
        words[3] = rotate(words[3], 45);
    }
}

/// Whether no random number was drawn yet: a copy could not know how many were.
static bool is_seeded_only(const pg_state *s) {
    uint64_t words[4];
    seed_random(words, s->limits.seed);
    return s->random_size == sizeof words && memcmp(s->random, words, sizeof words) == 0;
}

static int count_blocks(const pg_arena *arena) {
    int count = 0;
    for (const pg_large *block = arena->blocks; block; block = block->next) count++;
    return count;
}

static bool compare(pg_image *image, pg_state *first, pg_state *second) {
    const pg_large *a = first->arena->blocks, *b = second->arena->blocks;
    region *regions = calloc((size_t)image->count + 1, sizeof *regions);
    image->contents = calloc((size_t)image->count, sizeof *image->contents);
    bool same = regions && image->contents;
    if (same) {
        regions[0] = (region){first->arena->base, second->arena->base, first->arena->top};
        regions[image->count] = (region){(char *)first, (char *)second, 0};
    }
    for (int index = 1; same && index < image->count; index++, a = a->next, b = b->next) {
        regions[index] = (region){(const char *)(a + 1), (const char *)(b + 1), a->size};
        same = a->size == b->size;
    }
    for (int index = 0; same && index < image->count; index++) same = take_content(image, index, regions, first);
    same = same && take_pointers(image, regions, first, second);
    free(regions);
    return same;
}

/// Between two calls nothing of the keys counts, not even what the compiler left between their fields.
static void clear_keys(pg_state *s) {
    if (s->keys) memset(s->keys, 0, s->key_capacity * sizeof *s->keys);
}

#ifdef PERIGEE_LUA
enum { HAS_IMAGES = true };
#else
// The system's Lua hashes objects by their addresses, which are others in every copy.
enum { HAS_IMAGES = false };
#endif

pg_image *pg_image_create(pg_state *first, pg_state *second) {
    pg_image *image = HAS_IMAGES ? calloc(1, sizeof *image) : NULL;
    if (!image) return NULL;
    clear_keys(first);
    clear_keys(second);
    image->memory_bytes = first->limits.memory_bytes;
    image->count = 1 + count_blocks(first->arena);
    copy_numbers(&image->state, first);
    if (!first->ended && !second->ended && first->arena->top == second->arena->top
        && image->memory_bytes == second->limits.memory_bytes && image->count == 1 + count_blocks(second->arena)
        && have_same_numbers(first, second) && is_seeded_only(first) && is_seeded_only(second)
        && compare(image, first, second)) return image;
    pg_image_close(image);
    return NULL;
}

void pg_image_close(pg_image *image) {
    for (int index = 0; image->contents && index < image->count; index++) {
        free(image->contents[index].bytes);
        free(image->contents[index].places);
    }
    free(image->contents);
    free(image);
}

/// Fills the memory of a new state; `bases` are where its regions lie.
static bool copy_memory(const pg_image *image, pg_state *s, char **bases) {
    if (!pg_arena_commit(s->arena, image->contents[0].size)) return false;
    s->arena->top = image->contents[0].size;
    bases[0] = s->arena->base;
    // Each becomes the newest, so the oldest comes first.
    for (int index = image->count - 1; index > 0; index--) {
        bases[index] = pg_arena_add_block(s, image->contents[index].size);
        if (!bases[index]) return false;
    }
    bases[image->count] = (char *)s;
    for (int index = 0; index < image->count; index++) {
        const content *kept = &image->contents[index];
        memcpy(bases[index], kept->bytes, kept->size);
        for (size_t number = 0; number < kept->place_count; number++) {
            place to_change = kept->places[number];
            uintptr_t word;
            char *at = bases[index] + (size_t)to_change.at * sizeof word;
            memcpy(&word, at, sizeof word);
            word += (uintptr_t)bases[to_change.region];
            memcpy(at, &word, sizeof word);
        }
    }
    return true;
}

static void *pointer_to(address target, char **bases) {
    return target.region < 0 ? NULL : bases[target.region] + target.offset;
}

static bool restore(const pg_image *image, pg_state *s) {
    void **pointers[POINTERS];
    char **bases = calloc((size_t)image->count + 1, sizeof *bases);
    bool copied = bases && copy_memory(image, s, bases);
    if (copied) {
        uint64_t words[4];
        seed_random(words, s->limits.seed);
        copy_numbers(s, &image->state);
        collect_pointers(s, pointers);
        for (int index = 0; index < POINTERS; index++) *pointers[index] = pointer_to(image->pointers[index], bases);
        for (int class = 0; class < SMALL_CLASSES; class++) {
            s->arena->free[class] = pointer_to(image->free[class], bases);
        }
        memcpy(s->random, words, sizeof words);
    }
    free(bases);
    return copied;
}

pg_state *pg_create_from(const pg_image *image, pg_limits limits, pg_host host) {
    pg_state *s = limits.memory_bytes == image->memory_bytes ? pg_create_empty(limits, host) : NULL;
    if (!s || restore(image, s)) return s;
    pg_close(s);
    return NULL;
}
