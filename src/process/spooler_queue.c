/* spooler_queue: questions about the queue, from admin. One page of an answer at a time, each of bounded work. */
#include <errno.h>

#include "process/spooler_private.h"
#include "spool/listing.h"
#include "system/log.h"

static const struct ipc_allowed allowed[] = {
    {MSG_QUEUE_QUESTION, 34, 34 + 2 * LIMIT_QUESTION_FILTER_OCTETS, 0}};

static void admin_lost(struct spooler *s, const char *reason)
{
    ipc_close(&s->admin);
    if (!s->stopping && reason) child_peer_lost(s->child, PROC_ADMIN, 0, reason);
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
    struct buf t = buf_on(text, sizeof text), b = buf_on(memory, sizeof memory);
    struct answer a = {.tag = q.tag};
    a.status = (uint8_t)listing_answer(s->store, &q, &s->verified, &t, &a.cursor, &last);
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
