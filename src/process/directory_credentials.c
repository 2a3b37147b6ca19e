#include "process/directory_credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/user_file.h"
#include "directory/sasl_client.h"
#include "process/messages.h"
#include "system/file_octets.h"
#include "system/log.h"

enum { ANSWERS_QUEUED = 4 }; /* packets to one relay */

struct credential_file {
    struct span path;
    int fd; /* until it was read; then -1 */
    bool usable;
    struct credential credential;                   /* points into text */
    uint8_t text[LIMIT_CREDENTIAL_FILE_OCTETS + 1]; /* the secret */
};

struct credential_relay {
    struct credentials *credentials;
    struct ipc *channel;
    int fd; /* a conversation that waits for the start; else -1 */
    unsigned index;
};

struct credentials {
    struct child *child;
    struct credential_file *files; /* n */
    uint32_t n;
    bool started;
    struct credential_relay relays[LIMIT_RELAYS_MAX];
};

static const struct ipc_allowed allowed[] = {
    {MSG_CREDENTIAL_QUESTION, 8 + 2 + 1 + 2 + 1 + 2, CREDENTIAL_QUESTION_OCTETS, 0},
};

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
        files[i].path = named[i].path;
        files[i].fd = -1;
    }
    *k = (struct credentials){.child = c, .files = files, .n = n};
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++)
        k->relays[i] = (struct credential_relay){.credentials = k, .fd = -1, .index = i};
    return k;
}

void credentials_free(struct credentials **credentials)
{
    struct credentials *k = *credentials;
    if (!k) return;
    *credentials = NULL;
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
static void complain(const struct credential_file *f, uint32_t line, const char *text)
{
    log_begin(LOG_LEVEL_ERROR, "credential-unusable");
    log_span("file", f->path);
    if (line) log_u64("line", line);
    log_str("text", text);
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
    if (f->usable) return;
    explicit_bzero(f->text, sizeof f->text);
    complain(f, line, wrong);
}

void credentials_load(struct credentials *k)
{
    for (uint32_t i = 0; i < k->n; i++)
        file_load(&k->files[i]);
}

unsigned credentials_count(const struct credentials *k)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < k->n; i++)
        n += k->files[i].usable;
    return n;
}

/* --- questions --- */

static const struct credential *credential_of(const struct credentials *k, struct span path)
{
    for (uint32_t i = 0; i < k->n; i++)
        if (k->files[i].usable && span_eq(k->files[i].path, path)) return &k->files[i].credential;
    return NULL;
}

static void relay_lost(struct credential_relay *r, const char *reason)
{
    ipc_close(&r->channel);
    child_peer_lost(r->credentials->child, PROC_RELAY, r->index, reason);
}

static void relay_closed(void *context, const char *reason)
{
    relay_lost(context, reason);
}

static bool answer(struct credential_relay *r, const struct credential_question *q)
{
    static uint8_t response[LIMIT_AUTH_LINE_OCTETS], octets[CREDENTIAL_ANSWER_OCTETS];
    struct buf said = buf_on(response, sizeof response), b = buf_on(octets, sizeof octets);
    struct credential_answer a = {.tag = q->tag, .status = CREDENTIAL_UNKNOWN};
    const struct sasl_client_step step = {q->mechanisms, q->step, q->challenge};
    const struct credential *credential = credential_of(r->credentials, q->user);
    const char *mechanism = NULL;
    if (credential) a.status = (uint8_t)sasl_client_respond(credential, &step, &mechanism, &said);
    if (a.status == CREDENTIAL_RESPONSE) {
        a.mechanism = span_str(mechanism);
        a.response = buf_span(&said);
    }
    credential_answer_put(&b, &a);
    bool sent = !b.over && ipc_send(r->channel, MSG_CREDENTIAL_ANSWER, buf_span(&b));
    explicit_bzero(response, said.n);
    explicit_bzero(octets, b.n);
    return sent;
}

static void relay_asked(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct credential_relay *r = context;
    struct credential_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!r->channel) return; /* closed while its packet is worked off */
    if (!credential_question_read(payload, &q))
        relay_lost(r, "malformed question");
    else if (!answer(r, &q))
        relay_lost(r, "answers are not read");
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

void credentials_start(struct credentials *k)
{
    k->started = true;
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++) {
        if (k->relays[i].fd >= 0) relay_open(&k->relays[i], k->relays[i].fd);
        k->relays[i].fd = -1;
    }
}

void credentials_flush(struct credentials *k)
{
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++)
        if (k->relays[i].channel) ipc_flush(k->relays[i].channel);
}
