#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/wire.h"
#include "process/peers.h"
#include "process/supervisor_private.h"
#include "system/sandbox.h"

enum { RELINK_MS = 250 };

/* ---- the table */

bool supervisor_process_alive(const struct process *p)
{
    return p->pid > 0 && p->channel;
}

struct process *supervisor_process(struct supervisor *s, enum role role, unsigned index, struct generation *g)
{
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *p = &s->processes[i];
        if (supervisor_process_alive(p) && p->role == role && p->index == index && p->generation == g)
            return p;
    }
    return NULL;
}

/* A column of the table of sources that no edge has. */
static bool free_column(const struct supervisor *s, unsigned wish, unsigned *ret)
{
    for (unsigned n = 0; n < SOURCES_EDGES; n++) {
        unsigned column = (wish + n) % SOURCES_EDGES;
        bool taken = false;
        for (unsigned i = 0; i < PROCESSES_MAX && !taken; i++)
            taken = s->processes[i].state != PROCESS_FREE && s->processes[i].role == PROC_EDGE &&
                    s->processes[i].column == column;
        if (taken) continue;
        *ret = column;
        return true;
    }
    return false;
}

struct process *supervisor_process_new(struct supervisor *s, enum role role, unsigned index,
                                       struct generation *g)
{
    unsigned column = 0;
    if (role == PROC_EDGE && !free_column(s, g->number % 2 * LIMIT_EDGES_MAX + index, &column)) return NULL;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *p = &s->processes[i];
        if (p->state != PROCESS_FREE) continue;
        *p = (struct process){.role = role,
                              .index = index,
                              .generation = role_table[role].per_generation ? g : NULL,
                              .supervisor = s,
                              .column = column,
                              .pool = -1};
        struct buf b = buf_on(p->name, sizeof p->name - 1);
        role_put_name(&b, role, index);
        return p;
    }
    return NULL;
}

/* ---- drain and kill */

void supervisor_process_kill(struct process *p)
{
    if (p->pid > 0) kill(p->pid, SIGKILL);
}

static struct process *of_timer(struct timer *t)
{
    return (struct process *)(void *)((char *)t - offsetof(struct process, timer));
}

static void on_overdue(struct timer *t)
{
    struct process *p = of_timer(t);
    log_note(LOG_LEVEL_WARNING, "drain-overdue", p->name, 0);
    supervisor_process_kill(p);
}

void supervisor_process_drain(struct process *p, bool stopping, uint64_t kill_ms)
{
    uint8_t how = stopping;
    if (!supervisor_process_alive(p)) {
        if (p->state == PROCESS_WAITING) { /* it is not started again */
            loop_timer_stop(p->supervisor->loop, &p->timer);
            p->state = PROCESS_FREE;
        }
        return;
    }
    p->state = PROCESS_DRAINING;
    if (!ipc_send(p->channel, SUPERVISE_DRAIN, span_of(&how, 1))) supervisor_process_kill(p);
    loop_timer_set(p->supervisor->loop, &p->timer, loop_now_ms(p->supervisor->loop) + kill_ms, on_overdue);
}

/* ---- death */

static void log_exit(const struct process *p, int status)
{
    bool wanted = p->state == PROCESS_DRAINING && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    log_begin(wanted ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR, "process-exit");
    log_str("name", p->name);
    log_u64("pid", (uint64_t)p->pid);
    if (WIFEXITED(status)) log_u64("status", (uint64_t)WEXITSTATUS(status));
    if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        log_str("signal", name ? name : "unknown");
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        log_str(
            "text",
            "stopped by its sandbox: it made a system call that its role has no right to; the kernel's audit "
            "log (dmesg, ausearch -m seccomp) has the number, --debug-sandbox would print it");
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGSYS)
        log_str("text", "stopped by its sandbox: see the line it printed");
    log_end();
}

static void on_restart(struct timer *t)
{
    struct process *p = of_timer(t);
    p->restarts++;
    if (supervisor_spawn(p)) {
        log_begin(LOG_LEVEL_INFO, "process-restart");
        log_str("name", p->name);
        log_u64("pid", (uint64_t)p->pid);
        log_u64("restarts", p->restarts);
        log_end();
        return;
    }
    log_note(LOG_LEVEL_ERROR, "process-restart", p->name, errno);
    loop_timer_set(p->supervisor->loop, &p->timer, loop_now_ms(p->supervisor->loop) + RESTART_MS_MAX,
                   on_restart);
}

/* The first restart is at once, then each waits twice as long, until it lived for a while. */
static void schedule_restart(struct process *p, bool had_started)
{
    struct supervisor *s = p->supervisor;
    uint64_t now = loop_now_ms(s->loop), wait = 0, most = had_started ? RESTART_MS_MAX : RESTART_MS_MAX_START;
    if (now - p->started_ms >= STEADY_MS || p->replace) p->quick_deaths = 0;
    if (p->quick_deaths > 0) {
        wait = RESTART_MS_FIRST;
        for (unsigned i = 1; i < p->quick_deaths && wait < most; i++)
            wait *= 2;
        if (wait > most) wait = most;
    }
    p->quick_deaths++;
    p->replace = false;
    p->state = PROCESS_WAITING;
    if (wait)
        loop_timer_set(s->loop, &p->timer, now + wait, on_restart);
    else
        on_restart(&p->timer);
}

static void on_death(struct process *p, int status)
{
    struct supervisor *s = p->supervisor;
    enum process_state was = p->state;
    log_exit(p, status);
    loop_timer_stop(s->loop, &p->timer);
    ipc_close(&p->channel);
    p->pid = 0;
    memset(p->lost, 0, sizeof p->lost);
    p->status_n = 0;
    p->slow = p->quiet = false;
    if (p->pool >= 0) close(p->pool);
    p->pool = -1;
    if (p->role == PROC_EDGE) sources_clear_edge(&s->sources_view, p->column);
    if (s->asker == p) s->asker = NULL;
    if (s->waits == p) s->waits = NULL;
    if (p->role == PROC_ADMIN) s->status_asked = false;
    struct generation *g = p->generation ? p->generation : supervisor_starting(s);
    bool give_up =
        was == PROCESS_STARTING && g && g->state == GENERATION_STARTING && (p->generation || !s->serving);
    bool over = (p->generation && p->generation->state != GENERATION_SERVING) || s->stopping || give_up;
    if (was == PROCESS_DRAINING && !p->replace) over = true;
    if (over)
        p->state = PROCESS_FREE;
    else
        schedule_restart(p, was != PROCESS_STARTING);
    if (s->stopping)
        supervisor_stop_next(s);
    else if (give_up || (p->generation && p->generation->state == GENERATION_STARTING))
        supervisor_generation_fail(g, "a process of it died before it was ready");
    if (p->generation) supervisor_generation_tidy(p->generation);
    supervisor_retire_step(s);
}

void supervisor_reap(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (unsigned i = 0; i < PROCESSES_MAX; i++)
            if (s->processes[i].pid == pid) {
                on_death(&s->processes[i], status);
                break;
            }
}

/* ---- what a child says */

static void on_relink(struct timer *t)
{
    struct supervisor *s =
        (struct supervisor *)(void *)((char *)t - offsetof(struct supervisor, relink_timer));
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        for (unsigned k = 0; k < PROCESSES_MAX; k++) {
            struct process *p = &s->processes[i], *q = &s->processes[k];
            if (!p->lost[k]) continue;
            p->lost[k] = false;
            if (supervisor_process_alive(p) && supervisor_process_alive(q) && supervisor_may_meet(p, q))
                supervisor_introduce(p, q);
        }
}

/* Most often the other one died and is started again, and then introduced; so wait a moment before the two meet anew. Both ends
 * see the end of a conversation; a process that lives through reloads cannot say which generation it lost, but its peer can. */
static void on_lost(struct process *p, struct span payload)
{
    struct supervisor *s = p->supervisor;
    struct supervise_peer m;
    if (!supervise_peer_read(payload, &m) || !peers_may_talk(p->role, (enum role)m.role)) {
        supervisor_process_kill(p);
        return;
    }
    if (!p->generation && role_table[m.role].per_generation) return;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        const struct process *q = &s->processes[i];
        if (q->role != (enum role)m.role || q->index != m.index || !supervisor_may_meet(p, q)) continue;
        if (q->state == PROCESS_FREE || p->serials[i] != m.serial) continue;
        p->lost[i] = true;
        loop_timer_set(s->loop, &s->relink_timer, loop_now_ms(s->loop) + RELINK_MS, on_relink);
    }
}

static void on_map(struct process *p, int fd)
{
    struct generation *g = p->generation;
    if (p->role != PROC_DIRECTORY) {
        close(fd);
        supervisor_process_kill(p);
        return;
    }
    if (g->map >= 0) close(g->map);
    g->map = fd;
    supervisor_generation_step(g);
}

static void on_ready(struct process *p, uint8_t caged)
{
    struct supervisor *s = p->supervisor;
    if (p->state != PROCESS_STARTING) return;
    p->state = PROCESS_READY;
    p->caged = caged;
    if (caged == SANDBOX_CAGED_NO_LANDLOCK) log_note(LOG_LEVEL_WARNING, "landlock-absent", p->name, 0);
    struct generation *g = p->generation ? p->generation : supervisor_starting(s);
    if (g) supervisor_generation_step(g);
}

static void on_failed(struct process *p, struct span why)
{
    log_begin(LOG_LEVEL_ERROR, "process-start-failed");
    log_str("name", p->name);
    log_span("text", why);
    log_end();
    struct generation *g = p->generation ? p->generation : supervisor_starting(p->supervisor);
    if (g && (p->generation || !p->supervisor->serving)) supervisor_generation_blame(g, p, why);
}

static void on_question(struct process *p, uint32_t question)
{
    struct supervisor *s = p->supervisor;
    if (p->role != PROC_ADMIN || question >= CHILD_ASK_COUNT) {
        supervisor_process_kill(p); /* only the admin process asks */
        return;
    }
    switch (question) {
    case CHILD_ASK_STATUS: supervisor_status_ask(s); break;
    case CHILD_ASK_RELOAD: supervisor_reload(s, p); break;
    default:
        supervisor_answer(s, p, question, (struct span){NULL, 0});
        supervisor_stop(s);
        break;
    }
}

void supervisor_on_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct process *p = context;
    struct wire w = wire_on(payload);
    (void)n_fds; /* as many as the table says */
    p->answered_ms = loop_now_ms(p->supervisor->loop);
    switch (type) {
    case SUPERVISE_READY: on_ready(p, wire_u8(&w)); break;
    case SUPERVISE_FAILED: on_failed(p, payload); break;
    case SUPERVISE_MAP: on_map(p, fds[0]); break;
    case SUPERVISE_PONG: break; /* answered_ms is all of it */
    case SUPERVISE_LOST: on_lost(p, payload); break;
    case SUPERVISE_DRAINING:
        p->quiet = true;
        supervisor_retire_step(p->supervisor);
        break;
    case SUPERVISE_STATUS:
        if (wire_u32(&w) != p->supervisor->status_tag) break;
        supervisor_status_arrived(p, w.rest);
        break;
    default: on_question(p, wire_u32(&w)); break;
    }
}

void supervisor_on_closed(void *context, const char *reason)
{
    struct process *p = context;
    if (strcmp(reason, "end of file") != 0) { /* a child that sends what it may not has been taken over */
        log_begin(LOG_LEVEL_SECURITY, "process-malformed");
        log_str("name", p->name);
        log_str("text", reason);
        log_end();
    }
    ipc_close(&p->channel);
    supervisor_process_kill(p);
}
