/* Outbound sessions over real sockets, with our own server engine at the other end; content comes from a file as from a segment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../tools/peer.h"
#include "../system/tls_peer.h"
#include "base/crc32c.h"
#include "service/outbound.h"

enum { EXTENTS = 8, TURNS = 20000, SESSIONS = 4 };

struct end { /* the server */
    struct peer peer;
    int fd;
    struct tls *tls;
    bool shaking, hung, gone; /* hung: the test itself speaks */
    size_t hang_up_after;     /* octets; 0: never */
    size_t heard;
};

static struct {
    struct loop *loop;
    struct timer tick;
    struct outbound *o;
    struct end end;
    int segment;
    struct extent extents[EXTENTS];
    struct client_recipient recipients[3];
    struct outbound_message message;
    unsigned to_send, turns;
    bool stay;         /* ready without a message: nothing is said */
    struct tls *crowd; /* has the only place for a handshake, for a while */
    uint64_t crowd_ms;
    unsigned ready, done, closed, damaged, untouched;
    unsigned results[6]; /* of recipients, by class */
    unsigned verdicts[6];
    struct outbound_end last;
    char text[LIMIT_RESULT_TEXT_OCTETS + 1], tls[256];
} t;

static struct tls_keyring_here keyring = {.mood = KEYRING_AT_ONCE};
static struct tls_context *server_tls;
static struct tls_client_context *client_tls;

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
    } else if (!t.stay) {
        outbound_quit(s);
    }
}

static void on_auth(struct outbound_session *s, void *owner, struct span mechanisms, struct span challenge)
{
    (void)owner, (void)mechanisms, (void)challenge;
    outbound_auth(s, NULL, (struct span){NULL, 0});
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

static void begin(struct span content, unsigned extents, uint32_t extensions)
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

static struct outbound_session *connect_pair(const struct outbound_peer *peer)
{
    int pair[2], octets = 20000; /* small buffers: what a slow network does */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
    t.end.fd = pair[1];
    struct outbound_session *s = outbound_open(t.o, pair[0], peer, &t);
    assert_non_null(s);
    return s;
}

static void run(void)
{
    loop_timer_set(t.loop, &t.tick, loop_now_ms(t.loop) + 1, tick);
    loop_run(t.loop, after_turn, NULL);
    assert_true(t.turns <= TURNS);
    for (unsigned i = 0; i < 3; i++) /* the server hears of the end */
        pump(&t.end);
}

static void end(void)
{
    if (!t.end.gone) hang_up(&t.end);
    peer_free(&t.end.peer);
    outbound_destroy(&t.o);
    close(t.segment);
    loop_timer_stop(t.loop, &t.tick);
    loop_destroy(&t.loop);
}

static struct outbound_peer anybody(enum tls_policy policy)
{
    return (struct outbound_peer){.tls = (uint8_t)policy, .name = SPAN("a.example")};
}

static const uint32_t sets[] = {0, EXT_PIPELINING, EXT_CHUNKING, EXT_PIPELINING | EXT_CHUNKING | EXT_SIZE};

/* Lines of many lengths, dots first, over every border of pieces and extents. */
static struct span long_content(void)
{
    static uint8_t memory[700000];
    struct buf b = buf_on(memory, sizeof memory);
    while (buf_room(&b) > 1000) {
        buf_str(&b, b.n % 3 ? "." : "");
        for (size_t i = 0; i < b.n % 89; i++)
            buf_byte(&b, '.');
        buf_str(&b, "\r\n");
    }
    return buf_span(&b);
}

static void expect_message(unsigned i, struct span content)
{
    assert_true(t.end.peer.n_messages > i);
    assert_true(span_eq(octets_span(&t.end.peer.messages[i].content), content));
    assert_true(span_eq(octets_span(&t.end.peer.messages[i].recipients),
                        SPAN("user@dest.example other@dest.example ")));
}

static void test_messages(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        struct outbound_peer peer = anybody(TLS_POLICY_NONE);
        begin(SPAN("A: b\r\n\r\n.\r\n..x\r\n"), k % 2 ? 1 : 3, sets[k]);
        t.to_send = 3;
        connect_pair(&peer);
        run();
        for (unsigned i = 0; i < 3; i++)
            expect_message(i, SPAN("A: b\r\n\r\n.\r\n..x\r\n"));
        assert_int_equal(t.ready, 4);
        assert_int_equal(t.done, 3);
        assert_int_equal(t.results[5], 3);
        assert_int_equal(t.verdicts[2], 3);
        assert_int_equal(t.damaged, 0);
        assert_string_equal(t.tls, "none: not wanted");
        assert_true(t.last.was_ready && !t.last.next_hop_failed);
        end();
    }
}

static void test_long_message(void **state)
{
    (void)state;
    struct span content = long_content();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (unsigned extents = 1; extents <= EXTENTS; extents += 7) {
            struct outbound_peer peer = anybody(TLS_POLICY_MAY);
            begin(content, extents, sets[k]);
            connect_pair(&peer);
            run();
            expect_message(0, content);
            assert_int_equal(t.verdicts[2], 1);
            assert_string_equal(t.tls, "none: not offered");
            end();
        }
}

/* Whatever is wrong with what is stored: the server never has it as a whole message. */
static void test_damaged(void **state)
{
    (void)state;
    struct span content = long_content();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (unsigned how = 0; how < 7; how++) {
            struct outbound_peer peer = anybody(TLS_POLICY_NONE);
            static const char *const broken[] = {"a\nb\r\n", "a\rb\r\n", "a\r\n.\n\r\n", "no end"};
            begin(how < 4 ? span_str(broken[how]) : content, how < 4 ? 1 : 4, sets[k]);
            if (how == 4) t.extents[3].crc ^= 1;
            if (how == 5) t.extents[3].length++;
            if (how == 6) t.message.n_extents = 3;
            t.to_send = 2;
            connect_pair(&peer);
            run();
            assert_int_equal(t.end.peer.n_messages, 0);
            assert_int_equal(t.damaged, 1);
            assert_int_equal(t.untouched, 0);
            assert_int_equal(t.verdicts[4], 1);
            assert_int_equal(t.closed, 1);
            end();
        }
}

static void test_no_segment(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, 0);
    t.extents[0].segment = 8;
    connect_pair(&peer);
    run();
    assert_int_equal(t.end.peer.n_messages, 0);
    assert_int_equal(t.verdicts[4], 1);
    assert_int_equal(t.damaged, 0);
    end();
}

/* The server goes away at every point of the dialogue. */
static void test_hang_up(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (size_t after = 1; after < 200; after += 13) {
            struct outbound_peer peer = anybody(TLS_POLICY_NONE);
            begin(SPAN("A: b\r\n\r\n.\r\n..x\r\n"), 1, sets[k]);
            t.end.hang_up_after = after;
            connect_pair(&peer);
            run();
            assert_int_equal(t.closed, 1);
            assert_int_equal(t.done, t.ready ? 1 : 0);
            assert_int_equal(t.end.peer.n_messages, t.verdicts[2]);
            end();
        }
}

/* It takes nothing more, and has said why: that is heard. */
static void test_refusal_in_the_midst(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(long_content(), 1, 0);
    connect_pair(&peer);
    static const char said[] = "220 hi\r\n";
    t.end.hung = true;
    assert_int_equal(send(t.end.fd, said, sizeof said - 1, 0), sizeof said - 1);
    static const char *const replies[] = {"250 x\r\n",  "250 ok\r\n", "250 ok\r\n",
                                          "250 ok\r\n", "250 ok\r\n", "354 go\r\n"};
    for (unsigned i = 0; i < 6; i++) {
        uint8_t memory[1000];
        for (unsigned k = 0; k < 100 && read(t.end.fd, memory, sizeof memory) <= 0; k++) {
            outbound_after_turn(t.o);
            t.closed = 1;
            loop_timer_set(t.loop, &t.tick, loop_now_ms(t.loop) + 1, tick);
            loop_run(t.loop, after_turn, NULL);
            t.closed = 0;
        }
        assert_int_equal(send(t.end.fd, replies[i], strlen(replies[i]), 0), strlen(replies[i]));
    }
    static const char no[] = "552 5.3.4 too large\r\n";
    assert_int_equal(send(t.end.fd, no, sizeof no - 1, 0), sizeof no - 1);
    shutdown(t.end.fd, SHUT_RDWR);
    run();
    assert_int_equal(t.verdicts[5], 1);
    end();
}

static void test_idle(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, EXT_PIPELINING);
    t.stay = true;
    connect_pair(&peer);
    uint64_t from = loop_now_ms(t.loop);
    run();
    assert_int_equal(t.end.peer.n_messages, 1);
    assert_true(loop_now_ms(t.loop) - from >= 2000 && loop_now_ms(t.loop) - from < 10000);
    assert_true(t.end.peer.closed); /* QUIT */
    assert_false(t.last.next_hop_failed);
    end();
}

static void test_tls(void **state)
{
    (void)state;
    struct span content = long_content();
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        for (unsigned policy = TLS_POLICY_MAY; policy <= TLS_POLICY_ENCRYPT; policy++) {
            struct outbound_peer peer = anybody((enum tls_policy)policy);
            begin(content, 3, sets[k] | EXT_STARTTLS);
            connect_pair(&peer);
            run();
            expect_message(0, content);
            assert_true(strncmp(t.tls, "TLSv1.3 ", 8) == 0);
            end();
        }
}

static void test_tls_not_the_one(void **state)
{
    (void)state;
    static const struct {
        enum tls_policy policy;
        bool dane;
        uint32_t offered;
    } rows[] = {{TLS_POLICY_VERIFY, false, EXT_STARTTLS},
                {TLS_POLICY_DANE_ONLY, false, EXT_STARTTLS},
                {TLS_POLICY_ENCRYPT, false, 0},
                {TLS_POLICY_DANE, true, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outbound_peer peer = anybody(rows[i].policy);
        peer.dane = rows[i].dane;
        begin(SPAN("hi\r\n"), 1, rows[i].offered);
        connect_pair(&peer);
        run();
        assert_int_equal(t.end.peer.n_messages, 0);
        assert_int_equal(t.ready, 0);
        assert_true(t.last.next_hop_failed);
        assert_false(t.last.tls_failed);
        assert_int_equal(t.last.reply.enhanced.class, 4);
        end();
    }
}

/* A server that says 220 and then speaks no TLS: whoever may goes on in clear, by a new connection. */
static void test_tls_fails(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_MAY);
    begin(SPAN("hi\r\n"), 1, EXT_STARTTLS);
    t.end.hang_up_after = 1000; /* instead of the handshake */
    connect_pair(&peer);
    run();
    assert_true(t.last.tls_failed);
    assert_false(t.last.was_ready);
    end();
    peer.in_clear = true;
    begin(SPAN("hi\r\n"), 1, EXT_STARTTLS);
    connect_pair(&peer);
    run();
    expect_message(0, SPAN("hi\r\n"));
    assert_string_equal(t.tls, "none: the handshake failed");
    end();
}

/* Others that never end their handshakes are no fault of this next hop. */
static void test_tls_waits_for_room(void **state)
{
    (void)state;
    int pair[2];
    struct outbound_peer peer = anybody(TLS_POLICY_MAY);
    begin(SPAN("hi\r\n"), 1, EXT_STARTTLS);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    t.crowd =
        tls_client_create(client_tls, pair[0], &(struct tls_client_peer){.name = SPAN("x.example")}, NULL);
    assert_non_null(t.crowd);
    assert_int_equal(tls_handshake(t.crowd), TLS_WANT_READ);
    tls_handshakes_limit(1);
    assert_false(tls_can_start());
    t.crowd_ms = loop_now_ms(t.loop) + 250;
    connect_pair(&peer);
    run();
    assert_null(t.crowd);
    expect_message(0, SPAN("hi\r\n"));
    assert_true(strncmp(t.tls, "TLSv1.3 ", 8) == 0);
    close(pair[0]);
    close(pair[1]);
    end();
}

static void test_slots(void **state)
{
    (void)state;
    struct outbound_peer peer = anybody(TLS_POLICY_NONE);
    begin(SPAN("hi\r\n"), 1, 0);
    for (unsigned round = 0; round < 3; round++) {
        struct outbound_session *s[SESSIONS];
        int pair[2];
        for (unsigned i = 0; i < SESSIONS; i++) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
            close(pair[1]);
            s[i] = outbound_open(t.o, pair[0], &peer, &t);
            assert_non_null(s[i]);
        }
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        close(pair[1]);
        assert_null(outbound_open(t.o, pair[0], &peer, &t));
        for (unsigned i = 0; i < SESSIONS; i++)
            outbound_drop(s[i]);
        outbound_after_turn(t.o);
    }
    assert_int_equal(t.closed, 0);
    t.end.gone = true;
    end();
}

static int group_setup(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_long_message),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_no_segment),
        cmocka_unit_test(test_hang_up),
        cmocka_unit_test(test_refusal_in_the_midst),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_tls_not_the_one),
        cmocka_unit_test(test_tls_fails),
        cmocka_unit_test(test_tls_waits_for_room),
        cmocka_unit_test(test_slots),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
