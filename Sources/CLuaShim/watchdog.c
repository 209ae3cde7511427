// CPU limits without a permanent hook. A thread that runs Lua only counts an epoch up when it enters and when it
// leaves. One watchdog thread looks at the epochs every two milliseconds while something runs; where one has stood
// still for a slice of CPU time, it signals that thread, whose handler arms the hook of the running coroutine.
#include "state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#define TICK_NANOSECONDS 2000000
#define IDLE_TICKS 25
#define WATCHDOG_SIGNAL SIGURG

struct pg_slot {
    pthread_t thread;
    clockid_t clock;
    atomic_uint_fast64_t epoch;       // odd while Lua runs
    pg_state *volatile state;
    atomic_uint_fast64_t slice;
    uint64_t seen_epoch, seen_cpu;    // the watchdog's own
    atomic_uint_fast64_t due_epoch;   // the epoch that is overdue, and when its unpaid time began
    atomic_uint_fast64_t due_since;
    pg_slot *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t slot_key;
static pg_slot *slots;
static atomic_bool parked;
static _Thread_local pg_slot *own_slot;

static uint64_t cpu_time(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void hook(lua_State *L, lua_Debug *frame) {
    (void)frame;
    pg_state *s = pg_of(L);
    pg_slot *slot = s->slot;
    if (!s->ended) {
        if (slot && atomic_load(&slot->due_epoch) == atomic_load(&slot->epoch)) {
            uint64_t now = cpu_time(slot->clock);
            s->cpu_used += now - atomic_load(&slot->due_since);
            atomic_store(&slot->due_since, now);
        }
        if (s->cpu_used < s->limits.cpu_nanoseconds) {
            lua_sethook(L, NULL, 0, 0);
            if (lua_isyieldable(L) && !s->blocked) {
                s->preempted = true;
                lua_yield(L, 0);
            }
            return;
        }
        pg_end(s, PG_ENDED_CPU);
    }
    pg_stop_here(L);
}

void pg_end(pg_state *s, int reason) {
    if (s->ended) return;
    s->ended = reason;
    lua_State *L = s->current;
    if (!L) return;
    s->line = 0;
    s->script[0] = 0;
    pg_find_script(L, s->script, sizeof s->script, &s->line);
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
}

/// Leaves an ended run: by a yield that is never resumed, or, where Lua can't yield, by an error at every instruction.
int pg_stop_here(lua_State *L) {
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    if (lua_isyieldable(L)) return lua_yield(L, 0);
    // Raised from a hook, an error would call the message handler of an xpcall with hooks switched off. Lua raises its
    // own memory error, known by its text, without any handler.
    lua_pushliteral(L, "not enough memory");
    return lua_error(L);
}

_Noreturn void pg_exhaust(lua_State *L, int reason, const char *what) {
    pg_end(pg_of(L), reason);
    pg_stop_here(L);
    luaL_error(L, "%s", what);
    abort();
}

static void on_signal(int number) {
    (void)number;
    int saved = errno;
    pg_slot *slot = own_slot;
    if (slot && (atomic_load(&slot->epoch) & 1)) {
        pg_state *s = slot->state;
        lua_State *L = s ? s->current : NULL;
        if (L) lua_sethook(L, hook, LUA_MASKCOUNT, 1);
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
        uint64_t now = cpu_time(slot->clock);
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

static pg_slot *slot_of_thread(void) {
    if (own_slot) return own_slot;
    pthread_once(&once, start);
    pg_slot *slot = calloc(1, sizeof *slot);
    if (!slot) return NULL;
    // Threads of a pool (libdispatch's) begin with nearly every signal blocked.
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, WATCHDOG_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &watched, NULL);
    slot->thread = pthread_self();
    pthread_getcpuclockid(slot->thread, &slot->clock);
    pthread_setspecific(slot_key, slot);
    pthread_mutex_lock(&lock);
    slot->next = slots;
    slots = slot;
    pthread_mutex_unlock(&lock);
    own_slot = slot;
    return slot;
}

void pg_enter(pg_state *s) {
    pg_slot *slot = slot_of_thread();
    s->slot = slot;
    if (!slot) return;
    slot->state = s;
    atomic_store(&slot->slice, s->limits.slice_nanoseconds);
    atomic_fetch_add(&slot->epoch, 1);
    if (!atomic_load(&parked)) return;
    pthread_mutex_lock(&lock);
    pthread_cond_signal(&wake);
    pthread_mutex_unlock(&lock);
}

void pg_leave(pg_state *s) {
    pg_slot *slot = s->slot;
    s->slot = NULL;
    s->current = NULL;
    if (!slot) return;
    atomic_fetch_add(&slot->epoch, 1);
    slot->state = NULL;
}
