/* A generation: one configuration with the edges, keyring, directory and relay that serve it. A reload starts a new one on the same
 * listening sockets; when it serves, the one before stops accepting and ends with its sessions. */
#include <errno.h>

#include "process/supervisor_private.h"
#include "system/notify.h"

enum { PROBLEMS_OCTETS = SUPERVISE_TEXT_OCTETS, DRAIN_GRACE_MS = 10000 };

static struct generation *of_timer(struct timer *t)
{
    return (struct generation *)(void *)((char *)t - offsetof(struct generation, timer));
}

struct generation *supervisor_starting(struct supervisor *s)
{
    for (unsigned i = 0; i < GENERATIONS_MAX; i++)
        if (s->generations[i].state == GENERATION_STARTING) return &s->generations[i];
    return NULL;
}

static bool start(struct supervisor *s, enum role role, unsigned index, struct generation *g)
{
    struct process *p = supervisor_process_new(s, role, index, g);
    if (p && supervisor_spawn(p)) return true;
    log_note(LOG_LEVEL_ERROR, "process-start-failed", role_table[role].name, errno);
    return false;
}

static void on_start_overdue(struct timer *t)
{
    supervisor_generation_fail(of_timer(t), "it was not ready in time");
}

/* ---- the beginning */

static struct generation *oldest_draining(struct supervisor *s)
{
    struct generation *oldest = NULL;
    for (unsigned i = 0; i < GENERATIONS_MAX; i++) {
        struct generation *g = &s->generations[i];
        if (g->state == GENERATION_DRAINING && (!oldest || g->number < oldest->number)) oldest = g;
    }
    return oldest;
}

static unsigned edges_alive(const struct supervisor *s)
{
    unsigned n = 0;
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        n += s->processes[i].state != PROCESS_FREE && s->processes[i].role == PROC_EDGE;
    return n;
}

static struct generation *free_generation(struct supervisor *s)
{
    for (unsigned i = 0; i < GENERATIONS_MAX; i++)
        if (s->generations[i].state == GENERATION_FREE) return &s->generations[i];
    return NULL;
}

/* why null: it was told already. */
static bool say_no(struct generation *g, struct buf *text, const char *why)
{
    if (why) supervisor_tell_reason(text, span_str(why));
    if (g->supervisor->serving) supervisor_listeners_revert(g->supervisor);
    supervisor_unload(g);
    return false;
}

static bool asks_winbind(const struct generation *g)
{
    return g->load.config->n_winbinds > 0;
}

bool supervisor_generation_begin(struct supervisor *s, struct buf *text)
{
    struct generation *g = free_generation(s);
    if (!g) {
        supervisor_tell_reason(text, SPAN("too many generations still drain: try again later"));
        return false;
    }
    *g = (struct generation){.supervisor = s, .number = s->generations_made + 1, .bundle = -1, .map = -1};
    s->status = SUPERVISOR_EXIT_CONFIG; /* of the first start */
    if (!supervisor_load(s, g, text)) return false;
    s->status = SUPERVISOR_EXIT_START;
    const char *why = s->serving ? supervisor_unchangeable(s, g) : NULL;
    if (why) return say_no(g, text, why);
    if (edges_alive(s) + g->n_edges > SOURCES_EDGES)
        return say_no(g, text, "too many edges still drain: try again later");
    bool ok = supervisor_lock_spool(s, g, text) && supervisor_listen(s, g, text);
    if (ok && s->control < 0) ok = supervisor_listen_control(s, g->load.config, text);
    if (ok && !(supervisor_make_sources(s, g->load.config) && supervisor_make_rates(s)))
        return say_no(g, text, "no memory for the tables of sources and rates");
    if (!ok) return say_no(g, text, NULL);
    s->status = 0;
    s->generations_made++;
    g->state = GENERATION_STARTING;
    uint64_t seconds = s->serving ? RELOAD_SECONDS : START_SECONDS;
    loop_timer_set(s->loop, &g->timer, loop_now_ms(s->loop) + seconds * 1000, on_start_overdue);
    static const enum role lasting[] = {PROC_SPOOLER, PROC_MAILBOX, PROC_ADMIN, PROC_CONNECTOR,
                                        PROC_RESOLVER};
    for (unsigned i = 0; !s->serving && ok && i < sizeof lasting / sizeof lasting[0]; i++)
        ok = start(s, lasting[i], 0, g);
    for (unsigned i = 0; ok && i < g->load.config->relays; i++)
        ok = start(s, PROC_RELAY, i, g);
    if (ok && asks_winbind(g)) ok = start(s, PROC_WINBIND, 0, g);
    if (!ok || !start(s, PROC_DIRECTORY, 0, g) || !start(s, PROC_KEYRING, 0, g))
        supervisor_generation_fail(g, "a process could not be started");
    return true;
}

/* ---- the steps */

static bool ready(struct supervisor *s, enum role role, struct generation *g)
{
    const struct process *p = supervisor_process(s, role, 0, role_table[role].per_generation ? g : NULL);
    return p && p->state == PROCESS_READY;
}

/* Edges start when what they need is there: after their cage closed they can map nothing. */
static void start_edges(struct generation *g)
{
    struct supervisor *s = g->supervisor;
    for (unsigned i = 0; i < g->n_edges; i++)
        if (!start(s, PROC_EDGE, i, g)) {
            supervisor_generation_fail(g, "an edge could not be started");
            return;
        }
}

static uint64_t longest_session_ms(const struct config *c)
{
    uint64_t seconds = 0;
    for (uint32_t i = 0; i < c->n_servers; i++)
        if (c->servers[i].limits.session_seconds > seconds) seconds = c->servers[i].limits.session_seconds;
    return seconds * 1000 + DRAIN_GRACE_MS;
}

/* The one that served until now: its edges stop accepting, its relays end their sessions; directory and keyring stay for them
 * (supervisor_generation_tidy): who logs in or has logged in there goes on. */
static void drain(struct generation *g)
{
    struct supervisor *s = g->supervisor;
    g->state = GENERATION_DRAINING;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *p = &s->processes[i];
        if (p->state == PROCESS_FREE || p->generation != g) continue;
        if (p->role == PROC_EDGE) supervisor_process_drain(p, false, longest_session_ms(g->load.config));
        if (p->role == PROC_RELAY)
            supervisor_process_drain(p, false, LIMIT_OUTBOUND_SESSION_SECONDS * 1000 + DRAIN_GRACE_MS);
    }
    supervisor_generation_tidy(g);
}

static void tell(struct process *p, struct generation *before, struct generation *g)
{
    if (p->generation || !supervisor_process_alive(p) || p->state == PROCESS_DRAINING) return;
    if (p->role == PROC_MAILBOX && supervisor_new_folders(before, g)) {
        p->replace = true;
        supervisor_process_drain(p, false, STOP_GRACE_SECONDS * 1000);
    } else if (!supervisor_send_config(p, g)) {
        log_note(LOG_LEVEL_ERROR, "reload", p->name, errno);
        supervisor_process_kill(p); /* it begins anew, with the fresh config */
    }
}

/* The spooler hears of it last: it acts at once, and whom its jobs lead to (the connector) must know the same routes by then. */
static void tell_lasting(struct generation *before, struct generation *g)
{
    struct supervisor *s = g->supervisor;
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].role != PROC_SPOOLER) tell(&s->processes[i], before, g);
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].role == PROC_SPOOLER) tell(&s->processes[i], before, g);
}

static void reload_wanted(struct supervisor *s)
{
    struct process *who = s->waits;
    if (!s->reload_wanted) return;
    s->reload_wanted = false;
    s->waits = NULL;
    supervisor_reload(s, who);
}

static void say_serving(struct supervisor *s, const char *event)
{
    log_begin(LOG_LEVEL_INFO, event);
    log_u64("generation", s->serving->number);
    log_u64("edges", s->serving->n_edges);
    log_u64("listeners", s->n_listenings);
    log_str("version", SALLYPORT_VERSION);
    log_end();
    log_flush();
    notify_send(SPAN("READY=1\nSTATUS=serving"));
}

void supervisor_retire_end(struct supervisor *s)
{
    loop_timer_stop(s->loop, &s->retire_timer);
    s->retiring = NULL;
    say_serving(s, "reloaded");
    if (s->asker) supervisor_answer(s, s->asker, CHILD_ASK_RELOAD, (struct span){NULL, 0});
    s->asker = NULL;
    reload_wanted(s);
}

void supervisor_retire_step(struct supervisor *s)
{
    if (!s->retiring) return;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        const struct process *p = &s->processes[i];
        if (p->generation == s->retiring && p->role == PROC_EDGE && supervisor_process_alive(p) && !p->quiet)
            return;
    }
    supervisor_retire_end(s);
}

static void on_retire_overdue(struct timer *t)
{
    struct supervisor *s =
        (struct supervisor *)(void *)((char *)t - offsetof(struct supervisor, retire_timer));
    log_note(LOG_LEVEL_WARNING, "drain-slow", "an edge of the configuration before may still accept", 0);
    supervisor_retire_end(s);
}

/* What the one before was asked and has not answered is asked again. */
static void join_spooler(struct generation *g)
{
    struct process *directory = supervisor_process(g->supervisor, PROC_DIRECTORY, 0, g);
    struct process *spooler = supervisor_process(g->supervisor, PROC_SPOOLER, 0, NULL);
    if (directory && spooler) supervisor_introduce(directory, spooler);
}

static void serve(struct generation *g)
{
    struct supervisor *s = g->supervisor;
    struct generation *before = s->serving;
    loop_timer_stop(s->loop, &g->timer);
    g->state = GENERATION_SERVING;
    s->serving = g;
    supervisor_listeners_serve(s);
    if (!before) {
        say_serving(s, "ready");
        supervisor_release_shell(s, 0);
        reload_wanted(s);
        return;
    }
    join_spooler(g);
    tell_lasting(before, g);
    supervisor_tell_access(before->load.config, g->load.config);
    s->retiring = before;
    loop_timer_set(s->loop, &s->retire_timer, loop_now_ms(s->loop) + RETIRE_SECONDS * 1000,
                   on_retire_overdue);
    drain(before);
    supervisor_retire_step(s);
}

void supervisor_generation_step(struct generation *g)
{
    struct supervisor *s = g->supervisor;
    unsigned edges = 0, edges_ready = 0, relays_ready = 0;
    if (g->state != GENERATION_STARTING) return;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        const struct process *p = &s->processes[i];
        if (p->generation != g || p->state == PROCESS_FREE) continue;
        relays_ready += p->role == PROC_RELAY && p->state == PROCESS_READY;
        if (p->role != PROC_EDGE) continue;
        edges++;
        edges_ready += p->state == PROCESS_READY;
    }
    bool rest_ready = g->map >= 0 && ready(s, PROC_DIRECTORY, g) && ready(s, PROC_KEYRING, g) &&
                      (!asks_winbind(g) || ready(s, PROC_WINBIND, g)) &&
                      relays_ready == g->load.config->relays && (s->serving || ready(s, PROC_SPOOLER, g));
    if (edges == 0 && rest_ready) {
        start_edges(g);
        return;
    }
    bool lasting_ready = s->serving || (ready(s, PROC_MAILBOX, g) && ready(s, PROC_ADMIN, g) &&
                                        ready(s, PROC_CONNECTOR, g) && ready(s, PROC_RESOLVER, g));
    if (edges == g->n_edges && edges_ready == edges && rest_ready && lasting_ready) serve(g);
}

/* ---- the end */

void supervisor_generation_blame(struct generation *g, const struct process *p, struct span why)
{
    if (g->state != GENERATION_STARTING || g->failure_n) return;
    struct buf b = buf_on(g->failure, sizeof g->failure);
    buf_str(&b, p->name);
    buf_str(&b, ": ");
    buf_put(&b, why);
    g->failure_n = b.n;
}

void supervisor_generation_fail(struct generation *g, const char *fallback)
{
    struct supervisor *s = g->supervisor;
    struct span why = g->failure_n ? span_of(g->failure, g->failure_n) : span_str(fallback);
    if (g->state != GENERATION_STARTING) return;
    loop_timer_stop(s->loop, &g->timer);
    g->state = GENERATION_DRAINING;
    log_begin(LOG_LEVEL_ERROR, s->serving ? "reload-failed" : "start-failed");
    log_u64("generation", g->number);
    log_span("text", why);
    log_end();
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].generation == g && s->processes[i].state != PROCESS_FREE)
            supervisor_process_kill(&s->processes[i]);
    if (!s->serving) {
        supervisor_exit(s, g->failure_n ? SUPERVISOR_EXIT_CONFIG : SUPERVISOR_EXIT_START);
        return;
    }
    supervisor_listeners_revert(s);
    notify_send(SPAN("READY=1\nSTATUS=serving; the last reload failed"));
    if (s->asker) supervisor_answer(s, s->asker, CHILD_ASK_RELOAD, why);
    s->asker = NULL;
    supervisor_generation_tidy(g);
    reload_wanted(s);
}

void supervisor_generation_tidy(struct generation *g)
{
    struct supervisor *s = g->supervisor;
    bool served = false, any = false; /* served: somebody's directory and keyring */
    if (g->state != GENERATION_DRAINING) return;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        const struct process *p = &s->processes[i];
        if (p->state != PROCESS_FREE && p->generation == g)
            served |= p->role == PROC_EDGE || p->role == PROC_RELAY;
    }
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *p = &s->processes[i];
        if (p->state == PROCESS_FREE || p->generation != g) continue;
        if (!served && p->state != PROCESS_DRAINING)
            supervisor_process_drain(p, false, STOP_GRACE_SECONDS * 1000);
        any |= p->state != PROCESS_FREE;
    }
    if (any) return;
    supervisor_unload(g);
    g->state = GENERATION_FREE;
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].generation == g) s->processes[i].generation = NULL;
    if (s->serving) reload_wanted(s);
}

/* ---- reload */

/* The edges of all generations share the table of sources. True: the oldest that drains is ended for it. */
static bool make_room(struct supervisor *s)
{
    const struct generation *oldest = oldest_draining(s);
    if (!oldest || (free_generation(s) && edges_alive(s) + s->serving->n_edges <= SOURCES_EDGES))
        return false;
    log_note(LOG_LEVEL_WARNING, "drain-cut-short", "too many generations at once", 0);
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        if (s->processes[i].generation == oldest && s->processes[i].state != PROCESS_FREE)
            supervisor_process_kill(&s->processes[i]);
    return true;
}

void supervisor_reload(struct supervisor *s, struct process *asker)
{
    static uint8_t memory[PROBLEMS_OCTETS];
    struct buf text = buf_on(memory, sizeof memory);
    if (!s->stopping && (supervisor_starting(s) || s->retiring)) {
        log_note(LOG_LEVEL_INFO, "reload-waits", "for the end of the start or reload that is running", 0);
        s->reload_wanted = true;
        if (asker) s->waits = asker; /* one at a time asks */
        return;
    }
    if (s->stopping) {
        static const char why[] = "it is being stopped";
        log_note(LOG_LEVEL_WARNING, "reload-refused", why, 0);
        if (asker) supervisor_answer(s, asker, CHILD_ASK_RELOAD, span_str(why));
        return;
    }
    if (make_room(s)) { /* supervisor_generation_tidy goes on */
        s->reload_wanted = true;
        if (asker) s->waits = asker;
        return;
    }
    supervisor_notify_reloading();
    s->asker = asker;
    bool begun = supervisor_generation_begin(s, &text);
    if (begun) return;
    log_note(LOG_LEVEL_ERROR, "reload-refused", "the former configuration stays in use", 0);
    s->asker = NULL;
    notify_send(SPAN("READY=1\nSTATUS=serving; the last reload was refused"));
    if (asker) supervisor_answer(s, asker, CHILD_ASK_RELOAD, text.n ? buf_span(&text) : SPAN("refused"));
}

void supervisor_reload_refuse(struct supervisor *s, const char *why)
{
    if (s->asker) supervisor_answer(s, s->asker, CHILD_ASK_RELOAD, span_str(why));
    if (s->waits) supervisor_answer(s, s->waits, CHILD_ASK_RELOAD, span_str(why));
    s->asker = s->waits = NULL;
    s->reload_wanted = false;
}
