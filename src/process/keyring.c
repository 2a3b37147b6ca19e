/* keyring: holds the private keys and signs digests for the edges of its generation; it does nothing else. Keys are read from
 * granted descriptors before the cage and live in locked memory that no core dump sees. */
#include "base/limits.h"
#include "process/messages.h"
#include "process/skeleton.h"
#include "system/file_octets.h"
#include "system/log.h"
#include "system/signer.h"
#include "system/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ANSWERS_QUEUED 16 /* packets to one edge, of a hundred signatures and more */

struct keyring_key {
    struct tls_key_id id;
    int fd; /* until it was read; then -1 */
    struct signer *signer;
};

struct keyring_edge {
    struct keyring *keyring;
    struct child *child;
    struct ipc *channel;
    int fd; /* a conversation that waits for `start`; else -1 */
    unsigned index;
    uint64_t signatures, refused;
};

struct keyring {
    struct keyring_key *keys; /* LIMIT_KEYRING_KEYS */
    unsigned n;
    bool started, draining;
    struct keyring_edge edges[LIMIT_EDGES_MAX];
    char problem[512];
};

static const struct ipc_allowed allowed[] = {
    {MSG_SIGN_QUESTION, 8 + 2 + 2 + 2 + 2 + 20, SIGN_QUESTION_OCTETS_MAX, 0},
    {MSG_KEY_QUESTION, KEY_QUESTION_OCTETS, KEY_QUESTION_OCTETS, 0},
};

static struct keyring *keyring_of(struct child *c)
{
    if (c->state) return c->state;
    struct keyring *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    k->keys = calloc(LIMIT_KEYRING_KEYS, sizeof *k->keys);
    if (!k->keys) {
        free(k);
        return NULL;
    }
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++)
        k->edges[i] = (struct keyring_edge){.keyring = k, .child = c, .fd = -1, .index = i};
    c->state = k;
    return k;
}

static struct keyring_key *key_find(struct keyring *k, struct tls_key_id id)
{
    for (unsigned i = 0; i < k->n; i++)
        if (k->keys[i].id.server == id.server && k->keys[i].id.certificate == id.certificate)
            return &k->keys[i];
    return NULL;
}

/* --- what is asked --- */

static void edge_closed(void *context, const char *reason);

static void edge_answer(struct keyring_edge *e, uint16_t type, struct buf *payload)
{
    if (!payload->over && ipc_send(e->channel, type, buf_span(payload))) return;
    edge_closed(e, "answers are not read");
}

static void sign_asked(struct keyring_edge *e, struct span payload)
{
    struct sign_question q;
    if (!sign_question_read(payload, &q)) {
        edge_closed(e, "malformed question");
        return;
    }
    uint8_t signature[SIGN_SIGNATURE_OCTETS_MAX], octets[SIGN_ANSWER_OCTETS_MAX];
    size_t n = 0;
    struct sign_answer a = {.id = q.id, .status = SIGN_NO_KEY};
    struct keyring_key *key = key_find(e->keyring, q.key);
    if (key && key->signer) a.status = signer_sign(key->signer, q.scheme, q.digest, signature, &n);
    a.signature = span_of(signature, n);
    if (a.status == SIGN_OK)
        e->signatures++;
    else
        e->refused++;
    struct buf b = buf_on(octets, sizeof octets);
    sign_answer_put(&b, &a);
    edge_answer(e, MSG_SIGN_ANSWER, &b);
}

static void key_asked(struct keyring_edge *e, struct span payload)
{
    struct key_answer a = {.status = SIGN_NO_KEY};
    if (!key_question_read(payload, &a.key)) {
        edge_closed(e, "malformed question");
        return;
    }
    struct keyring_key *key = key_find(e->keyring, a.key);
    if (key && key->signer) {
        a.status = SIGN_OK;
        memcpy(a.fingerprint, signer_fingerprint(key->signer), sizeof a.fingerprint);
    }
    uint8_t octets[KEY_ANSWER_OCTETS];
    struct buf b = buf_on(octets, sizeof octets);
    key_answer_put(&b, &a);
    edge_answer(e, MSG_KEY_ANSWER, &b);
}

static void edge_asked(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct keyring_edge *e = context;
    (void)fds, (void)n_fds;
    if (!e->channel) return; /* closed while its packet is worked off */
    if (type == MSG_SIGN_QUESTION)
        sign_asked(e, payload);
    else
        key_asked(e, payload);
}

/* --- conversations --- */

static void leave_when_alone(struct child *c, const struct keyring *k)
{
    if (!k->draining) return;
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++)
        if (k->edges[i].channel) return;
    for (unsigned i = 0; i < k->n; i++)
        signer_free(&k->keys[i].signer); /* wiped */
    child_exit(c, 0);
}

static void edge_closed(void *context, const char *reason)
{
    struct keyring_edge *e = context;
    ipc_close(&e->channel);
    if (!e->keyring->draining) child_peer_lost(e->child, PROC_EDGE, e->index, reason);
    leave_when_alone(e->child, e->keyring);
}

static void edge_open(struct child *c, struct keyring_edge *e, int fd)
{
    ipc_close(&e->channel);
    e->channel = ipc_open(c->loop, fd, allowed, sizeof allowed / sizeof allowed[0], ANSWERS_QUEUED,
                          edge_asked, edge_closed, e);
    if (!e->channel) log_note(LOG_LEVEL_ERROR, "channel-failed", "edge", errno);
}

static void keyring_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct keyring *k = keyring_of(c);
    (void)generation;
    if (!k || role != PROC_EDGE || index >= LIMIT_EDGES_MAX) {
        close(fd);
        return;
    }
    struct keyring_edge *e = &k->edges[index];
    if (k->started) {
        edge_open(c, e, fd);
        return;
    }
    if (e->fd >= 0) close(e->fd);
    e->fd = fd;
}

/* --- keys --- */

static void keyring_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    struct keyring *k = keyring_of(c);
    if (!k || kind != GRANT_KEY || k->started || a > UINT16_MAX || b > UINT16_MAX ||
        k->n == LIMIT_KEYRING_KEYS) {
        close(fd);
        return;
    }
    k->keys[k->n++] = (struct keyring_key){.id = {(uint16_t)a, (uint16_t)b}, .fd = fd};
}

/* The name of the key file, for messages. (The config's texts end with a NUL: base/arena.h.) */
static const char *key_file(const struct child *c, struct tls_key_id id)
{
    const struct config *f = c->config;
    if (!f || id.server >= f->n_servers || id.certificate >= f->servers[id.server].n_certificates)
        return "key";
    return (const char *)f->servers[id.server].certificates[id.certificate].key_file.p;
}

/* Old devices want signatures that no other server makes: a captured edge gets none of them for another's key. */
static bool key_is_of_old(const struct child *c, struct tls_key_id id)
{
    const struct config *f = c->config;
    return f && id.server < f->n_servers && f->servers[id.server].profile == PROFILE_LEGACY_DEVICE;
}

static bool key_read(struct child *c, struct keyring *k, struct keyring_key *key)
{
    static uint8_t pem[LIMIT_KEY_OCTETS + 1];
    struct buf problem = buf_on(k->problem, sizeof k->problem - 1);
    mlock(pem, sizeof pem); /* as far as the system allows; wiped below in any case */
    ssize_t n = file_octets(key->fd, pem, sizeof pem);
    const char *file = key_file(c, key->id);
    close(key->fd);
    key->fd = -1;
    if (n >= 0)
        key->signer = signer_load(span_of(pem, (size_t)n), file, &problem);
    else
        buf_str(&problem, "a key file cannot be read");
    if (key->signer && key_is_of_old(c, key->id) && !signer_permit_old(key->signer)) {
        buf_str(&problem, "a key cannot sign as old devices want it");
        signer_free(&key->signer);
    }
    explicit_bzero(pem, sizeof pem);
    munlock(pem, sizeof pem);
    k->problem[problem.n] = '\0';
    return key->signer != NULL;
}

static bool keyring_prepare(struct child *c, const char **error)
{
    struct keyring *k = keyring_of(c);
    *error = "no memory";
    if (!k || !tls_memory_init(LIMIT_KEYRING_ARENA_OCTETS)) return false;
    *error = "not-dumpable cannot be set";
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return false; /* before the first key is in memory */
    if (!signer_lock_memory())
        log_note(LOG_LEVEL_WARNING, "memory-not-locked", "private keys may be swapped out (RLIMIT_MEMLOCK)",
                 0);
    for (unsigned i = 0; i < k->n; i++) {
        if (key_read(c, k, &k->keys[i])) continue;
        *error = k->problem;
        return false;
    }
    return true;
}

static bool keyring_start(struct child *c, const char **error)
{
    (void)error;
    struct keyring *k = c->state;
    k->started = true;
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++) {
        int fd = k->edges[i].fd;
        k->edges[i].fd = -1;
        if (fd >= 0) edge_open(c, &k->edges[i], fd);
    }
    return true;
}

/* Sessions of the edges may still begin TLS until their end: the keyring leaves after its edges. */
static void keyring_drain(struct child *c, bool stopping)
{
    (void)stopping;
    struct keyring *k = c->state;
    k->draining = true;
    leave_when_alone(c, k);
}

static void keyring_status(struct child *c, struct buf *json)
{
    const struct keyring *k = c->state;
    uint64_t signatures = 0, refused = 0;
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++) {
        signatures += k->edges[i].signatures;
        refused += k->edges[i].refused;
    }
    buf_str(json, "\"keys\":");
    buf_u64(json, k->n);
    buf_str(json, ",\"signatures\":");
    buf_u64(json, signatures);
    buf_str(json, ",\"signatures_refused\":");
    buf_u64(json, refused);
}

static void keyring_after_turn(struct child *c)
{
    struct keyring *k = c->state;
    for (unsigned i = 0; k && i < LIMIT_EDGES_MAX; i++)
        if (k->edges[i].channel) ipc_flush(k->edges[i].channel);
}

const struct child_hooks keyring_hooks = {
    .peer = keyring_peer,
    .grant = keyring_grant,
    .prepare = keyring_prepare,
    .start = keyring_start,
    .drain = keyring_drain,
    .status = keyring_status,
    .after_turn = keyring_after_turn,
};
