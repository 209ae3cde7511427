// Ends what uses too much. There is no permanent hook: a thread that runs Lua only counts an epoch up when it enters
// and when it leaves. One watchdog thread looks at the epochs every two milliseconds while something runs; where one
// has stood still for a slice of CPU time, it signals that thread, whose handler arms the hook of the running
// coroutine. The hook ends a time slice by a yield, and a run that is over its limit by a jump to where the host
// entered. What does not come to an instruction, a long C function, is left by the same jump from the handler itself.
//
// A jump, and no error: an error could be caught, delayed or observed (pcall, coroutines, message handlers, __close),
// and a C function of Lua's library raises none. After the jump the state is never used again, only its memory is
// dropped (arena.c), so nothing that it was in the middle of matters. It is only taken where nothing but Lua and C
// without locks is on the stack (`inside`); Swift never is.
#include "state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_NANOSECONDS 2000000
#define IDLE_TICKS 25
#define WATCHDOG_SIGNAL SIGURG
/// How long an overdue run may take to come to an instruction, where more is known about the place.
#define GRACE_NANOSECONDS 20000000

struct pg_slot {
    pthread_t thread;
    atomic_uint_fast64_t epoch;       // odd while Lua runs
    pg_state *volatile state;
    atomic_uint_fast64_t slice;
    uint64_t seen_epoch, seen_cpu;    // the watchdog's own
    atomic_uint_fast64_t due_epoch;   // the epoch that is overdue, and when its unpaid time began
    atomic_uint_fast64_t due_since;
#ifndef __APPLE__
    clockid_t clock;
#endif
    pg_slot *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot_key;
static pg_slot *slots;
static atomic_bool parked;
static _Thread_local pg_slot *own_slot;

/// The CPU time of a slot's thread. Darwin has no clock for another thread: there the wall clock does.
static uint64_t cpu_time(const pg_slot *slot) {
    struct timespec time;
#ifdef __APPLE__
    (void)slot;
    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0) return 0;
#else
    if (clock_gettime(slot->clock, &time) != 0) return 0;
#endif
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/// Whether frames can be looked at: while Lua moves a stack, the places in it are offsets.
bool pg_is_readable(lua_State *L) {
    lua_Debug frame;
    if (!lua_getstack(L, 0, &frame)) return true;
    // The first field of every CallInfo is the place of its function in the stack.
    uintptr_t function;
    memcpy(&function, frame.i_ci, sizeof function);
    return function > UINT32_MAX;
}

static void note_place(pg_state *s, const char *what) {
    lua_State *L = s->current;
    lua_Debug frame;
    s->line = 0;
    s->script[0] = s->what[0] = 0;
    if (what) snprintf(s->what, sizeof s->what, "%s", what);
    if (!L || !pg_is_readable(L)) return;
    pg_find_script(L, s->script, sizeof s->script, &s->line);
    if (what || !lua_getstack(L, 0, &frame) || !lua_getinfo(L, "Sn", &frame)) return;
    if (frame.what[0] == 'C' && frame.name) snprintf(s->what, sizeof s->what, "%s", frame.name);
}

_Noreturn void pg_end(pg_state *s, int reason, const char *what) {
    s->inside = 0;
    s->ended = reason;
    note_place(s, what);
    _longjmp(s->escape, 1);
}

_Noreturn void pg_exhaust(lua_State *L, int reason, const char *what) { pg_end(pg_of(L), reason, what); }

static void hook(lua_State *L, lua_Debug *frame) {
    (void)frame;
    pg_state *s = pg_of(L);
    pg_slot *slot = s->slot;
    if (slot && atomic_load(&slot->due_epoch) == atomic_load(&slot->epoch)) {
        uint64_t now = cpu_time(slot);
        s->cpu_used += now - atomic_load(&slot->due_since);
        atomic_store(&slot->due_since, now);
    }
    if (s->cpu_used >= s->limits.cpu_nanoseconds) pg_end(s, PG_ENDED_CPU, NULL);
    lua_sethook(L, NULL, 0, 0);
    if (lua_isyieldable(L) && !s->blocked) {
        s->preempted = true;
        lua_yield(L, 0);
    }
}

static void on_signal(int number) {
    (void)number;
    int saved = errno;
    pg_slot *slot = own_slot;
    pg_state *s = slot && (atomic_load(&slot->epoch) & 1) ? slot->state : NULL;
    if (s && s->current) {
        lua_sethook(s->current, hook, LUA_MASKCOUNT, 1);
        bool due = atomic_load(&slot->due_epoch) == atomic_load(&slot->epoch);
        uint64_t used = s->cpu_used + (due ? cpu_time(slot) - atomic_load(&slot->due_since) : 0);
        if (s->inside && used >= s->limits.cpu_nanoseconds + GRACE_NANOSECONDS) {
            s->interrupted = true;
            pg_end(s, PG_ENDED_CPU, NULL);
        }
    }
    errno = saved;
}

/// Looks at every slot once; returns whether any thread runs Lua.
static bool look(void) {
    bool busy = false;
    for (pg_slot *slot = slots; slot; slot = slot->next) {
        uint64_t epoch = atomic_load(&slot->epoch);
        if (!(epoch & 1)) continue;
        busy = true;
        uint64_t now = cpu_time(slot);
        if (epoch != slot->seen_epoch) {
            slot->seen_epoch = epoch;
            slot->seen_cpu = now;
            atomic_store(&slot->due_since, now);
        } else if (now - slot->seen_cpu >= atomic_load(&slot->slice)) {
            slot->seen_cpu = now;
            atomic_store(&slot->due_epoch, epoch);
            pthread_kill(slot->thread, WATCHDOG_SIGNAL);
        }
    }
    return busy;
}

static void *watch(void *unused) {
    (void)unused;
    const struct timespec tick = {0, TICK_NANOSECONDS};
    int idle = 0;
    pthread_mutex_lock(&lock);
    while (true) {
        idle = look() ? 0 : idle + 1;
        if (idle > IDLE_TICKS) {
            atomic_store(&parked, true);
            // A thread that enters after this either sees `parked`, or is seen here.
            if (!look()) pthread_cond_wait(&wake, &lock);
            atomic_store(&parked, false);
            idle = 0;
        }
        pthread_mutex_unlock(&lock);
        nanosleep(&tick, NULL);
        pthread_mutex_lock(&lock);
    }
    return NULL;
}

static void remove_slot(void *value) {
    pg_slot *slot = value;
    pthread_mutex_lock(&lock);
    for (pg_slot **link = &slots; *link; link = &(*link)->next) {
        if (*link == slot) {
            *link = slot->next;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    own_slot = NULL;
    free(slot);
}

static void start(void) {
    pthread_key_create(&slot_key, remove_slot);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(WATCHDOG_SIGNAL, &action, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, watch, NULL);
    pthread_detach(thread);
}

/// Threads of a pool (libdispatch's) begin with nearly every signal blocked, and a handler that is left by a jump
/// leaves its own signal blocked.
static void unblock_signal(void) {
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, WATCHDOG_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &watched, NULL);
}

static pg_slot *slot_of_thread(void) {
    if (own_slot) return own_slot;
    pthread_once(&once, start);
    pg_slot *slot = calloc(1, sizeof *slot);
    if (!slot) return NULL;
    unblock_signal();
    slot->thread = pthread_self();
#ifndef __APPLE__
    pthread_getcpuclockid(slot->thread, &slot->clock);
#endif
    pthread_setspecific(slot_key, slot);
    pthread_mutex_lock(&lock);
    slot->next = slots;
    slots = slot;
    pthread_mutex_unlock(&lock);
    own_slot = slot;
    return slot;
}

static void enter(pg_state *s) {
#ifdef PERIGEE_LUA
    s->outer = perigee_lua;
    perigee_lua = (perigee_lua_thread){s->limits.hash_seed, pg_arena_base(s->arena), s->weak};
#endif
    pg_slot *slot = slot_of_thread();
    // A state that is entered from a callback of another one is not watched by itself.
    s->slot = slot && !slot->state ? slot : NULL;
    if (!s->slot) return;
    slot->state = s;
    atomic_store(&slot->slice, s->limits.slice_nanoseconds);
    atomic_fetch_add(&slot->epoch, 1);
    if (!atomic_load(&parked)) return;
    pthread_mutex_lock(&lock);
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

static void leave(pg_state *s) {
    pg_slot *slot = s->slot;
    s->slot = NULL;
    s->current = NULL;
    if (slot) {
        atomic_fetch_add(&slot->epoch, 1);
        slot->state = NULL;
    }
    if (s->interrupted) unblock_signal();
    s->interrupted = false;
#ifdef PERIGEE_LUA
    perigee_lua = s->outer;
#endif
}

int pg_guard(pg_state *s, int (*work)(pg_state *state, void *argument), void *argument) {
    if (s->ended) return s->ended;
    enter(s);
    s->escapable = true;
    int result = _setjmp(s->escape) == 0 ? work(s, argument) : PG_ENDED_CPU;
    s->escapable = false;
    s->inside = 0;
    leave(s);
    return s->ended ? s->ended : result;
}
