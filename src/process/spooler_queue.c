/* spooler_queue: questions about the queue, from admin. One page of an answer at a time, each of bounded work. */
#include <errno.h>

#include "process/spooler_private.h"
#include "spool/listing.h"
#include "system/log.h"

static const struct ipc_allowed allowed[] = {{MSG_QUEUE_QUESTION, QUESTION_HEAD_OCTETS, QUESTION_OCTETS, 0}};

static void admin_lost(struct spooler *s, const char *reason)
{
    ipc_close(&s->admin);
    if (!s->stopping && reason) child_peer_lost(s->child, PROC_ADMIN, 0, reason);
}

static bool next_hop_of(void *context, const struct message *m, const struct recipient *r, struct buf *key)
{
    return spooler_next_hop(context, m, r, key);
}

static bool bounce(void *context, uint64_t id, uint32_t recipient, struct span text)
{
    struct spooler *s = context;
    struct delivery *d = spooler_delivery_take(s, id, recipient);
    if (!d) return false;
    if (!store_claim(s->store, id, recipient)) {
        spooler_delivery_release(s, d);
        return false;
    }
    spooler_outcome(s, d, RECIPIENT_BOUNCED, SPAN("5.0.0"), text);
    return true;
}

static void changed(void *context, const struct question *q, uint64_t id, uint32_t recipients)
{
    static const char *const names[QUESTION_CHANGE_COUNT] = {
        "queue-flushed", "queue-held", "queue-released", "queue-removed", "queue-bounced", "queue-requeued"};
    (void)context;
    log_begin(LOG_LEVEL_INFO, names[q->what]);
    if (id) spooler_log_id(id);
    log_u64("recipients", recipients);
    log_u64("uid", q->uid);
    log_end();
}

static void on_question(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    static uint8_t text[LISTING_TEXT_OCTETS], memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct spooler *s = context;
    struct question q;
    bool last = true;
    (void)type, (void)fds, (void)n_fds;
    if (!s->admin) return;
    if (!question_read(payload, &q)) {
        admin_lost(s, "malformed question");
        return;
    }
    struct listing l = {.store = s->store,
                        .destinations = s->destinations,
                        .unix_ms = loop_unix_ms(s->child->loop),
                        .monotonic_ms = loop_now_ms(s->child->loop),
                        .verified = &s->verified,
                        .context = s,
                        .next_hop = next_hop_of,
                        .bounce = bounce,
                        .changed = changed};
    struct buf t = buf_on(text, sizeof text), b = buf_on(memory, sizeof memory);
    struct answer a = {.tag = q.tag};
    a.status = (uint8_t)listing_answer(&l, &q, &t, &a.cursor, &last);
    a.last = last;
    a.text = buf_span(&t);
    answer_put(&b, &a);
    if (t.over || b.over || !ipc_send(s->admin, MSG_QUEUE_ANSWER, buf_span(&b)))
        admin_lost(s, "answers cannot be sent");
}

static void on_closed(void *context, const char *reason)
{
    admin_lost(context, reason);
}

void spooler_admin_open(struct spooler *s, int fd)
{
    admin_lost(s, NULL);
    s->admin = ipc_open(s->child->loop, fd, allowed, 1, SPOOLER_RESULTS_QUEUED, on_question, on_closed, s);
    if (!s->admin) log_note(LOG_LEVEL_ERROR, "channel-failed", "admin", errno);
}
