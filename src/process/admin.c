/* admin: the one process that the operator talks to. It holds the control socket (0660: who may open it may ask), knows nothing
 * itself and asks the spooler and the supervisor. Every client is bounded: one line of request, one page in memory, a time for each
 * step; the spooler is asked for the next page only when the client has taken the last one. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/admin_private.h"
#include "process/messages.h"
#include "system/log.h"

enum { SPOOLER_PACKETS = 2 * LIMIT_CONTROL_CLIENTS, DRAIN_MS = 2000 };

static struct admin admin; /* one a process */

static void stop_when_idle(void)
{
    if (!admin.draining) return;
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        if (admin.clients[i].phase != ADMIN_FREE) return;
    child_exit(admin.child, 0);
}

/* One question is open at a time, and the next one waits for its answer even when its client has left. */
static void on_supervisor(struct child *child, uint32_t question, struct span text)
{
    uint64_t turn = admin.asked;
    (void)child;
    admin.asked = 0;
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        struct admin_client *c = &admin.clients[i];
        if (c->phase != ADMIN_SUPERVISOR || c->turn != turn) continue;
        if (text.n > LIMIT_IPC_MESSAGE_OCTETS) {
            admin_client_end(c, CONTROL_FAILED, "the answer is too long");
            break;
        }
        bool failed = question != CHILD_ASK_STATUS && text.n > 0;
        admin_client_answer(c, text, failed ? CONTROL_FAILED : CONTROL_OK, true);
        break;
    }
    admin_next_turn(&admin);
}

void admin_next_turn(struct admin *a)
{
    static const uint32_t questions[] = {[CONTROL_STATUS] = CHILD_ASK_STATUS,
                                         [CONTROL_RELOAD] = CHILD_ASK_RELOAD,
                                         [CONTROL_STOP] = CHILD_ASK_STOP};
    struct admin_client *next = NULL;
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS && a->asked == 0; i++) {
        struct admin_client *c = &a->clients[i];
        if (c->phase == ADMIN_QUEUED && (!next || c->turn < next->turn)) next = c;
    }
    if (next) {
        next->phase = ADMIN_SUPERVISOR;
        a->asked = next->turn;
        if (!child_ask(a->child, questions[next->request.verb], (struct span){NULL, 0}, on_supervisor)) {
            a->asked = 0;
            admin_client_end(next, CONTROL_BUSY, "the supervisor does not listen");
        }
    }
    stop_when_idle();
}

void admin_ask(struct admin_client *c)
{
    uint8_t memory[QUESTION_HEAD_OCTETS + 5 * LIMIT_QUESTION_FILTER_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    c->turn = ++admin.turns;
    if (c->phase == ADMIN_READING) { /* nothing for the spooler */
        c->phase = ADMIN_QUEUED;
        admin_next_turn(&admin);
        return;
    }
    c->phase = ADMIN_SPOOLER;
    c->question.tag = c->turn;
    c->question.uid = c->uid;
    question_put(&b, &c->question);
    if (b.over || !admin.spooler || !ipc_send(admin.spooler, MSG_QUEUE_QUESTION, buf_span(&b)))
        admin_client_end(c, CONTROL_BUSY, "the spooler does not listen");
}

static void fail_questions(void)
{
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        struct admin_client *c = &admin.clients[i];
        if (c->phase == ADMIN_SPOOLER || c->phase == ADMIN_PAGE)
            admin_client_end(c, CONTROL_BUSY, "the spooler was restarted");
    }
}

static void on_spooler_closed(void *context, const char *reason)
{
    (void)context;
    ipc_close(&admin.spooler);
    child_peer_lost(admin.child, PROC_SPOOLER, 0, reason);
    fail_questions();
}

static void on_answer(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    (void)context;
    (void)type;
    (void)fds;
    (void)n_fds;
    struct answer m;
    if (!answer_read(payload, &m)) {
        on_spooler_closed(NULL, "malformed answer");
        return;
    }
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        struct admin_client *c = &admin.clients[i];
        if (c->phase != ADMIN_SPOOLER || c->turn != m.tag) continue;
        c->question.cursor = m.cursor;
        if (m.status == ANSWER_UNKNOWN)
            admin_client_end(c, CONTROL_UNKNOWN, "no such message");
        else if (m.status == ANSWER_BUSY)
            admin_client_end(c, CONTROL_BUSY, "the spooler is busy");
        else
            admin_client_answer(c, m.text, CONTROL_OK, m.last);
        return;
    }
    /* The client left before its answer came. */
}

static void on_connection(struct watch *w, uint32_t events)
{
    (void)events;
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED)
                log_note(LOG_LEVEL_ERROR, "control-accept", "accept failed", errno);
            return;
        }
        admin_client_accept(&admin, fd);
    }
}

static void admin_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    static const struct ipc_allowed allowed[] = {
        {MSG_QUEUE_ANSWER, ANSWER_HEAD_OCTETS, LIMIT_IPC_MESSAGE_OCTETS, 0}};
    (void)generation;
    admin.child = c;
    if (role != PROC_SPOOLER || index != 0) {
        close(fd);
        log_note(LOG_LEVEL_ERROR, "peer", "admin talks to the spooler only", 0);
        return;
    }
    if (admin.spooler) {
        ipc_close(&admin.spooler);
        fail_questions();
    }
    admin.spooler = ipc_open(c->loop, fd, allowed, 1, SPOOLER_PACKETS, on_answer, on_spooler_closed, NULL);
    if (!admin.spooler) log_note(LOG_LEVEL_ERROR, "peer", "cannot open the channel to the spooler", errno);
}

static void admin_grant(struct child *c, enum grant kind, unsigned a, unsigned b, int fd)
{
    (void)a;
    (void)b;
    admin.child = c;
    if (kind != GRANT_CONTROL || admin.listening) {
        close(fd);
        log_note(LOG_LEVEL_ERROR, "grant", "admin holds one control socket and nothing else", 0);
        return;
    }
    admin.listening = true;
    admin.listener.fd = fd;
}

static bool admin_prepare(struct child *c, const char **error)
{
    admin.child = c;
    c->state = &admin;
    *error = "no control socket was granted";
    return admin.listening;
}

static bool admin_start(struct child *c, const char **error)
{
    *error = "cannot watch the control socket";
    return loop_watch(c->loop, &admin.listener, admin.listener.fd, LOOP_READ | LOOP_LEVEL, on_connection);
}

static void on_drained(struct timer *t)
{
    (void)t;
    child_exit(admin.child, 0);
}

static void admin_drain(struct child *c, bool stopping)
{
    static struct timer end;
    (void)stopping; /* admin has no generations */
    if (admin.draining) return;
    admin.draining = true;
    loop_forget(c->loop, &admin.listener);
    close(admin.listener.fd);
    loop_timer_set(c->loop, &end, loop_now_ms(c->loop) + DRAIN_MS, on_drained);
    stop_when_idle();
}

static void admin_status(struct child *c, struct buf *json)
{
    unsigned clients = 0;
    (void)c;
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++)
        clients += admin.clients[i].phase != ADMIN_FREE;
    buf_str(json, "\"clients\":");
    buf_u64(json, clients);
}

static void admin_after_turn(struct child *c)
{
    (void)c;
    if (admin.spooler) ipc_flush(admin.spooler);
}

const struct child_hooks admin_hooks = {
    .peer = admin_peer,
    .grant = admin_grant,
    .prepare = admin_prepare,
    .start = admin_start,
    .drain = admin_drain,
    .status = admin_status,
    .after_turn = admin_after_turn,
};
