/* What the supervisor knows of its children: signs of life, and their status for the operator. */
#include <time.h>

#include "process/supervisor_private.h"
#include "system/notify.h"
#include "system/sandbox.h"

static struct supervisor *of(struct timer *t, size_t offset)
{
    return (struct supervisor *)(void *)((char *)t - offset);
}

static void on_ping(struct timer *t)
{
    struct supervisor *s = of(t, offsetof(struct supervisor, ping_timer));
    uint64_t now = loop_now_ms(s->loop);
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *p = &s->processes[i];
        if (!supervisor_process_alive(p) || p->state == PROCESS_STARTING) continue;
        bool slow = now - p->answered_ms > UNRESPONSIVE_MS;
        if (slow && !p->slow) log_note(LOG_LEVEL_WARNING, "process-unresponsive", p->name, 0);
        p->slow = slow;
        if (now - p->answered_ms > HUNG_MS && !(role_table[p->role].abilities & SANDBOX_FILES_AT)) {
            log_note(LOG_LEVEL_ERROR, "process-hung", p->name, 0);
            supervisor_process_kill(p);
            continue;
        }
        if (!ipc_send(p->channel, SUPERVISE_PING, span_of(&now, sizeof now)) && !slow)
            log_note(LOG_LEVEL_WARNING, "ping-not-sent", p->name, 0);
    }
    loop_timer_set(s->loop, t, now + PING_MS, on_ping);
}

static void on_watchdog(struct timer *t)
{
    struct supervisor *s = of(t, offsetof(struct supervisor, watchdog_timer));
    bool all = true;
    for (unsigned i = 0; i < PROCESSES_MAX; i++)
        all &= !supervisor_process_alive(&s->processes[i]) || !s->processes[i].slow;
    if (all) notify_send(SPAN("WATCHDOG=1"));
    loop_timer_set(s->loop, t, loop_now_ms(s->loop) + notify_watchdog_ms() / 2, on_watchdog);
}

void supervisor_watch_begin(struct supervisor *s)
{
    loop_timer_set(s->loop, &s->ping_timer, loop_now_ms(s->loop) + PING_MS, on_ping);
    if (notify_watchdog_ms()) on_watchdog(&s->watchdog_timer);
}

void supervisor_answer(struct supervisor *s, struct process *p, uint32_t question, struct span text)
{
    static uint8_t memory[4 + SUPERVISE_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    (void)s;
    buf_put(&b, span_of(&question, sizeof question));
    buf_put(&b, span_head(text, SUPERVISE_TEXT_OCTETS));
    if (supervisor_process_alive(p) && !ipc_send(p->channel, SUPERVISE_ANSWER, buf_span(&b)))
        log_note(LOG_LEVEL_WARNING, "answer-not-sent", p->name, 0);
}

/* ---- status: every child is asked; what arrived in time goes into the answer */

static const char *state_name(const struct process *p)
{
    static const char *const name[] = {"free", "starting", "ready", "draining", "waiting"};
    return name[p->state];
}

static const char *cage_name(const struct process *p)
{
    if (p->state == PROCESS_STARTING || p->state == PROCESS_WAITING) return "unknown";
    return p->caged == SANDBOX_CAGED               ? "full"
           : p->caged == SANDBOX_CAGED_NO_LANDLOCK ? "no-landlock"
                                                   : "none";
}

static void put_process(struct buf *b, const struct process *p)
{
    buf_str(b, "{\"name\":\"");
    buf_str(b, p->name);
    buf_str(b, "\",\"pid\":");
    buf_u64(b, p->pid > 0 ? (uint64_t)p->pid : 0);
    buf_str(b, ",\"state\":\"");
    buf_str(b, state_name(p));
    buf_str(b, "\",\"cage\":\"");
    buf_str(b, cage_name(p));
    buf_str(b, "\",\"restarts\":");
    buf_u64(b, p->restarts);
    if (p->generation) {
        buf_str(b, ",\"generation\":");
        buf_u64(b, p->generation->number);
    }
    if (p->status_n) {
        buf_byte(b, ',');
        buf_put(b, span_of(p->status, p->status_n));
    }
    buf_byte(b, '}');
}

static void answer_status(struct supervisor *s)
{
    static uint8_t memory[SUPERVISE_TEXT_OCTETS];
    struct buf b = buf_on(memory, sizeof memory - 64);
    loop_timer_stop(s->loop, &s->status_timer);
    s->status_asked = false;
    struct process *admin = supervisor_process(s, PROC_ADMIN, 0, NULL);
    if (!admin) return;
    buf_str(&b, "{\"version\":\"" SALLYPORT_VERSION "\",\"generation\":");
    buf_u64(&b, s->serving ? s->serving->number : 0);
    buf_str(&b, ",\"configuration\":");
    if (s->serving)
        buf_u64(&b, config_bundle_digest(s->serving->load.sources, s->serving->load.n_sources));
    else
        buf_str(&b, "null");
    buf_str(&b, ",\"starting\":");
    buf_str(&b, s->serving ? "false" : "true");
    buf_str(&b, ",\"stopping\":");
    buf_str(&b, s->stopping ? "true" : "false");
    buf_str(&b, ",\"sessions\":");
    buf_u64(&b, sources_total(&s->sources_view));
    buf_str(&b, ",\"processes\":[");
    bool first = true, cut = false;
    for (unsigned i = 0; i < PROCESSES_MAX && !cut; i++) {
        if (s->processes[i].state == PROCESS_FREE) continue;
        size_t before = b.n;
        if (!first) buf_byte(&b, ',');
        put_process(&b, &s->processes[i]);
        first = false;
        if (b.over) { /* the rest does not fit: what is there is still one object */
            b.over = false;
            b.n = before;
            cut = true;
        }
    }
    b.max = sizeof memory;
    buf_str(&b, cut ? "],\"cut\":true}" : "]}");
    supervisor_answer(s, admin, CHILD_ASK_STATUS, buf_span(&b));
}

static void on_status_wait(struct timer *t)
{
    answer_status(of(t, offsetof(struct supervisor, status_timer)));
}

void supervisor_status_ask(struct supervisor *s)
{
    if (s->status_asked) return; /* one at a time; the answer is on its way */
    s->status_asked = true;
    s->status_tag++;
    s->status_open = 0;
    for (unsigned i = 0; i < PROCESSES_MAX; i++) {
        struct process *p = &s->processes[i];
        p->status_n = 0;
        p->status_awaited =
            supervisor_process_alive(p) && ipc_send(p->channel, SUPERVISE_REPORT, span_of(&s->status_tag, 4));
        s->status_open += p->status_awaited;
    }
    loop_timer_set(s->loop, &s->status_timer, loop_now_ms(s->loop) + STATUS_WAIT_MS, on_status_wait);
}

/* A number, true, false, or a string without quotes and escapes inside: octets taken, or 0. */
static size_t sound_value(struct span s)
{
    size_t n = 0;
    while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
        n++;
    if (n > 0) return n <= 20 ? n : 0;
    if (s.n >= 4 && memcmp(s.p, "true", 4) == 0) return 4;
    if (s.n >= 5 && memcmp(s.p, "false", 5) == 0) return 5;
    if (s.n == 0 || s.p[0] != '"') return 0;
    for (n = 1; n < s.n && s.p[n] != '"'; n++)
        if (s.p[n] < ' ' || s.p[n] > '~' || s.p[n] == '\\') return 0;
    return n < s.n ? n + 1 : 0;
}

/* A taken-over child must not be able to speak for others in the answer: members of a flat object and nothing else. */
static bool sound_members(struct span s)
{
    while (s.n > 0) {
        size_t key = s.p[0] == '"' ? sound_value(s) : 0;
        if (key == 0 || key == s.n || s.p[key] != ':') return false;
        s = span_skip(s, key + 1);
        size_t value = sound_value(s);
        if (value == 0) return false;
        s = span_skip(s, value);
        if (s.n == 0) return true;
        if (s.p[0] != ',' || s.n == 1) return false;
        s = span_skip(s, 1);
    }
    return true;
}

void supervisor_status_arrived(struct process *p, struct span text)
{
    struct supervisor *s = p->supervisor;
    if (!s->status_asked || !p->status_awaited) return;
    if (sound_members(text)) {
        memcpy(p->status, text.p, text.n);
        p->status_n = text.n;
    } else {
        log_note(LOG_LEVEL_SECURITY, "status-malformed", p->name, 0);
    }
    p->status_awaited = false;
    if (--s->status_open == 0) answer_status(s);
}

void supervisor_notify_reloading(void)
{
    struct timespec t;
    uint8_t memory[96];
    struct buf b = buf_on(memory, sizeof memory);
    clock_gettime(CLOCK_MONOTONIC, &t);
    buf_str(&b, "RELOADING=1\nSTATUS=reloading\nMONOTONIC_USEC=");
    buf_u64(&b, (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000);
    notify_send(buf_span(&b));
}
