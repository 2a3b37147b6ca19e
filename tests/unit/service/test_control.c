#include "service/control.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "spool/message_id.h"

static bool reads(const char *line, struct control_request *r)
{
    const char *why = NULL;
    return control_request_read(span_str(line), r, &why);
}

static void same_filter(const struct question_filter *a, const struct question_filter *b,
                        enum control_verb verb)
{
    assert_true(a->id == b->id);
    if (verb != CONTROL_QUEUE_LIST && verb != CONTROL_QUEUE_SUMMARY && !control_changes(verb)) return;
    assert_int_equal(a->states, b->states);
    assert_true(span_eq(a->from, b->from) && span_eq(a->to, b->to) && span_eq(a->domain, b->domain));
    assert_true(span_eq(a->reason, b->reason) && span_eq(a->destination, b->destination));
    assert_true(a->larger == b->larger && a->smaller == b->smaller);
    assert_true(a->older_ms == b->older_ms && a->newer_ms == b->newer_ms);
}

static void test_what_is_put_is_read(void **state)
{
    (void)state;
    char memory[1024];
    struct control_request hop = {.verb = CONTROL_EXPLAIN_HOP, .filter = QUESTION_FILTER_ANY}, hop_queue;
    control_request_hop(&hop, &(struct next_hop){.tls = TLS_POLICY_DANE, .name = SPAN("example.org")});
    hop_queue = hop;
    hop_queue.verb = CONTROL_QUEUE_DESTINATIONS;
    const struct control_request all[] = {
        hop,
        hop_queue,
        {.verb = CONTROL_STATUS},
        {.verb = CONTROL_RELOAD},
        {.verb = CONTROL_STOP},
        {.verb = CONTROL_QUEUE_VERIFY},
        {.verb = CONTROL_QUEUE_COUNTS},
        {.verb = CONTROL_QUEUE_DESTINATIONS},
        {.verb = CONTROL_QUEUE_SHOW, .filter = {.id = UINT64_C(0x123456789abcde)}},
        {.verb = CONTROL_QUEUE_LIST, .filter = QUESTION_FILTER_ANY},
        {.verb = CONTROL_QUEUE_SUMMARY, .group = GROUP_REASON, .filter = QUESTION_FILTER_ANY},
        {.verb = CONTROL_QUEUE_FLUSH, .all = true, .filter = QUESTION_FILTER_ANY},
        {.verb = CONTROL_QUEUE_REMOVE,
         .filter = {.id = 7,
                    .states = QUESTION_HELD | QUESTION_QUEUED,
                    .from = SPAN("a b=c@d"),
                    .to = SPAN("\xc3\xa4@x"),
                    .domain = SPAN("example.org"),
                    .reason = SPAN("4.4.1 refused"),
                    .destination = SPAN("mx example.org"),
                    .larger = 10,
                    .smaller = 20,
                    .older_ms = 3000,
                    .newer_ms = 4000}},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        control_request_put(&b, &all[i]);
        assert_false(b.over);
        assert_int_equal(b.p[b.n - 1], '\n');
        struct control_request r;
        const char *why;
        assert_true(control_request_read((struct span){b.p, b.n - 1}, &r, &why));
        assert_int_equal(r.verb, all[i].verb);
        assert_int_equal(r.group, all[i].group);
        assert_int_equal(r.all, all[i].all);
        same_filter(&r.filter, &all[i].filter, r.verb);
        struct span said = span_of(all[i].hop, all[i].hop_octets);
        assert_true(span_eq(span_of(r.hop, r.hop_octets), said));
        struct question q;
        assert_int_equal(control_question(&r, &q), r.verb >= CONTROL_QUEUE_LIST);
        if (r.verb < CONTROL_QUEUE_LIST) continue;
        assert_true(span_eq(q.hop, said));
        assert_int_equal(q.kind == QUESTION_CHANGE, control_changes(r.verb));
        same_filter(&q.filter, &r.filter, r.verb);
        assert_int_equal(q.page, LIMIT_QUESTION_PAGE_LINES);
    }
}

static void test_malformed_next_hops_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "explain-hop",
        "explain-hop\thop=",
        "explain-hop\thop=zz",
        "explain-hop\thop=000",
        "explain-hop\thop=00000000010061",     /* a file is missing */
        "explain-hop\thop=000100000100610000", /* LMTP to an exchanger */
        "explain-hop\thop=0000000001000a0000", /* a control octet as the domain */
        "explain-hop\thop=000000000100610000\thop=000000000100610000",
        "explain-hop\thop=000000000100610000ff", /* more than one */
        "queue-list\thop=000000000100610000",
        "queue-destinations\tstate=held",
    };
    struct control_request r;
    assert_true(reads("explain-hop\thop=000000000100610000", &r)); /* what is malformed below is this */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(reads(bad[i], &r));
}

static void test_hostile_requests_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\t",
        "STATUS",
        "status ",
        "status\t",
        "status\tid=0000000000001",
        "stop\tnow",
        "queue-show",
        "queue-show\t",
        "queue-show\tid",
        "queue-show\tid=",
        "queue-show\tid=zzz",
        "queue-show\tid=uuuuuuuuuuuuu",
        "queue-show\tid=0000000000001\tid=0000000000001",
        "queue-show\tid=0000000000001\tfrom=x",
        "queue-list\tstate=",
        "queue-list\tstate=queued,",
        "queue-list\tstate=,queued",
        "queue-list\tstate=all",
        "queue-list\tstate=queued\tstate=held",
        "queue-list\tfrom=a\tfrom=b",
        "queue-list\tfrom=",
        "queue-list\tfrom=a\x01",
        "queue-list\tto=a\x7f",
        "queue-list\tall=yes",
        "queue-list\tby=reason",
        "queue-list\tlarger=x",
        "queue-list\tlarger=1\tlarger=2",
        "queue-list\tolder=99999999999999999999",
        "queue-summary\tby=size",
        "queue-remove",
        "queue-flush\tall=no",
        "queue-counts\tfrom=a",
        "queue-list queued",
        "queue-list\t\tfrom=a",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct control_request r = {.verb = CONTROL_STOP, .filter = {.id = 7}};
        assert_false(reads(bad[i], &r));
        assert_true(r.verb == CONTROL_STOP && r.filter.id == 7); /* untouched on failure */
    }
    const char *why = NULL;
    struct control_request r;
    assert_false(control_request_read(SPAN("status\0stop"), &r, &why));
    assert_non_null(why);
    char line[LIMIT_QUESTION_FILTER_OCTETS + 32] = "queue-list\tfrom=";
    size_t head = strlen(line);
    memset(line + head, 'a', LIMIT_QUESTION_FILTER_OCTETS + 1);
    assert_false(control_request_read(span_of(line, head + LIMIT_QUESTION_FILTER_OCTETS + 1), &r, &why));
    assert_true(control_request_read(span_of(line, head + LIMIT_QUESTION_FILTER_OCTETS), &r, &why));
}

static void test_a_filter_that_cannot_be_said_is_refused(void **state)
{
    (void)state;
    char memory[512];
    static const char *const bad[] = {"a\tto=b", "a\nstop", "\x7f", "a\r"};
    for (size_t i = 0; i < 4; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        control_request_put(
            &b, &(struct control_request){.verb = CONTROL_QUEUE_LIST, .filter = {.from = span_str(bad[i])}});
        assert_true(b.over);
    }
}

static void test_answers(void **state)
{
    (void)state;
    char memory[512];
    struct buf b = buf_on(memory, sizeof memory);
    control_lines_put(&b, SPAN("{\"a\":1}\n=ok\n\r\x01x"));
    control_end_put(&b, CONTROL_FAILED, SPAN("two\nlines"));
    assert_false(b.over);
    struct span in = buf_span(&b), text;
    size_t used = 0;
    enum control_status status = CONTROL_OK;
    static const char *const lines[] = {"{\"a\":1}", "=ok",
                                        "??x"}; /* an end line inside the text stays text */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(control_answer_next(in, &used, &text, &status), CONTROL_LINE);
        assert_true(span_eq(text, span_str(lines[i])));
        in = span_skip(in, used);
    }
    for (size_t n = 0; n < in.n; n++)
        assert_int_equal(control_answer_next(span_head(in, n), &used, &text, &status), CONTROL_MORE);
    assert_int_equal(control_answer_next(in, &used, &text, &status), CONTROL_END);
    assert_int_equal(status, CONTROL_FAILED);
    assert_true(span_eq(text, SPAN("two?lines")));
    assert_int_equal(used, in.n);
}

static void test_broken_answers(void **state)
{
    (void)state;
    size_t used;
    struct span text;
    enum control_status status;
    static const char *const bad[] = {"x", "HTTP/1.1 200\n", "=\n", "=fine\n", "=okay\n", "\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(control_answer_next(span_str(bad[i]), &used, &text, &status), CONTROL_BROKEN);
    assert_int_equal(control_answer_next(SPAN("=ok\n"), &used, &text, &status), CONTROL_END);
    assert_int_equal(text.n, 0);
}

static void test_room_for_lines_is_enough(void **state)
{
    (void)state;
    char text[64], memory[CONTROL_LINES_ROOM(64)];
    memset(text, '\n', sizeof text); /* the worst text: each octet becomes two */
    struct buf b = buf_on(memory, sizeof memory);
    control_lines_put(&b, span_of(text, sizeof text));
    assert_false(b.over);
    text[63] = 'x';
    b = buf_on(memory, sizeof memory);
    control_lines_put(&b, span_of(text, sizeof text));
    assert_false(b.over);
    b = buf_on(memory, 10);
    control_lines_put(&b, span_of(text, sizeof text));
    assert_true(b.over);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_put_is_read),
        cmocka_unit_test(test_hostile_requests_are_refused),
        cmocka_unit_test(test_malformed_next_hops_are_refused),
        cmocka_unit_test(test_a_filter_that_cannot_be_said_is_refused),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_broken_answers),
        cmocka_unit_test(test_room_for_lines_is_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
