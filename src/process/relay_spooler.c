/* What the spooler says: jobs, and segments on a lease. */
#include <unistd.h>

#include "process/relay_private.h"
#include "system/log.h"

const struct ipc_allowed relay_from_spooler[] = {
    {MSG_JOB_SEGMENT, 4, 4, 1},
    {MSG_JOB_RECALL, 4, 4, 0},
    {MSG_RELAY_HEAD, 1, UINT16_MAX, 0},
    {MSG_RELAY_RECIPIENT, 1, UINT16_MAX, 0},
    {MSG_RELAY_EXTENTS, 1, UINT16_MAX, 0},
};
const unsigned relay_from_spooler_n = sizeof relay_from_spooler / sizeof relay_from_spooler[0];

/* ---- leases */

static struct relay_lease *lease_find(struct relay *r, uint32_t segment)
{
    for (unsigned i = 0; i < r->n_leases; i++)
        if (r->leases[i].segment == segment) return &r->leases[i];
    return NULL;
}

int relay_segment(void *context, uint32_t segment)
{
    const struct relay_lease *l = lease_find(context, segment);
    return l ? l->fd : -1;
}

static void lease_drop(struct relay *r, struct relay_lease *l)
{
    close(l->fd);
    *l = r->leases[--r->n_leases];
}

void relay_leases_drop(struct relay *r)
{
    while (r->n_leases)
        lease_drop(r, &r->leases[0]);
}

static bool lease_begin(struct relay *r, struct span payload, int fd)
{
    struct job_segment s;
    bool good = job_segment_read(payload, &s);
    struct relay_lease *l = good ? lease_find(r, s.segment) : NULL;
    if (l) {
        close(l->fd);
        l->fd = fd;
        return true;
    }
    if (!good || r->n_leases == RELAY_LEASES) {
        close(fd);
        return false;
    }
    r->leases[r->n_leases++] = (struct relay_lease){.segment = s.segment, .fd = fd};
    return true;
}

static bool lease_return(struct relay *r, uint32_t segment)
{
    uint8_t memory[8];
    struct buf b = buf_on(memory, sizeof memory);
    struct relay_lease *l = lease_find(r, segment);
    if (l) lease_drop(r, l);
    job_segment_put(&b, &(struct job_segment){segment});
    return ipc_send(r->spooler, MSG_JOB_RETURN, buf_span(&b));
}

/* The spooler wants it back: at once, or when those who still read from it are done. */
static bool lease_recalled(struct relay *r, struct span payload)
{
    struct job_segment s;
    if (!job_segment_read(payload, &s)) return false;
    struct relay_lease *l = lease_find(r, s.segment);
    if (!l || l->jobs == 0) return lease_return(r, s.segment);
    l->recalled = true;
    return true;
}

/* The lease of an extent where the content comes to another segment; null: the one before, or none. */
static struct relay_lease *lease_turn(struct relay *r, const struct relay_job *j, uint32_t i)
{
    bool same = i > 0 && j->extents[i].segment == j->extents[i - 1].segment;
    return same ? NULL : lease_find(r, j->extents[i].segment);
}

void relay_leases_need(struct relay *r, const struct relay_job *j)
{
    struct relay_lease *l;
    for (uint32_t i = 0; i < j->n_extents; i++)
        if ((l = lease_turn(r, j, i))) l->jobs++;
}

void relay_leases_spare(struct relay *r, const struct relay_job *j)
{
    for (uint32_t i = 0; i < j->n_extents; i++) {
        struct relay_lease *l = lease_turn(r, j, i);
        if (!l || l->jobs == 0 || --l->jobs > 0 || !l->recalled) continue;
        if (!r->spooler || r->lost)
            lease_drop(r, l);
        else if (!lease_return(r, l->segment))
            relay_spooler_lost(r, "returned segments are not read");
    }
}

/* ---- jobs */

static bool head(struct relay *r, struct span payload)
{
    struct relay_head h;
    return relay_head_read(payload, &h) && relay_job_begin(r, &h);
}

static bool recipient(struct relay *r, struct span payload)
{
    struct relay_recipient m;
    return relay_recipient_read(payload, &m) && relay_job_recipient(r, &m);
}

static bool extents(struct relay *r, struct span payload)
{
    static struct relay_extents m;
    struct relay_job *complete;
    if (!relay_extents_read(payload, &m) || !relay_job_extents(r, &m, &complete)) return false;
    if (complete) relay_link_job(r, complete);
    return true;
}

void relay_spooler_said(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct relay *r = context;
    bool good = false;
    if (r->lost) { /* the rest of its packet */
        for (unsigned i = 0; i < n_fds; i++)
            close(fds[i]);
        return;
    }
    switch (type) {
    case MSG_JOB_SEGMENT: good = lease_begin(r, payload, fds[0]); break;
    case MSG_JOB_RECALL: good = lease_recalled(r, payload); break;
    case MSG_RELAY_HEAD: good = head(r, payload); break;
    case MSG_RELAY_RECIPIENT: good = recipient(r, payload); break;
    default: good = extents(r, payload); break;
    }
    if (!good) relay_spooler_lost(r, "a job that breaks the rules, or more than can be held");
}
