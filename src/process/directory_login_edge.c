#include "process/directory_login_private.h"

#include <errno.h>

#include "process/directory_login_log.h"
#include "process/messages.h"
#include "system/log.h"

enum { ANSWERS_QUEUED = 64 }; /* packets to one edge */

static const struct ipc_allowed allowed[] = {
    {MSG_LOGIN_BEGIN, LOGIN_BEGIN_LEAST, LOGIN_BEGIN_OCTETS, 0},
    {MSG_LOGIN_STEP, LOGIN_STEP_LEAST, LOGIN_STEP_OCTETS, 0},
    {MSG_LOGIN_CANCEL, LOGIN_STEP_LEAST, LOGIN_STEP_LEAST, 0},
    {MSG_SENDER_QUESTION, SENDER_QUESTION_LEAST, SENDER_QUESTION_OCTETS, 0},
};

/* --- answers */

void logins_edge_lost(struct login_edge *e, const char *reason)
{
    struct logins *l = e->all;
    ipc_close(&e->channel);
    conversation_forget_edge(l, e->index);
    child_peer_lost(l->child, PROC_EDGE, e->index, reason);
}

static void edge_closed(void *context, const char *reason)
{
    logins_edge_lost(context, reason);
}

void logins_edge_answer(struct login_edge *e, const struct login_answer *a)
{
    static uint8_t memory[LOGIN_ANSWER_OCTETS]; /* wiped: some mechanisms' last words are a proof */
    struct buf b = buf_on(memory, sizeof memory);
    login_answer_put(&b, a);
    bool sent = e->channel && !b.over && ipc_send(e->channel, MSG_LOGIN_ANSWER, buf_span(&b));
    explicit_bzero(memory, b.n);
    if (!sent && e->channel) logins_edge_lost(e, "answers cannot be sent");
}

static void send_later(struct login_edge *e, uint64_t session, uint32_t slot)
{
    logins_edge_answer(e, &(struct login_answer){.session = session, .slot = slot, .kind = LOGIN_LATER});
}

static void send_banned(struct login_edge *e, uint64_t session, uint32_t slot)
{
    logins_edge_answer(e, &(struct login_answer){.session = session, .slot = slot, .kind = LOGIN_BANNED});
}

void logins_edge_verdict(struct login_edge *e, const struct sender_answer *a)
{
    uint8_t memory[SENDER_ANSWER_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    sender_answer_put(&b, a);
    if (e->channel && !ipc_send(e->channel, MSG_SENDER_ANSWER, buf_span(&b)))
        logins_edge_lost(e, "answers cannot be sent");
}

/* --- questions */

/* Its source waited long enough; others of it may have failed meanwhile. */
static void begins(struct timer *t)
{
    struct conversation *c =
        (struct conversation *)(void *)((char *)t - offsetof(struct conversation, timer));
    c->waiting = false;
    if (!guard_bans(c->all->guard, login_begin_of(c->login)->client)) {
        logins_step_line_up(c);
        return;
    }
    c->answer = (struct login_answer){.session = c->session, .slot = c->slot, .kind = LOGIN_BANNED};
    logins_step_tell(c);
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
    struct conversation *c = conversation_find(l, e->index, m->session, m->slot)
                                 ? NULL
                                 : conversation_add(e, m->session, m->slot, false);
    bool room = c && enter(c, m->client);
    if (room) c->login = login_create(&l->world, m);
    if (c && !c->login) {
        conversation_forget(c);
        c = NULL;
    }
    if (!c) {
        send_later(e, m->session, m->slot);
    } else if (guess == GUESS_WAIT) {
        c->waiting = true;
        loop_timer_set(l->child->loop, &c->timer, loop_now_ms(l->child->loop) + wait, begins);
    } else {
        logins_step_line_up(c);
    }
}

static void asked_step(struct login_edge *e, const struct login_step *m)
{
    struct conversation *c = conversation_find(e->all, e->index, m->session, m->slot);
    if (!c || c->working || c->waiting || turn_stands(&c->turn) || c->answer.kind != LOGIN_CHALLENGE ||
        !conversation_keep(c, m->response)) {
        send_later(e, m->session, m->slot); /* it began with another directory, or took too long */
        return;
    }
    if (guard_bans(e->all->guard, login_begin_of(c->login)->client)) { /* since it began */
        conversation_forget(c);
        send_banned(e, m->session, m->slot);
        return;
    }
    loop_timer_stop(e->all->child->loop, &c->timer);
    logins_step_line_up(c);
}

static void asked_cancel(struct login_edge *e, const struct login_step *m)
{
    struct conversation *c = conversation_find(e->all, e->index, m->session, m->slot);
    if (!c) return;
    c->cancelled = true;
    if (!c->working) logins_step_abandon(c);
}

/* Path and name behind each other in response. */
static bool question_keep(struct conversation *c, const struct sender_question *q)
{
    uint8_t memory[LIMIT_PATH_OCTETS + LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf both = buf_on(memory, sizeof memory);
    buf_put(&both, q->path);
    buf_put(&both, q->name);
    if (both.over || !conversation_keep(c, buf_span(&both))) return false;
    c->question = *q;
    c->question.path = span_head(c->response, q->path.n);
    c->question.name = span_skip(c->response, q->path.n);
    return true;
}

static void asked_sender(struct login_edge *e, const struct sender_question *q)
{
    struct conversation *c = e->all->open ? conversation_add(e, q->session, q->slot, true) : NULL;
    if (!c || !question_keep(c, q)) {
        if (c) conversation_forget(c);
        logins_edge_verdict(e, &(struct sender_answer){q->session, q->slot, SENDER_LATER});
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
        logins_edge_lost(e, "malformed question");
}

void logins_edge_open(struct login_edge *e)
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
