/* directory: who exists. It reads mailboxes and aliases before the cage, hands the supervisor a sealed map of all recipients for the
 * edges, and then answers what the spooler asks: where does mail for this recipient go? What relays ask: directory_credentials. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity/secret.h"
#include "process/directory_ask.h"
#include "process/directory_credentials.h"
#include "process/directory_guard.h"
#include "process/directory_login.h"
#include "process/messages.h"
#include "service/mailboxes.h"
#include "service/names.h"
#include "system/file_octets.h"
#include "system/log.h"

enum {
    QUESTIONS_MAX = 4096, /* that may wait; the spooler asks fewer at once */
    ANSWERS_QUEUED = 16,  /* packets */
    PART_OCTETS = 24576,  /* targets in one part of an answer */
    ANSWER_OCTETS = PART_OCTETS + 1024,
    EXPANSION_OCTETS = 64 << 20, /* memory of one expansion */
    PROBLEMS_LOGGED = 50,
};

struct directory_question {
    uint64_t id;
    uint32_t recipient, n;
    uint8_t path[EXPAND_PATH_OCTETS];
};

struct directory {
    struct child *child;
    struct arena *users_arena;
    struct users users;
    struct names names;
    struct credentials *credentials;
    struct asks *asks;
    struct logins *logins;
    uint8_t *aliases_text; /* names point into it */
    int users_folder, aliases_fd, map_fd, spooler_fd;
    bool started;
    struct ipc *spooler;
    struct directory_question *questions; /* a ring of QUESTIONS_MAX, made at start */
    uint32_t first, n;
    struct arena *arena; /* of the answer that is being sent; null: none */
    struct expansion expansion;
    uint32_t sent; /* targets of it */
    enum expand_status status;
    uint64_t answered;
};

static const struct ipc_allowed allowed[] = {
    {MSG_EXPAND_QUESTION, 8 + 4 + 2 + 1, 8 + 4 + 2 + EXPAND_PATH_OCTETS, 0},
};

static struct directory *directory_of(struct child *c)
{
    if (c->state) return c->state;
    struct directory *d = calloc(1, sizeof *d);
    if (!d) return NULL;
    d->child = c;
    d->credentials = credentials_create(c);
    d->asks = asks_create(c);
    d->logins = d->asks ? logins_create(c, asks_of(d->asks)) : NULL;
    if (!d->credentials || !d->logins) {
        credentials_free(&d->credentials);
        logins_free(&d->logins);
        asks_free(&d->asks);
        free(d);
        return NULL;
    }
    d->users_folder = d->aliases_fd = d->map_fd = d->spooler_fd = -1;
    c->state = d;
    return d;
}

/* --- before the cage --- */

static void replace_fd(int *slot, int fd)
{
    if (*slot >= 0) close(*slot);
    *slot = fd;
}

static void directory_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    struct directory *d = directory_of(c);
    (void)b;
    if (d && (kind == GRANT_CREDENTIALS || kind == GRANT_TOKEN_FOLDER))
        credentials_grant(d->credentials, a, fd);
    else if (d && kind == GRANT_TOKEN_KEYS && !d->started)
        logins_token_keys(d->logins, fd);
    else if (d && kind == GRANT_CLIENT_AUTHORITIES && !d->started)
        logins_authorities(d->logins, fd);
    else if (d && kind == GRANT_CLIENT_REVOCATIONS && !d->started)
        logins_revocations(d->logins, fd);
    else if (d && kind == GRANT_KEYTAB && !d->started)
        logins_keytab(d->logins, fd);
    else if (d && !d->started && kind == GRANT_USERS)
        replace_fd(&d->users_folder, fd);
    else if (d && !d->started && kind == GRANT_ALIASES)
        replace_fd(&d->aliases_fd, fd);
    else
        close(fd);
}

/* The whole file into memory of its own; an absent file (-1) is an empty one. */
static bool read_whole(int fd, uint8_t **memory, size_t *n)
{
    struct stat st;
    *memory = NULL;
    *n = 0;
    if (fd < 0) return true;
    if (fstat(fd, &st) != 0 || st.st_size < 0 || st.st_size > LIMIT_DIRECTORY_FILE_OCTETS) return false;
    size_t max = (size_t)st.st_size;
    *memory = malloc(max + 1);
    if (!*memory) return false;
    ssize_t got = file_octets(fd, *memory, max);
    if (got >= 0) *n = (size_t)got;
    return got >= 0;
}

static void log_problems(const struct problems *problems)
{
    uint32_t shown = 0;
    for (const struct problem *p = problems->first; p && shown < PROBLEMS_LOGGED; p = p->next, shown++) {
        log_begin(LOG_LEVEL_WARNING, "directory-problem");
        log_span("file", p->place.file);
        log_u64("line", p->place.line);
        log_u64("column", p->place.column);
        log_span("subject", p->subject);
        log_str("text", p->text);
        log_end();
    }
    if (problems->count == 0) return;
    log_begin(LOG_LEVEL_WARNING, "directory-problems");
    log_u64("count", problems->count);
    log_str("text", "run sallyport check");
    log_end();
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* The map in a memfd that nobody can change any more, and nobody can cut under those who map it. */
static int sealed_map(const struct recipients *map)
{
    int fd = memfd_create("recipients", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    if (write_all(fd, map->memory, map->octets) &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool load(struct directory *d, const char **error)
{
    size_t n_aliases;
    *error = "no memory";
    d->users_arena = arena_create(LIMIT_DIRECTORY_MEMORY_OCTETS);
    if (!d->users_arena) return false;
    if (mailboxes_read(d->users_folder, d->users_arena, &d->users, error) == MAILBOXES_UNREADABLE) {
        static char text[LIMIT_CONFIG_PATH_OCTETS + 256];
        snprintf(text, sizeof text, "the users in %.*s cannot be read: %s",
                 SPAN_ARG(d->child->config->users_folder), *error);
        *error = text;
        return false;
    }
    *error = "the aliases file cannot be read";
    if (!read_whole(d->aliases_fd, &d->aliases_text, &n_aliases)) return false;
    *error = "users and aliases are too many for the memory allowed";
    return names_load(&d->names, d->child->config, &d->users, span_of(d->aliases_text, n_aliases));
}

static bool directory_prepare(struct child *c, const char **error)
{
    struct directory *d = directory_of(c);
    *error = "the library of cryptography cannot be used";
    if (!secret_warm_up()) return false; /* it opens files at its first use */
    *error = "no memory";
    if (!d) return false;
    d->questions = calloc(QUESTIONS_MAX, sizeof *d->questions);
    guard_upgrade(d->users_folder);
    if (!d->questions || !load(d, error)) return false;
    replace_fd(&d->aliases_fd, -1);
    log_problems(&d->names.problems);
    credentials_load(d->credentials);
    logins_open(d->logins, d->users_folder, d->names.home);
    *error = "the recipient map cannot be made";
    d->map_fd = sealed_map(&d->names.map);
    return d->map_fd >= 0;
}

/* --- questions --- */

static void spooler_lost(struct directory *d, const char *reason)
{
    ipc_close(&d->spooler);
    arena_destroy(&d->arena);
    d->n = 0;
    child_peer_lost(d->child, PROC_SPOOLER, 0, reason);
}

static void spooler_closed(void *context, const char *reason)
{
    spooler_lost(context, reason);
}

static void spooler_asked(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct directory *d = context;
    struct expand_question q;
    (void)type, (void)fds, (void)n_fds;
    if (!d->spooler) return; /* closed while its packet is worked off */
    if (d->n == QUESTIONS_MAX || !expand_question_read(payload, &q)) {
        spooler_lost(d, d->n == QUESTIONS_MAX ? "too many questions" : "malformed question");
        return;
    }
    struct directory_question *copy = &d->questions[(d->first + d->n++) % QUESTIONS_MAX];
    *copy = (struct directory_question){.id = q.id, .recipient = q.recipient, .n = (uint32_t)q.path.n};
    memcpy(copy->path, q.path.p, q.path.n);
}

static void answer_begin(struct directory *d)
{
    const struct directory_question *q = &d->questions[d->first];
    d->expansion = (struct expansion){.count = 0};
    d->sent = 0;
    d->status = EXPAND_LATER;
    d->arena = arena_create(EXPANSION_OCTETS);
    if (d->arena) d->status = names_expand(&d->names, span_of(q->path, q->n), d->arena, &d->expansion);
    if (d->status == EXPAND_OK || d->status == EXPAND_UNKNOWN) return;
    log_begin(LOG_LEVEL_WARNING, "expansion-failed");
    log_span("recipient", span_of(q->path, q->n));
    log_str("reason", d->status == EXPAND_LOOP       ? "aliases lead in a circle or too deep"
                      : d->status == EXPAND_TOO_MANY ? "too many targets"
                                                     : "an alias on the way is broken, or memory is short");
    log_end();
}

/* One part of the answer to the first question. True: it was the last. */
static bool answer_part(struct directory *d, bool *failed)
{
    static uint8_t targets[PART_OCTETS], answer[ANSWER_OCTETS];
    struct buf t = buf_on(targets, sizeof targets), b = buf_on(answer, sizeof answer);
    const struct directory_question *q = &d->questions[d->first];
    struct expand_answer a = {
        .id = q->id, .recipient = q->recipient, .status = (uint8_t)d->status, .owner = d->expansion.owner};
    while (d->sent < d->expansion.count && buf_room(&t) >= EXPAND_PATH_OCTETS + 3) {
        expand_target_put(&t, &d->expansion.targets[d->sent++]);
        a.count++;
    }
    a.last = d->sent == d->expansion.count;
    a.targets = buf_span(&t);
    expand_answer_put(&b, &a);
    *failed = t.over || b.over || !ipc_send(d->spooler, MSG_EXPAND_ANSWER, buf_span(&b));
    return a.last;
}

/* Answers as long as there is room for them in the channel. */
static void answer_questions(struct directory *d)
{
    while (d->spooler && d->n && ipc_can_send(d->spooler)) {
        bool failed;
        if (!d->arena) answer_begin(d);
        bool last = answer_part(d, &failed);
        if (failed) {
            spooler_lost(d, "answers cannot be sent");
            return;
        }
        if (!last) continue;
        arena_destroy(&d->arena);
        d->first = (d->first + 1) % QUESTIONS_MAX;
        d->n--;
        d->answered++;
    }
}

/* --- life --- */

static void spooler_open(struct directory *d, int fd)
{
    ipc_close(&d->spooler);
    arena_destroy(&d->arena);
    d->n = 0;
    d->spooler = ipc_open(d->child->loop, fd, allowed, sizeof allowed / sizeof allowed[0], ANSWERS_QUEUED,
                          spooler_asked, spooler_closed, d);
    if (!d->spooler) log_note(LOG_LEVEL_ERROR, "channel-failed", "spooler", errno);
}

static void directory_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct directory *d = directory_of(c);
    (void)generation;
    if (d && d->logins && role == PROC_EDGE)
        logins_peer(d->logins, index, fd);
    else if (d && d->credentials && role == PROC_RELAY)
        credentials_peer(d->credentials, index, fd);
    else if (d && d->asks && asks_whom(role))
        asks_peer(d->asks, role, fd);
    else if (!d || role != PROC_SPOOLER)
        close(fd);
    else if (d->started)
        spooler_open(d, fd);
    else
        replace_fd(&d->spooler_fd, fd);
}

static bool directory_start(struct child *c, const char **error)
{
    struct directory *d = c->state;
    *error = "the recipient map cannot be handed over";
    if (!child_publish_map(c, d->map_fd)) return false;
    replace_fd(&d->map_fd, -1);
    d->started = true;
    if (d->spooler_fd >= 0) spooler_open(d, d->spooler_fd);
    d->spooler_fd = -1;
    *error = "the thread of credentials cannot be made";
    if (!credentials_start(d->credentials)) return false;
    asks_start(d->asks);
    *error = "the threads of logins cannot be made";
    if (!logins_start(d->logins)) return false;
    log_begin(LOG_LEVEL_INFO, "directory");
    log_u64("mailboxes", d->users.count);
    log_u64("aliases", d->names.aliases->n_names);
    log_u64("map_octets", d->names.map.octets);
    log_u64("credentials", credentials_count(d->credentials));
    log_end();
    return true;
}

/* Nobody of its generation is left that could ask. */
static void directory_drain(struct child *c, bool stopping)
{
    struct directory *d = c->state;
    (void)stopping;
    if (d) credentials_free(&d->credentials); /* wipes */
    if (d && d->asks) asks_stop(d->asks);
    if (d) logins_free(&d->logins); /* a step that is in hand ends first */
    if (d) asks_free(&d->asks);
    child_exit(c, 0);
}

static void directory_status(struct child *c, struct buf *json)
{
    const struct directory *d = c->state;
    buf_str(json, "\"mailboxes\":");
    buf_u64(json, d->users.count);
    buf_str(json, ",\"aliases\":");
    buf_u64(json, d->names.aliases->n_names);
    buf_str(json, ",\"problems\":");
    buf_u64(json, d->names.problems.count);
    buf_str(json, ",\"map_octets\":");
    buf_u64(json, d->names.map.octets);
    if (d->credentials) buf_str(json, ",\"credentials\":");
    if (d->credentials) buf_u64(json, credentials_count(d->credentials));
    buf_str(json, ",\"questions_answered\":");
    buf_u64(json, d->answered);
    if (d->logins) logins_status(d->logins, json);
}

static void directory_after_turn(struct child *c)
{
    struct directory *d = c->state;
    if (!d || !d->started) return;
    if (d->credentials) credentials_flush(d->credentials);
    if (d->logins) logins_flush(d->logins);
    if (d->asks) asks_flush(d->asks);
    if (!d->spooler) return;
    ipc_flush(d->spooler);
    /* what a flush does not send wakes the loop when it can be sent, so nothing is left waiting without an event */
    while (d->spooler && d->n && ipc_can_send(d->spooler)) {
        answer_questions(d);
        if (d->spooler) ipc_flush(d->spooler);
    }
}

const struct child_hooks directory_hooks = {
    .peer = directory_peer,
    .grant = directory_grant,
    .prepare = directory_prepare,
    .start = directory_start,
    .drain = directory_drain,
    .status = directory_status,
    .after_turn = directory_after_turn,
};
