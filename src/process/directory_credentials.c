#include "process/directory_credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/list.h"
#include "config/user_file.h"
#include "directory/sasl_client.h"
#include "process/messages.h"
#include "service/scram_keys.h"
#include "service/token_file.h"
#include "system/file_octets.h"
#include "system/log.h"
#include "system/workers.h"

enum { ANSWERS_QUEUED = 64 }; /* packets to one relay */

struct credential_file {
    struct config_user_file named;
    int fd;           /* of a user-file, until it was read; of a token-file's folder, for good; -1: none */
    bool usable;      /* a token-file: when it was read last */
    uint64_t refused; /* when the token was written that a next hop did not like, and that was logged */
    struct credential credential;                   /* points into text, and into the configuration */
    struct scram_kept kept;                         /* the thread's alone */
    uint8_t text[LIMIT_CREDENTIAL_FILE_OCTETS + 1]; /* the secret */
};

struct credential_relay {
    struct credentials *credentials;
    struct ipc *channel;
    int fd; /* a conversation that waits for the start; else -1 */
    unsigned index;
};

struct step_memory { /* of the step in hand */
    size_t mechanisms_n, challenge_n;
    uint8_t mechanisms[CREDENTIAL_MECHANISMS_OCTETS], challenge[LIMIT_AUTH_LINE_OCTETS];
    uint8_t response[LIMIT_AUTH_LINE_OCTETS]; /* a secret */
    struct buf said;                          /* on response */
    uint8_t step;
};

struct exchange {            /* with a next hop, over a relay */
    struct worker_task task; /* first */
    struct list age;
    struct credentials *all;
    unsigned relay;
    uint64_t tag, unix_seconds;
    bool working, gone; /* the thread has it; nobody waits for it */
    struct credential_file *file;
    struct credential credential;
    struct sasl_crypto crypto;
    struct sasl_client sasl;
    enum credential_status status;
    bool token_good;
    uint64_t token_written;
    uint8_t *token; /* TOKEN_FILE_OCTETS + 1, until it was said */
    struct step_memory *step;
    struct span exporter;
    uint8_t exporter_memory[LIMIT_EXPORTER_OCTETS];
};

struct credentials {
    struct child *child;
    struct workers *thread; /* null: nobody logs in anywhere */
    struct list exchanges;  /* the oldest first */
    unsigned n_exchanges;
    struct credential_file *files; /* n */
    uint32_t n;
    bool started;
    struct credential_relay relays[LIMIT_RELAYS_MAX];
};

static const struct ipc_allowed allowed[] = {
    {MSG_CREDENTIAL_QUESTION, 8 + 2 + 1 + 2 + 1 + 2 + 2, CREDENTIAL_QUESTION_OCTETS, 0},
};

/* --- exchanges --- */

static void step_drop(struct exchange *e)
{
    if (!e->step) return;
    explicit_bzero(e->step, sizeof *e->step);
    free(e->step);
    e->step = NULL;
}

static void token_drop(struct exchange *e)
{
    e->credential.token = (struct span){NULL, 0};
    if (!e->token) return;
    explicit_bzero(e->token, TOKEN_FILE_OCTETS + 1);
    free(e->token);
    e->token = NULL;
}

static void forget(struct exchange *e)
{
    list_take(&e->age);
    e->all->n_exchanges--;
    step_drop(e);
    token_drop(e);
    explicit_bzero(e, sizeof *e);
    free(e);
}

static struct exchange *find(const struct credentials *k, unsigned relay, uint64_t tag)
{
    for (struct list *p = k->exchanges.prev; p != &k->exchanges; p = p->prev) {
        struct exchange *e = LIST_OF(p, struct exchange, age);
        if (e->relay == relay && e->tag == tag && !e->gone) return e;
    }
    return NULL;
}

/* Relays do not say when a session ended: the oldest is forgotten. */
static void make_room(struct credentials *k)
{
    struct list *p = k->exchanges.next;
    while (k->n_exchanges >= LIMIT_CREDENTIAL_EXCHANGES && p != &k->exchanges) {
        struct exchange *e = LIST_OF(p, struct exchange, age);
        p = p->next;
        if (!e->working) forget(e);
    }
}

/* A token as it is in its file now. Where x->why begins with what its refusal is told with. */
static bool take_token(struct exchange *e, struct buf *why)
{
    const struct credential_file *f = e->file;
    struct token_file_state state;
    struct span folder;
    const char *name;
    e->token = malloc(TOKEN_FILE_OCTETS + 1);
    if (!e->token) {
        buf_str(why, "no memory for a token");
        return false;
    }
    token_file_split(f->named.path, &folder, &name);
    e->token_good = token_file_read(f->fd, name, e->unix_seconds, e->token, &e->credential.token, &state);
    e->token_written = state.written;
    buf_str(why, "the token in ");
    buf_escaped(why, f->named.path, 200);
    buf_str(why, e->token_good ? ", " : " ");
    buf_str(why, state.text);
    return e->token_good;
}

/* In the thread: it has e, and what the file keeps of SCRAM, for itself. */
static enum credential_status begin_exchange(struct exchange *e)
{
    uint8_t chance[SASL_CLIENT_CHANCE];
    const struct credential_file *f = e->file;
    bool random = getrandom(chance, sizeof chance, 0) == (ssize_t)sizeof chance;
    e->credential = f->credential;
    if (f->named.secret.token)
        e->credential =
            (struct credential){.user = f->named.secret.user, .mechanisms = f->named.secret.mechanisms};
    sasl_client_begin(&e->sasl, &e->credential, &e->crypto, e->exporter, chance);
    if (!random) buf_str(&e->sasl.why, "the system gives no random octets");
    if (!random || (f->named.secret.token && !take_token(e, &e->sasl.why))) return CREDENTIAL_UNKNOWN;
    return CREDENTIAL_RESPONSE;
}

static void work(struct worker_task *task, void *state)
{
    struct exchange *e = (struct exchange *)(void *)task;
    struct step_memory *m = e->step;
    const struct sasl_client_step step = {span_of(m->mechanisms, m->mechanisms_n), m->step,
                                          span_of(m->challenge, m->challenge_n)};
    (void)state;
    e->status = m->step == 0 ? begin_exchange(e) : CREDENTIAL_RESPONSE;
    if (e->status == CREDENTIAL_RESPONSE) e->status = sasl_client_respond(&e->sasl, &step, &m->said);
    if (e->status != CREDENTIAL_RESPONSE || e->sasl.said) token_drop(e);
}

static void done(void *context, struct worker_task *task);

/* --- files --- */

struct credentials *credentials_create(struct child *c)
{
    static struct config_user_file named[LIMIT_CREDENTIAL_FILES];
    struct credentials *k = calloc(1, sizeof *k);
    uint32_t n = config_user_files(c->config, named);
    if (n > LIMIT_CREDENTIAL_FILES) n = LIMIT_CREDENTIAL_FILES; /* the supervisor refuses that */
    struct credential_file *files = calloc(n + 1, sizeof *files);
    if (!k || !files) {
        free(k);
        free(files);
        return NULL;
    }
    mlock(files, n * sizeof *files); /* as far as the system allows */
    for (uint32_t i = 0; i < n; i++) {
        files[i].named = named[i];
        files[i].fd = -1;
    }
    *k = (struct credentials){.child = c, .files = files, .n = n};
    list_begin(&k->exchanges);
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++)
        k->relays[i] = (struct credential_relay){.credentials = k, .fd = -1, .index = i};
    return k;
}

void credentials_free(struct credentials **credentials)
{
    struct credentials *k = *credentials;
    if (!k) return;
    *credentials = NULL;
    workers_free(&k->thread); /* a step that is in hand ends first */
    while (!list_empty(&k->exchanges))
        forget(LIST_OF(k->exchanges.next, struct exchange, age));
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++) {
        ipc_close(&k->relays[i].channel);
        if (k->relays[i].fd >= 0) close(k->relays[i].fd);
    }
    for (uint32_t i = 0; i < k->n; i++)
        if (k->files[i].fd >= 0) close(k->files[i].fd);
    explicit_bzero(k->files, k->n * sizeof *k->files);
    free(k->files);
    free(k);
}

void credentials_grant(struct credentials *k, unsigned index, int fd)
{
    if (index >= k->n || k->started || k->files[index].fd >= 0) {
        close(fd);
        return;
    }
    k->files[index].fd = fd;
}

/* Nothing of the file is shown. */
static void complain(const struct credential_file *f, const char *event, uint32_t line, struct span text)
{
    log_begin(LOG_LEVEL_ERROR, event);
    log_span("file", f->named.path);
    if (line) log_u64("line", line);
    log_span("text", text);
    log_end();
}

static void file_load(struct credential_file *f)
{
    uint32_t line = 0;
    ssize_t n = f->fd < 0 ? -1 : file_octets(f->fd, f->text, sizeof f->text);
    const char *wrong =
        n < 0 ? "cannot be read" : credential_parse(span_of(f->text, (size_t)n), &f->credential, &line);
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
    f->usable = !wrong;
    f->credential.mechanisms = f->named.secret.mechanisms;
    if (f->usable) return;
    explicit_bzero(f->text, sizeof f->text);
    complain(f, "credential-unusable", line, span_str(wrong));
}

/* Whether there is a token now: what is said of it when it is needed counts. */
static void token_load(struct credential_file *f, uint64_t unix_seconds)
{
    uint8_t memory[TOKEN_FILE_OCTETS + 1];
    struct token_file_state state;
    struct span folder, token;
    const char *name;
    token_file_split(f->named.path, &folder, &name);
    f->usable = token_file_read(f->fd, name, unix_seconds, memory, &token, &state);
    explicit_bzero(memory, sizeof memory);
    if (!f->usable) complain(f, "credential-unusable", 0, span_str(state.text));
}

void credentials_load(struct credentials *k)
{
    void *const none = NULL;
    for (uint32_t i = 0; i < k->n; i++) {
        if (k->files[i].named.secret.token)
            token_load(&k->files[i], loop_unix_ms(k->child->loop) / 1000);
        else
            file_load(&k->files[i]);
    }
    if (k->n) k->thread = workers_create(k->child->loop, 1, &none, work, done, k);
    workers_give_way(k->thread); /* PBKDF2 as a server wants it */
    if (k->n && !k->thread) log_note(LOG_LEVEL_ERROR, "credential-unusable", "no memory for a thread", errno);
}

unsigned credentials_count(const struct credentials *k)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < k->n; i++)
        n += k->files[i].usable;
    return n;
}

/* --- questions --- */

static void relay_lost(struct credential_relay *r, const char *reason)
{
    struct credentials *k = r->credentials;
    ipc_close(&r->channel);
    for (struct list *p = k->exchanges.next, *next; p != &k->exchanges; p = next) {
        struct exchange *e = LIST_OF(p, struct exchange, age);
        next = p->next;
        if (e->relay != r->index) continue;
        e->gone = true;
        if (!e->working && !e->step) forget(e);
    }
    child_peer_lost(r->credentials->child, PROC_RELAY, r->index, reason);
}

static void relay_closed(void *context, const char *reason)
{
    relay_lost(context, reason);
}

static bool send_answer(struct credential_relay *r, const struct credential_answer *a)
{
    static uint8_t octets[CREDENTIAL_ANSWER_OCTETS];
    struct buf b = buf_on(octets, sizeof octets);
    credential_answer_put(&b, a);
    bool sent = !b.over && ipc_send(r->channel, MSG_CREDENTIAL_ANSWER, buf_span(&b));
    explicit_bzero(octets, b.n);
    return sent;
}

static void answer(const struct exchange *e)
{
    struct credential_relay *r = &e->all->relays[e->relay];
    struct credential_answer a = {
        .tag = e->tag, .status = (uint8_t)e->status, .text = buf_span(&e->sasl.why)};
    if (e->status == CREDENTIAL_RESPONSE) {
        a.mechanism = span_str(e->sasl.mechanism);
        a.response = buf_span(&e->step->said);
        a.last = e->sasl.last;
    }
    if (!send_answer(r, &a)) relay_lost(r, "answers are not read");
}

static void refuse(struct credential_relay *r, uint64_t tag, enum credential_status status, struct span text)
{
    if (!send_answer(r, &(struct credential_answer){.tag = tag, .status = (uint8_t)status, .text = text}))
        relay_lost(r, "answers are not read");
}

/* What the log says of a token: once, until it changes. */
static void note_token(const struct exchange *e)
{
    struct credential_file *f = e->file;
    if (!f->named.secret.token) return;
    if (f->usable && !e->token_good) complain(f, "credential-unusable", 0, buf_span(&e->sasl.why));
    if (e->sasl.acknowledged && f->refused != e->token_written) {
        complain(f, "credential-refused", 0, buf_span(&e->sasl.why));
        f->refused = e->token_written;
    }
    f->usable = e->token_good;
}

static void done(void *context, struct worker_task *task)
{
    struct exchange *e = (struct exchange *)(void *)task;
    (void)context;
    e->working = false;
    if (!e->gone) {
        note_token(e);
        answer(e); /* may lose its relay, and then it is gone */
    }
    step_drop(e);
    if (e->gone || e->status != CREDENTIAL_RESPONSE) forget(e);
}

static struct credential_file *file_of(const struct credentials *k, struct span path)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (span_eq(k->files[i].named.path, path)) return &k->files[i];
    return NULL;
}

static bool step_keep(struct exchange *e, const struct credential_question *q)
{
    struct step_memory *m = malloc(sizeof *m);
    if (!m) return false;
    m->mechanisms_n = q->mechanisms.n;
    m->challenge_n = q->challenge.n;
    if (q->mechanisms.n) memcpy(m->mechanisms, q->mechanisms.p, q->mechanisms.n);
    if (q->challenge.n) memcpy(m->challenge, q->challenge.p, q->challenge.n);
    m->said = buf_on(m->response, sizeof m->response);
    m->step = q->step;
    e->step = m;
    return true;
}

static struct exchange *begin(struct credential_relay *r, const struct credential_question *q,
                              struct credential_file *f)
{
    struct credentials *k = r->credentials;
    make_room(k);
    struct exchange *e = k->n_exchanges < LIMIT_CREDENTIAL_EXCHANGES ? calloc(1, sizeof *e) : NULL;
    if (!e) return NULL;
    e->all = k;
    e->relay = r->index;
    e->tag = q->tag;
    e->file = f;
    e->crypto = scram_keys_crypto(&f->kept);
    if (q->exporter.n) memcpy(e->exporter_memory, q->exporter.p, sizeof e->exporter_memory);
    e->exporter = span_of(e->exporter_memory, q->exporter.n);
    list_append(&k->exchanges, &e->age);
    k->n_exchanges++;
    return e;
}

/* False: the relay breaks the rules. */
static bool take(struct credential_relay *r, const struct credential_question *q)
{
    struct credentials *k = r->credentials;
    struct exchange *e = find(k, r->index, q->tag);
    struct credential_file *f = file_of(k, q->user);
    if (e && e->working) return false;
    if (e && q->step == 0) {
        forget(e);
        e = NULL;
    }
    if (!f || !k->thread || (!f->named.secret.token && !f->usable)) {
        refuse(r, q->tag, CREDENTIAL_UNKNOWN,
               SPAN("the user-file of this next hop cannot be used: the log says why"));
        return true;
    }
    if (!e && q->step > 0) {
        refuse(r, q->tag, CREDENTIAL_BROKEN, SPAN("the login took too long, and its place was needed"));
        return true;
    }
    if (!e) e = begin(r, q, f);
    if (!e || !step_keep(e, q)) {
        if (e) forget(e);
        refuse(r, q->tag, CREDENTIAL_UNKNOWN, SPAN("no memory for one more login"));
        return true;
    }
    e->working = true;
    e->unix_seconds = loop_unix_ms(k->child->loop) / 1000;
    workers_submit(k->thread, &e->task);
    return true;
}

static void relay_asked(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct credential_relay *r = context;
    struct credential_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!r->channel) return; /* closed while its packet is worked off */
    if (!credential_question_read(payload, &q) || !take(r, &q)) relay_lost(r, "malformed question");
}

/* --- life --- */

static void relay_open(struct credential_relay *r, int fd)
{
    ipc_close(&r->channel);
    r->channel = ipc_open(r->credentials->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0],
                          ANSWERS_QUEUED, relay_asked, relay_closed, r);
    if (r->channel)
        ipc_secret(r->channel);
    else
        log_note(LOG_LEVEL_ERROR, "channel-failed", "relay", errno);
}

void credentials_peer(struct credentials *k, unsigned relay, int fd)
{
    if (relay >= LIMIT_RELAYS_MAX) {
        close(fd);
        return;
    }
    struct credential_relay *r = &k->relays[relay];
    if (k->started) {
        relay_open(r, fd);
        return;
    }
    if (r->fd >= 0) close(r->fd);
    r->fd = fd;
}

bool credentials_start(struct credentials *k)
{
    k->started = true;
    if (k->thread && !workers_start(k->thread)) return false;
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++) {
        if (k->relays[i].fd >= 0) relay_open(&k->relays[i], k->relays[i].fd);
        k->relays[i].fd = -1;
    }
    return true;
}

void credentials_flush(struct credentials *k)
{
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++)
        if (k->relays[i].channel) ipc_flush(k->relays[i].channel);
}
