/* mailbox: final delivery. The spooler lends it read-only segments and names extents of them; it writes Maildirs below the
 * folders it was granted, in batches: write many files, sync them, rename them, sync their folders, answer. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "service/maildir.h"
#include "spool/message_id.h"
#include "system/log.h"

enum {
    BATCH = 64,          /* deliveries in hand */
    LEASES_MAX = 2048,   /* segments held */
    FOLDERS = 256,       /* roots */
    RESULTS_QUEUED = 64, /* packets */
    CLOCK_SLACK_MS = 5000,
};

struct mailbox_delivery {
    struct maildir maildir;
    uint64_t id;
    uint32_t recipient;
    bool used, complete;
};

struct mailbox_lease {
    uint32_t segment;
    int fd;
};

struct mailbox {
    struct child *child;
    const struct config *config; /* that the folders belong to */
    int folders[FOLDERS],
        fresh[FOLDERS]; /* by index in config->deliver; fresh: of a config that is about to come */
    struct ipc *spooler;
    int spooler_fd; /* before start */
    bool started, draining;
    uint64_t since_ms; /* messages that are older may have been delivered in an earlier conversation */
    bool
        doubt; /* a folder could not be synced: what was renamed may be there and not have been answered for */
    struct mailbox_delivery batch[BATCH];
    unsigned n; /* used */
    struct mailbox_lease leases[LEASES_MAX];
    unsigned n_leases;
    uint64_t delivered, deferred, failed;
};

static const struct ipc_allowed allowed[] = {
    {MSG_JOB_SEGMENT, 4, 4, 1},
    {MSG_JOB_RECALL, 4, 4, 0},
    {MSG_JOB_DELIVER, 8 + 4 + 1 + 4 * 2 + 4, UINT16_MAX, 0},
};

static struct mailbox *mailbox_of(struct child *c)
{
    if (c->state) return c->state;
    struct mailbox *m = calloc(1, sizeof *m);
    if (!m) return NULL;
    m->child = c;
    m->config = c->config;
    m->spooler_fd = -1;
    for (unsigned i = 0; i < FOLDERS; i++)
        m->folders[i] = m->fresh[i] = -1;
    c->state = m;
    return m;
}

static void replace_fd(int *slot, int fd)
{
    if (*slot >= 0) close(*slot);
    *slot = fd;
}

/* --- leases --- */

static struct mailbox_lease *lease_find(struct mailbox *m, uint32_t segment)
{
    for (unsigned i = 0; i < m->n_leases; i++)
        if (m->leases[i].segment == segment) return &m->leases[i];
    return NULL;
}

static void lease_drop(struct mailbox *m, struct mailbox_lease *l)
{
    close(l->fd);
    *l = m->leases[--m->n_leases];
}

static void spooler_lost(struct mailbox *m, const char *reason);

static void lease_begin(struct mailbox *m, struct span payload, int fd)
{
    struct job_segment s;
    struct mailbox_lease *l = job_segment_read(payload, &s) ? lease_find(m, s.segment) : NULL;
    if (l) {
        replace_fd(&l->fd, fd);
    } else if (m->n_leases == LEASES_MAX) {
        close(fd);
        spooler_lost(m, "more segments than can be held");
    } else {
        m->leases[m->n_leases++] = (struct mailbox_lease){s.segment, fd};
    }
}

/* --- answers --- */

static void count_result(struct mailbox *m, const struct maildir *d)
{
    m->delivered += d->status == JOB_DELIVERED;
    m->deferred += d->status == JOB_DEFERRED;
    m->failed += d->status == JOB_FAILED;
}

static void log_result(const struct mailbox_delivery *job)
{
    const struct maildir *d = &job->maildir;
    uint8_t id[MESSAGE_ID_TEXT + 1];
    struct buf b = buf_on(id, sizeof id);
    message_id_put(&b, job->id);
    log_begin(d->damaged ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, d->damaged ? "alarm" : "delivery-failed");
    log_span("id", buf_span(&b));
    log_u64("recipient", job->recipient);
    log_str("status", d->enhanced);
    log_str("text", d->text);
    log_end();
}

static void answer(struct mailbox *m, struct mailbox_delivery *job)
{
    uint8_t memory[512];
    struct buf b = buf_on(memory, sizeof memory);
    const struct maildir *d = &job->maildir;
    struct job_result r = {
        .id = job->id, .recipient = job->recipient, .status = (uint8_t)d->status, .text = span_str(d->text)};
    struct buf enhanced = buf_on(r.enhanced, sizeof r.enhanced - 1);
    buf_str(&enhanced, d->enhanced);
    count_result(m, d);
    if (d->status != JOB_DELIVERED) log_result(job);
    job_result_put(&b, &r);
    if (m->spooler && !ipc_send(m->spooler, MSG_JOB_RESULT, buf_span(&b)))
        spooler_lost(m, "results are not read");
}

static void forget(struct mailbox *m, struct mailbox_delivery *job)
{
    maildir_end(&job->maildir);
    job->used = false;
    m->n--;
}

/* Each step for all complete deliveries, then the next step: the file system can gather what it writes. */
static void each_complete(struct mailbox *m, void (*step)(struct maildir *))
{
    for (unsigned i = 0; i < BATCH; i++)
        if (m->batch[i].used && m->batch[i].complete) step(&m->batch[i].maildir);
}

static void finish_batch(struct mailbox *m)
{
    if (m->n == 0) return;
    each_complete(m, maildir_sync);
    each_complete(m, maildir_publish);
    each_complete(m, maildir_sync_folder);
    for (unsigned i = 0; i < BATCH; i++) {
        struct mailbox_delivery *job = &m->batch[i];
        if (!job->used || !job->complete) continue;
        if (job->maildir.present && job->maildir.status != JOB_DELIVERED) m->doubt = true;
        answer(m, job);
        if (job->used) forget(m, job); /* the answer may have ended the conversation, and with it the batch */
    }
}

/* --- jobs --- */

static struct mailbox_delivery *job_find(struct mailbox *m, const struct job_deliver *j)
{
    for (unsigned i = 0; i < BATCH; i++)
        if (m->batch[i].used && m->batch[i].id == j->id && m->batch[i].recipient == j->recipient)
            return &m->batch[i];
    return NULL;
}

/* The root folder for a domain, or -1 with the reason. */
static int root_of(const struct mailbox *m, struct span domain, const char **why)
{
    const struct config_deliver *rule = config_deliver_find(m->config, domain);
    *why = "no deliver line of the configuration names this domain";
    if (!rule) return -1;
    *why = "the deliver line of this domain names no folder";
    if (rule->how != DELIVER_MAILDIR) return -1;
    size_t i = (size_t)(rule - m->config->deliver);
    *why = "the folder of the deliver line could not be opened";
    return i < FOLDERS ? m->folders[i] : -1;
}

static struct mailbox_delivery *job_begin(struct mailbox *m, const struct job_deliver *j)
{
    struct mailbox_delivery *job = m->batch;
    const char *why;
    if (m->n == BATCH) finish_batch(m);
    if (m->n == BATCH || !m->spooler) return NULL;
    while (job->used)
        job++;
    *job = (struct mailbox_delivery){.id = j->id, .recipient = j->recipient, .used = true};
    m->n++;
    struct maildir_target t = {.root = root_of(m, j->domain, &why),
                               .domain = j->domain,
                               .local = j->local,
                               .reverse_path = j->reverse_path,
                               .delivered_to = j->delivered_to,
                               .host = m->config->hostname,
                               .id = j->id,
                               .recipient = j->recipient,
                               .again = m->doubt || message_id_unix_ms(j->id) < m->since_ms + CLOCK_SLACK_MS};
    if (t.root >= 0)
        maildir_begin(&job->maildir, &t);
    else
        job->maildir = (struct maildir){
            .tmp = -1, .new = -1, .file = -1, .status = JOB_DEFERRED, .enhanced = "4.3.5", .text = why};
    return job;
}

static void job_asked(struct mailbox *m, struct span payload)
{
    static struct job_deliver j;
    if (!job_deliver_read(payload, &j)) {
        spooler_lost(m, "malformed job");
        return;
    }
    struct mailbox_delivery *job = job_find(m, &j);
    if (job && job->complete) { /* asked again before the answer */
        finish_batch(m);
        job = NULL;
    }
    if (!job) job = job_begin(m, &j);
    if (!job) {
        if (m->spooler) spooler_lost(m, "more messages at once than can be written");
        return;
    }
    for (uint32_t i = 0; i < j.count; i++) {
        const struct mailbox_lease *l = lease_find(m, j.extents[i].segment);
        maildir_append(&job->maildir, l ? l->fd : -1, &j.extents[i]);
    }
    job->complete = j.last;
}

/* A recalled segment is needed by no job that was asked: they were read when they arrived. */
static void lease_recalled(struct mailbox *m, struct span payload)
{
    struct job_segment s;
    struct mailbox_lease *l = job_segment_read(payload, &s) ? lease_find(m, s.segment) : NULL;
    if (l) lease_drop(m, l);
    if (!ipc_send(m->spooler, MSG_JOB_RETURN, payload)) spooler_lost(m, "returned leases are not read");
}

static void spooler_said(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct mailbox *m = context;
    if (!m->spooler || m->draining) { /* closed while its packet is worked off */
        for (unsigned i = 0; i < n_fds; i++)
            close(fds[i]);
        return;
    }
    switch (type) {
    case MSG_JOB_SEGMENT: lease_begin(m, payload, fds[0]); break;
    case MSG_JOB_RECALL: lease_recalled(m, payload); break;
    default: job_asked(m, payload); break;
    }
}

/* --- the conversation --- */

/* Whatever is in hand is given up: nobody waits for the answer, and it will be asked for again. */
static void conversation_end(struct mailbox *m)
{
    ipc_close(&m->spooler);
    for (unsigned i = 0; i < BATCH; i++)
        if (m->batch[i].used) forget(m, &m->batch[i]);
    while (m->n_leases)
        lease_drop(m, &m->leases[0]);
}

static void spooler_lost(struct mailbox *m, const char *reason)
{
    conversation_end(m);
    if (!m->draining) child_peer_lost(m->child, PROC_SPOOLER, 0, reason);
}

static void spooler_closed(void *context, const char *reason)
{
    spooler_lost(context, reason);
}

static void spooler_open(struct mailbox *m, int fd)
{
    conversation_end(m);
    m->since_ms = loop_unix_ms(m->child->loop);
    m->spooler = ipc_open(m->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0], RESULTS_QUEUED,
                          spooler_said, spooler_closed, m);
    if (!m->spooler) log_note(LOG_LEVEL_ERROR, "channel-failed", "spooler", errno);
}

static void mailbox_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct mailbox *m = mailbox_of(c);
    (void)index, (void)generation;
    if (!m || role != PROC_SPOOLER)
        close(fd);
    else if (m->started)
        spooler_open(m, fd);
    else
        replace_fd(&m->spooler_fd, fd);
}

/* --- folders --- */

static void mailbox_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    struct mailbox *m = mailbox_of(c);
    (void)b;
    if (!m || kind != GRANT_MAIL || a >= FOLDERS) {
        close(fd);
        return;
    }
    replace_fd(m->started ? &m->fresh[a] : &m->folders[a], fd);
}

/* The folders of the fresh config came before it; those of the old one are closed. */
static void mailbox_config(struct child *c, const struct config *fresh)
{
    struct mailbox *m = mailbox_of(c);
    if (!m) return;
    finish_batch(m);
    m->config = fresh;
    for (unsigned i = 0; i < FOLDERS; i++) {
        replace_fd(&m->folders[i], m->fresh[i]);
        m->fresh[i] = -1;
    }
}

/* --- life --- */

static bool mailbox_start(struct child *c, const char **error)
{
    struct mailbox *m = mailbox_of(c);
    *error = "no memory";
    if (!m) return false;
    m->started = true;
    if (m->spooler_fd >= 0) spooler_open(m, m->spooler_fd);
    m->spooler_fd = -1;
    return true;
}

static void mailbox_drain(struct child *c, bool stopping)
{
    struct mailbox *m = c->state;
    (void)stopping;
    finish_batch(m);
    m->draining = true;
    if (m->spooler) ipc_flush(m->spooler);
    conversation_end(m);
    child_exit(c, 0);
}

static void mailbox_status(struct child *c, struct buf *json)
{
    const struct mailbox *m = c->state;
    buf_str(json, "\"delivered\":");
    buf_u64(json, m->delivered);
    buf_str(json, ",\"deferred\":");
    buf_u64(json, m->deferred);
    buf_str(json, ",\"failed\":");
    buf_u64(json, m->failed);
    buf_str(json, ",\"leases\":");
    buf_u64(json, m->n_leases);
}

static void mailbox_after_turn(struct child *c)
{
    struct mailbox *m = c->state;
    if (!m || !m->started) return;
    finish_batch(m);
    if (m->spooler) ipc_flush(m->spooler);
}

const struct child_hooks mailbox_hooks = {
    .peer = mailbox_peer,
    .grant = mailbox_grant,
    .start = mailbox_start,
    .drain = mailbox_drain,
    .config = mailbox_config,
    .status = mailbox_status,
    .after_turn = mailbox_after_turn,
};
