/* The resolver process: what an edge may ask is the names of clients, and so many; the connector asks as before. The test is its peers, and
 * the DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "system/dns.h"
#include "system/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ASKED_MAX = 8192 };

static struct child child;
static unsigned lost, turns_left;

/* --- what the resolver needs of the skeleton, and of the DNS */

const struct role_row role_table[PROC_ROLE_COUNT];

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c, (void)role, (void)index, (void)reason;
    lost++;
}

void child_exit(struct child *c, int status)
{
    (void)c, (void)status;
}

static struct asked {
    void *asker;
    dns_answer_fn *fn;
    uint64_t tag;
    uint16_t type;
} asked[ASKED_MAX];
static unsigned n_asked;

struct dns *dns_create(struct loop *l, const struct dns_conf *c, const char **error)
{
    (void)l, (void)c, (void)error;
    return (struct dns *)(void *)asked;
}

void dns_free(struct dns **d)
{
    *d = NULL;
}

bool dns_ask(struct dns *d, const struct dns_question *q, void *asker, dns_answer_fn *fn)
{
    (void)d;
    assert_true(n_asked < ASKED_MAX);
    asked[n_asked++] = (struct asked){asker, fn, q->tag, q->type};
    return true;
}

void dns_move(struct dns *from, struct dns *to)
{
    (void)from, (void)to;
}

void dns_forget(struct dns *d, const void *asker)
{
    (void)d;
    for (unsigned i = 0; i < n_asked; i++)
        if (asked[i].asker == asker) asked[i].asker = NULL;
}

unsigned dns_open(const struct dns *d)
{
    (void)d;
    return n_asked;
}

/* --- peers */

struct peer {
    int fd;
    struct ipc *channel;
    unsigned answers, failed;
};

static void turn(void *context)
{
    struct peer *p = context;
    if (p->channel) ipc_flush(p->channel);
    resolver_hooks.after_turn(&child);
    if (turns_left-- == 0) loop_stop(child.loop);
}

static void wake(struct timer *t)
{
    loop_timer_set(child.loop, t, loop_now_ms(child.loop) + 1, wake);
}

static void turns(struct peer *p)
{
    static struct timer timer;
    turns_left = 20;
    loop_timer_set(child.loop, &timer, loop_now_ms(child.loop) + 1, wake);
    loop_run(child.loop, turn, p);
    loop_timer_stop(child.loop, &timer);
}

static void on_answer(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct peer *p = context;
    struct dns_answer a;
    (void)type, (void)fds, (void)n_fds;
    assert_true(dns_answer_read(payload, &a));
    p->answers++;
    p->failed += a.status == DNS_FAILED;
}

static void on_closed(void *context, const char *reason)
{
    struct peer *p = context;
    (void)reason;
    ipc_close(&p->channel);
}

static const struct ipc_allowed from_resolver[] = {{MSG_DNS_ANSWER, 20, LIMIT_IPC_MESSAGE_OCTETS, 0}};

static struct peer *met[4];
static unsigned n_met;

static void meet(struct peer *p, enum role role, unsigned index, unsigned generation)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    *p = (struct peer){.fd = pair[0]};
    assert_true(n_met < sizeof met / sizeof met[0]);
    met[n_met++] = p;
    p->channel = ipc_open(child.loop, pair[0], from_resolver, 1, 512, on_answer, on_closed, p);
    assert_non_null(p->channel);
    resolver_hooks.peer(&child, role, index, generation, pair[1]);
}

/* All of them, at the end of a test. */
static void part(void)
{
    struct peer none = {0};
    for (unsigned i = 0; i < n_met; i++)
        ipc_close(&met[i]->channel);
    n_met = 0;
    turns(&none);
}

static void ask(struct peer *p, uint64_t tag, enum dns_type type, const char *name)
{
    uint8_t memory[400];
    struct buf b = buf_on(memory, sizeof memory);
    dns_question_put(&b, &(struct dns_question){tag, (uint16_t)type, span_str(name)});
    assert_true(ipc_send(p->channel, MSG_DNS_QUESTION, buf_span(&b)));
}

static void answer(unsigned i)
{
    if (asked[i].asker)
        asked[i].fn(asked[i].asker,
                    &(struct dns_answer){.tag = asked[i].tag, .status = DNS_NO_NAME, .canonical = SPAN("x")});
}

static int begin(void **state)
{
    static const struct config config;
    const char *error = NULL;
    (void)state;
    n_asked = lost = n_met = 0;
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "test", LOG_LEVEL_INFO);
    child = (struct child){.loop = loop_create(64), .config = &config};
    return child.loop && resolver_hooks.prepare(&child, &error) && resolver_hooks.start(&child, &error) ? 0
                                                                                                        : -1;
}

static int end(void **state)
{
    (void)state;
    free(child.state);
    loop_destroy(&child.loop);
    return 0;
}

static void what_an_edge_may_ask(void **state)
{
    static const struct {
        enum dns_type type;
        const char *name;
        bool permitted;
    } t[] = {{DNS_PTR, "1.2.0.192.in-addr.arpa", true},
             {DNS_PTR, "8.b.d.0.1.0.0.2.IP6.ARPA", true},
             {DNS_A, "mail.example.org", true},
             {DNS_AAAA, "mail.example.org", true},
             {DNS_PTR, "mail.example.org", false},
             {DNS_PTR, "in-addr.arpa", false},
             {DNS_PTR, "xin-addr.arpa", false},
             {DNS_TXT, "secret.example.org", false},
             {DNS_MX, "example.org", false},
             {DNS_TLSA, "_25._tcp.mail.example.org", false}};
    (void)state;
    struct peer edge, connector;
    meet(&edge, PROC_EDGE, 0, 1);
    meet(&connector, PROC_CONNECTOR, 0, 1);
    for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
        unsigned before = n_asked;
        ask(&edge, i, t[i].type, t[i].name);
        turns(&edge);
        assert_int_equal(n_asked - before, t[i].permitted);
        before = n_asked;
        ask(&connector, i, t[i].type, t[i].name);
        turns(&connector);
        assert_int_equal(n_asked - before, 1);
    }
    assert_int_equal(edge.answers, 6);
    assert_int_equal(edge.failed, 6);
    assert_int_equal(connector.answers, 0);
    for (unsigned i = 0; i < n_asked; i++)
        answer(i);
    turns(&edge);
    turns(&connector);
    assert_int_equal(edge.answers, 10);
    assert_int_equal(connector.answers, sizeof t / sizeof t[0]);
    assert_int_equal(lost, 0);
    part();
}

static void an_edge_asks_so_much_and_no_more(void **state)
{
    (void)state;
    struct peer edge, other, connector;
    meet(&edge, PROC_EDGE, 0, 1);
    meet(&other, PROC_EDGE, 0, 2);
    meet(&connector, PROC_CONNECTOR, 0, 1);
    for (unsigned i = 0; i < LIMIT_EDGE_DNS_OPEN + 50; i++)
        ask(&edge, i, DNS_A, "a.example");
    for (unsigned i = 0; i < 20 && edge.answers < 50; i++)
        turns(&edge);
    assert_int_equal(n_asked, LIMIT_EDGE_DNS_OPEN);
    assert_int_equal(edge.failed, 50);
    ask(&other, 1, DNS_A, "a.example"); /* of another generation: it has as much */
    turns(&other);
    ask(&connector, 1, DNS_TXT, "a.example");
    turns(&connector);
    assert_int_equal(n_asked, LIMIT_EDGE_DNS_OPEN + 2);
    answer(0);
    ask(&edge, 9999, DNS_A, "a.example"); /* one came back */
    turns(&edge);
    assert_int_equal(n_asked, LIMIT_EDGE_DNS_OPEN + 3);
    part();
}

static void an_edge_that_is_started_again(void **state)
{
    (void)state;
    struct peer edge, again;
    meet(&edge, PROC_EDGE, 3, 1);
    for (unsigned i = 0; i < LIMIT_EDGE_DNS_OPEN; i++)
        ask(&edge, i, DNS_A, "a.example");
    for (unsigned i = 0; i < 20 && n_asked < LIMIT_EDGE_DNS_OPEN; i++)
        turns(&edge);
    ipc_close(&edge.channel);
    turns(&edge);
    assert_int_equal(lost, 1);
    meet(&again, PROC_EDGE, 3, 1);
    ask(&again, 1, DNS_A, "a.example");
    turns(&again);
    assert_int_equal(n_asked, LIMIT_EDGE_DNS_OPEN + 1);
    for (unsigned i = 0; i < n_asked; i++)
        answer(i); /* those of before meet nobody */
    turns(&again);
    assert_int_equal(again.answers, 1);
    part();
}

static void a_malformed_question_ends_it(void **state)
{
    (void)state;
    struct peer edge, other;
    meet(&edge, PROC_EDGE, 0, 1);
    meet(&other, PROC_EDGE, 1, 1);
    ask(&edge, 1, DNS_A, "a b.example");
    turns(&edge);
    assert_int_equal(lost, 1);
    assert_null(edge.channel);
    ask(&other, 1, DNS_A, "a.example");
    turns(&other);
    assert_int_equal(n_asked, 1);
    part();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_an_edge_may_ask, begin, end),
        cmocka_unit_test_setup_teardown(an_edge_asks_so_much_and_no_more, begin, end),
        cmocka_unit_test_setup_teardown(an_edge_that_is_started_again, begin, end),
        cmocka_unit_test_setup_teardown(a_malformed_question_ends_it, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
