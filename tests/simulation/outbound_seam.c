/* Where the real code is looked at: the functions of the store that it calls are wrapped (meson.build). Everything passes through
 * unchanged but for what a simulated spool needs and for the sabotage. */
#include "outbound_private.h"

#include "process/spooler_private.h"

#include "smtp/dot.h"

#define SEGMENT 65536

struct outbound_world *outbound_current;

static bool broken_by(enum outbound_sabotage s)
{
    return outbound_current && outbound_current->o.sabotage == s;
}

/* The results of the relay, on their way to the spooler. */
static void tamper(uint16_t type, uint8_t *payload, size_t n)
{
    struct relay_result r;
    struct buf b = buf_on(payload, n);
    if (type != MSG_RELAY_RESULT || !relay_result_read(span_of(payload, n), &r)) return;
    if (broken_by(OUTBOUND_UNSURE) && r.status == JOB_DEFERRED && r.code == 0) r.status = JOB_DELIVERED;
    if (broken_by(OUTBOUND_SCOPE) && r.status == JOB_FAILED && r.scope == RELAY_MESSAGE)
        r.status = JOB_DELIVERED;
    uint8_t memory[2048];
    struct buf copy = buf_on(memory, sizeof memory);
    relay_result_put(&copy, &r); /* as long as it was: its spans lie in the payload */
    buf_put(&b, buf_span(&copy));
}

void seam_begin(struct outbound_world *w)
{
    outbound_current = w;
    machine.tamper = w->o.sabotage == OUTBOUND_UNSURE || w->o.sabotage == OUTBOUND_SCOPE ? tamper : NULL;
}

void seam_end(void)
{
    outbound_current = NULL;
}

struct store *__real_store_open(const struct store_options *o, uint64_t now_ms, const char **error);
struct store *__wrap_store_open(const struct store_options *o, uint64_t now_ms, const char **error);
struct store *__wrap_store_open(const struct store_options *o, uint64_t now_ms, const char **error)
{
    struct store_options mine = *o;
    if (outbound_current) {
        mine.disk = sim_disk_ops(outbound_current->disk);
        mine.segment_octets = SEGMENT;
        mine.thread = false;
        mine.checkpoint_messages = 3;
        mine.checkpoint_octets = 40000;
    }
    return __real_store_open(&mine, now_ms, error);
}

enum store_status __real_store_commit(struct store *s, uint64_t id, uint32_t owner, uint64_t token,
                                      const struct span *parts, uint32_t n_envelope, uint32_t n,
                                      uint64_t content_octets, uint64_t now_ms);
enum store_status __wrap_store_commit(struct store *s, uint64_t id, uint32_t owner, uint64_t token,
                                      const struct span *parts, uint32_t n_envelope, uint32_t n,
                                      uint64_t content_octets, uint64_t now_ms);
enum store_status __wrap_store_commit(struct store *s, uint64_t id, uint32_t owner, uint64_t token,
                                      const struct span *parts, uint32_t n_envelope, uint32_t n,
                                      uint64_t content_octets, uint64_t now_ms)
{
    enum store_status status =
        __real_store_commit(s, id, owner, token, parts, n_envelope, n, content_octets, now_ms);
    if (outbound_current && token & SPOOLER_TOKEN_DSN && status == STORE_PENDING)
        post_notified(&outbound_current->post, id, parts[1]);
    return status;
}

bool __real_store_attempt(struct store *s, uint64_t id, uint32_t recipient, const struct attempt *a,
                          uint64_t now_ms);
bool __wrap_store_attempt(struct store *s, uint64_t id, uint32_t recipient, const struct attempt *a,
                          uint64_t now_ms);
bool __wrap_store_attempt(struct store *s, uint64_t id, uint32_t recipient, const struct attempt *a,
                          uint64_t now_ms)
{
    bool done = __real_store_attempt(s, id, recipient, a, now_ms);
    if (outbound_current && done) post_recorded(&outbound_current->post, id, recipient, a->state);
    return done;
}

void __real_store_put_back(struct store *s, uint64_t id, uint32_t recipient, uint64_t due_ms);
void __wrap_store_put_back(struct store *s, uint64_t id, uint32_t recipient, uint64_t due_ms);
void __wrap_store_put_back(struct store *s, uint64_t id, uint32_t recipient, uint64_t due_ms)
{
    if (outbound_current) outbound_current->post.numbers.put_back++;
    if (!broken_by(OUTBOUND_LOST)) __real_store_put_back(s, id, recipient, due_ms);
}

bool __real_store_flush(struct store *s, uint64_t now_ms);
bool __wrap_store_flush(struct store *s, uint64_t now_ms);
bool __wrap_store_flush(struct store *s, uint64_t now_ms)
{
    bool forgets = broken_by(OUTBOUND_FORGET) && store_waiting(s) == 0;
    bool durable = forgets || __real_store_flush(s, now_ms);
    if (outbound_current && durable) post_flushed(&outbound_current->post, s);
    return durable;
}

void __real_dot_stuff(uint8_t *state, struct span in, struct buf *out);
void __wrap_dot_stuff(uint8_t *state, struct span in, struct buf *out);
void __wrap_dot_stuff(uint8_t *state, struct span in, struct buf *out)
{
    size_t n = in.n;
    while (broken_by(OUTBOUND_SHORT) && n > 2 && in.p[n - 3] != '\n')
        n--;
    if (broken_by(OUTBOUND_SHORT) && n > 2) in = span_head(in, n - 2);
    if (!broken_by(OUTBOUND_DOTS)) {
        __real_dot_stuff(state, in, out);
        return;
    }
    size_t at = out->n;
    __real_dot_stuff(state, in, out); /* for its state */
    out->n = at;
    buf_put(out, in);
}

/* --- spooler_edge: the world hands its letters to the store itself, and hears what became of them --- */

void spooler_edge_open(struct spooler *s, unsigned index, unsigned generation, int fd)
{
    (void)s, (void)index, (void)generation, (void)fd;
}

void spooler_edge_pool(struct spooler *s, unsigned index, unsigned generation, int fd)
{
    (void)s, (void)index, (void)generation, (void)fd;
}

void spooler_edge_answer(struct spooler *s, uint64_t token, uint64_t id, enum store_status status)
{
    (void)s, (void)token;
    if (outbound_current) post_answered(&outbound_current->post, id, status);
}

bool spooler_edges_open(const struct spooler *s)
{
    (void)s;
    return false;
}

void spooler_edges_flush(struct spooler *s)
{
    (void)s;
}

void spooler_edges_let_go(struct spooler *s)
{
    (void)s;
}
