/* spooler_mailbox: jobs for the mailbox process. */
#include <errno.h>

#include "process/spooler_private.h"
#include "system/log.h"

static const struct ipc_allowed allowed[] = {
    {MSG_JOB_RETURN, 4, 4, 0},
    {MSG_JOB_RESULT, 17, 17 + 11 + LIMIT_RESULT_TEXT_OCTETS, 0},
};

void spooler_mailbox_lost(struct spooler *s, const char *reason)
{
    ipc_close(&s->mailbox.ipc);
    spooler_leases_end(s, &s->mailbox);
    spooler_put_back_all(s, DELIVERY_SENT);
    if (!s->stopping && reason) child_peer_lost(s->child, PROC_MAILBOX, 0, reason);
}

/* --- jobs --- */

static bool send_job(struct spooler *s, const struct message *m, struct job_deliver *j)
{
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    uint32_t at = 0;
    do {
        j->count = 0;
        while (at < m->n_extents && j->count < JOB_EXTENTS)
            j->extents[j->count++] = message_extents(m)[at++];
        j->last = at == m->n_extents;
        struct buf b = buf_on(memory, sizeof memory);
        job_deliver_put(&b, j);
        if (b.over || !ipc_send(s->mailbox.ipc, MSG_JOB_DELIVER, buf_span(&b))) return false;
    } while (!j->last);
    return true;
}

void spooler_deliver(struct spooler *s, struct delivery *d, struct span mailbox)
{
    static struct job_deliver j;
    const struct message *m = store_find(s->store, d->id);
    d->stage = DELIVERY_SENT;
    d->asked_ms = loop_now_ms(s->child->loop);
    bool ready = m && s->mailbox.ipc && ipc_can_send(s->mailbox.ipc);
    for (uint32_t i = 0; ready && i < m->n_extents; i++)
        ready = spooler_lend(s, &s->mailbox, message_extents(m)[i].segment) && ipc_can_send(s->mailbox.ipc);
    if (!ready) {
        spooler_put_back(s, d, SPOOLER_RETRY_MS);
        return;
    }
    const struct recipient *r = &message_recipients(m)[d->recipient];
    size_t at = span_rfind(mailbox, '@');
    j.id = d->id;
    j.recipient = d->recipient;
    j.local = at == SPAN_NPOS ? mailbox : span_head(mailbox, at);
    j.domain = domain_of(mailbox);
    j.delivered_to = message_path(m, r->flags & RECIPIENT_DERIVED ? &message_recipients(m)[r->parent] : r);
    j.reverse_path = message_reverse_path_for(m, r);
    if (!send_job(s, m, &j)) spooler_mailbox_lost(s, "jobs are not read"); /* it may have half of this one */
}

static void on_result(struct spooler *s, struct span payload)
{
    static const uint8_t states[JOB_STATUS_COUNT] = {[JOB_DELIVERED] = RECIPIENT_DELIVERED,
                                                     [JOB_DEFERRED] = RECIPIENT_DEFERRED,
                                                     [JOB_FAILED] = RECIPIENT_BOUNCED};
    struct job_result r;
    if (!job_result_read(payload, &r)) {
        spooler_mailbox_lost(s, "malformed result");
        return;
    }
    struct delivery *d = spooler_delivery_find(s, r.id, r.recipient, DELIVERY_SENT);
    if (!d) return;
    s->now_ms = loop_unix_ms(s->child->loop);
    spooler_outcome(s, d, states[r.status], span_str(r.enhanced), r.text);
}

static void on_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct spooler *s = context;
    struct job_segment segment;
    (void)fds, (void)n_fds;
    if (!s->mailbox.ipc) return;
    if (type == MSG_JOB_RESULT)
        on_result(s, payload);
    else if (job_segment_read(payload, &segment))
        spooler_lease_returned(s, &s->mailbox, segment.segment);
}

static void on_closed(void *context, const char *reason)
{
    spooler_mailbox_lost(context, reason);
}

void spooler_mailbox_open(struct spooler *s, int fd)
{
    spooler_mailbox_lost(s, NULL);
    s->mailbox.ipc = ipc_open(s->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0],
                              SPOOLER_JOBS_QUEUED, on_message, on_closed, s);
    if (!s->mailbox.ipc) log_note(LOG_LEVEL_ERROR, "channel-failed", "mailbox", errno);
}
