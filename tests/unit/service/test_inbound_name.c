/* inbound: the name of a client, before the greeting. The test plays the resolver. */
#include "inbound_fixture.h"

#define SERVER(rules)                                                                                        \
    "hostname mx.test.example\nserver mx {\n listen 127.0.0.1:2525\n listen 127.0.0.1:2526 proxy from "      \
    "127.0.0.0/8\n limits { sessions 64 sessions-per-source 64 }\n" rules "}\nrecipients dest.example any\n"
#define DENIED  SERVER(" connections deny name *.dyn.example.net\n")
#define ALLOWED SERVER(" connections allow name *.example.org\n")

static struct asked {
    struct dns_question q;
    char name[256];
} asked[64];
static unsigned n_asked;
static bool deaf;

static bool resolve(void *context, const struct dns_question *q)
{
    (void)context;
    if (deaf) return false;
    assert_true(n_asked < 64);
    struct asked *a = &asked[n_asked++];
    a->q = *q;
    memcpy(a->name, q->name.p, q->name.n);
    a->name[q->name.n] = 0;
    return true;
}

static int begin_with(const char *text)
{
    n_asked = 0;
    deaf = false;
    resolver = resolve;
    return set_up_config(text, NULL);
}

static int denied(void **state)
{
    (void)state;
    return begin_with(DENIED);
}

static int allowed(void **state)
{
    (void)state;
    return begin_with(ALLOWED);
}

static int end(void **state)
{
    (void)state;
    resolver = NULL;
    return 0;
}

/* names: with commas between; or 4 octets of an address as they are. */
static void answer(unsigned which, enum dns_status status, const char *names)
{
    static char memory[16384];
    struct buf b = buf_on(memory, sizeof memory);
    struct dns_answer a = {.tag = asked[which].q.tag, .status = (uint8_t)status};
    for (struct span rest = span_str(names); rest.n;) {
        struct span one = span_head(rest, asked[which].q.type == DNS_PTR ? span_find(rest, ',') : 4);
        rest = span_skip(rest, one.n + (asked[which].q.type == DNS_PTR));
        dns_record_put(&b, &(struct dns_record){.data = one});
        a.count++;
    }
    a.records = buf_span(&b);
    inbound_resolved(t.in, &a);
    turns(3);
}

static void confirmed(unsigned which, bool yes)
{
    static const uint8_t here[] = {127, 0, 0, 1}, there[] = {192, 0, 2, 1};
    char memory[16];
    struct buf b = buf_on(memory, sizeof memory);
    dns_record_put(&b, &(struct dns_record){.data = span_of(there, 4)});
    dns_record_put(&b, &(struct dns_record){.data = span_of(yes ? here : there, 4)});
    struct dns_answer a = {.tag = asked[which].q.tag, .status = DNS_OK, .count = 2, .records = buf_span(&b)};
    inbound_resolved(t.in, &a);
    turns(3);
}

static const char *heard(int fd)
{
    return line(fd, "");
}

static void assert_silent(int fd)
{
    assert_string_equal(heard(fd), "");
    assert_false(closed(fd));
}

static void a_confirmed_name_decides(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    assert_silent(fd);
    assert_int_equal(n_asked, 1);
    assert_int_equal(asked[0].q.type, DNS_PTR);
    assert_string_equal(asked[0].name, "1.0.0.127.in-addr.arpa");
    answer(0, DNS_OK, "a.dyn.example.net,mail.example.org");
    assert_int_equal(n_asked, 3);
    assert_int_equal(asked[1].q.type, DNS_A);
    assert_string_equal(asked[1].name, "a.dyn.example.net");
    assert_string_equal(asked[2].name, "mail.example.org");
    confirmed(2, true);
    assert_silent(fd); /* the other may be one that is denied */
    confirmed(1, true);
    assert_string_equal(heard(fd), "554 5.7.1 Your host may not connect to this server\r\n");
    assert_true(closed(fd));
    close(fd);
    assert_at_rest();
}

static void what_does_not_point_back_is_no_name(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    answer(0, DNS_OK, "a.dyn.example.net");
    confirmed(1, false);
    greeted(fd);
    close(fd);
    assert_at_rest();
}

static void without_a_name(void **state)
{
    (void)state;
    static const enum dns_status bad[] = {DNS_NO_NAME, DNS_NO_DATA, DNS_FAILED, DNS_BOGUS};
    for (unsigned i = 0; i < 4; i++) {
        int fd = client(PLAIN_PORT), other = client(PLAIN_PORT);
        answer(n_asked - 2, bad[i], "");
        greeted(fd);
        answer(n_asked - 1, DNS_OK, "a.dyn.example.net");
        answer(n_asked - 1, bad[i], "");
        greeted(other);
        close(fd);
        close(other);
    }
    assert_at_rest();
}

static void without_a_name_none_is_allowed(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    answer(0, DNS_FAILED, "");
    assert_string_equal(heard(fd), "554 5.7.1 Your address may not connect to this server\r\n");
    assert_true(closed(fd));
    close(fd);
    fd = client(PLAIN_PORT);
    answer(1, DNS_OK, "mail.example.org");
    confirmed(2, true);
    greeted(fd);
    line(fd, "EHLO c.example\r\n");
    line(fd, ENVELOPE "BDAT 3 LAST\r\nx\r\n");
    t.content[t.n_content] = 0;
    /* RFC 5321 4.4 TCP-info: what is known of it */
    assert_non_null(strstr((char *)t.content, "from c.example (mail.example.org [127.0.0.1])"));
    line(fd, "QUIT\r\n");
    close(fd);
    assert_at_rest();
}

static void it_waits_so_long_and_no_longer(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    later_seconds += LIMIT_CLIENT_NAME_SECONDS - 2;
    turns(3);
    assert_silent(fd);
    later_seconds += 3;
    turns(3);
    greeted(fd);
    answer(0, DNS_OK, "a.dyn.example.net"); /* too late */
    assert_int_equal(n_asked, 1);
    line(fd, "QUIT\r\n");
    close(fd);
    fd = client(PLAIN_PORT); /* the name that was confirmed until then counts */
    answer(1, DNS_OK, "a.dyn.example.net,b.example");
    confirmed(2, true);
    later_seconds += LIMIT_CLIENT_NAME_SECONDS + 1;
    turns(3);
    assert_non_null(strstr(heard(fd), "554 5.7.1"));
    close(fd);
    assert_at_rest();
}

static void the_resolver_is_gone(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT), other = client(PLAIN_PORT);
    answer(0, DNS_OK, "a.dyn.example.net");
    inbound_resolver_lost(t.in);
    turns(3);
    greeted(fd);
    greeted(other);
    confirmed(2, true); /* of before */
    deaf = true;
    int third = client(PLAIN_PORT);
    greeted(third);
    close(fd);
    close(other);
    close(third);
    assert_at_rest();
}

static void a_client_that_leaves(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    reset(fd);
    turns(3);
    assert_int_equal(inbound_sessions(t.in), 0);
    int other = client(PLAIN_PORT);
    answer(0, DNS_OK, "a.dyn.example.net"); /* whoever has its place now is not meant */
    assert_int_equal(n_asked, 2);
    assert_silent(other);
    answer(1, DNS_NO_NAME, "");
    greeted(other);
    close(other);
    assert_at_rest();
}

static void who_talks_first_is_still_refused(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    line(fd, "EHLO early.example\r\n");
    answer(0, DNS_NO_NAME, "");
    assert_non_null(strstr(heard(fd), "554 5.5.1"));
    close(fd);
    assert_at_rest();
}

static void the_client_behind_a_proxy_is_meant(void **state)
{
    (void)state;
    int fd = client(PROXY_PORT);
    assert_int_equal(n_asked, 0);
    line(fd, "PROXY TCP6 2001:db8::9 ::1 1 25\r\n");
    assert_int_equal(n_asked, 1);
    assert_non_null(strstr(asked[0].name, "9.0.0.0.0.0.0.0.0.0.0.0"));
    answer(0, DNS_OK, "x.dyn.example.net");
    assert_int_equal(asked[1].q.type, DNS_AAAA);
    confirmed(1, true); /* an IPv4 address is not that one */
    greeted(fd);
    line(fd, "EHLO c.example\r\n");
    close(fd);
    assert_at_rest();
}

static void hostile_answers(void **state)
{
    (void)state;
    static char many[100 * 40], *at = many;
    for (unsigned i = 0; i < 100; i++)
        at += sprintf(at, "%sn%02u.%s", i ? "," : "", 99 - i, i == 99 ? "dyn.example.net" : "example.com");
    int fd = client(PLAIN_PORT);
    answer(0, DNS_OK, many);
    assert_int_equal(n_asked, 1 + LIMIT_CLIENT_NAMES);
    assert_string_equal(asked[1].name, "n00.dyn.example.net");
    confirmed(1, true);
    for (unsigned i = 2; i < n_asked; i++)
        confirmed(i, false);
    assert_non_null(strstr(heard(fd), "554 5.7.1"));
    close(fd);
    unsigned before = n_asked;
    fd = client(PLAIN_PORT);
    answer(before, DNS_OK, "a b.dyn.example.net,x\r\n.dyn.example.net,(.example,..,*.dyn.example.net");
    assert_int_equal(n_asked, before + 1); /* none of them is a name */
    greeted(fd);
    close(fd);
    const struct dns_answer nowhere[] = {{.tag = UINT64_MAX, .status = DNS_OK}, {.tag = 0}, {.tag = 7}};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
        inbound_resolved(t.in, &nowhere[i]);
    assert_at_rest();
}

static void many_side_by_side(void **state)
{
    (void)state;
    int fd[50];
    for (unsigned i = 0; i < 50; i++)
        fd[i] = client(PLAIN_PORT);
    assert_int_equal(n_asked, 50);
    for (unsigned i = 50; i-- > 0;)
        answer(i, DNS_NO_NAME, "");
    for (unsigned i = 0; i < 50; i++) {
        greeted(fd[i]);
        close(fd[i]);
    }
    assert_at_rest();
}

static void a_stop_is_said(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    inbound_drain(t.in, true);
    turns(3);
    assert_non_null(strstr(heard(fd), "421 4.3.2"));
    assert_true(closed(fd));
    close(fd);
    assert_int_equal(inbound_sessions(t.in), 0);
}

static int plain_server(void **state)
{
    (void)state;
    return begin_with(SERVER(" connections deny name *.dyn.example.net\n connections allow 127.0.0.0/8\n"));
}

static void an_address_is_enough(void **state)
{
    (void)state;
    int fd = client(PLAIN_PORT);
    greeted(fd);
    assert_int_equal(n_asked, 0);
    close(fd);
    assert_at_rest();
}

int main(void)
{
#define DENIES(f) cmocka_unit_test_setup_teardown(f, denied, end)
    const struct CMUnitTest tests[] = {
        DENIES(a_confirmed_name_decides),
        DENIES(what_does_not_point_back_is_no_name),
        DENIES(without_a_name),
        cmocka_unit_test_setup_teardown(without_a_name_none_is_allowed, allowed, end),
        DENIES(it_waits_so_long_and_no_longer),
        DENIES(the_resolver_is_gone),
        DENIES(a_client_that_leaves),
        DENIES(who_talks_first_is_still_refused),
        DENIES(the_client_behind_a_proxy_is_meant),
        DENIES(hostile_answers),
        DENIES(many_side_by_side),
        DENIES(a_stop_is_said),
        cmocka_unit_test_setup_teardown(an_address_is_enough, plain_server, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
