/* Whom Dovecot proves (login dovecot): the client's responses go to Dovecot's authentication service and its challenges back
 * (sasl/dovecot.h), on a connection of this conversation alone: it survives nothing, and so needs nothing but a new one when Dovecot
 * was started again. Dovecot says who it is; what that permits is asked here, as of everybody. */
#include <errno.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "policy/network.h"
#include "sasl/dovecot.h"
#include "sasl/plain.h"
#include "service/connect_message.h"
#include "service/login_private.h"

enum { REQUEST = 1 }; /* the only one of its connection */

static atomic_uint connections, opened; /* of this process, at a time and ever */

struct talk {
    int fd;            /* -1: not opened yet, or over */
    uint64_t until_ms; /* the end of this step */
    struct span name;  /* of LOGIN */
    size_t at, n;      /* octets of in: read, and there */
    uint8_t in[LIMIT_DOVECOT_LINE_OCTETS], out[LIMIT_DOVECOT_LINE_OCTETS];
};

/* --- the connection. Each function returns what is wrong; NONE: nothing. */

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void hang_up(struct talk *k)
{
    if (k->fd < 0) return;
    close(k->fd);
    k->fd = -1;
    atomic_fetch_sub(&connections, 1);
}

static enum login_reason say(struct talk *k, const struct buf *b)
{
    if (b->over) return LOGIN_REASON_DOVECOT_NONSENSE; /* no response is so long, and no challenge */
    ssize_t n = send(k->fd, b->p, b->n, MSG_NOSIGNAL | MSG_DONTWAIT); /* less than a socket holds */
    return n == (ssize_t)b->n ? LOGIN_REASON_NONE : LOGIN_REASON_DOVECOT_AWAY;
}

/* The client went away in the middle, or this process ends. */
static void end(struct login *l)
{
    struct talk *k = l->state;
    struct buf b = buf_on(k->out, sizeof k->out);
    if (k->fd < 0) return;
    dovecot_put_cancel(&b, REQUEST);
    (void)say(k, &b);
    hang_up(k);
}

/* More of what it says into k->in. */
static enum login_reason listen_on(const struct login *l, struct talk *k)
{
    const struct login_ask *ask = l->world->ask;
    memmove(k->in, k->in + k->at, k->n - k->at);
    k->n -= k->at;
    k->at = 0;
    if (k->n == sizeof k->in) return LOGIN_REASON_DOVECOT_NONSENSE;
    for (;;) {
        ssize_t n = recv(k->fd, k->in + k->n, sizeof k->in - k->n, MSG_DONTWAIT);
        uint64_t now = now_ms();
        if (n > 0) k->n += (size_t)n;
        if (n > 0) return LOGIN_REASON_NONE;
        if (n == 0 || (errno != EAGAIN && errno != EINTR)) return LOGIN_REASON_DOVECOT_AWAY;
        if (now >= k->until_ms || !ask->wait(ask->context, k->fd, k->until_ms - now))
            return LOGIN_REASON_DOVECOT_SILENT;
    }
}

/* The next line; it lies in k->in until the next call. */
static enum login_reason hear(const struct login *l, struct talk *k, struct span *line)
{
    for (;;) {
        struct span there = span_of(k->in + k->at, k->n - k->at);
        if (dovecot_line_take(&there, line)) {
            k->at = k->n - there.n;
            return LOGIN_REASON_NONE;
        }
        enum login_reason wrong = listen_on(l, k);
        if (wrong) return wrong;
    }
}

/* A number that no other connection has: process ids, which Dovecot's own clients say, are smaller. */
static uint32_t own_number(void)
{
    uint32_t process = (uint32_t)getpid() & 0x3fff, count = atomic_fetch_add(&opened, 1) & 0xffff;
    return UINT32_C(1) << 30 | process << 16 | count;
}

static enum login_reason greet(const struct login *l, struct talk *k, enum mechanism m)
{
    struct dovecot_server server = {0};
    struct buf b = buf_on(k->out, sizeof k->out);
    struct span line;
    dovecot_put_hello(&b, own_number());
    enum login_reason wrong = say(k, &b);
    while (!wrong && !server.done) {
        wrong = hear(l, k, &line);
        if (!wrong && !dovecot_handshake(&server, line)) wrong = LOGIN_REASON_DOVECOT_NONSENSE;
    }
    if (wrong) return wrong;
    return server.mechanisms & MECHANISM_BIT(m) ? LOGIN_REASON_NONE : LOGIN_REASON_DOVECOT_MECHANISM;
}

/* *ret: a connected socket; -1: none is to be had. */
static void ask_for_socket(const struct login *l, int *ret)
{
    uint8_t question[CONNECT_SERVICE_QUESTION_OCTETS], answer[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf q = buf_on(question, sizeof question), a = buf_on(answer, sizeof answer);
    const struct login_ask *ask = l->world->ask;
    struct connect_answer said;
    connect_service_question_put(&q, &(struct connect_service_question){.service = CONNECT_SERVICE_DOVECOT});
    *ret = -1;
    if (!ask->ask(ask->context, LOGIN_ASK_CONNECTOR, buf_span(&q), &a, ret)) return;
    if (connect_answer_read(buf_span(&a), &said) && said.status == CONNECT_OPEN) return;
    if (*ret >= 0) close(*ret);
    *ret = -1;
}

/* Who waits for clients in the middle of a conversation leaves room for passwords, which are one step, in one thread. */
static unsigned most(const struct login *l)
{
    bool password = MECHANISM_PASSWORDS & MECHANISM_BIT(l->begin.mechanism);
    return LIMIT_DOVECOT_CONNECTIONS - (password ? 0 : LIMIT_LOGIN_OUTSIDE_THREADS);
}

static enum login_reason call(const struct login *l, struct talk *k, enum mechanism m)
{
    bool room = atomic_fetch_add(&connections, 1) < most(l);
    if (room) ask_for_socket(l, &k->fd);
    if (k->fd >= 0) return greet(l, k, m);
    atomic_fetch_sub(&connections, 1);
    return room ? LOGIN_REASON_DOVECOT_AWAY : LOGIN_REASON_DOVECOT_BUSY;
}

/* --- the conversation */

static enum login_kind give_up(struct login *l, struct talk *k, enum login_reason reason)
{
    hang_up(k);
    return login_fail(l, reason);
}

static enum login_kind failed(struct login *l, enum dovecot_code code)
{
    static const enum login_reason reasons[] = {[DOVECOT_REFUSED] = LOGIN_REASON_WRONG_SECRET,
                                                [DOVECOT_TEMPORARY] = LOGIN_REASON_DOVECOT_FAILED,
                                                [DOVECOT_AUTHORISATION] = LOGIN_REASON_AUTHZID,
                                                [DOVECOT_DISABLED] = LOGIN_REASON_DISABLED,
                                                [DOVECOT_EXPIRED] = LOGIN_REASON_EXPIRED};
    return login_fail(l, reasons[code]);
}

/* Of names that have none. */
static struct span domain_of(const struct login_world *w)
{
    return w->config->dovecot.domain.n ? w->config->dovecot.domain : w->home;
}

static bool is_anonymous(const struct dovecot_reply *r)
{
    struct span local = span_head(r->user, span_find(r->user, '@'));
    return r->anonymous || span_eq_nocase(local, SPAN("anonymous"));
}

/* OK: somebody proved to be this user. To act for another one is a right that nobody has here (RFC 4422 3.4.1). */
static enum login_kind vouched(struct login *l, struct login_thread *t, const struct dovecot_reply *r)
{
    const struct login_world *w = l->world;
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    if (is_anonymous(r)) return login_fail(l, LOGIN_REASON_ANONYMOUS);
    if (r->actor.n && !span_eq(r->actor, r->user)) return login_fail(l, LOGIN_REASON_AUTHZID);
    if (r->no_login) return login_fail(l, LOGIN_REASON_LOCKED);
    buf_put(&name, r->user);
    if (span_find(r->user, '@') == SPAN_NPOS) {
        buf_byte(&name, '@');
        buf_put(&name, domain_of(w));
    }
    return name.over ? login_fail(l, LOGIN_REASON_UNKNOWN_USER)
                     : login_outside(l, t, buf_span(&name), NULL, 0);
}

static enum login_kind listen_to_it(struct login *l, struct login_thread *t, struct talk *k)
{
    struct buf memory = buf_on(l->challenge, sizeof l->challenge);
    struct dovecot_reply r;
    struct span line;
    enum login_reason wrong = hear(l, k, &line);
    if (wrong) return give_up(l, k, wrong);
    dovecot_reply_read(line, REQUEST, &memory, &r);
    bool password = MECHANISM_PASSWORDS & MECHANISM_BIT(l->begin.mechanism);
    if (r.kind == DOVECOT_CONT && !password) {
        l->out = r.challenge;
        return LOGIN_CHALLENGE;
    }
    if (r.user.n) login_claim(l, r.user);
    if (r.kind != DOVECOT_FAIL && (r.kind != DOVECOT_OK || r.user.n == 0))
        return give_up(l, k, LOGIN_REASON_DOVECOT_NONSENSE);
    hang_up(k);
    if (r.kind == DOVECOT_OK) return vouched(l, t, &r);
    login_suspect(l, t, span_of(l->report.claimed, l->report.claimed_n), domain_of(l->world));
    return failed(l, r.code);
}

static enum login_kind begin(struct login *l, struct login_thread *t, struct talk *k, enum mechanism m,
                             bool initial, struct span response)
{
    static const struct address unknown;
    uint8_t memory[64], here[64];
    struct buf client = buf_on(memory, sizeof memory), local = buf_on(here, sizeof here);
    struct buf b = buf_on(k->out, sizeof k->out);
    struct address a;
    k->until_ms = now_ms() + LIMIT_DOVECOT_SECONDS * 1000;
    enum login_reason wrong = call(l, k, m);
    if (wrong) return give_up(l, k, wrong);
    memcpy(a.octets, l->begin.client, sizeof a.octets);
    address_put(&client, &a);
    memcpy(a.octets, l->begin.local, sizeof a.octets);
    if (memcmp(&a, &unknown, sizeof a) != 0) address_put(&local, &a);
    dovecot_put_auth(&b, &(struct dovecot_request){.id = REQUEST,
                                                   .mechanism = mechanism_table[m].name,
                                                   .tls = l->begin.tls != LOGIN_CLEAR,
                                                   .client = buf_span(&client),
                                                   .local = buf_span(&local),
                                                   .local_port = l->begin.local_port,
                                                   .initial = initial,
                                                   .response = response});
    wrong = say(k, &b);
    return wrong ? give_up(l, k, wrong) : listen_to_it(l, t, k);
}

/* Whatever the client has of PLAIN and LOGIN, Dovecot hears PLAIN: all of them speak that. */
static enum login_kind begin_password(struct login *l, struct login_thread *t, struct talk *k,
                                      struct span response, bool initial)
{
    struct plain_message p;
    enum login_kind kind = login_password_take(l, &k->name, response, initial, &p);
    if (kind != LOGIN_SUCCESS) return kind;
    login_claim(l, p.authcid);
    if (!login_authzid_permitted(l, p.authzid, p.authcid)) return login_fail(l, LOGIN_REASON_AUTHZID);
    uint8_t *memory = arena_take(l->arena, p.authcid.n + p.password.n + 2);
    if (!memory) return LOGIN_LATER;
    struct buf message = buf_on(memory, p.authcid.n + p.password.n + 2);
    buf_byte(&message, 0);
    buf_put(&message, p.authcid);
    buf_byte(&message, 0);
    buf_put(&message, p.password);
    return begin(l, t, k, MECHANISM_PLAIN, true, buf_span(&message));
}

static enum login_kind go_on(struct login *l, struct login_thread *t, struct talk *k, struct span response)
{
    struct buf b = buf_on(k->out, sizeof k->out);
    k->until_ms = now_ms() + LIMIT_DOVECOT_SECONDS * 1000;
    dovecot_put_cont(&b, REQUEST, response);
    enum login_reason wrong = say(k, &b);
    return wrong ? give_up(l, k, wrong) : listen_to_it(l, t, k);
}

bool login_dovecot_waits(const struct login_begin *m)
{
    return m->initial || mechanism_table[m->mechanism].flags & MECHANISM_SERVER_FIRST;
}

enum login_kind login_dovecot(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    enum mechanism m = (enum mechanism)l->begin.mechanism;
    struct talk *k = l->state;
    if (!k) {
        k = arena_take(l->arena, sizeof *k);
        if (!k) return LOGIN_LATER;
        k->fd = -1;
        l->state = k;
        l->end = end;
    }
    bool waits = l->step > 0 || login_dovecot_waits(&l->begin);
    l->outside = true; /* the next one, if there is one */
    if (k->fd >= 0) return go_on(l, t, k, response);
    if (MECHANISM_PASSWORDS & MECHANISM_BIT(m)) return begin_password(l, t, k, response, initial);
    if (!waits) return LOGIN_CHALLENGE; /* an empty one: the client begins */
    return begin(l, t, k, m, initial || l->step > 0, response);
}
