#include "outbound_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/crc32c.h"

struct outbound_fixture t;

static struct tls_keyring_here keyring = {.mood = KEYRING_AT_ONCE};
static struct tls_context *server_tls;
struct tls_client_context *client_tls;

/* ---- the caller */

static int segment_of(void *context, uint32_t segment)
{
    (void)context;
    return segment == 7 ? t.segment : -1;
}

static void on_ready(struct outbound_session *s, void *owner)
{
    assert_ptr_equal(owner, &t);
    t.ready++;
    struct buf b = buf_on(t.tls, sizeof t.tls - 1);
    outbound_put_tls(s, &b);
    t.tls[b.n] = '\0';
    if (t.to_send > 0) {
        t.to_send--;
        outbound_send(s, &t.message);
        if (t.patience == PATIENT) return;
        uint64_t waited = LIMIT_TRANSACTION_SECONDS * 1000 - 20;
        t.end.hung = true;
        s->begun_ms -= waited;
        s->until_ms -= waited;
        if (t.patience == NO_LAST_REPLY) t.hung_until_ms = loop_now_ms(t.loop) + 100;
    } else if (!t.stay) {
        outbound_quit(s);
    }
}

static void on_auth(struct outbound_session *s, void *owner, struct span mechanisms, struct span challenge)
{
    (void)owner, (void)mechanisms, (void)challenge;
    outbound_auth(s, &(struct client_login){.mechanism = NULL});
}

static void on_recipient(struct outbound_session *s, void *owner, uint32_t i, const struct client_reply *r)
{
    (void)s, (void)owner;
    assert_true(i < t.message.transaction.n);
    t.results[r->enhanced.class]++;
}

static void on_done(struct outbound_session *s, void *owner, const struct outbound_done *d)
{
    (void)s, (void)owner;
    t.done++;
    t.damaged += d->damaged;
    t.untouched += d->untouched;
    t.overdue += d->overdue;
    memcpy(t.said, d->reply.text.p, d->reply.text.n);
    t.said[d->reply.text.n] = '\0';
    t.verdicts[d->reply.enhanced.class]++;
}

static void on_closed(struct outbound_session *s, void *owner, const struct outbound_end *e)
{
    (void)s, (void)owner;
    t.closed++;
    t.last = *e;
    memcpy(t.text, e->reply.text.p, e->reply.text.n);
    t.text[e->reply.text.n] = '\0';
}

static const struct outbound_hooks hooks = {segment_of, on_ready, on_auth, on_recipient, on_done, on_closed};

/* ---- the server */

static ssize_t end_read(struct end *e, uint8_t *p, size_t max)
{
    size_t n = 0;
    if (!e->tls) return read(e->fd, p, max);
    enum tls_result r = tls_read(e->tls, p, max, &n);
    return r == TLS_DONE ? (ssize_t)n : r == TLS_WANT_READ ? -1 : 0;
}

static void end_write(struct end *e)
{
    struct span said = octets_span(&e->peer.replies);
    while (said.n) {
        size_t n = 0;
        ssize_t r = e->tls ? (tls_write(e->tls, said, &n) == TLS_DONE ? (ssize_t)n : -1)
                           : send(e->fd, said.p, said.n, MSG_NOSIGNAL);
        if (r <= 0) break;
        said = span_skip(said, (size_t)r);
    }
    memmove(e->peer.replies.p, said.p, said.n);
    e->peer.replies.n = said.n;
}

static void hang_up(struct end *e)
{
    tls_free(&e->tls);
    close(e->fd);
    e->gone = true;
}

static void pump(struct end *e)
{
    static uint8_t memory[5000];
    if (e->gone || e->hung) return;
    if (e->shaking && e->hang_up_after) {
        hang_up(e);
        return;
    }
    if (e->shaking) {
        if (!e->tls && !tls_can_start()) return;
        if (!e->tls) e->tls = tls_create(server_tls, e->fd, (struct span){NULL, 0}, e);
        enum tls_result r = tls_handshake(e->tls);
        if (r == TLS_FAILED) hang_up(e);
        if (r != TLS_DONE) return;
        e->shaking = false;
        peer_tls(&e->peer);
    }
    for (ssize_t n;
         !e->peer.closed && !e->peer.handshake && (n = end_read(e, memory, sizeof memory)) != -1;) {
        if (n == 0) {
            hang_up(e);
            return;
        }
        e->heard += (size_t)n;
        if (e->hang_up_after && e->heard >= e->hang_up_after) {
            hang_up(e);
            return;
        }
        peer_feed(&e->peer, span_of(memory, (size_t)n));
    }
    end_write(e);
    e->shaking = e->peer.handshake;
    if (e->peer.closed) hang_up(e);
}

/* ---- together */

static void tick(struct timer *timer)
{
    loop_timer_set(t.loop, timer, loop_now_ms(t.loop) + 1, tick);
}

static void after_turn(void *context)
{
    (void)context;
    outbound_after_turn(t.o);
    if (t.hung_until_ms && loop_now_ms(t.loop) >= t.hung_until_ms) t.end.hung = false;
    pump(&t.end);
    outbound_after_turn(t.o);
    if (t.crowd && loop_now_ms(t.loop) >= t.crowd_ms) {
        tls_free(&t.crowd);
        tls_handshakes_limit(LIMIT_TLS_HANDSHAKES_DEFAULT);
    }
    if (t.closed || ++t.turns > TURNS) loop_stop(t.loop);
}

/* The content as so many extents with other octets between them. */
static void store(struct span content, unsigned extents)
{
    size_t each = content.n / extents;
    uint64_t offset = 100;
    t.segment = memfd_create("segment", MFD_CLOEXEC);
    for (unsigned i = 0; i < extents; i++) {
        struct span one = i + 1 < extents ? span_head(content, each) : content;
        content = span_skip(content, one.n);
        t.extents[i] = (struct extent){7, (uint32_t)one.n, offset, crc32c(0, one.p, one.n)};
        assert_int_equal(pwrite(t.segment, one.p, one.n, (off_t)offset), one.n);
        offset += one.n + 33;
    }
    t.message.extents = t.extents;
    t.message.n_extents = extents;
}

void begin(struct span content, unsigned extents, uint32_t extensions)
{
    memset(&t, 0, sizeof t);
    t.loop = loop_create(64);
    static const char *const to[] = {"user@dest.example", "nobody@dest.example", "other@dest.example"};
    for (unsigned i = 0; i < 3; i++)
        t.recipients[i] = (struct client_recipient){.index = i, .path = span_str(to[i])};
    t.message.transaction = (struct client_transaction){
        .reverse_path = SPAN("a@b.example"), .content_octets = content.n, .recipients = t.recipients, .n = 3};
    store(content, extents);
    t.to_send = 1;
    struct outbound_setup setup = {.loop = t.loop,
                                   .tls = client_tls,
                                   .hostname = SPAN("a.example"),
                                   .hooks = &hooks,
                                   .context = &t,
                                   .sessions = SESSIONS};
    t.o = outbound_create(&setup);
    assert_non_null(t.o);
    t.end.peer.now_ms = 1000;
    peer_conf(&t.end.peer.conf);
    t.end.peer.conf.extensions = extensions;
    peer_connect(&t.end.peer, false);
}

struct outbound_session *connect_pair(const struct outbound_peer *peer)
{
    int pair[2], octets = 20000; /* small buffers: what a slow network does */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
    t.end.fd = pair[1];
    struct outbound_session *s = outbound_open(t.o, pair[0], peer, &t);
    assert_non_null(s);
    return s;
}

void one_turn(void)
{
    outbound_after_turn(t.o);
    t.closed = 1;
    loop_timer_set(t.loop, &t.tick, loop_now_ms(t.loop) + 1, tick);
    loop_run(t.loop, after_turn, NULL);
    t.closed = 0;
}

void run(void)
{
    loop_timer_set(t.loop, &t.tick, loop_now_ms(t.loop) + 1, tick);
    loop_run(t.loop, after_turn, NULL);
    assert_true(t.turns <= TURNS);
    for (unsigned i = 0; i < 3; i++) /* the server hears of the end */
        pump(&t.end);
}

static void until_ready(void *context)
{
    after_turn(context);
    if (t.ready) loop_stop(t.loop);
}

void run_until_ready(void)
{
    loop_timer_set(t.loop, &t.tick, loop_now_ms(t.loop) + 1, tick);
    loop_run(t.loop, until_ready, NULL);
    assert_int_equal(t.ready, 1);
}

void end(void)
{
    if (!t.end.gone) hang_up(&t.end);
    peer_free(&t.end.peer);
    outbound_destroy(&t.o);
    close(t.segment);
    loop_timer_stop(t.loop, &t.tick);
    loop_destroy(&t.loop);
}

struct outbound_peer anybody(enum tls_policy policy)
{
    return (struct outbound_peer){.tls = (uint8_t)policy, .name = SPAN("a.example")};
}

int group_setup(void **state)
{
    static struct tls_material m;
    char text[256];
    const char *error;
    struct buf problem = buf_on(text, sizeof text);
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    if (!tls_memory_init(64 << 20)) return -1;
    server_tls = tls_context_create(SPAN("server"));
    tls_material_make(&m, false, "DNS:a.example", 90);
    tls_keyring_here_add(&keyring, 0, &m);
    if (!tls_context_add(server_tls, m.chain_pem, "chain", (struct tls_key_id){0, 0}, &problem)) return -1;
    tls_keyring_here(&keyring);
    client_tls = tls_client_context_create(SPAN(""), &error);
    return client_tls ? 0 : -1;
}
