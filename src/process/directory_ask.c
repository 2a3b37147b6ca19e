#include "process/directory_ask.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/list.h"
#include "base/wire.h"
#include "directory/domain_message.h"
#include "process/messages.h"
#include "system/log.h"

enum { PACKETS_QUEUED = 16, TAG_OCTETS = 8 };

static const struct ipc_allowed from_connector[] = {
    {MSG_CONNECT_OPEN, 20, LIMIT_IPC_MESSAGE_OCTETS, 1},
    {MSG_CONNECT_ANSWER, 20, LIMIT_IPC_MESSAGE_OCTETS, 0},
};

static const struct ipc_allowed from_winbind[] = {{MSG_DOMAIN_ANSWER, 9, DOMAIN_ANSWER_OCTETS, 0}};

static const struct ask_row {
    enum role role;
    const char *name;
    uint16_t question;                 /* its type */
    const struct ipc_allowed *answers; /* each begins with the tag */
    unsigned n_answers;
} rows[LOGIN_ASK_COUNT] = {
    [LOGIN_ASK_CONNECTOR] = {PROC_CONNECTOR, "connector", MSG_SERVICE_QUESTION, from_connector,
                             sizeof from_connector / sizeof from_connector[0]},
    [LOGIN_ASK_WINBIND] = {PROC_WINBIND, "winbind", MSG_DOMAIN_QUESTION, from_winbind, 1},
};

enum ask_state { ASK_NEW, ASK_SENT, ASK_ANSWERED, ASK_FAILED };

struct ask { /* of a thread that waits, on its stack */
    struct list place;
    enum login_ask_whom whom;
    enum ask_state state;
    uint64_t tag;
    struct span question;
    struct buf *answer;
    int fd;
};

struct ask_peer {
    struct asks *all;
    struct ipc *channel;
    int fd; /* a conversation that waits for the start; else -1 */
};

struct asks {
    struct watch watch; /* of an eventfd: something is to be sent */
    struct child *child;
    struct login_ask face;
    struct ask_peer peers[LOGIN_ASK_COUNT];
    bool started;
    int stop_fd; /* an eventfd that can be read when no thread may wait any more */
    uint64_t tags;
    pthread_mutex_t mutex; /* for what follows */
    pthread_cond_t changed;
    struct list open;
    unsigned n;
    bool stopped;
};

/* --- in threads */

static struct timespec seconds_from_now(unsigned seconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += seconds;
    return t;
}

static bool ask(void *context, enum login_ask_whom whom, struct span question, struct buf *answer, int *fd)
{
    struct asks *a = context;
    struct ask q = {.whom = whom, .question = question, .answer = answer, .fd = -1};
    const struct timespec end = seconds_from_now(LIMIT_ASK_SECONDS);
    int late = 0;
    pthread_mutex_lock(&a->mutex);
    if (!a->stopped && a->n < LIMIT_ASKS) {
        list_append(&a->open, &q.place);
        a->n++;
        (void)!write(a->watch.fd, &(uint64_t){1}, sizeof(uint64_t));
        while (q.state < ASK_ANSWERED && !late)
            late = pthread_cond_timedwait(&a->changed, &a->mutex, &end);
        list_take(&q.place);
        a->n--;
    }
    pthread_mutex_unlock(&a->mutex);
    *fd = q.fd;
    return q.state == ASK_ANSWERED;
}

static bool wait_for(void *context, int fd, uint64_t ms)
{
    const struct asks *a = context;
    struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = a->stop_fd, .events = POLLIN}};
    int n = poll(p, 2, ms < INT32_MAX ? (int)ms : INT32_MAX); /* signals are the loop's: none interrupts */
    return n > 0 && p[0].revents && !p[1].revents;
}

/* --- in the loop */

static void fail_open(struct asks *a, enum login_ask_whom whom)
{
    for (struct list *l = a->open.next; l != &a->open; l = l->next) {
        struct ask *q = LIST_OF(l, struct ask, place);
        if (q->whom == whom && q->state < ASK_ANSWERED) q->state = ASK_FAILED;
    }
    pthread_cond_broadcast(&a->changed);
}

static void peer_lost(struct ask_peer *p, const char *reason)
{
    struct asks *a = p->all;
    enum login_ask_whom whom = (enum login_ask_whom)(p - a->peers);
    ipc_close(&p->channel);
    pthread_mutex_lock(&a->mutex);
    fail_open(a, whom);
    pthread_mutex_unlock(&a->mutex);
    child_peer_lost(a->child, rows[whom].role, 0, reason);
}

static void peer_closed(void *context, const char *reason)
{
    peer_lost(context, reason);
}

/* False: it cannot be sent. */
static bool send_question(struct ask_peer *p, struct ask *q)
{
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS]; /* wiped: it may be a proof */
    struct asks *a = p->all;
    struct buf b = buf_on(memory, sizeof memory);
    q->tag = ++a->tags;
    q->state = ASK_SENT;
    wire_put_u64(&b, q->tag);
    buf_put(&b, span_skip(q->question, TAG_OCTETS));
    bool sent = q->question.n >= TAG_OCTETS && !b.over && p->channel &&
                ipc_send(p->channel, rows[q->whom].question, buf_span(&b));
    explicit_bzero(memory, b.n);
    return sent;
}

static void woken(struct watch *w, uint32_t events)
{
    struct asks *a = LIST_OF(w, struct asks, watch);
    uint64_t count;
    (void)events;
    while (read(w->fd, &count, sizeof count) == (ssize_t)sizeof count) {
    }
    pthread_mutex_lock(&a->mutex);
    for (struct list *l = a->open.next; l != &a->open; l = l->next) {
        struct ask *q = LIST_OF(l, struct ask, place);
        if (q->state != ASK_NEW || send_question(&a->peers[q->whom], q)) continue;
        q->state = ASK_FAILED;
        pthread_cond_broadcast(&a->changed);
    }
    pthread_mutex_unlock(&a->mutex);
}

/* Null: it waits no more. */
static struct ask *find(struct asks *a, enum login_ask_whom whom, uint64_t tag)
{
    for (struct list *l = a->open.next; l != &a->open; l = l->next) {
        struct ask *q = LIST_OF(l, struct ask, place);
        if (q->whom == whom && q->state == ASK_SENT && q->tag == tag) return q;
    }
    return NULL;
}

static void answered(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct ask_peer *p = context;
    struct asks *a = p->all;
    struct wire w = wire_on(payload);
    uint64_t tag = wire_u64(&w);
    (void)type;
    pthread_mutex_lock(&a->mutex);
    struct ask *q = p->channel ? find(a, (enum login_ask_whom)(p - a->peers), tag) : NULL;
    if (q) {
        buf_put(q->answer, payload);
        q->state = q->answer->over ? ASK_FAILED : ASK_ANSWERED;
        pthread_cond_broadcast(&a->changed);
    }
    bool taken = q && q->state == ASK_ANSWERED && n_fds == 1;
    if (taken) q->fd = fds[0];
    pthread_mutex_unlock(&a->mutex);
    for (unsigned i = taken; i < n_fds; i++)
        close(fds[i]);
}

/* --- life */

struct asks *asks_create(struct child *c)
{
    struct asks *a = calloc(1, sizeof *a);
    pthread_condattr_t clock;
    if (!a) return NULL;
    *a = (struct asks){
        .child = c, .face = {a, ask, wait_for}, .stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    list_begin(&a->open);
    for (unsigned i = 0; i < LOGIN_ASK_COUNT; i++)
        a->peers[i] = (struct ask_peer){.all = a, .fd = -1};
    pthread_mutex_init(&a->mutex, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &clock);
    pthread_condattr_destroy(&clock);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (a->stop_fd >= 0 && fd >= 0 && loop_watch(c->loop, &a->watch, fd, LOOP_READ, woken)) return a;
    if (fd >= 0) close(fd);
    if (a->stop_fd >= 0) close(a->stop_fd);
    free(a);
    return NULL;
}

void asks_free(struct asks **asks)
{
    struct asks *a = *asks;
    if (!a) return;
    *asks = NULL;
    for (unsigned i = 0; i < LOGIN_ASK_COUNT; i++) {
        ipc_close(&a->peers[i].channel);
        if (a->peers[i].fd >= 0) close(a->peers[i].fd);
    }
    loop_close(a->child->loop, &a->watch);
    close(a->stop_fd);
    pthread_mutex_destroy(&a->mutex);
    pthread_cond_destroy(&a->changed);
    free(a);
}

const struct login_ask *asks_of(const struct asks *a)
{
    return &a->face;
}

static struct ask_peer *peer_of(struct asks *a, enum role role)
{
    for (unsigned i = 0; i < LOGIN_ASK_COUNT; i++)
        if (rows[i].role == role) return &a->peers[i];
    return NULL;
}

bool asks_whom(enum role role)
{
    for (unsigned i = 0; i < LOGIN_ASK_COUNT; i++)
        if (rows[i].role == role) return true;
    return false;
}

static void peer_open(struct ask_peer *p, int fd)
{
    struct asks *a = p->all;
    const struct ask_row *row = &rows[p - a->peers];
    if (p->channel) peer_lost(p, "replaced");
    p->channel =
        ipc_open(a->child->loop, fd, row->answers, row->n_answers, PACKETS_QUEUED, answered, peer_closed, p);
    if (p->channel)
        ipc_secret(p->channel);
    else
        log_note(LOG_LEVEL_ERROR, "channel-failed", row->name, errno);
}

void asks_peer(struct asks *a, enum role role, int fd)
{
    struct ask_peer *p = peer_of(a, role);
    if (!p) {
        close(fd);
        return;
    }
    if (a->started) {
        peer_open(p, fd);
        return;
    }
    if (p->fd >= 0) close(p->fd);
    p->fd = fd;
}

void asks_start(struct asks *a)
{
    a->started = true;
    for (unsigned i = 0; i < LOGIN_ASK_COUNT; i++) {
        if (a->peers[i].fd >= 0) peer_open(&a->peers[i], a->peers[i].fd);
        a->peers[i].fd = -1;
    }
}

void asks_stop(struct asks *a)
{
    pthread_mutex_lock(&a->mutex);
    a->stopped = true;
    for (unsigned i = 0; i < LOGIN_ASK_COUNT; i++)
        fail_open(a, (enum login_ask_whom)i);
    pthread_mutex_unlock(&a->mutex);
    (void)!write(a->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
}

void asks_flush(struct asks *a)
{
    for (unsigned i = 0; i < LOGIN_ASK_COUNT; i++)
        if (a->peers[i].channel) ipc_flush(a->peers[i].channel);
}
