#include "process/directory_credentials_private.h"

#include <errno.h>

#include "process/messages.h"
#include "system/log.h"

enum { ANSWERS_QUEUED = 64 }; /* packets to one relay */

static const struct ipc_allowed allowed[] = {
    {MSG_CREDENTIAL_QUESTION, 8 + 2 + 1 + 2 + 1 + 2 + 2, CREDENTIAL_QUESTION_OCTETS, 0},
};

static void relay_lost(struct credential_relay *r, const char *reason)
{
    ipc_close(&r->channel);
    credentials_exchange_forget_relay(r->credentials, r->index);
    child_peer_lost(r->credentials->child, PROC_RELAY, r->index, reason);
}

static void relay_closed(void *context, const char *reason)
{
    relay_lost(context, reason);
}

static bool send_answer(struct credential_relay *r, const struct credential_answer *a)
{
    static uint8_t octets[CREDENTIAL_ANSWER_OCTETS];
    struct buf b = buf_on(octets, sizeof octets);
    credential_answer_put(&b, a);
    bool sent = !b.over && ipc_send(r->channel, MSG_CREDENTIAL_ANSWER, buf_span(&b));
    explicit_bzero(octets, b.n);
    return sent;
}

void credentials_relay_answer(const struct exchange *e)
{
    struct credential_relay *r = &e->all->relays[e->relay];
    struct credential_answer a = {
        .tag = e->tag, .status = (uint8_t)e->status, .text = buf_span(&e->sasl.why)};
    if (e->status == CREDENTIAL_RESPONSE) {
        a.mechanism = span_str(e->sasl.mechanism);
        a.response = buf_span(&e->step->said);
        a.last = e->sasl.last;
    }
    if (!send_answer(r, &a)) relay_lost(r, "answers are not read");
}

static void refuse(struct credential_relay *r, uint64_t tag, enum credential_status status, struct span text)
{
    if (!send_answer(r, &(struct credential_answer){.tag = tag, .status = (uint8_t)status, .text = text}))
        relay_lost(r, "answers are not read");
}

/* False: the relay breaks the rules. */
static bool take(struct credential_relay *r, const struct credential_question *q)
{
    struct credentials *k = r->credentials;
    struct exchange *e = credentials_exchange_find(k, r->index, q->tag);
    struct credential_file *f = credentials_file_find(k, q->user);
    if (e && e->working) return false;
    if (e && q->step == 0) {
        credentials_exchange_forget(e);
        e = NULL;
    }
    if (!f || !k->thread || (!f->named.secret.token && !f->usable)) {
        refuse(r, q->tag, CREDENTIAL_UNKNOWN,
               SPAN("the user-file of this next hop cannot be used: the log says why"));
        return true;
    }
    if (!e && q->step > 0) {
        refuse(r, q->tag, CREDENTIAL_BROKEN, SPAN("the login took too long, and its place was needed"));
        return true;
    }
    if (!e) e = credentials_exchange_begin(r, q, f);
    if (!e || !credentials_exchange_keep(e, q)) {
        if (e) credentials_exchange_forget(e);
        refuse(r, q->tag, CREDENTIAL_UNKNOWN, SPAN("no memory for one more login"));
        return true;
    }
    e->working = true;
    e->unix_seconds = loop_unix_ms(k->child->loop) / 1000;
    workers_submit(k->thread, &e->task);
    return true;
}

static void relay_asked(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct credential_relay *r = context;
    struct credential_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!r->channel) return; /* closed while its packet is worked off */
    if (!credential_question_read(payload, &q) || !take(r, &q)) relay_lost(r, "malformed question");
}

void credentials_relay_open(struct credential_relay *r, int fd)
{
    if (r->channel) relay_lost(r, "replaced"); /* what is in work for it is nobody's now */
    r->channel = ipc_open(r->credentials->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0],
                          ANSWERS_QUEUED, relay_asked, relay_closed, r);
    if (r->channel)
        ipc_secret(r->channel);
    else
        log_note(LOG_LEVEL_ERROR, "channel-failed", "relay", errno);
}
