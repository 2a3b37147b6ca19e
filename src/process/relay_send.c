/* A job on a session: one transaction, or several where the server takes fewer recipients at once (RFC 9422). */
#include "directory/credential.h"
#include "process/relay_private.h"
#include "system/log.h"

/* The next part of the job. */
void relay_send(struct relay_link *l)
{
    struct relay_job *j = l->job;
    uint32_t most = outbound_recipients_max(l->session), left = j->n - j->first;
    j->batch = left < most ? left : most;
    j->message.transaction.recipients = j->to + j->first;
    j->message.transaction.n = j->batch;
    l->sent_ms = loop_now_ms(l->relay->child->loop);
    l->relay->counters.reused += l->messages > 0;
    outbound_send(l->session, &j->message);
}

static void put_tls(struct relay_link *l)
{
    struct buf b = buf_on(l->tls, sizeof l->tls);
    uint8_t memory[512];
    struct buf all = buf_on(memory, sizeof memory);
    outbound_put_tls(l->session, &all);
    buf_put(&b, span_head(buf_span(&all), sizeof l->tls));
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] < 32 || b.p[i] > 126) b.p[i] = '?';
    l->tls_n = (uint16_t)b.n;
}

static void on_ready(struct outbound_session *s, void *owner)
{
    struct relay_link *l = owner;
    (void)s;
    if (l->messages == 0) {
        put_tls(l);
        l->session_ms = (uint32_t)(loop_now_ms(l->relay->child->loop) - l->opened_ms);
    }
    if (l->job)
        relay_send(l);
    else
        relay_link_idle(l);
}

static void on_recipient(struct outbound_session *s, void *owner, uint32_t i,
                         const struct client_reply *reply)
{
    struct relay_link *l = owner;
    (void)s;
    relay_tell_recipient(l, l->job->first + i, reply);
}

/* This part is done, and others follow. */
static void part_done(struct relay_link *l, const struct client_reply *reply)
{
    struct relay_job *j = l->job;
    for (uint32_t i = j->first; i < j->first + j->batch; i++)
        if (!j->told[i]) relay_tell_recipient(l, i, reply);
    j->first += j->batch;
    static const struct client_reply late = {
        0, {4, 4, 2}, SPAN("the next hop takes few recipients at once, and too long for each")};
    if (relay_job_late(l->relay, j)) relay_tell_rest(l, &late, false);
}

static void on_done(struct outbound_session *s, void *owner, const struct outbound_done *d)
{
    struct relay_link *l = owner;
    (void)s;
    struct relay_job *j = l->job;
    if (d->untouched) return; /* on_closed sends it elsewhere */
    if (d->damaged) relay_alarm(l, "the stored message is damaged: it was not relayed");
    /* a session that was used before and broke off says nothing of its host */
    bool stale = l->messages > 0 && d->reply.code == 0 && !d->overdue;
    bool next_hop = d->reply.enhanced.class == 4 && (d->next_hop_failed || d->overdue) && !stale;
    if (j->first + j->batch == j->n || next_hop)
        relay_tell_rest(l, &d->reply, next_hop);
    else
        part_done(l, &d->reply);
    l->messages++;
}

static void on_closed(struct outbound_session *s, void *owner, const struct outbound_end *e)
{
    struct relay_link *l = owner;
    (void)s;
    if (l->messages == 0 && e->tls_begun) put_tls(l);
    l->session = NULL;
    if (!l->job) {
        relay_link_free(l);
        return;
    }
    bool in_clear = e->tls_failed && l->plain_tries < RELAY_PLAIN_TRIES;
    if (in_clear) {
        l->plain_known = true;
        l->plain = l->address;
        l->plain_tries++;
    }
    if (e->login_refused) {
        relay_link_last(l, &e->reply);
        return;
    }
    /* a session that was used before: its end says nothing of the host (it waited too long, MAILMAX) */
    relay_link_next(l, &e->reply, in_clear || l->messages > 0);
}

/* ---- credentials */

static void on_auth(struct outbound_session *s, void *owner, struct span mechanisms, struct span challenge)
{
    static uint8_t memory[CREDENTIAL_QUESTION_OCTETS];
    struct relay_link *l = owner;
    struct relay *r = l->relay;
    struct buf b = buf_on(memory, sizeof memory);
    uint8_t exporter[LIMIT_EXPORTER_OCTETS];
    struct credential_question q = {.tag = l->tag,
                                    .user = l->job->hop.user,
                                    .mechanisms = mechanisms,
                                    .step = l->auth_step++,
                                    .challenge = challenge};
    if (q.step == 0 && outbound_exporter(s, exporter)) q.exporter = span_of(exporter, sizeof exporter);
    if (q.step < CREDENTIAL_STEPS_MAX) credential_question_put(&b, &q);
    explicit_bzero(exporter, sizeof exporter);
    bool can = b.n > 0 && !b.over;
    if (can && r->directory && ipc_send(r->directory, MSG_CREDENTIAL_QUESTION, buf_span(&b))) return;
    if (can && (!r->directory || ipc_broken(r->directory)))
        r->directory_gone = true; /* this one, too, logs in with its successor */
    else
        outbound_auth(s, &(struct client_login){.text = SPAN("the next hop asks for too much to log in")});
}

void relay_directory_said(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct relay *r = context;
    struct credential_answer a;
    char mechanism[CREDENTIAL_MECHANISM_OCTETS + 1];
    (void)type, (void)fds, (void)n_fds;
    if (!credential_answer_read(payload, &a)) {
        log_note(LOG_LEVEL_ERROR, "ipc-malformed", "answer of the directory", 0);
        return;
    }
    struct relay_link *l = relay_link_find(r, a.tag);
    if (!l || !l->session) return;
    struct buf b = buf_on(mechanism, sizeof mechanism - 1);
    buf_put(&b, a.mechanism);
    mechanism[b.n] = '\0';
    outbound_auth(l->session, &(struct client_login){a.status == CREDENTIAL_RESPONSE ? mechanism : NULL,
                                                     a.response, a.last, a.text});
}

const struct outbound_hooks relay_outbound_hooks = {
    .segment = relay_segment,
    .ready = on_ready,
    .auth = on_auth,
    .recipient = on_recipient,
    .done = on_done,
    .closed = on_closed,
};
