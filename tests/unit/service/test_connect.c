/* The connector's engine with a DNS that the test plays, and sockets of this host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "service/connect.h"

struct zone_row { /* what the DNS of a test says */
    const char *name;
    uint16_t type;
    uint8_t status;
    bool secure;
    uint16_t count;
    struct dns_record records[4];
};

static struct loop *loop;
static struct connect *engine;
static struct arena *arena;
static const struct zone_row *zone; /* ends with a null name */
static unsigned asked, answered;
static bool silent; /* the resolver says nothing */
static struct connect_answer answer;
static char text[512], host[300], also[300];
static uint8_t tlsa[64];
static int fd;
static uint16_t port, closed_port;
static char socket_path[64];

/* ---- the DNS */

static struct dns_question questions[64];
static char names[64][300];
static unsigned n_questions;

static bool on_ask(void *context, const struct dns_question *q)
{
    (void)context;
    asked++;
    assert_true(n_questions < 64);
    memcpy(names[n_questions], q->name.p, q->name.n);
    questions[n_questions] = *q;
    questions[n_questions].name = span_of(names[n_questions], q->name.n);
    n_questions++;
    return !silent;
}

static void play(const struct dns_question *q)
{
    uint8_t memory[2048];
    struct buf b = buf_on(memory, sizeof memory);
    struct dns_answer a = {.tag = q->tag, .status = DNS_NO_DATA, .ttl = 60, .canonical = q->name};
    for (const struct zone_row *row = zone; row && row->name; row++) {
        if (row->type != q->type || !span_eq(span_str(row->name), q->name)) continue;
        a.status = row->status;
        a.secure = row->secure;
        a.count = row->count;
        if (row->status == DNS_FAILED || row->status == DNS_BOGUS) a.why = SPAN("so it is");
        for (unsigned i = 0; i < row->count; i++)
            dns_record_put(&b, &row->records[i]);
    }
    a.records = buf_span(&b);
    connect_dns_answer(engine, &a);
}

static void after_turn(void *context)
{
    (void)context;
    for (unsigned i = 0; !silent && i < n_questions; i++)
        play(&questions[i]);
    if (!silent) n_questions = 0;
    if (answered) loop_stop(loop);
}

static void on_answer(void *context, const void *asker, const struct connect_answer *a, int socket)
{
    (void)context;
    assert_ptr_equal(asker, &answer);
    answered++;
    answer = *a;
    assert_true(a->text.n < sizeof text && a->host.n < sizeof host && a->also.n < sizeof also);
    memset(text, 0, sizeof text), memset(host, 0, sizeof host), memset(also, 0, sizeof also);
    if (a->text.n) memcpy(text, a->text.p, a->text.n);
    if (a->host.n) memcpy(host, a->host.p, a->host.n);
    if (a->also.n) memcpy(also, a->also.p, a->also.n);
    if (a->n_tlsa) memcpy(tlsa, a->tlsa[0].p, a->tlsa[0].n < sizeof tlsa ? a->tlsa[0].n : sizeof tlsa);
    if (fd >= 0) close(fd);
    fd = socket >= 0 ? dup(socket) : -1;
    /* what is sent is what will be read */
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    struct connect_answer again;
    connect_answer_put(&b, a);
    assert_true(connect_answer_read(buf_span(&b), &again));
}

/* ---- the same for people */

static char rows[CONNECT_ROWS_OCTETS + 1];

static void on_explained(void *context, const void *asker, uint64_t tag, struct span said)
{
    (void)context;
    assert_ptr_equal(asker, &rows);
    assert_int_equal(tag, 8);
    assert_true(said.n < sizeof rows && said.n > 0 && said.p[said.n - 1] == '\n');
    memcpy(rows, said.p, said.n);
    rows[said.n] = 0;
    answered++;
}

static void expect_row(const char *part)
{
    if (!strstr(rows, part)) print_error("%s not in %s", part, rows);
    assert_non_null(strstr(rows, part));
}

/* What is explained is what would be done: no connection is needed to say so. */
static void explain(struct next_hop hop, const struct zone_row *of, bool compare)
{
    struct connect_question q = {.tag = 8, .hop = hop};
    unsigned asked_before = asked;
    char want[64];
    zone = of;
    answered = 0;
    connect_explain(engine, &rows, &q);
    for (unsigned i = 0; !answered && i < 8; i++)
        after_turn(NULL);
    zone = NULL;
    asked = asked_before;
    assert_int_equal(answered, 1);
    assert_int_equal(connect_count(engine).open, 0);
    assert_int_equal(connect_count(engine).lookups, 0);
    if (!compare) return;
    bool tried = answer.status == CONNECT_OPEN || strcmp(answer.enhanced, "4.4.1") == 0;
    snprintf(want, sizeof want, "\"outcome\":\"%s\",\"status\":\"%s\"",
             tried                           ? "tried"
             : answer.status == CONNECT_FAIL ? "failed"
                                             : "deferred",
             tried ? "" : answer.enhanced);
    expect_row(want);
    if (!tried) expect_row(text);
}

static uint16_t tried_port = 25;

static void ask(struct next_hop hop, const struct zone_row *of, const char *tried)
{
    struct connect_question q = {.tag = 7, .hop = hop};
    q.tried[0].port = tried_port;
    if (tried) assert_true(address_parse(span_str(tried), &q.tried[q.n_tried++].address));
    zone = of;
    answered = 0;
    connect_ask(engine, &answer, &q);
    for (unsigned i = 0; !answered && i < 8; i++) /* what is asked now, and what follows from its answers */
        after_turn(NULL);
    if (!answered) loop_run(loop, after_turn, NULL);
    zone = NULL;
    assert_int_equal(answered, 1);
    assert_int_equal(answer.tag, 7);
    assert_int_equal(connect_count(engine).open, 0);
    assert_int_equal(connect_count(engine).sockets, 0);
    assert_int_equal(connect_count(engine).lookups, 0);
    if (!tried) explain(hop, of, true);
}

static void ask_mx(const char *domain, enum tls_policy tls, const struct zone_row *of)
{
    ask((struct next_hop){.kind = NEXT_HOP_MX, .tls = (uint8_t)tls, .name = span_str(domain)}, of, NULL);
}

static void expect(enum connect_status status, const char *enhanced, const char *part)
{
    if (answer.status != status || strcmp(answer.enhanced, enhanced) != 0 || !strstr(text, part))
        print_error("status %u, %s, %s\n", answer.status, answer.enhanced, text);
    assert_int_equal(answer.status, status);
    assert_string_equal(answer.enhanced, enhanced);
    assert_non_null(strstr(text, part));
}

/* ---- exchangers */

#define MX(p, n)                                                                                             \
    {                                                                                                        \
        p, SPAN(n)                                                                                           \
    }
#define ADDRESS(o)                                                                                           \
    {                                                                                                        \
        0, SPAN(o)                                                                                           \
    }

static void test_no_exchanger(void **state)
{
    (void)state;
    ask_mx("null.example", TLS_POLICY_MAY,
           (const struct zone_row[]){{"null.example", DNS_MX, DNS_OK, false, 1, {MX(0, "")}}, {0}});
    expect(CONNECT_FAIL, "5.1.10", "null.example takes no mail");
    ask_mx("no.example", TLS_POLICY_MAY,
           (const struct zone_row[]){{"no.example", DNS_MX, DNS_NO_NAME, false, 0, {{0}}}, {0}});
    expect(CONNECT_FAIL, "5.1.2", "no.example");
    ask_mx("bad.example", TLS_POLICY_MAY,
           (const struct zone_row[]){{"bad.example", DNS_MX, DNS_FAILED, false, 0, {{0}}}, {0}});
    expect(CONNECT_DEFER, "4.4.3", "so it is");
    ask_mx("bogus.example", TLS_POLICY_MAY,
           (const struct zone_row[]){{"bogus.example", DNS_MX, DNS_BOGUS, false, 0, {{0}}}, {0}});
    expect(CONNECT_DEFER, "4.4.3", "DNSSEC");
    ask_mx("b\xc3\xbc"
           "cher.example",
           TLS_POLICY_MAY,
           (const struct zone_row[]){{"xn--bcher-kva.example", DNS_MX, DNS_OK, false, 1, {MX(0, "")}}, {0}});
    expect(CONNECT_FAIL, "5.1.10", "xn--bcher-kva.example takes no mail");
    ask_mx("-\xc3\xbc.example", TLS_POLICY_MAY, NULL); /* IDNA permits no hyphen there */
    expect(CONNECT_FAIL, "5.1.2", "no name");
}

static void test_ourselves(void **state)
{
    (void)state;
    ask_mx("loop.example", TLS_POLICY_MAY,
           (const struct zone_row[]){
               {"loop.example", DNS_MX, DNS_OK, false, 2, {MX(10, "Mail.Ours.example"), MX(20, "b.example")}},
               {0}});
    expect(CONNECT_FAIL, "5.4.6", "mail for loop.example loops back to this host");
    /* as an equal of the best */
    ask_mx("loop.example", TLS_POLICY_MAY,
           (const struct zone_row[]){
               {"loop.example", DNS_MX, DNS_OK, false, 2, {MX(10, "b.example"), MX(10, "mail.ours.example")}},
               {0}});
    expect(CONNECT_FAIL, "5.4.6", "loops");
    /* better ones were there, and could not be looked up */
    ask_mx(
        "backup.example", TLS_POLICY_MAY,
        (const struct zone_row[]){
            {"backup.example", DNS_MX, DNS_OK, false, 2, {MX(10, "b.example"), MX(20, "mail.ours.example")}},
            {"b.example", DNS_A, DNS_FAILED, false, 0, {{0}}},
            {0}});
    expect(CONNECT_DEFER, "4.4.3", "b.example");
    /* by address: it listens on 192.0.2.25:25 */
    ask_mx("loop.example", TLS_POLICY_MAY,
           (const struct zone_row[]){{"loop.example", DNS_MX, DNS_OK, false, 1, {MX(10, "alias.example")}},
                                     {"alias.example", DNS_A, DNS_OK, false, 1, {ADDRESS("\xc0\0\2\x19")}},
                                     {0}});
    expect(CONNECT_FAIL, "5.4.6", "loops");
}

static void test_addresses_refused(void **state)
{
    (void)state;
    ask_mx(
        "inner.example", TLS_POLICY_MAY,
        (const struct zone_row[]){
            {"inner.example", DNS_MX, DNS_OK, false, 1, {MX(10, "mx.inner.example")}},
            {"mx.inner.example",
             DNS_A,
             DNS_OK,
             false,
             3,
             {ADDRESS("\x7f\0\0\1"), ADDRESS("\x0a\0\0\1"), ADDRESS("\xa9\xfe\xa9\xfe")}},
            {"mx.inner.example", DNS_AAAA, DNS_OK, false, 1, {ADDRESS("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1")}},
            {0}});
    expect(CONNECT_FAIL, "5.4.4", "mx.inner.example[127.0.0.1]:25: not connected to: loopback");
    assert_non_null(strstr(text, "[10.0.0.1]:25: not connected to: private network"));
    assert_non_null(strstr(text, "[::1]:25: not connected to: loopback"));
    assert_non_null(strstr(text, "link-local"));
    ask_mx("[127.0.0.1]", TLS_POLICY_MAY, NULL);
    expect(CONNECT_FAIL, "5.4.4", "loopback");
    /* a name of a route: never the loopback, whatever DNS says */
    struct next_hop hop = {.kind = NEXT_HOP_HOST, .tls = TLS_POLICY_MAY, .name = SPAN("smart.example:25")};
    ask(hop,
        (const struct zone_row[]){{"smart.example", DNS_A, DNS_OK, false, 1, {ADDRESS("\x7f\0\0\1")}}, {0}},
        NULL);
    expect(CONNECT_DEFER, "4.4.4", "loopback");
}

static void test_no_address(void **state)
{
    (void)state;
    const struct zone_row mx = {"a.example", DNS_MX, DNS_OK,
                                false,       2,      {MX(10, "mx1.example"), MX(20, "mx2.example")}};
    ask_mx("a.example", TLS_POLICY_MAY, (const struct zone_row[]){mx, {0}});
    expect(CONNECT_FAIL, "5.4.4", "mx1.example: it has no address; mx2.example: it has no address");
    ask_mx("a.example", TLS_POLICY_MAY,
           (const struct zone_row[]){mx, {"mx2.example", DNS_AAAA, DNS_BOGUS, false, 0, {{0}}}, {0}});
    expect(CONNECT_DEFER, "4.4.3", "mx2.example: DNSSEC says its addresses are bogus");
    ask_mx("implicit.example", TLS_POLICY_MAY, (const struct zone_row[]){{0}}); /* RFC 5321 5.1 */
    expect(CONNECT_FAIL, "5.4.4", "implicit.example: it has no address");
    /* what a route names is our own business: never a verdict on the recipient */
    struct next_hop hop = {.kind = NEXT_HOP_HOST, .tls = TLS_POLICY_MAY, .name = SPAN("smart.example:25")};
    ask(hop, (const struct zone_row[]){{0}}, NULL);
    expect(CONNECT_DEFER, "4.4.4",
           "the configuration names this next hop, but smart.example: it has no address");
}

/* ---- routes */

static struct next_hop host_hop(const char *name)
{
    return (struct next_hop){.kind = NEXT_HOP_HOST, .tls = TLS_POLICY_MAY, .name = span_str(name)};
}

static void expect_open(void)
{
    if (answer.status != CONNECT_OPEN) print_error("%s %s\n", answer.enhanced, text);
    assert_int_equal(answer.status, CONNECT_OPEN);
    assert_true(fd >= 0);
    int error = -1;
    socklen_t n = sizeof error;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n), 0);
    assert_int_equal(error, 0);
}

static void test_literal(void **state)
{
    (void)state;
    char name[128];
    snprintf(name, sizeof name, "127.0.0.1:%u", port);
    ask(host_hop(name), NULL, NULL);
    expect_open();
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(answer.port, port);
    assert_true(answer.dns_secure && answer.dane == CONNECT_TLSA_NONE);
    ask(host_hop(name), NULL, "127.0.0.1"); /* another port of it was */
    expect_open();
    tried_port = port;
    ask(host_hop(name), NULL, "127.0.0.1");
    expect(CONNECT_DEFER, "4.4.1", "tried already");
    tried_port = 25;
    snprintf(name, sizeof name, "127.0.0.1:%u", closed_port);
    ask(host_hop(name), NULL, NULL);
    expect(CONNECT_DEFER, "4.4.1", "Connection refused");
    snprintf(name, sizeof name, "127.0.0.1:%u 127.0.0.1:%u", closed_port, port);
    ask(host_hop(name), NULL, NULL);
    expect_open();
    assert_int_equal(answer.port, port);
    snprintf(name, sizeof name, "localhost:%u", port);
    ask(host_hop(name), NULL, NULL);
    expect_open();
    assert_int_equal(asked, 0); /* no DNS says what localhost is */
}

static void test_not_in_the_configuration(void **state)
{
    (void)state;
    char name[128];
    snprintf(name, sizeof name, "127.0.0.2:%u", port);
    ask(host_hop(name), NULL, NULL);
    expect(CONNECT_DEFER, "4.3.5", "no route");
    ask((struct next_hop){.kind = NEXT_HOP_UNIX, .protocol = NEXT_HOP_LMTP, .name = SPAN("/run/other")}, NULL,
        NULL);
    expect(CONNECT_DEFER, "4.3.5", "no route");
    snprintf(name, sizeof name, "127.0.0.1:%u", port); /* the host, but with TLS at once */
    ask(
        (struct next_hop){
            .kind = NEXT_HOP_HOST, .tls = TLS_POLICY_ENCRYPT, .implicit_tls = true, .name = span_str(name)},
        NULL, NULL);
    expect(CONNECT_DEFER, "4.3.5", "no route");
}

static void test_socket(void **state)
{
    (void)state;
    struct next_hop hop = {.kind = NEXT_HOP_UNIX, .protocol = NEXT_HOP_LMTP, .name = span_str(socket_path)};
    ask(hop, NULL, NULL);
    expect_open();
    assert_string_equal(host, "");
    unlink(socket_path);
    ask(hop, NULL, NULL);
    expect(CONNECT_DEFER, "4.4.1", "No such file");
}

/* ---- DANE: what keeps a host from being used (what connects is tried with real name servers) */

static void test_dane(void **state)
{
    (void)state;
    const struct zone_row mx = {"d.example", DNS_MX, DNS_OK, true, 1, {MX(10, "mx.d.example")}},
                          plain = {"d.example", DNS_MX, DNS_OK, false, 1, {MX(10, "mx.d.example")}},
                          a = {"mx.d.example", DNS_A, DNS_OK, true, 1, {ADDRESS("\xc0\0\2\1")}},
                          aaaa = {"mx.d.example", DNS_AAAA, DNS_NO_DATA, true, 0, {{0}}},
                          failed = {"_25._tcp.mx.d.example", DNS_TLSA, DNS_BOGUS, false, 0, {{0}}},
                          unusable = {"_25._tcp.mx.d.example",
                                      DNS_TLSA,
                                      DNS_OK,
                                      true,
                                      2,
                                      {ADDRESS("\0\0\1xxxx"), ADDRESS("\3\0\1short")}};
    ask_mx("d.example", TLS_POLICY_DANE, (const struct zone_row[]){mx, a, aaaa, failed, {0}});
    expect(CONNECT_DEFER, "4.4.3", "its TLSA records could not be looked up");
    ask_mx("d.example", TLS_POLICY_DANE_ONLY, (const struct zone_row[]){mx, a, aaaa, unusable, {0}});
    expect(CONNECT_DEFER, "4.7.5", "cannot be used");
    ask_mx("d.example", TLS_POLICY_DANE_ONLY, (const struct zone_row[]){mx, a, aaaa, {0}});
    expect(CONNECT_DEFER, "4.7.5", "no TLSA records");
    ask_mx("d.example", TLS_POLICY_DANE_ONLY, (const struct zone_row[]){plain, a, aaaa, failed, {0}});
    expect(CONNECT_DEFER, "4.7.5", "not secure");
    asked = 0; /* nobody wants it: nobody asks */
    ask_mx("d.example", TLS_POLICY_MAY, (const struct zone_row[]){mx, {0}});
    assert_int_equal(asked, 3);
}

/* Each host, each address, each record, and why not; nothing is connected to. */
static void test_explained(void **state)
{
    (void)state;
    const struct zone_row of[] = {
        {"e.example",
         DNS_MX,
         DNS_OK,
         true,
         4,
         {MX(10, "mx1.e.example"), MX(20, "mx2.e.example"), MX(30, "mail.ours.example"),
          MX(40, "mx4.e.example")}},
        {"mx1.e.example", DNS_A, DNS_OK, true, 2, {ADDRESS("\x7f\0\0\1"), ADDRESS("\xc0\0\2\1")}},
        {"mx1.e.example", DNS_AAAA, DNS_NO_DATA, true, 0, {{0}}},
        {"_25._tcp.mx1.e.example",
         DNS_TLSA,
         DNS_OK,
         true,
         2,
         {ADDRESS("\1\1\1xxxx"), ADDRESS("\3\1\1abcdefghijklmnopqrstuvwxyz123456")}},
        {"mx2.e.example", DNS_A, DNS_BOGUS, false, 0, {{0}}},
        {"mx2.e.example", DNS_AAAA, DNS_NO_NAME, true, 0, {{0}}},
        {0}};
    struct next_hop hop = {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_DANE, .name = SPAN("e.example")};
    explain(hop, of, false);
    expect_row(
        "{\"host\":\"mx1.e.example\",\"preference\":10,\"port\":25,\"used\":true,\"a\":\"ok\",\"aaaa\":"
        "\"no-data\",\"tlsa\":\"ok\",\"secure\":true,\"addresses\":[{\"address\":\"127.0.0.1\",\"refused\":"
        "\"loopback\"},{\"address\":\"192.0.2.1\"}],\"tlsa_records\":[{\"record\":\"3 1 1 61626364");
    expect_row("333435"
               "36\",\"usable\":true},{\"record\":\"1 1 1 78787878\",\"usable\":false}],\"tls\":\"TLS with a "
               "certificate that one of its TLSA records names, or nothing\"}\n");
    expect_row("{\"host\":\"mx2.e.example\",\"preference\":20,\"port\":25,\"used\":false,\"why_not\":"
               "\"DNSSEC says its "
               "addresses are bogus\",\"a\":\"bogus\",\"aaaa\":\"no-name\"");
    expect_row("{\"host\":\"mail.ours.example\",\"preference\":30,\"port\":25,\"used\":false,\"why_not\":"
               "\"this host "
               "itself, or no better than it\"");
    expect_row("\"hosts_by\":\"mx\",\"hosts_secure\":true,\"hosts\":4,\"outcome\":\"tried\"");
    assert_int_equal(connect_count(engine).sockets, 0);
    hop.tls = TLS_POLICY_VERIFY; /* the domain itself */
    explain(hop,
            (const struct zone_row[]){{"e.example", DNS_A, DNS_OK, false, 1, {ADDRESS("\xc0\0\2\1")}}, {0}},
            false);
    expect_row("\"secure\":false");
    expect_row("\"hosts_by\":\"domain\",\"hosts_secure\":false,\"hosts\":1,\"outcome\":\"tried\"");
    expect_row("by a known authority");
}

/* ---- the resolver comes and goes, and so do those who ask */

static void test_resolver_again(void **state)
{
    (void)state;
    struct connect_question q = {
        .tag = 7, .hop = {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_MAY, .name = SPAN("no.example")}};
    silent = true;
    asked = answered = 0;
    connect_ask(engine, &answer, &q);
    assert_true(asked == 1 && !answered);
    uint64_t tag = questions[0].tag;
    n_questions = 0;
    silent = false;
    connect_dns_again(engine);
    assert_true(asked == 2 && questions[0].tag == tag);
    struct dns_answer a = {.tag = tag + 1, .status = DNS_NO_NAME, .canonical = SPAN("no.example")};
    connect_dns_answer(engine, &a); /* nobody asked that */
    assert_int_equal(answered, 0);
    a.tag = tag;
    connect_dns_answer(engine, &a);
    assert_int_equal(answered, 1);
    connect_dns_answer(engine, &a); /* once more */
    assert_int_equal(answered, 1);
    n_questions = 0;
}

static void test_resolver_dies_of_it(void **state)
{
    (void)state;
    struct connect_question q = {
        .tag = 7, .hop = {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_MAY, .name = SPAN("no.example")}};
    asked = answered = 0;
    connect_ask(engine, &answer, &q);
    for (unsigned i = 2; i <= 3; i++) {
        connect_dns_again(engine);
        assert_true(asked == i && !answered);
    }
    connect_dns_again(engine);
    assert_true(asked == 3 && answered == 1);
    expect(CONNECT_DEFER, "4.4.3", "the resolver ended");
    n_questions = 0;
}

static void test_forget(void **state)
{
    (void)state;
    struct connect_question q = {
        .tag = 7, .hop = {.kind = NEXT_HOP_MX, .tls = TLS_POLICY_MAY, .name = SPAN("no.example")}};
    answered = 0;
    connect_ask(engine, &answer, &q);
    connect_explain(engine, &answer, &q);
    connect_forget(engine, &q);
    assert_int_equal(connect_count(engine).open, 2);
    connect_forget(engine, &answer);
    assert_int_equal(connect_count(engine).open, 0);
    assert_int_equal(connect_count(engine).lookups, 0);
    play(&questions[0]);
    assert_int_equal(answered, 0);
    n_questions = 0;
}

/* ---- */

static uint16_t bound(bool listens)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s, (struct sockaddr *)&a, sizeof a), 0);
    if (listens) assert_int_equal(listen(s, 64), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&a, &n), 0);
    return ntohs(a.sin_port); /* held until the end */
}

static int begin(void **state)
{
    (void)state;
    static const struct connect_hooks hooks = {on_ask, on_answer, on_explained};
    char config_text[1024];
    struct config_problem *problems = NULL;
    struct span missing;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    fd = -1;
    asked = n_questions = 0;
    port = bound(true);
    closed_port = bound(false);
    snprintf(socket_path, sizeof socket_path, "/tmp/sallyport-connect-%d", (int)getpid());
    memcpy(a.sun_path, socket_path, sizeof socket_path);
    unlink(socket_path);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(s, (struct sockaddr *)&a, sizeof a) == 0 && listen(s, 8) == 0);
    int octets =
        snprintf(config_text, sizeof config_text,
                 "hostname mail.ours.example\nserver mx { listen 192.0.2.25:25 tls none  access anonymous }\n"
                 "relay r1.example via smarthost 127.0.0.1:%u\nrelay r2.example via smarthost 127.0.0.1:%u\n"
                 "relay r3.example via smarthost 127.0.0.1:%u 127.0.0.1:%u\nrelay r4.example via smarthost "
                 "localhost:%u\n"
                 "relay r5.example via smarthost smart.example:25\nrecipients l.example any\ndeliver "
                 "l.example to lmtp unix:%s\n",
                 port, closed_port, closed_port, port, port, socket_path);
    struct config_source source = {SPAN("/d/sallyport.conf"), span_of(config_text, (size_t)octets), NULL};
    arena = arena_create(16 << 20);
    struct config *config = config_parse(arena, &source, 1, &problems, &missing);
    for (; problems; problems = problems->next)
        if (problems->severity == CONFIG_ERROR)
            print_error("%u: %.*s\n", problems->place.line, SPAN_ARG(problems->text));
    assert_non_null(config);
    loop = loop_create(16);
    engine = connect_create(loop, config, &hooks, NULL, 4711);
    assert_non_null(engine);
    return 0;
}

static int end(void **state)
{
    (void)state;
    if (fd >= 0) close(fd);
    connect_free(&engine);
    loop_destroy(&loop);
    arena_destroy(&arena);
    unlink(socket_path);
    return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_no_exchanger),   TEST(test_ourselves), TEST(test_addresses_refused),
        TEST(test_no_address),     TEST(test_literal),   TEST(test_not_in_the_configuration),
        TEST(test_socket),         TEST(test_dane),      TEST(test_explained),
        TEST(test_resolver_again), TEST(test_forget),    TEST(test_resolver_dies_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
