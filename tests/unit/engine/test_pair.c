/* Our client against our server, with every set of extensions: what arrives is what was sent, octet for octet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../tools/caller.h"

static const uint32_t choices[] = {
    EXT_PIPELINING, EXT_SIZE, EXT_8BITMIME, EXT_BINARYMIME,          EXT_CHUNKING,
    EXT_SMTPUTF8,   EXT_DSN,  EXT_LIMITS,   EXT_ENHANCEDSTATUSCODES, EXT_STARTTLS};
enum { CHOICES = sizeof choices / sizeof *choices };

static const struct client_recipient recipients[] = {
    {0, SPAN("user@dest.example"), 0, {NULL, 0}},
    {1, SPAN("nobody@dest.example"), DSN_NOTIFY_FAILURE, {NULL, 0}},
    {2, SPAN("other@dest.example"), 0, SPAN("rfc822;o+2Bx@y")},
    {3, SPAN("full@dest.example"), DSN_NOTIFY_NEVER, {NULL, 0}}};
static const char taken_by[] = "user@dest.example other@dest.example ";
static const uint8_t verdicts[] = {2, 5, 2, 4};

static const struct {
    struct span content;
    bool eight, binary;
} contents[] = {
    {SPAN(""), false, false},
    {SPAN(".\r\n"), false, false},
    {SPAN("\r\n.\r\n..\r\n"), false, false},
    {SPAN("A: b\r\n\r\nhello\r\n.hello\r\n. \r\n...\r\nQUIT\r\nBDAT 5 LAST\r\n.\r\n"), false, false},
    {SPAN("A: b\r\n\r\n\xc3\xa4\xff\r\n"), true, false},
    {SPAN("A: b\r\n\r\n\0\n.\n\r.\r\n.\r\nno end"), false, true},
};

struct pair {
    struct caller caller;
    struct peer peer;
    struct client_transaction todo[2];
};

static void move(struct octets *from, size_t piece, void (*to)(void *, struct span), void *context)
{
    struct octets all = *from;
    *from = (struct octets){NULL, 0, 0};
    for (struct span s = octets_span(&all); s.n; s = span_skip(s, piece))
        to(context, span_head(s, piece));
    free(all.p);
}

static void to_peer(void *context, struct span s)
{
    struct pair *p = context;
    if (!p->peer.closed) peer_feed(&p->peer, s);
}

static void to_caller(void *context, struct span s)
{
    struct pair *p = context;
    caller_hear(&p->caller, s);
}

static void talk(struct pair *p, size_t piece)
{
    while (p->peer.replies.n || p->caller.said.n || p->caller.handshake) {
        move(&p->caller.said, piece, to_peer, p);
        move(&p->peer.replies, piece, to_caller, p);
        if (!p->caller.handshake) continue;
        assert_true(p->peer.handshake);
        peer_tls(&p->peer);
        caller_tls(&p->caller);
    }
}

static void begin(struct pair *p, uint32_t extensions, struct span content, bool lmtp)
{
    *p = (struct pair){.caller = {.now_ms = 1000, .todo = p->todo, .n_todo = 2, .content = content},
                       .peer = {.now_ms = 1000}};
    p->caller.todo = p->todo;
    for (unsigned i = 0; i < 2; i++)
        p->todo[i] = (struct client_transaction){.reverse_path = SPAN("a@b.example"),
                                                 .envid = SPAN("QQ314159"),
                                                 .ret = DSN_RET_HDRS,
                                                 .content_octets = content.n,
                                                 .recipients = recipients,
                                                 .n = 4};
    struct client_conf conf = {.helo = SPAN("a.example"), .tls = CLIENT_TLS_MAY, .lmtp = lmtp};
    peer_conf(&p->peer.conf);
    p->peer.conf.extensions = extensions;
    p->peer.conf.lmtp = lmtp;
    peer_connect(&p->peer, false);
    caller_begin(&p->caller, &conf);
}

static void end(struct pair *p)
{
    assert_true(p->caller.closed && p->peer.closed);
    assert_int_equal(p->caller.at, 2);
    caller_free(&p->caller);
    peer_free(&p->peer);
}

static void expect_messages(const struct pair *p, struct span content)
{
    assert_int_equal(p->peer.n_messages, 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct peer_message *m = &p->peer.messages[i];
        assert_true(span_eq(octets_span(&m->content), content));
        assert_true(span_eq(octets_span(&m->from), SPAN("a@b.example")));
        assert_true(span_eq(octets_span(&m->recipients), span_str(taken_by)));
        assert_memory_equal(p->caller.result[i], verdicts, sizeof verdicts);
    }
}

static void test_all_extensions(void **state)
{
    (void)state;
    static const size_t pieces[] = {SIZE_MAX, 1, 5};
    for (uint32_t set = 0; set < 1u << CHOICES; set++)
        for (size_t k = 0; k < sizeof contents / sizeof *contents; k++) {
            struct pair p;
            uint32_t extensions = 0;
            for (unsigned i = 0; i < CHOICES; i++)
                if (set >> i & 1) extensions |= choices[i];
            begin(&p, extensions, contents[k].content, false);
            for (unsigned i = 0; i < 2; i++) {
                p.todo[i].body_8bit = contents[k].eight;
                p.todo[i].body_binary = contents[k].binary;
            }
            talk(&p, pieces[(set + k) % 3]);
            const uint32_t binary = EXT_BINARYMIME | EXT_CHUNKING;
            bool possible = (!contents[k].eight || extensions & EXT_8BITMIME) &&
                            (!contents[k].binary || (extensions & binary) == binary);
            if (possible)
                expect_messages(&p, contents[k].content);
            else
                assert_int_equal(p.peer.n_messages, 0);
            end(&p);
        }
}

/* Larger than what goes without waiting, and than any buffer. */
static void test_large(void **state)
{
    (void)state;
    struct octets content = {NULL, 0, 0};
    for (unsigned i = 0; i < 5000; i++)
        octets_add(&content, i % 7 ? SPAN("..a line of some octets, and some more\r\n") : SPAN(".\r\n"));
    for (uint32_t set = 0; set < 4; set++) {
        struct pair p;
        begin(&p, (set & 1 ? EXT_PIPELINING : 0) | (set & 2 ? EXT_CHUNKING : 0), octets_span(&content),
              false);
        talk(&p, 1000);
        expect_messages(&p, octets_span(&content));
        end(&p);
    }
    free(content.p);
}

/* What the server refuses late is refused, and the next message goes. */
static void test_refused(void **state)
{
    (void)state;
    for (uint32_t set = 0; set < 4; set++)
        for (unsigned how = 0; how < 3; how++) {
            struct pair p;
            begin(&p, (set & 1 ? EXT_PIPELINING : 0) | (set & 2 ? EXT_CHUNKING : 0), SPAN("Hi\r\n"), false);
            p.peer.refuse_begin = how == 0 ? 452 : 0;
            p.peer.refuse_end = how == 1 ? 554 : 0;
            if (how == 2) p.todo[0].reverse_path = SPAN("banned@sender.example");
            talk(&p, SIZE_MAX);
            assert_int_equal(p.peer.n_messages, 1);
            assert_int_equal(p.caller.result[0][0], how == 0 ? 4 : 5);
            assert_int_equal(p.caller.result[1][0], 2);
            end(&p);
        }
}

/* Nobody wants it: with commands and content on their way, too. */
static void test_nobody(void **state)
{
    (void)state;
    static const struct client_recipient nobody[] = {{0, SPAN("nobody@dest.example"), 0, {NULL, 0}},
                                                     {1, SPAN("x@elsewhere.example"), 0, {NULL, 0}}};
    for (uint32_t set = 0; set < 4; set++) {
        struct pair p;
        begin(&p, (set & 1 ? EXT_PIPELINING : 0) | (set & 2 ? EXT_CHUNKING : 0), SPAN("RSET\r\n.\r\n"),
              false);
        p.todo[0].recipients = nobody;
        p.todo[0].n = 2;
        talk(&p, 3);
        assert_int_equal(p.peer.n_messages, 1);
        assert_int_equal(p.caller.result[0][0], 5);
        assert_int_equal(p.caller.result[0][1], 5);
        assert_int_equal(p.caller.result[1][0], 2);
        end(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_extensions),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
