/* spooler_edge: messages from the edges. Their content lies in pools that the edges can write while we look: the store copies
 * first and checks the copy. */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/spooler_private.h"
#include "spool/message_id.h"
#include "system/log.h"

static const struct ipc_allowed allowed[] = {
    {MSG_SUBMIT_POOL, SUBMIT_POOL_OCTETS, SUBMIT_POOL_OCTETS, 0},
    {MSG_SUBMIT_CHUNK, 12, 12 + 8 * LIMIT_SUBMIT_BLOCKS, 0},
    {MSG_SUBMIT_COMMIT, 24, 24 + 8 * LIMIT_SUBMIT_BLOCKS, 0},
    {MSG_SUBMIT_ABORT, 8, 8, 0},
};

static void edge_close(struct spooler_edge *e, const char *reason)
{
    struct spooler *s = e->spooler;
    ipc_close(&e->ipc);
    store_abort_owner(s->store, e->serial);
    union {
        const uint8_t *in;
        void *out;
    } pool = {.in = e->pool};
    if (e->pool) munmap(pool.out, pool_octets(e->geometry));
    if (e->pool_fd >= 0) close(e->pool_fd);
    e->pool = NULL;
    e->pool_fd = -1;
    if (!s->stopping && reason) child_peer_lost(s->child, PROC_EDGE, e->index, reason);
}

/* Each generation may cut its pools in another way, and two ways may need the same memory: only the edge knows for certain. If it
 * lies, it is its own messages that come out wrong. */
static void on_pool(struct spooler_edge *e, struct span payload)
{
    struct submit_pool m;
    if (e->pool || e->pool_fd < 0 || !submit_pool_read(payload, &m)) {
        edge_close(e, e->pool_fd < 0 ? "no pool was granted" : "malformed pool");
        return;
    }
    e->geometry = (struct pool_geometry){m.small, m.large};
    e->pool = pool_map_read_only(e->pool_fd, e->geometry);
    if (!e->pool) {
        edge_close(e, "its pool is not as it says");
        return;
    }
    close(e->pool_fd);
    e->pool_fd = -1;
}

static bool blocks_of(struct spooler_edge *e, const struct block_ref *blocks, uint32_t n, struct span *parts)
{
    if (!e->pool) return false;
    for (uint32_t i = 0; i < n; i++) {
        size_t offset;
        uint32_t octets;
        if (!pool_offset(e->geometry, blocks[i].block, &offset, &octets) || blocks[i].length > octets)
            return false;
        parts[i] = span_of(e->pool + offset, blocks[i].length);
    }
    return true;
}

/* An edge that cannot be answered is not closed here: the store may be in the middle of a message of it. */
static void answer(struct spooler_edge *e, uint64_t id, enum submit_status status, uint32_t blocks)
{
    uint8_t memory[32];
    struct buf b = buf_on(memory, sizeof memory);
    submit_result_put(&b, &(struct submit_result){.id = id, .status = (uint8_t)status, .blocks = blocks});
    if (!ipc_send(e->ipc, MSG_SUBMIT_RESULT, buf_span(&b))) e->deaf = true;
}

_Static_assert((int)STORE_FULL == SUBMIT_FULL && (int)STORE_FAILED == SUBMIT_FAILED &&
                   (int)STORE_REFUSED == SUBMIT_REFUSED && (int)STORE_DURABLE == SUBMIT_DURABLE &&
                   LIMIT_SUBMIT_BLOCKS < 256 && SPOOLER_EDGES < 256,
               "the store's answers are the edge's, and fit into a token");

static uint64_t token_of(const struct spooler_edge *e, uint32_t blocks)
{
    return (uint64_t)(e - e->spooler->edges) << 48 | (uint64_t)e->serial << 8 | blocks;
}

/* An edge chooses ids among its own: it cannot take those that another one is about to use. */
static bool its_own(const struct spooler_edge *e, uint64_t id)
{
    return message_id_edge_of(id) == message_id_edge(e->generation, e->index);
}

void spooler_edge_answer(struct spooler *s, uint64_t token, uint64_t id, enum store_status status)
{
    struct spooler_edge *e = &s->edges[(token >> 48) % SPOOLER_EDGES];
    if (!e->ipc || e->serial != (uint32_t)(token >> 8))
        return; /* gone meanwhile: the message stays (RFC 1047) */
    answer(e, id, (enum submit_status)status, (uint32_t)token & 255);
}

static void on_chunk(struct spooler_edge *e, struct span payload)
{
    static struct submit_chunk m;
    struct span parts[LIMIT_SUBMIT_BLOCKS];
    if (!submit_chunk_read(payload, &m)) {
        edge_close(e, "malformed chunk");
        return;
    }
    enum store_status status = STORE_REFUSED;
    if (its_own(e, m.id) && blocks_of(e, m.blocks, m.count, parts))
        status = store_chunk(e->spooler->store, m.id, e->serial, parts, m.count);
    answer(e, m.id, status == STORE_PENDING ? SUBMIT_WRITTEN : (enum submit_status)status, m.count);
}

static void on_commit(struct spooler_edge *e, struct span payload)
{
    static struct submit_commit m;
    struct span parts[LIMIT_SUBMIT_BLOCKS];
    struct spooler *s = e->spooler;
    if (!submit_commit_read(payload, &m)) {
        edge_close(e, "malformed commit");
        return;
    }
    enum store_status status = STORE_REFUSED;
    if (its_own(e, m.id) && blocks_of(e, m.blocks, m.count, parts))
        status = store_commit(s->store, m.id, e->serial, token_of(e, m.count), parts, m.envelope_count,
                              m.count, m.content_octets, loop_unix_ms(s->child->loop));
    else
        store_abort(s->store, m.id, e->serial);
    if (status != STORE_PENDING) answer(e, m.id, (enum submit_status)status, m.count);
}

static void on_message(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct spooler_edge *e = context;
    struct submit_abort abort;
    (void)fds, (void)n_fds;
    if (!e->ipc || e->deaf) return; /* closed while its packet is worked off */
    switch (type) {
    case MSG_SUBMIT_POOL: on_pool(e, payload); break;
    case MSG_SUBMIT_CHUNK: on_chunk(e, payload); break;
    case MSG_SUBMIT_COMMIT: on_commit(e, payload); break;
    default:
        if (submit_abort_read(payload, &abort)) store_abort(e->spooler->store, abort.id, e->serial);
        break;
    }
}

static void on_closed(void *context, const char *reason)
{
    edge_close(context, reason);
}

void spooler_edge_pool(struct spooler *s, unsigned index, unsigned generation, int fd)
{
    struct spooler_pool *to = &s->pools[0];
    for (unsigned i = 0; i < SPOOLER_EDGES; i++) {
        struct spooler_pool *p = &s->pools[i];
        if (p->fd >= 0 && p->index == index && p->generation == generation) { /* its edge never spoke */
            close(p->fd);
            p->fd = -1;
        }
        if (p->fd < 0 || (to->fd >= 0 && p->generation < to->generation)) to = p;
    }
    if (to->fd >= 0) close(to->fd); /* of the oldest edge that never spoke */
    *to = (struct spooler_pool){index, generation, fd};
}

static int take_pool(struct spooler *s, unsigned index, unsigned generation)
{
    for (unsigned i = 0; i < SPOOLER_EDGES; i++) {
        struct spooler_pool *p = &s->pools[i];
        if (p->fd < 0 || p->index != index || p->generation != generation) continue;
        int fd = p->fd;
        p->fd = -1;
        return fd;
    }
    return -1;
}

void spooler_edge_open(struct spooler *s, unsigned index, unsigned generation, int fd)
{
    struct spooler_edge *e = NULL;
    for (unsigned i = 0; i < SPOOLER_EDGES; i++) {
        struct spooler_edge *old = &s->edges[i];
        if (old->ipc && old->index == index && old->generation == generation) edge_close(old, "replaced");
        if (!old->ipc && !e) e = old;
    }
    if (!e) {
        close(fd);
        log_note(LOG_LEVEL_ERROR, "peer-refused", "too many edges", 0);
        return;
    }
    *e = (struct spooler_edge){.spooler = s,
                               .index = index,
                               .generation = generation,
                               .serial = ++s->next_serial,
                               .pool_fd = take_pool(s, index, generation)};
    e->ipc = ipc_open(s->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0], SPOOLER_RESULTS_QUEUED,
                      on_message, on_closed, e);
    if (e->ipc) return;
    log_note(LOG_LEVEL_ERROR, "channel-failed", "edge", errno);
    if (e->pool_fd >= 0) close(e->pool_fd);
}

bool spooler_edges_open(const struct spooler *s)
{
    for (unsigned i = 0; i < SPOOLER_EDGES; i++)
        if (s->edges[i].ipc) return true;
    return false;
}

void spooler_edges_flush(struct spooler *s)
{
    for (unsigned i = 0; i < SPOOLER_EDGES; i++) {
        struct spooler_edge *e = &s->edges[i];
        if (e->ipc && e->deaf) edge_close(e, "answers are not read");
        if (e->ipc) ipc_flush(e->ipc);
    }
}

/* A conversation that ends is answered 451 by the edge, and begins anew; what is committed then is refused at once. Whether a message
 * that was let go is on disk only the successor or the next start can tell: it may come twice, as after any lost answer (RFC 1047). */
void spooler_edges_let_go(struct spooler *s)
{
    uint64_t now = loop_now_ms(s->child->loop);
    if (store_writable(s->store) || !store_counters(s->store).stuck) {
        s->stuck_ms = 0;
        s->let_go = false;
        return;
    }
    if (s->stuck_ms == 0) s->stuck_ms = now;
    if (s->let_go || now - s->stuck_ms < LIMIT_STUCK_SECONDS * 1000) return;
    s->let_go = true;
    log_note(LOG_LEVEL_ERROR, "spool-stuck",
             "still no successor: what waits for an answer is told to come again", 0);
    for (unsigned i = 0; i < SPOOLER_EDGES; i++)
        if (s->edges[i].ipc) edge_close(&s->edges[i], NULL);
}
