/* spooler_lease: segments that are lent, read-only, to the processes that read content. A segment is recycled only when every lease on it
 * was returned or its holder is gone. */
#include "process/spooler_private.h"

static struct lease *find(struct holder *h, uint32_t segment)
{
    for (unsigned i = h->n_leases; i-- > 0;) /* the newest is wanted most */
        if (h->leases[i].segment == segment) return &h->leases[i];
    return NULL;
}

static void recall(struct holder *h, struct lease *l)
{
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    job_segment_put(&b, &(struct job_segment){l->segment});
    if (!l->recalled) l->recalled = ipc_send(h->ipc, MSG_JOB_RECALL, buf_span(&b));
}

void spooler_leases(struct spooler *s, struct holder *h)
{
    if (!h->ipc || s->now_ms - h->check_ms < SPOOLER_RETRY_MS) return;
    h->check_ms = s->now_ms;
    for (unsigned i = 0; i < h->n_leases; i++) {
        struct lease *l = &h->leases[i];
        if (s->now_ms - l->used_ms > SPOOLER_LEASE_IDLE_MS) recall(h, l);
    }
    for (uint32_t segment = 0; (segment = store_wanted_back(s->store, segment));) {
        struct lease *l = find(h, segment);
        if (l) recall(h, l);
    }
}

/* No room for another one: the one that was used longest ago comes back. */
static void recall_oldest(struct holder *h)
{
    struct lease *oldest = &h->leases[0];
    for (unsigned i = 1; i < h->n_leases; i++)
        if (h->leases[i].used_ms < oldest->used_ms) oldest = &h->leases[i];
    recall(h, oldest);
}

bool spooler_lend(struct spooler *s, struct holder *h, uint32_t segment)
{
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    struct lease *l = find(h, segment);
    if (l && !l->recalled) {
        l->used_ms = s->now_ms;
        return true;
    }
    if (l || h->n_leases == SPOOLER_LEASES) { /* on its way back, or too many */
        if (!l) recall_oldest(h);
        return false;
    }
    int fd = store_lease(s->store, segment);
    if (fd < 0) return false;
    job_segment_put(&b, &(struct job_segment){segment});
    if (!ipc_send_fd(h->ipc, MSG_JOB_SEGMENT, buf_span(&b), fd)) {
        store_lease_return(s->store, segment);
        return false;
    }
    h->leases[h->n_leases++] = (struct lease){.segment = segment, .used_ms = s->now_ms};
    return true;
}

void spooler_lease_used(struct spooler *s, struct holder *h, const struct message *m)
{
    const struct extent *e = message_extents(m);
    for (uint32_t i = 0; i < m->n_extents; i++) {
        struct lease *l = i > 0 && e[i].segment == e[i - 1].segment ? NULL : find(h, e[i].segment);
        if (l) l->used_ms = s->now_ms;
    }
}

void spooler_lease_returned(struct spooler *s, struct holder *h, uint32_t segment)
{
    struct lease *l = find(h, segment);
    if (!l) return;
    store_lease_return(s->store, segment);
    for (unsigned i = (unsigned)(l - h->leases); i + 1 < h->n_leases; i++)
        h->leases[i] = h->leases[i + 1];
    h->n_leases--;
}

void spooler_leases_end(struct spooler *s, struct holder *h)
{
    while (h->n_leases)
        store_lease_return(s->store, h->leases[--h->n_leases].segment);
}
