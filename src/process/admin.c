/* admin: the one process that the operator talks to. It holds the control socket (0660: who may open it may ask), knows nothing
 * itself and asks the spooler, the connector and the supervisor. Every client is bounded: one line of request, one page in memory, a time for each
 * step; the spooler is asked for the next page only when the client has taken the last one. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/admin_private.h"
#include "process/messages.h"
#include "service/connect_message.h"
#include "system/log.h"

enum { PACKETS = 2 * LIMIT_CONTROL_CLIENTS, DRAIN_MS = 2000 };

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

static bool ask_spooler(struct admin_client *c)
{
    uint8_t memory[QUESTION_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    c->question.tag = c->turn;
    c->question.uid = c->uid;
    question_put(&b, &c->question);
    return !b.over && admin.spooler && ipc_send(admin.spooler, MSG_QUEUE_QUESTION, buf_span(&b));
}

static bool ask_connector(struct admin_client *c)
{
    uint8_t memory[NEXT_HOP_KEY_OCTETS + 64];
    struct buf b = buf_on(memory, sizeof memory);
    struct connect_question q = {.tag = c->turn};
    struct wire w = wire_on(span_of(c->request.hop, c->request.hop_octets));
    if (!next_hop_read(&w, &q.hop)) return false;
    connect_question_put(&b, &q);
    return !b.over && admin.connector && ipc_send(admin.connector, MSG_EXPLAIN_QUESTION, buf_span(&b));
}

void admin_ask(struct admin_client *c)
{
    c->turn = ++admin.turns;
    if (c->request.verb == CONTROL_EXPLAIN_HOP) {
        c->phase = ADMIN_CONNECTOR;
        if (!ask_connector(c)) admin_client_end(c, CONTROL_BUSY, "the connector does not listen");
        return;
    }
    if (c->phase == ADMIN_READING) { /* nothing for the spooler */
        c->phase = ADMIN_QUEUED;
        admin_next_turn(&admin);
        return;
    }
    c->phase = ADMIN_SPOOLER;
    if (!ask_spooler(c)) admin_client_end(c, CONTROL_BUSY, "the spooler does not listen");
}

static void fail_questions(enum role of)
{
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        struct admin_client *c = &admin.clients[i];
        if (of == PROC_SPOOLER && (c->phase == ADMIN_SPOOLER || c->phase == ADMIN_PAGE))
            admin_client_end(c, CONTROL_BUSY, "the spooler was restarted");
        if (of == PROC_CONNECTOR && c->phase == ADMIN_CONNECTOR)
            admin_client_end(c, CONTROL_BUSY, "the connector was restarted");
    }
}

static void on_spooler_closed(void *context, const char *reason)
{
    (void)context;
    ipc_close(&admin.spooler);
    child_peer_lost(admin.child, PROC_SPOOLER, 0, reason);
    fail_questions(PROC_SPOOLER);
}

static void on_connector_closed(void *context, const char *reason)
{
    (void)context;
    ipc_close(&admin.connector);
    child_peer_lost(admin.child, PROC_CONNECTOR, 0, reason);
    fail_questions(PROC_CONNECTOR);
}

/* Of the spooler and the connector: each answers its own questions only. */
static void on_answer(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    enum admin_phase phase = type == MSG_QUEUE_ANSWER ? ADMIN_SPOOLER : ADMIN_CONNECTOR;
    (void)context;
    (void)fds;
    (void)n_fds;
    struct answer m;
    if (!answer_read(payload, &m) || (phase == ADMIN_CONNECTOR && !m.last)) {
        (phase == ADMIN_SPOOLER ? on_spooler_closed : on_connector_closed)(NULL, "malformed answer");
        return;
    }
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS; i++) {
        struct admin_client *c = &admin.clients[i];
        if (c->phase != phase || c->turn != m.tag) continue;
        c->question.cursor = m.cursor;
        if (m.status == ANSWER_UNKNOWN)
            admin_client_end(c, CONTROL_UNKNOWN, "no such message");
        else if (m.status == ANSWER_BUSY)
            admin_client_end(c, CONTROL_BUSY, "no room in the spooler for more now: try the rest again");
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

static void open_channel(struct child *c, enum role role, int fd)
{
    static const struct ipc_allowed of_spooler[] = {
        {MSG_QUEUE_ANSWER, ANSWER_HEAD_OCTETS, LIMIT_IPC_MESSAGE_OCTETS, 0}};
    static const struct ipc_allowed of_connector[] = {
        {MSG_EXPLAIN_ANSWER, ANSWER_HEAD_OCTETS, LIMIT_IPC_MESSAGE_OCTETS, 0}};
    bool spooler = role == PROC_SPOOLER;
    struct ipc **channel = spooler ? &admin.spooler : &admin.connector;
    if (*channel) {
        ipc_close(channel);
        fail_questions(role);
    }
    *channel = ipc_open(c->loop, fd, spooler ? of_spooler : of_connector, 1, PACKETS, on_answer,
                        spooler ? on_spooler_closed : on_connector_closed, NULL);
    if (!*channel) log_note(LOG_LEVEL_ERROR, "channel-failed", spooler ? "spooler" : "connector", errno);
}

static void admin_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    (void)generation;
    admin.child = c;
    if ((role == PROC_SPOOLER || role == PROC_CONNECTOR) && index == 0) {
        open_channel(c, role, fd);
        return;
    }
    close(fd);
    log_note(LOG_LEVEL_ERROR, "peer", "admin talks to the spooler and the connector only", 0);
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
    if (admin.connector) ipc_flush(admin.connector);
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
