#include "process/directory_login.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "process/directory_guard.h"
#include "process/directory_login_files.h"
#include "process/directory_login_log.h"
#include "process/directory_turns.h"
#include "process/messages.h"
#include "sasl/mechanism.h"
#include "service/login.h"
#include "system/log.h"
#include "system/workers.h"

enum {
    THREADS = LIMIT_LOGIN_QUICK_THREADS + LIMIT_LOGIN_SLOW_THREADS + LIMIT_LOGIN_OUTSIDE_THREADS,
    BUCKETS = 1024,
    ANSWERS_QUEUED = 64
};

struct conversation {        /* a login, or a question for a sender */
    struct worker_task task; /* first */
    struct turn turn;        /* a login: its step stands in line for a thread, or not */
    struct timer timer;      /* of a refusal that is told later, or of a client that is slow */
    struct logins *all;
    struct conversation *next; /* of its bucket */
    unsigned edge;
    uint64_t session;
    uint32_t slot;
    bool sender;    /* else a login */
    uint8_t queue;  /* enum login_queue, of the step in hand */
    bool waiting;   /* it has not begun: its source must wait */
    bool working;   /* a thread has it */
    bool cancelled; /* nobody waits for it */
    struct login *login;
    struct span response; /* of the step in hand; malloc, wiped */
    uint64_t unix_seconds, began_ms;
    struct login_answer answer;
    struct sender_question question; /* its spans point into response */
    struct sender_answer verdict;
};

struct login_edge {
    struct logins *all;
    struct ipc *channel;
    int fd; /* a conversation that waits for the start; else -1 */
    unsigned index;
    struct bans_reader bans; /* what it was told */
};

static const unsigned threads_of[LOGIN_QUEUES] = {[LOGIN_QUICK] = LIMIT_LOGIN_QUICK_THREADS,
                                                  [LOGIN_SLOW] = LIMIT_LOGIN_SLOW_THREADS,
                                                  [LOGIN_OUTSIDE] = LIMIT_LOGIN_OUTSIDE_THREADS};

struct logins {
    struct child *child;
    struct login_world world;
    struct token_keys *token_keys; /* that the world knows */
    struct login_thread *threads[THREADS];
    struct guard *guard;
    struct workers *workers[LOGIN_QUEUES];
    struct turns *turns;
    unsigned at_work[LOGIN_QUEUES]; /* steps that the threads have */
    bool open;                      /* else the store cannot be opened: no guard, no workers, no turns */
    struct login_edge edges[LIMIT_EDGES_MAX];
    struct conversation *buckets[BUCKETS];
    unsigned n_logins, n_senders;
    bool started;
    uint64_t succeeded, refused, failed;
};

static const struct ipc_allowed allowed[] = {
    {MSG_LOGIN_BEGIN, 38, LOGIN_BEGIN_OCTETS, 0},
    {MSG_LOGIN_STEP, 14, LOGIN_STEP_OCTETS, 0},
    {MSG_LOGIN_CANCEL, 14, 14, 0},
    {MSG_SENDER_QUESTION, 21, SENDER_QUESTION_OCTETS, 0},
};

/* --- the table */

static unsigned bucket_of(unsigned edge, uint64_t session)
{
    return (unsigned)((session * UINT64_C(0x9e3779b97f4a7c15)) >> 32 ^ edge) % BUCKETS;
}

static struct conversation *find(const struct logins *l, unsigned edge, uint64_t session, uint32_t slot)
{
    struct conversation *c = l->buckets[bucket_of(edge, session)];
    while (c && (c->edge != edge || c->session != session || c->slot != slot || c->sender || c->cancelled))
        c = c->next;
    return c;
}

static unsigned *count_of(struct logins *l, bool sender)
{
    return sender ? &l->n_senders : &l->n_logins;
}

static struct conversation *add(struct login_edge *e, uint64_t session, uint32_t slot, bool sender)
{
    struct logins *l = e->all;
    unsigned *n = count_of(l, sender);
    struct conversation *c = *n < LIMIT_LOGINS ? calloc(1, sizeof *c) : NULL;
    if (!c) return NULL;
    struct conversation **bucket = &l->buckets[bucket_of(e->index, session)];
    *c = (struct conversation){
        .all = l, .edge = e->index, .session = session, .slot = slot, .sender = sender, .next = *bucket};
    *bucket = c;
    ++*n;
    return c;
}

static void response_drop(struct conversation *c)
{
    if (!c->response.p) return;
    explicit_bzero((void *)(uintptr_t)c->response.p, c->response.n);
    free((void *)(uintptr_t)c->response.p);
    c->response = (struct span){0};
}

static bool response_keep(struct conversation *c, struct span s)
{
    uint8_t *copy = malloc(s.n + 1);
    response_drop(c);
    if (!copy) return false;
    if (s.n) memcpy(copy, s.p, s.n);
    c->response = span_of(copy, s.n);
    return true;
}

static void forget(struct conversation *c)
{
    struct logins *l = c->all;
    struct conversation **p = &l->buckets[bucket_of(c->edge, c->session)];
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    --*count_of(l, c->sender);
    turns_leave(l->turns, &c->turn);
    loop_timer_stop(l->child->loop, &c->timer);
    response_drop(c);
    login_free(&c->login);
    free(c);
}

/* --- answers */

static void edge_lost(struct login_edge *e, const char *reason)
{
    struct logins *l = e->all;
    ipc_close(&e->channel);
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct conversation *c = l->buckets[i], *next; c; c = next) {
            next = c->next;
            if (c->edge != e->index) continue;
            c->cancelled = true;
            if (!c->working) forget(c);
        }
    child_peer_lost(l->child, PROC_EDGE, e->index, reason);
}

static void edge_closed(void *context, const char *reason)
{
    edge_lost(context, reason);
}

static void send_login(struct login_edge *e, const struct login_answer *a)
{
    static uint8_t memory[LOGIN_ANSWER_OCTETS]; /* wiped: some mechanisms' last words are a proof */
    struct buf b = buf_on(memory, sizeof memory);
    login_answer_put(&b, a);
    bool sent = e->channel && !b.over && ipc_send(e->channel, MSG_LOGIN_ANSWER, buf_span(&b));
    explicit_bzero(memory, b.n);
    if (!sent && e->channel) edge_lost(e, "answers cannot be sent");
}

static void send_later(struct login_edge *e, uint64_t session, uint32_t slot)
{
    send_login(e, &(struct login_answer){.session = session, .slot = slot, .kind = LOGIN_LATER});
}

static void send_sender(struct login_edge *e, const struct sender_answer *a)
{
    uint8_t memory[SENDER_ANSWER_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    sender_answer_put(&b, a);
    if (e->channel && !ipc_send(e->channel, MSG_SENDER_ANSWER, buf_span(&b)))
        edge_lost(e, "answers cannot be sent");
}

/* --- steps */

/* To threads that have nothing to do, and a little ahead, so that they need not wait for this loop. */
static void hand_out(struct logins *l)
{
    static const unsigned most[LOGIN_QUEUES] = {[LOGIN_QUICK] = 16 * LIMIT_LOGIN_QUICK_THREADS,
                                                [LOGIN_SLOW] = 2 * LIMIT_LOGIN_SLOW_THREADS,
                                                [LOGIN_OUTSIDE] = LIMIT_LOGIN_OUTSIDE_THREADS};
    for (unsigned q = 0; q < LOGIN_QUEUES; q++)
        while (l->at_work[q] < most[q]) {
            struct turn *turn = turns_next(l->turns, q);
            if (!turn) break;
            struct conversation *c =
                (struct conversation *)(void *)((char *)turn - offsetof(struct conversation, turn));
            c->working = true;
            l->at_work[q]++;
            workers_submit(l->workers[q], &c->task);
        }
}

/* False: its edge is gone. */
static bool send_answer(struct conversation *c)
{
    c->working = true; /* edge_lost leaves it to us */
    send_login(&c->all->edges[c->edge], &c->answer);
    c->working = false;
    return !c->cancelled;
}

static void tell(struct conversation *c)
{
    (void)send_answer(c);
    forget(c);
}

static void told_later(struct timer *t)
{
    tell((struct conversation *)(void *)((char *)t - offsetof(struct conversation, timer)));
}

/* Its client went away. A refusal that it was told in a challenge counts all the same. */
static void abandon(struct conversation *c)
{
    if (c->login && login_report_of(c->login)->event) {
        c->all->refused++;
        logins_log_refused(c->all->child->config, c->login);
    }
    forget(c);
}

static void client_is_slow(struct timer *t)
{
    abandon((struct conversation *)(void *)((char *)t - offsetof(struct conversation, timer)));
}

static void login_done(struct conversation *c)
{
    struct logins *l = c->all;
    uint64_t now = loop_now_ms(l->child->loop);
    uint64_t spent = now - c->began_ms;
    switch (c->answer.kind) {
    case LOGIN_CHALLENGE:
        if (!send_answer(c)) {
            forget(c);
            return;
        }
        loop_timer_set(l->child->loop, &c->timer, now + LIMIT_LOGIN_IDLE_SECONDS * 1000, client_is_slow);
        return;
    case LOGIN_SUCCESS: l->succeeded++; break;
    case LOGIN_LATER: l->failed++; break;
    default: l->refused++;
    }
    logins_log_refused(l->child->config, c->login);
    uint64_t wait = guard_ended(l->guard, c->login, &c->answer);
    if (c->answer.kind != LOGIN_SUCCESS && c->answer.kind != LOGIN_LATER)
        wait += login_refusal_ms(c->login) - spent % login_refusal_ms(c->login);
    if (wait)
        loop_timer_set(l->child->loop, &c->timer, now + wait, told_later);
    else
        tell(c);
}

static void done(void *context, struct worker_task *task)
{
    struct conversation *c = (struct conversation *)(void *)task;
    struct logins *l = context;
    c->working = false;
    if (!c->sender) l->at_work[c->queue]--;
    if (c->cancelled) {
        forget(c);
    } else if (c->sender) {
        struct sender_answer verdict = c->verdict;
        struct login_edge *e = &c->all->edges[c->edge];
        forget(c);
        send_sender(e, &verdict);
    } else {
        response_drop(c);
        login_done(c);
    }
    hand_out(l);
}

/* In a thread: it has c for itself. */
static void work(struct worker_task *task, void *state)
{
    struct conversation *c = (struct conversation *)(void *)task;
    if (c->sender)
        login_sender(state, &c->question, &c->verdict);
    else
        login_step(c->login, state, c->response, c->unix_seconds, &c->answer);
}

/* Its next step waits for its turn. */
static void line_up(struct conversation *c)
{
    struct logins *l = c->all;
    c->queue = (uint8_t)login_queue(c->login);
    c->unix_seconds = loop_unix_ms(l->child->loop) / 1000;
    c->began_ms = loop_now_ms(l->child->loop);
    turns_stand(l->turns, &c->turn, c->queue);
    hand_out(l);
}

/* --- questions */

static void send_banned(struct login_edge *e, uint64_t session, uint32_t slot)
{
    send_login(e, &(struct login_answer){.session = session, .slot = slot, .kind = LOGIN_BANNED});
}

/* Its source waited long enough; others of it may have failed meanwhile. */
static void begins(struct timer *t)
{
    struct conversation *c =
        (struct conversation *)(void *)((char *)t - offsetof(struct conversation, timer));
    c->waiting = false;
    if (!guard_bans(c->all->guard, login_begin_of(c->login)->client)) {
        line_up(c);
        return;
    }
    c->answer = (struct login_answer){.session = c->session, .slot = c->slot, .kind = LOGIN_BANNED};
    tell(c);
}

/* False: its network has too many at once, or there is no memory. */
static bool enter(struct conversation *c, const uint8_t client[16])
{
    struct address a;
    memcpy(a.octets, client, sizeof a.octets);
    bool room = turns_enter(c->all->turns, &c->turn, &a);
    if (!room) logins_log_deferred(c->session, &a);
    return room;
}

static void asked_begin(struct login_edge *e, const struct login_begin *m)
{
    struct logins *l = e->all;
    uint64_t wait = 0;
    enum guess_answer guess = l->open ? guard_begin(l->guard, m->client, &wait) : GUESS_LATER;
    if (guess == GUESS_BANNED || guess == GUESS_LATER) {
        (guess == GUESS_BANNED ? send_banned : send_later)(e, m->session, m->slot);
        return;
    }
    struct conversation *c =
        find(l, e->index, m->session, m->slot) ? NULL : add(e, m->session, m->slot, false);
    bool room = c && enter(c, m->client);
    if (room) c->login = login_create(&l->world, m);
    if (c && !c->login) {
        forget(c);
        c = NULL;
    }
    if (!c) {
        send_later(e, m->session, m->slot);
    } else if (guess == GUESS_WAIT) {
        c->waiting = true;
        loop_timer_set(l->child->loop, &c->timer, loop_now_ms(l->child->loop) + wait, begins);
    } else {
        line_up(c);
    }
}

static void asked_step(struct login_edge *e, const struct login_step *m)
{
    struct conversation *c = find(e->all, e->index, m->session, m->slot);
    if (!c || c->working || c->waiting || turn_stands(&c->turn) || c->answer.kind != LOGIN_CHALLENGE ||
        !response_keep(c, m->response)) {
        send_later(e, m->session, m->slot); /* it began with another directory, or took too long */
        return;
    }
    if (guard_bans(e->all->guard, login_begin_of(c->login)->client)) { /* since it began */
        forget(c);
        send_banned(e, m->session, m->slot);
        return;
    }
    loop_timer_stop(e->all->child->loop, &c->timer);
    line_up(c);
}

static void asked_cancel(struct login_edge *e, const struct login_step *m)
{
    struct conversation *c = find(e->all, e->index, m->session, m->slot);
    if (!c) return;
    c->cancelled = true;
    if (!c->working) abandon(c);
}

/* Path and name behind each other in response. */
static bool question_keep(struct conversation *c, const struct sender_question *q)
{
    uint8_t memory[LIMIT_PATH_OCTETS + LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf both = buf_on(memory, sizeof memory);
    buf_put(&both, q->path);
    buf_put(&both, q->name);
    if (both.over || !response_keep(c, buf_span(&both))) return false;
    c->question = *q;
    c->question.path = span_head(c->response, q->path.n);
    c->question.name = span_skip(c->response, q->path.n);
    return true;
}

static void asked_sender(struct login_edge *e, const struct sender_question *q)
{
    struct conversation *c = e->all->open ? add(e, q->session, q->slot, true) : NULL;
    if (!c || !question_keep(c, q)) {
        if (c) forget(c);
        send_sender(e, &(struct sender_answer){q->session, q->slot, SENDER_LATER});
        return;
    }
    c->working = true;
    workers_submit(e->all->workers[LOGIN_QUICK], &c->task); /* nobody stands before it: one a message */
}

static void asked(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct login_edge *e = context;
    struct login_begin begin;
    struct login_step step;
    struct sender_question question;
    (void)fds, (void)n_fds;
    if (!e->channel) return; /* closed while its packet is worked off */
    if (type == MSG_LOGIN_BEGIN && login_begin_read(payload, &begin))
        asked_begin(e, &begin);
    else if (type == MSG_LOGIN_STEP && login_step_read(payload, &step))
        asked_step(e, &step);
    else if (type == MSG_LOGIN_CANCEL && login_step_read(payload, &step))
        asked_cancel(e, &step);
    else if (type == MSG_SENDER_QUESTION && sender_question_read(payload, &question))
        asked_sender(e, &question);
    else
        edge_lost(e, "malformed question");
}

/* --- life */

static bool threads_create(struct logins *l)
{
    const char *why = NULL;
    for (unsigned i = 0; i < THREADS; i++) {
        l->threads[i] = login_thread_create(&l->world, &why);
        if (!l->threads[i]) {
            log_note(LOG_LEVEL_ERROR, "identity-unusable", why, 0);
            return false;
        }
    }
    return true;
}

struct logins *logins_create(struct child *c, const struct login_ask *ask)
{
    struct logins *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    *l = (struct logins){.child = c, .world = {.config = c->config, .identity = -1, .ask = ask}};
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++)
        l->edges[i] = (struct login_edge){.all = l, .fd = -1, .index = i};
    return l;
}

void logins_token_keys(struct logins *l, int fd)
{
    token_keys_free(&l->token_keys);
    l->world.token_keys = l->token_keys = login_files_token_keys(fd);
}

void logins_keytab(struct logins *l, int fd)
{
    kerberos_free(&l->world.kerberos);
    l->world.kerberos = login_files_kerberos(fd, &l->child->config->kerberos);
}

static bool anybody_may_log_in(const struct config *c)
{
    uint32_t mechanisms = 0;
    for (uint32_t i = 0; i < c->n_servers; i++)
        mechanisms |= c->servers[i].mechanisms;
    return mechanisms != 0;
}

void logins_open(struct logins *l, int identity, struct span home)
{
    void *states[THREADS];
    bool logins = anybody_may_log_in(l->child->config);
    l->world.identity = identity;
    l->world.home = home;
    if (logins && (getrandom(l->world.chance, sizeof l->world.chance, 0) != (ssize_t)sizeof l->world.chance ||
                   !threads_create(l)))
        return;
    /* bans by hand hold where nobody logs in, too */
    if (logins || guard_has_store(identity)) l->guard = guard_create(l->child, identity);
    if (!l->guard || !logins) return;
    for (unsigned i = 0; i < THREADS; i++)
        states[i] = l->threads[i];
    l->turns = turns_create();
    l->open = l->turns != NULL;
    void *const *first = states;
    for (unsigned q = 0; q < LOGIN_QUEUES; first += threads_of[q++]) {
        l->workers[q] = workers_create(l->child->loop, threads_of[q], first, work, done, l);
        l->open &= l->workers[q] != NULL;
    }
    workers_give_way(l->workers[LOGIN_SLOW]);
    if (!l->open) log_note(LOG_LEVEL_ERROR, "identity-unusable", "no memory for threads", errno);
}

void logins_free(struct logins **logins)
{
    struct logins *l = *logins;
    if (!l) return;
    *logins = NULL;
    for (unsigned q = 0; q < LOGIN_QUEUES; q++)
        workers_free(&l->workers[q]);
    guard_free(&l->guard);
    for (unsigned i = 0; i < BUCKETS; i++)
        while (l->buckets[i])
            forget(l->buckets[i]);
    turns_free(&l->turns);
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++) {
        ipc_close(&l->edges[i].channel);
        if (l->edges[i].fd >= 0) close(l->edges[i].fd);
    }
    for (unsigned i = 0; i < THREADS; i++)
        login_thread_free(&l->threads[i]);
    token_keys_free(&l->token_keys);
    kerberos_free(&l->world.kerberos);
    explicit_bzero(l, sizeof *l);
    free(l);
}

static void edge_open(struct login_edge *e)
{
    ipc_close(&e->channel);
    e->channel = ipc_open(e->all->child->loop, e->fd, allowed, sizeof allowed / sizeof allowed[0],
                          ANSWERS_QUEUED, asked, edge_closed, e);
    e->fd = -1;
    e->bans = (struct bans_reader){0};
    if (e->channel)
        ipc_secret(e->channel);
    else
        log_note(LOG_LEVEL_ERROR, "channel-failed", "edge", errno);
}

void logins_peer(struct logins *l, unsigned edge, int fd)
{
    if (edge >= LIMIT_EDGES_MAX) {
        close(fd);
        return;
    }
    struct login_edge *e = &l->edges[edge];
    if (e->channel) edge_lost(e, "replaced");
    if (e->fd >= 0) close(e->fd);
    e->fd = fd;
    if (l->started) edge_open(e);
}

bool logins_start(struct logins *l)
{
    l->started = true;
    for (unsigned q = 0; l->open && q < LOGIN_QUEUES; q++)
        if (!workers_start(l->workers[q])) return false;
    if (l->guard && !guard_start(l->guard)) return false;
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++)
        if (l->edges[i].fd >= 0) edge_open(&l->edges[i]);
    return true;
}

void logins_flush(struct logins *l)
{
    if (l->guard) guard_look(l->guard);
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++) {
        struct login_edge *e = &l->edges[i];
        if (e->channel && l->guard && !guard_tell(l->guard, &e->bans, e->channel))
            edge_lost(e, "bans cannot be sent");
        if (e->channel) ipc_flush(e->channel);
    }
}

void logins_status(const struct logins *l, struct buf *json)
{
    buf_str(json, ",\"logins\":");
    buf_u64(json, l->succeeded);
    buf_str(json, ",\"logins_refused\":");
    buf_u64(json, l->refused);
    buf_str(json, ",\"logins_failed\":");
    buf_u64(json, l->failed);
    buf_str(json, ",\"logins_open\":");
    buf_u64(json, l->n_logins);
    if (l->guard) guard_status(l->guard, json);
}
