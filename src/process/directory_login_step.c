#include "process/directory_login_private.h"

#include "process/directory_login_log.h"

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

void logins_step_line_up(struct conversation *c)
{
    struct logins *l = c->all;
    c->queue = (uint8_t)login_queue(c->login);
    c->unix_seconds = loop_unix_ms(l->child->loop) / 1000;
    c->began_ms = loop_now_ms(l->child->loop);
    turns_stand(l->turns, &c->turn, c->queue);
    hand_out(l);
}

void logins_step_work(struct worker_task *task, void *state)
{
    struct conversation *c = (struct conversation *)(void *)task;
    if (c->sender)
        login_sender(state, &c->question, &c->verdict);
    else
        login_step(c->login, state, c->response, c->unix_seconds, &c->answer);
}

/* --- what comes of it */

/* False: its edge is gone. */
static bool send_answer(struct conversation *c)
{
    c->working = true; /* logins_edge_lost leaves it to us */
    logins_edge_answer(&c->all->edges[c->edge], &c->answer);
    c->working = false;
    return !c->cancelled;
}

void logins_step_tell(struct conversation *c)
{
    (void)send_answer(c);
    conversation_forget(c);
}

static void told_later(struct timer *t)
{
    logins_step_tell((struct conversation *)(void *)((char *)t - offsetof(struct conversation, timer)));
}

/* Returns how much longer its client is to wait for the answer (ms). */
static uint64_t count(struct conversation *c)
{
    struct logins *l = c->all;
    switch (c->answer.kind) {
    case LOGIN_SUCCESS: l->succeeded++; break;
    case LOGIN_LATER: l->failed++; break;
    default: l->refused++;
    }
    c->counted = true;
    logins_log_refused(l->child->config, c->login);
    return guard_ended(l->guard, c->login, &c->answer);
}

void logins_step_abandon(struct conversation *c)
{
    if (c->login && !c->counted && login_report_of(c->login)->reason) (void)count(c);
    conversation_forget(c);
}

static void client_is_slow(struct timer *t)
{
    logins_step_abandon((struct conversation *)(void *)((char *)t - offsetof(struct conversation, timer)));
}

static void challenge(struct timer *t)
{
    struct conversation *c =
        (struct conversation *)(void *)((char *)t - offsetof(struct conversation, timer));
    struct loop *loop = c->all->child->loop;
    if (send_answer(c))
        loop_timer_set(loop, t, loop_now_ms(loop) + LIMIT_LOGIN_IDLE_SECONDS * 1000, client_is_slow);
    else
        conversation_forget(c);
}

static void login_done(struct conversation *c)
{
    struct logins *l = c->all;
    uint64_t now = loop_now_ms(l->child->loop);
    uint64_t spent = now - c->began_ms;
    if (c->answer.kind == LOGIN_CHALLENGE) {
        uint32_t multiple = login_challenge_ms(c->login);
        if (multiple)
            loop_timer_set(l->child->loop, &c->timer, now + multiple - spent % multiple, challenge);
        else
            challenge(&c->timer);
        return;
    }
    uint64_t wait = count(c);
    if (c->answer.kind != LOGIN_SUCCESS && c->answer.kind != LOGIN_LATER)
        wait += login_refusal_ms(c->login) - spent % login_refusal_ms(c->login);
    if (wait)
        loop_timer_set(l->child->loop, &c->timer, now + wait, told_later);
    else
        logins_step_tell(c);
}

void logins_step_done(void *context, struct worker_task *task)
{
    struct conversation *c = (struct conversation *)(void *)task;
    struct logins *l = context;
    c->working = false;
    if (!c->sender) l->at_work[c->queue]--;
    if (c->cancelled) {
        logins_step_abandon(c);
    } else if (c->sender) {
        struct sender_answer verdict = c->verdict;
        struct login_edge *e = &c->all->edges[c->edge];
        conversation_forget(c);
        logins_edge_verdict(e, &verdict);
    } else {
        conversation_wipe(c);
        login_done(c);
    }
    hand_out(l);
}
