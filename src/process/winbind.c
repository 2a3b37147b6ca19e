/* winbind: has domain controllers check logins (service/winbind.h). winbindd's sockets are opened by libwbclient whenever it needs them, and a
 * question may take long: so a process of its own, which can do nothing else, and threads. It begins only where the configuration has a
 * winbind line; the directory alone asks it. */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "service/winbind.h"
#include "system/log.h"
#include "system/workers.h"

enum {
    THREADS = LIMIT_LOGIN_OUTSIDE_THREADS, /* of one directory no more wait */
    QUESTIONS_MAX = 16 * THREADS,          /* that nobody waits for any more are among them */
    ANSWERS_QUEUED = 16,
};

struct asked {
    struct worker_task task; /* first */
    uint64_t came_ms;
    unsigned conversation; /* that it came over */
    size_t n;
    uint8_t question[DOMAIN_QUESTION_OCTETS];
    struct buf answer;
    uint8_t memory[DOMAIN_ANSWER_OCTETS];
    struct winbind_report report;
};

struct winbinds {
    struct child *child;
    struct ipc *channel; /* to the directory */
    unsigned conversations;
    int fd;               /* one that waits for `start`; else -1 */
    bool started, member; /* member: of the group that may ask */
    struct winbind *threads[THREADS];
    struct workers *workers;
    unsigned open;
    uint64_t questions, proven, unavailable, unavailable_logged_ms;
};

static const struct ipc_allowed allowed[] = {
    {MSG_DOMAIN_QUESTION, DOMAIN_QUESTION_LEAST, DOMAIN_QUESTION_OCTETS, 0}};

static struct winbinds *winbinds_of(struct child *c)
{
    if (c->state) return c->state;
    struct winbinds *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->child = c;
    w->fd = -1;
    c->state = w;
    return w;
}

/* --- questions */

static void directory_closed(void *context, const char *reason)
{
    struct winbinds *w = context;
    ipc_close(&w->channel);
    child_peer_lost(w->child, PROC_DIRECTORY, 0, reason);
}

static void send_answer(struct winbinds *w, struct span answer)
{
    if (w->channel && !ipc_send(w->channel, MSG_DOMAIN_ANSWER, answer))
        directory_closed(w, "answers are not read");
}

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* In a thread. A question that waited until nobody waits for its answer is not asked: winbindd has enough to do then. */
static void work(struct worker_task *task, void *state)
{
    struct asked *a = (struct asked *)(void *)task;
    struct domain_question q;
    a->answer = buf_on(a->memory, sizeof a->memory);
    bool good = domain_question_read(span_of(a->question, a->n), &q); /* it was read before */
    if (good && now_ms() - a->came_ms < LIMIT_ASK_SECONDS * 1000) {
        winbind_ask(state, &q, &a->answer, &a->report);
        return;
    }
    a->report = (struct winbind_report){.status = DOMAIN_UNAVAILABLE, .text = "winbindd is slow"};
    domain_answer_put(&a->answer, &(struct domain_answer){.tag = q.tag, .status = DOMAIN_UNAVAILABLE});
}

/* The login itself is the directory's to report; here stands what an administrator of winbind needs, and what could go wrong for all. */
static void report(struct winbinds *w, const struct winbind_report *r)
{
    uint64_t now = loop_now_ms(w->child->loop);
    bool down = r->status == DOMAIN_UNAVAILABLE,
         odd = r->status == DOMAIN_GUEST || r->status == DOMAIN_REFUSED;
    w->proven += r->status == DOMAIN_PROVEN;
    w->unavailable += down;
    if (r->groups_cut)
        log_note(LOG_LEVEL_WARNING, "domain-groups-cut",
                 "an account is in too many groups: some do not count", 0);
    if (down && w->unavailable_logged_ms && now - w->unavailable_logged_ms < LIMIT_UNAVAILABLE_LOG_MS) return;
    if (!down && !odd) return;
    if (down) w->unavailable_logged_ms = now;
    log_begin(down ? LOG_LEVEL_ERROR : LOG_LEVEL_SECURITY, down ? "domain-unavailable" : "domain-odd");
    log_str("text", r->text);
    if (down && !w->member)
        log_str("hint", "winbindd lets members of the group winbindd_priv ask, and this process is none");
    log_end();
}

static void done(void *context, struct worker_task *task)
{
    struct winbinds *w = context;
    struct asked *a = (struct asked *)(void *)task;
    w->open--;
    report(w, &a->report);
    if (a->conversation == w->conversations) send_answer(w, buf_span(&a->answer));
    explicit_bzero(a, sizeof *a); /* a session key */
    free(a);
}

static void on_question(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct winbinds *w = context;
    struct domain_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!w->channel) return; /* closed while its packet is worked off */
    if (!domain_question_read(payload, &q)) {
        directory_closed(w, "malformed question");
        return;
    }
    struct asked *a = w->open < QUESTIONS_MAX ? calloc(1, sizeof *a) : NULL;
    w->questions++;
    if (!a) {
        uint8_t memory[16];
        struct buf b = buf_on(memory, sizeof memory);
        domain_answer_put(&b, &(struct domain_answer){.tag = q.tag, .status = DOMAIN_UNAVAILABLE});
        w->unavailable++;
        send_answer(w, buf_span(&b));
        return;
    }
    a->came_ms = now_ms();
    a->conversation = w->conversations;
    a->n = payload.n;
    memcpy(a->question, payload.p, payload.n);
    w->open++;
    workers_submit(w->workers, &a->task);
}

static void channel_open(struct winbinds *w, int fd)
{
    if (w->channel) directory_closed(w, "replaced");
    w->conversations++;
    w->channel = ipc_open(w->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0], ANSWERS_QUEUED,
                          on_question, directory_closed, w);
    if (w->channel)
        ipc_secret(w->channel);
    else
        log_note(LOG_LEVEL_ERROR, "channel-failed", "directory", errno);
}

/* --- life */

static void winbind_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct winbinds *w = winbinds_of(c);
    (void)index, (void)generation;
    if (!w || role != PROC_DIRECTORY) {
        close(fd);
        return;
    }
    if (w->started) {
        channel_open(w, fd);
        return;
    }
    if (w->fd >= 0) close(w->fd);
    w->fd = fd;
}

/* winbindd answers questions about responses over its privileged socket only. */
static bool in_its_group(void)
{
    const char *name = role_table[PROC_WINBIND].group;
    const struct group *g = getgrnam(name);
    gid_t groups[256];
    int n = getgroups(sizeof groups / sizeof groups[0], groups);
    bool is_member = g && getegid() == g->gr_gid;
    for (int i = 0; g && i < n; i++)
        is_member |= groups[i] == g->gr_gid;
    if (is_member) return true;
    log_begin(LOG_LEVEL_ERROR, "winbind-group");
    log_str("group", name);
    log_str("text",
            g ? "this process is not in the group: start sallyportd as root, or put its account into it"
              : "there is no such group: install winbind");
    log_end();
    return false;
}

static bool winbind_prepare(struct child *c, const char **error)
{
    struct winbinds *w = winbinds_of(c);
    void *states[THREADS];
    *error = winbind_load();
    if (*error) return false;
    *error = "no memory";
    if (!w) return false;
    w->member = in_its_group();
    for (unsigned i = 0; i < THREADS; i++) {
        states[i] = w->threads[i] = winbind_create(c->config);
        if (!w->threads[i]) return false;
    }
    w->workers = workers_create(c->loop, THREADS, states, work, done, w);
    return w->workers != NULL;
}

static bool winbind_start(struct child *c, const char **error)
{
    struct winbinds *w = c->state;
    *error = "its threads cannot be made";
    if (!workers_start(w->workers)) return false;
    w->started = true;
    if (w->fd >= 0) channel_open(w, w->fd);
    w->fd = -1;
    return true;
}

/* Nobody asks any more: the directory of this generation is gone, or goes. */
static void winbind_drain(struct child *c, bool stopping)
{
    (void)stopping;
    child_exit(c, 0);
}

static void winbind_status(struct child *c, struct buf *json)
{
    const struct winbinds *w = c->state;
    buf_str(json, "\"questions\":");
    buf_u64(json, w->questions);
    buf_str(json, ",\"open\":");
    buf_u64(json, w->open);
    buf_str(json, ",\"proven\":");
    buf_u64(json, w->proven);
    buf_str(json, ",\"unavailable\":");
    buf_u64(json, w->unavailable);
}

static void winbind_after_turn(struct child *c)
{
    struct winbinds *w = c->state;
    if (w && w->channel) ipc_flush(w->channel);
}

const struct child_hooks winbind_hooks = {
    .peer = winbind_peer,
    .prepare = winbind_prepare,
    .start = winbind_start,
    .drain = winbind_drain,
    .status = winbind_status,
    .after_turn = winbind_after_turn,
};
