/* spooler: the process that owns the spool. Here its life: what it was given, its turns, its state for those who ask. */
#include "process/spooler_private.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "system/log.h"

static struct spooler *spooler_of(struct child *c)
{
    if (c->state) return c->state;
    struct spooler *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->child = c;
    s->folder = -1;
    s->deliveries = calloc(SPOOLER_DELIVERIES, sizeof *s->deliveries);
    if (!s->deliveries) {
        free(s);
        return NULL;
    }
    spooler_deliveries_init(s);
    for (unsigned i = 0; i < SPOOLER_EDGES; i++)
        s->pools[i].fd = -1;
    c->state = s;
    return s;
}

/* --- the store's voice --- */

static void on_committed(void *context, uint64_t token, const struct message *m, uint64_t id,
                         enum store_status status)
{
    struct spooler *s = context;
    (void)m;
    if (token & SPOOLER_TOKEN_DSN)
        spooler_notified(s, token, status);
    else
        spooler_edge_answer(s, token, id, status);
}

static void on_alarm(void *context, enum store_alarm what, uint32_t segment, uint64_t offset, uint64_t id,
                     int error, const char *text)
{
    static const char *const names[ALARM_COUNT] = {"spool-write-failed", "spool-stuck", "spool-full",
                                                   "spool-space", "spool-damaged"};
    (void)context;
    log_begin(what == ALARM_SPACE ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, names[what]);
    log_str("text", text);
    log_u64("segment", segment);
    log_u64("offset", offset);
    if (id) spooler_log_id(id);
    if (error) log_u64("errno", (uint64_t)error);
    log_end();
}

/* --- life --- */

static bool spooler_prepare(struct child *c, const char **error)
{
    struct spooler *s = spooler_of(c);
    uint64_t random[2];
    *error = "no memory";
    if (!s) return false;
    *error = "no spool folder was granted";
    if (s->folder < 0) return false;
    *error = "no random octets";
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    s->seed = random[0];
    s->salt = random[1];
    return true;
}

static void log_recovered(const struct spooler *s, uint64_t took_ms)
{
    struct store_counters n = store_counters(s->store);
    log_begin(n.damaged ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "spool-open");
    log_u64("messages", n.messages);
    log_u64("queued", n.queued);
    log_u64("deferred", n.deferred);
    log_u64("held", n.held);
    log_u64("segments", n.segments + n.large_segments);
    log_u64("damaged", n.damaged);
    log_u64("ms", took_ms);
    log_end();
}

static void open_peer(struct spooler *s, enum role role, unsigned index, unsigned generation, int fd)
{
    switch (role) {
    case PROC_EDGE: spooler_edge_open(s, index, generation, fd); break;
    case PROC_RELAY: spooler_relay_open(s, index, generation, fd); break;
    case PROC_DIRECTORY: spooler_directory_open(s, fd); break;
    case PROC_MAILBOX: spooler_mailbox_open(s, fd); break;
    default: spooler_admin_open(s, fd); break;
    }
}

static void open_early(struct spooler *s)
{
    for (unsigned i = 0; i < s->n_early; i++)
        open_peer(s, s->early[i].role, s->early[i].index, s->early[i].generation, s->early[i].fd);
    s->n_early = 0;
}

static void wake(struct timer *t)
{
    (void)t; /* the turn does the work */
}

static uint64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint32_t delay_seconds(const struct config *c)
{
    return c->delay_warning_never ? UINT32_MAX : c->delay_warning_seconds;
}

static bool spooler_start(struct child *c, const char **error)
{
    struct spooler *s = c->state;
    uint64_t begin = monotonic_ms();
    s->now_ms = loop_unix_ms(c->loop);
    struct store_options o = {.disk = disk_on_directory(&s->folder),
                              .seed = s->seed,
                              .salt = s->salt,
                              .thread = true,
                              .checkpoint = true,
                              .retry_first_seconds = c->config->retry_first_seconds,
                              .retry_max_seconds = c->config->retry_max_seconds,
                              .queue_seconds = c->config->queue_seconds,
                              .delay_seconds = delay_seconds(c->config),
                              .context = s,
                              .committed = on_committed,
                              .place = spooler_place,
                              .left = spooler_left,
                              .alarm = on_alarm};
    *error = "no memory";
    if (!spooler_relays_init(s)) return false;
    s->store = store_open(&o, s->now_ms, error);
    if (!s->store) return false;
    s->started = true;
    store_maintain(s->store, s->now_ms);
    log_recovered(s, monotonic_ms() - begin);
    open_early(s);
    loop_timer_set(c->loop, &s->timer, loop_now_ms(c->loop), wake);
    return true;
}

static void spooler_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    struct spooler *s = spooler_of(c);
    if (s && kind == GRANT_SPOOL && s->folder < 0)
        s->folder = fd;
    else if (s && kind == GRANT_POOL)
        spooler_edge_pool(s, a, b, fd);
    else
        close(fd);
}

static void spooler_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct spooler *s = spooler_of(c);
    bool known = role == PROC_EDGE || role == PROC_DIRECTORY || role == PROC_MAILBOX || role == PROC_ADMIN ||
                 role == PROC_RELAY;
    if (!s || !known || (!s->started && s->n_early == SPOOLER_EARLY)) {
        close(fd);
        return;
    }
    if (s->started)
        open_peer(s, role, index, generation, fd);
    else
        s->early[s->n_early++] = (struct spooler_early){role, index, generation, fd};
}

static void spooler_config(struct child *c, const struct config *fresh)
{
    struct spooler *s = c->state;
    const struct config *before = c->config;
    if (!s || !s->store) return;
    c->config = fresh; /* what is placed again is placed by it */
    store_configure(s->store, fresh->retry_first_seconds, fresh->retry_max_seconds, fresh->queue_seconds,
                    delay_seconds(fresh));
    store_place_again(s->store, loop_unix_ms(c->loop));
    c->config = before; /* the skeleton changes it */
}

static void spooler_drain(struct child *c, bool stopping)
{
    struct spooler *s = c->state;
    s->draining = true;
    s->stopping = stopping;
    s->drain_ms = loop_now_ms(c->loop);
}

/* --- a turn --- */

static void set_timer(struct spooler *s)
{
    uint64_t now = loop_now_ms(s->child->loop), due = store_next_due_ms(s->store, spooler_sides_open(s));
    uint64_t wait = s->draining ? 50 : SPOOLER_RETRY_MS;
    uint64_t begin = spooler_relay_next_ms(s);
    bool room = store_writable(s->store) && !s->draining;
    if (room && due < s->now_ms + wait) wait = due > s->now_ms ? due - s->now_ms : 1;
    if (room && begin < now + wait) wait = begin > now ? begin - now : 1;
    loop_timer_set(s->child->loop, &s->timer, now + wait, wake);
}

/* The edges have gone already; what the mailbox was asked for is waited for, so that it need not be done twice. */
static void end(struct spooler *s)
{
    uint64_t waited = loop_now_ms(s->child->loop) - s->drain_ms;
    if (s->stopping && spooler_edges_open(s)) return;
    if (spooler_busy(s) && waited < SPOOLER_DRAIN_MS) return;
    (void)store_stop(&s->store, s->now_ms); /* what is not durable was not answered */
    s->started = false;
    child_exit(s->child, 0);
}

static void spooler_after_turn(struct child *c)
{
    struct spooler *s = c->state;
    if (!s || !s->started) return;
    s->now_ms = loop_unix_ms(c->loop);
    spooler_results(s);
    bool durable = !store_dirty(s->store) || store_flush(s->store, s->now_ms);
    spooler_results(s); /* what waited for its notification */
    if (durable && !s->draining) spooler_dispatch(s);
    if (store_dirty(s->store)) (void)store_flush(s->store, s->now_ms);
    if (s->now_ms - s->maintain_ms >= SPOOLER_MAINTAIN_MS) {
        s->maintain_ms = s->now_ms;
        store_maintain(s->store, s->now_ms);
        spooler_edges_let_go(s);
        spooler_overdue(s);
        spooler_leases(s, &s->mailbox);
    }
    spooler_edges_flush(s);
    if (s->directory) ipc_flush(s->directory);
    if (s->mailbox.ipc) ipc_flush(s->mailbox.ipc);
    if (s->admin) ipc_flush(s->admin);
    spooler_relays_turn(s);
    set_timer(s);
    if (s->draining) end(s);
}

static void spooler_status(struct child *c, struct buf *json)
{
    const struct spooler *s = c->state;
    if (!s || !s->store) return;
    struct store_counters n = store_counters(s->store);
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"messages", n.messages},
                   {"queued", n.queued},
                   {"deferred", n.deferred},
                   {"held", n.held},
                   {"committed", n.committed},
                   {"refused", n.refused},
                   {"delivered", s->delivered},
                   {"bounced", s->bounced},
                   {"expired", s->expired},
                   {"notifications", s->notifications},
                   {"in_flight", s->n_deliveries},
                   {"batches", n.batches},
                   {"octets_written", n.octets_written},
                   {"segments", n.segments + n.large_segments},
                   {"spare_segments", n.spare_segments},
                   {"index_octets", n.memory_octets},
                   {"damaged", n.damaged},
                   {"full", n.full},
                   {"stuck", n.stuck}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        buf_str(json, i ? ",\"" : "\"");
        buf_str(json, members[i].name);
        buf_str(json, "\":");
        buf_u64(json, members[i].value);
    }
}

const struct child_hooks spooler_hooks = {
    .peer = spooler_peer,
    .grant = spooler_grant,
    .prepare = spooler_prepare,
    .start = spooler_start,
    .drain = spooler_drain,
    .config = spooler_config,
    .status = spooler_status,
    .after_turn = spooler_after_turn,
};
