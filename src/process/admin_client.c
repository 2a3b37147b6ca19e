#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/admin_private.h"
#include "system/log.h"

static void on_late(struct timer *t)
{
    struct admin_client *c =
        (struct admin_client *)(void *)((char *)t - offsetof(struct admin_client, timer));
    log_begin(LOG_LEVEL_WARNING, "control-late");
    log_u64("pid", (uint64_t)c->pid);
    log_str("request", control_verb_name(c->request.verb));
    log_end();
    /* Who waits for a process gets a word; who does not read or does not ask is closed. */
    if (c->phase == ADMIN_SPOOLER || c->phase == ADMIN_CONNECTOR || c->phase == ADMIN_QUEUED ||
        c->phase == ADMIN_SUPERVISOR)
        admin_client_end(c, CONTROL_BUSY, "no answer in time");
    else
        admin_client_close(c);
}

static void set_timer(struct admin_client *c, uint64_t seconds)
{
    struct loop *l = c->admin->child->loop;
    loop_timer_set(l, &c->timer, loop_now_ms(l) + seconds * 1000, on_late);
}

void admin_client_close(struct admin_client *c)
{
    struct admin *a = c->admin;
    if (c->phase == ADMIN_FREE) return;
    c->phase = ADMIN_FREE;
    loop_timer_stop(a->child->loop, &c->timer);
    loop_forget(a->child->loop, &c->watch);
    close(c->watch.fd);
    admin_next_turn(a);
}

/* False: the client is gone and closed. */
static bool send_out(struct admin_client *c)
{
    while (c->sent < c->out.n) {
        struct iovec part = {c->out.p + c->sent, c->out.n - c->sent};
        struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
        ssize_t n = sendmsg(c->watch.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
        if (n <= 0) {
            admin_client_close(c);
            return false;
        }
        c->sent += (size_t)n;
        set_timer(c, LIMIT_CONTROL_STALL_SECONDS);
    }
    c->out.n = c->sent = 0;
    if (c->phase == ADMIN_ENDING) {
        admin_client_close(c);
        return false;
    }
    if (c->phase == ADMIN_PAGE) admin_ask(c);
    return c->phase != ADMIN_FREE;
}

void admin_client_answer(struct admin_client *c, struct span lines, enum control_status status, bool last)
{
    control_lines_put(&c->out, lines);
    c->phase = last ? ADMIN_ENDING : ADMIN_PAGE;
    if (last) control_end_put(&c->out, status, (struct span){NULL, 0});
    set_timer(c, LIMIT_CONTROL_STALL_SECONDS);
    send_out(c);
}

void admin_client_end(struct admin_client *c, enum control_status status, const char *text)
{
    if (c->phase == ADMIN_FREE || c->phase == ADMIN_ENDING) return;
    c->phase = ADMIN_ENDING;
    control_end_put(&c->out, status, span_str(text));
    set_timer(c, LIMIT_CONTROL_STALL_SECONDS);
    send_out(c);
}

static void whole_line(struct admin_client *c, size_t n)
{
    const char *why = "";
    bool ok = control_request_read((struct span){c->line, n}, &c->request, &why);
    log_begin(ok ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "control");
    log_u64("uid", c->uid);
    log_u64("pid", (uint64_t)c->pid);
    if (ok)
        log_str("request", control_verb_name(c->request.verb));
    else
        log_span("malformed", (struct span){c->line, n});
    log_end();
    if (!ok) {
        admin_client_end(c, CONTROL_BAD, why);
        return;
    }
    if (control_question(&c->request, &c->question)) c->phase = ADMIN_SPOOLER;
    set_timer(c, LIMIT_CONTROL_STALL_SECONDS);
    admin_ask(c);
}

static void read_line(struct admin_client *c)
{
    while (c->phase == ADMIN_READING) {
        if (c->line_n == sizeof c->line) {
            admin_client_end(c, CONTROL_BAD, "request too long");
            return;
        }
        ssize_t n = read(c->watch.fd, c->line + c->line_n, sizeof c->line - c->line_n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (n <= 0) {
            admin_client_close(c);
            return;
        }
        c->line_n += (size_t)n;
        size_t end = span_find((struct span){c->line, c->line_n}, '\n');
        if (end != SPAN_NPOS)
            whole_line(c, end); /* what follows the line is nobody's: one request a connection */
    }
}

static void on_event(struct watch *w, uint32_t events)
{
    struct admin_client *c = (struct admin_client *)w;
    if (events & (LOOP_READ | LOOP_HUP)) read_line(c);
    if ((events & LOOP_WRITE) && c->phase != ADMIN_FREE && c->out.n > 0) send_out(c);
}

static void refuse(int fd)
{
    char memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    control_end_put(&b, CONTROL_BUSY, SPAN("too many clients"));
    struct iovec part = {b.p, b.n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    /* A fresh socket has room for one line; a client that is gone already needs none. */
    if (sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE)
        log_note(LOG_LEVEL_WARNING, "control-refused", "cannot tell the client", errno);
    close(fd);
}

void admin_client_accept(struct admin *a, int fd)
{
    struct admin_client *c = NULL;
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS && !c; i++)
        if (a->clients[i].phase == ADMIN_FREE) c = &a->clients[i];
    struct ucred who = {.pid = 0, .uid = UINT32_MAX, .gid = UINT32_MAX};
    socklen_t n = sizeof who;
    if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) != 0) {
        refuse(fd);
        return;
    }
    c->admin = a;
    c->phase = ADMIN_READING;
    c->request = (struct control_request){.verb = CONTROL_VERB_COUNT};
    c->uid = who.uid;
    c->pid = who.pid;
    c->line_n = c->sent = 0;
    c->out = buf_on(c->memory, sizeof c->memory);
    if (!loop_watch(a->child->loop, &c->watch, fd, LOOP_READ | LOOP_WRITE, on_event)) {
        c->phase = ADMIN_FREE;
        refuse(fd);
        return;
    }
    set_timer(c, LIMIT_CONTROL_REQUEST_SECONDS);
}
