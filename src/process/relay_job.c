/* One job: its strings and arrays in one piece of memory, made to measure when its head comes, and used again for the next. */
#include <stdlib.h>

#include "process/relay_private.h"
#include "spool/envelope.h"

enum { MEMORY_KEPT = 8192, EXTENTS_KEPT = 256, RECIPIENT_OCTETS = LIMIT_PATH_OCTETS + LIMIT_ORCPT_OCTETS };

bool relay_jobs_create(struct relay *r)
{
    r->jobs = calloc(RELAY_JOBS, sizeof *r->jobs);
    r->job_slots = calloc(RELAY_JOB_MAP, sizeof *r->job_slots);
    if (!r->jobs || !r->job_slots) return false;
    r->job_map = map_on(r->job_slots, RELAY_JOB_MAP, 0); /* its keys are the spooler's, no stranger's */
    for (unsigned i = RELAY_JOBS; i-- > 0;) {
        r->jobs[i].next = r->free_jobs;
        r->free_jobs = &r->jobs[i];
    }
    return true;
}

struct relay_job *relay_job_find(struct relay *r, uint64_t job)
{
    const uint32_t *i = map_get(&r->job_map, job);
    return i ? &r->jobs[*i] : NULL;
}

static struct span put(struct relay_job *j, struct span s)
{
    struct span copy = span_of(j->memory + j->memory_n, s.n);
    if (s.n) memcpy(j->memory + j->memory_n, s.p, s.n);
    j->memory_n += s.n;
    return copy;
}

/* Room for everything that may come. */
static bool make_room(struct relay_job *j, const struct relay_head *h)
{
    size_t need = h->recipients * (sizeof *j->to + 1 + RECIPIENT_OCTETS) + h->hop.name.n + h->hop.user.n +
                  NEXT_HOP_KEY_OCTETS + h->reverse_path.n + h->envid.n;
    if (need > j->memory_max) {
        free(j->memory);
        j->memory = malloc(need);
        j->memory_max = j->memory ? need : 0;
    }
    return j->memory != NULL;
}

static void fill(struct relay_job *j, const struct relay_head *h)
{
    j->to = (struct client_recipient *)(void *)j->memory;
    j->told = j->memory + h->recipients * sizeof *j->to;
    memset(j->told, 0, h->recipients);
    j->memory_n = h->recipients * (sizeof *j->to + 1);
    j->hop = h->hop;
    j->hop.name = put(j, h->hop.name);
    j->hop.user = put(j, h->hop.user);
    struct buf key = buf_on(j->memory + j->memory_n, NEXT_HOP_KEY_OCTETS);
    next_hop_put(&key, &h->hop);
    j->key = buf_span(&key);
    j->memory_n += key.n;
    j->reverse_path = put(j, h->reverse_path);
    j->envid = put(j, h->envid);
}

bool relay_job_begin(struct relay *r, const struct relay_head *h)
{
    struct relay_job *j = r->free_jobs;
    if (!j || relay_job_find(r, h->job) || h->recipients == 0 || h->recipients > LIMIT_RELAY_RECIPIENTS ||
        !make_room(j, h) || !map_set(&r->job_map, h->job, (uint32_t)(j - r->jobs)))
        return false;
    r->free_jobs = j->next;
    r->n_jobs++;
    j->used = true;
    j->job = h->job;
    j->id = h->id;
    j->content_octets = h->content_octets;
    j->flags = h->flags;
    j->n = h->recipients;
    fill(j, h);
    return true;
}

bool relay_job_recipient(struct relay *r, const struct relay_recipient *m)
{
    struct relay_job *j = relay_job_find(r, m->job);
    if (!j || j->complete || j->arrived == j->n) return false;
    j->to[j->arrived++] = (struct client_recipient){
        .index = m->recipient, .path = put(j, m->path), .notify = m->notify, .orcpt = put(j, m->orcpt)};
    return true;
}

static bool add_extents(struct relay_job *j, const struct relay_extents *m)
{
    if (m->count > LIMIT_MESSAGE_EXTENTS - j->n_extents) return false;
    if (j->n_extents + m->count > j->extents_max) {
        uint32_t max = (j->n_extents + m->count) * 2;
        struct extent *more = realloc(j->extents, max * sizeof *more);
        if (!more) return false;
        j->extents = more;
        j->extents_max = max;
    }
    if (m->count) memcpy(j->extents + j->n_extents, m->extents, m->count * sizeof *m->extents);
    j->n_extents += m->count;
    return true;
}

/* What all its transactions have in common. */
static void describe(struct relay_job *j)
{
    j->message = (struct outbound_message){.extents = j->extents, .n_extents = j->n_extents};
    j->message.transaction = (struct client_transaction){
        .reverse_path = j->reverse_path,
        .envid = j->envid,
        .ret = j->flags & ENVELOPE_RET_FULL   ? DSN_RET_FULL
               : j->flags & ENVELOPE_RET_HDRS ? DSN_RET_HDRS
                                              : DSN_RET_NONE,
        .body_8bit = j->flags & ENVELOPE_8BITMIME,
        .body_binary = j->flags & ENVELOPE_BINARYMIME,
        .utf8 = j->flags & ENVELOPE_SMTPUTF8,
        .content_octets = j->content_octets,
    };
}

bool relay_job_extents(struct relay *r, const struct relay_extents *m, struct relay_job **ret)
{
    struct relay_job *j = relay_job_find(r, m->job);
    *ret = NULL;
    if (!j || j->complete || !add_extents(j, m)) return false;
    if (!m->last) return true;
    if (j->arrived != j->n) return false;
    j->complete = true;
    relay_leases_need(r, j);
    describe(j);
    *ret = j;
    return true;
}

void relay_job_end(struct relay *r, struct relay_job *j)
{
    struct relay_job kept = {.next = r->free_jobs};
    (void)map_remove(&r->job_map, j->job);
    if (j->complete) relay_leases_spare(r, j);
    r->n_working -= j->link != NULL;
    if (j->memory_max <= MEMORY_KEPT) {
        kept.memory = j->memory;
        kept.memory_max = j->memory_max;
    } else {
        free(j->memory);
    }
    if (j->extents_max <= EXTENTS_KEPT) {
        kept.extents = j->extents;
        kept.extents_max = j->extents_max;
    } else {
        free(j->extents);
    }
    *j = kept;
    r->free_jobs = j;
    r->n_jobs--;
}

bool relay_job_late(const struct relay *r, const struct relay_job *j)
{
    return loop_now_ms(r->child->loop) >= j->begun_ms + LIMIT_JOB_SECONDS * 1000;
}

void relay_jobs_drop(struct relay *r)
{
    for (unsigned i = 0; i < RELAY_JOBS && r->n_jobs; i++)
        if (r->jobs[i].used) relay_job_end(r, &r->jobs[i]);
}
