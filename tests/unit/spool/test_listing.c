#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "policy/next_hop.h"
#include "spool/listing.h"
#include "spool/message_id.h"

static uint8_t memory[LISTING_TEXT_OCTETS + 1];
static char all[200000]; /* of all pages, as far as it fits */
static size_t all_n;
static struct listing_verified verified;

static int set_up(void **state)
{
    *state = fixture_new();
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fixture_free(&f);
    return 0;
}

#define ANY .smaller = UINT64_MAX, .newer_ms = UINT64_MAX
#define LIST(n, ...)                                                                                         \
    (struct question)                                                                                        \
    {                                                                                                        \
        .kind = QUESTION_LIST, .page = n, .filter = { ANY, __VA_ARGS__ }                                     \
    }
#define CHANGE(w, ...)                                                                                       \
    (struct question)                                                                                        \
    {                                                                                                        \
        .kind = QUESTION_CHANGE, .what = w, .uid = 1000, .filter = { ANY, __VA_ARGS__ }                      \
    }

static struct destinations *destinations;
static unsigned bounced, changes, places = UINT32_MAX; /* for what is bounced */

static bool next_hop_of(void *context, const struct message *m, const struct recipient *r, struct buf *key)
{
    const struct fixture *f = context;
    (void)r;
    struct next_hop hop = {.kind = NEXT_HOP_MX,
                           .tls = TLS_POLICY_MAY,
                           .name = m->id % 2 ? SPAN("odd.example.org") : SPAN("even.example.org")};
    if (f->no_route) return false;
    next_hop_put(key, &hop);
    return true;
}

static bool bounce(void *context, uint64_t id, uint32_t recipient, struct span text)
{
    struct fixture *f = context;
    struct attempt a = {.state = RECIPIENT_BOUNCED, .text = text};
    if (places == 0) return false;
    places--;
    bounced++;
    return store_claim(f->store, id, recipient) && store_attempt(f->store, id, recipient, &a, f->now_ms);
}

static void changed(void *context, const struct question *q, uint64_t id, uint32_t recipients)
{
    (void)context, (void)id, (void)recipients;
    assert_int_equal(q->uid, 1000);
    changes++;
}

/* All pages, the last of which ends so; counts lines, keeps the last page's text in memory. */
static unsigned ask(struct fixture *f, struct question q, enum answer_status want)
{
    unsigned lines = 0;
    bool last = false;
    q.cursor = 0;
    all_n = 0;
    for (int page = 0; page < 1000 && !last; page++) {
        struct buf b = buf_on(memory, LISTING_TEXT_OCTETS);
        struct listing l = {.store = f->store,
                            .destinations = destinations,
                            .unix_ms = f->now_ms,
                            .monotonic_ms = 1000,
                            .verified = &verified,
                            .context = f,
                            .next_hop = next_hop_of,
                            .bounce = bounce,
                            .changed = changed};
        enum answer_status status = listing_answer(&l, &q, &b, &q.cursor, &last);
        assert_false(b.over);
        if (status != ANSWER_OK) last = true;
        assert_int_equal(status, last ? want : ANSWER_OK);
        memory[b.n] = 0;
        if (all_n + b.n < sizeof all) memcpy(all + all_n, memory, b.n + 1);
        all_n += b.n;
        assert_true(b.n == 0 || memory[b.n - 1] == '\n');
        for (size_t i = 0; i < b.n; i++)
            lines += memory[i] == '\n';
    }
    assert_true(last);
    return lines;
}

static bool says(const char *text)
{
    return strstr((const char *)memory, text) != NULL;
}

static void list(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 700; id++)
        assert_int_equal(fixture_commit(f, id, 50, 1 + (uint32_t)(id % 2)), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, LIST(1000, ), ANSWER_OK), 700);
    assert_int_equal(ask(f, LIST(7, ), ANSWER_OK), 700);
    assert_int_equal(ask(f, LIST(1000, .to = SPAN("R1@EXAMPLE")), ANSWER_OK), 350);
    assert_int_equal(ask(f, LIST(1000, .from = SPAN("nobody")), ANSWER_OK), 0);
    assert_true(store_hold(f->store, 3, true, 1000, f->now_ms));
    assert_int_equal(ask(f, LIST(9, .states = QUESTION_HELD), ANSWER_OK), 1);
    assert_true(says("\"id\":\"0000000000003\",\"state\":\"held\""));
    assert_true(says("\"reason\":\"held by an operator\""));
    assert_true(says("\"arrival\":\"2026-11-25T"));
    assert_int_equal(ask(f, LIST(9, .states = QUESTION_DEFERRED), ANSWER_OK), 0);
}

static void many_recipients(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 50, 500), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, LIST(9, ), ANSWER_OK), 1);
    assert_true(says("\"more\":480"));
    struct attempt a = {
        .state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("full, \"really\"\\")};
    for (uint32_t i = 0; i < 500; i++)
        assert_true(store_attempt(f->store, 1, i, &a, f->now_ms));
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .filter = {.id = 1}}, ANSWER_OK),
                     502); /* head, arrival, attempts */
    assert_true(says("full, \\\"really\\\"\\\\"));
}

static void show(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 50, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .filter = {.id = 2}}, ANSWER_UNKNOWN),
                     0);
    struct attempt a = {.state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("mailbox full")};
    for (int i = 0; i < 3; i++)
        assert_true(store_attempt(f->store, 1, 0, &a, f->now_ms += 1000000));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .filter = {.id = 1}}, ANSWER_OK), 5);
    assert_true(says("\"event\":\"arrival\",\"server\":\"mx\",\"client\":\"192.0.2.1\""));
    assert_true(says("\"attempts\":3"));
    assert_true(says("\"state\":\"deferred\",\"status\":\"4.2.2\",\"text\":\"mailbox full\""));
}

static bool said(const char *text)
{
    return strstr(all, text) != NULL;
}

static void attempts_at_a_next_hop(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 50, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    struct attempt a = {.state = RECIPIENT_DEFERRED,
                        .enhanced = SPAN("4.2.0"),
                        .text = SPAN("greylisted"),
                        .trace = {.host = SPAN("mx.example.org[2001:db8::1]:25"),
                                  .tls = SPAN("TLSv1.3 dane-ee"),
                                  .code = 451,
                                  .connect_ms = 7,
                                  .session_ms = 12}};
    assert_true(store_attempt(f->store, 1, 0, &a, f->now_ms));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .filter = {.id = 1}}, ANSWER_OK), 3);
    assert_true(says(
        "\"host\":\"mx.example.org\",\"address\":\"2001:db8::1\",\"family\":\"ipv6\",\"port\":25,\"tls\":"
        "\"TLSv1.3 dane-ee\","
        "\"code\":451,\"dns_ms\":0,\"connect_ms\":7,\"session_ms\":12,\"transfer_ms\":0}"));
    assert_true(says("\"waits\":\"attempt\""));
    assert_true(says("\"destination\":\"mx odd.example.org\",\"reason\":\"greylisted\""));
}

static void a_recipient_names_the_failure_of_its_next_hop(void **state)
{
    struct fixture *f = *state;
    uint8_t key[NEXT_HOP_KEY_OCTETS];
    uint64_t id;
    uint32_t i;
    enum store_due why;
    struct destination_transaction take;
    destinations = destinations_create(1, 16);
    assert_int_equal(fixture_commit(f, 1, 50, 2), STORE_PENDING);
    assert_true(fixture_flush(f));
    struct buf b = buf_on(key, sizeof key);
    assert_true(next_hop_of(f, store_find(f->store, 1), NULL, &b));
    while (store_due(f->store, STORE_ANY, f->now_ms, &id, &i, &why)) {
        uint32_t ticket =
            destinations_add(destinations, buf_span(&b), &destination_limits_default, id + i, i, 0, 0);
        store_ready(f->store, id, i, ticket, f->now_ms);
    }
    assert_true(destinations_take(destinations, 0, false, &take));
    assert_true(store_taken(f->store, 1, take.recipients[0]));
    destinations_done(destinations,
                      &(struct destination_result){.destination = take.destination,
                                                   .outcome = DESTINATION_MISSED,
                                                   .failure = {.enhanced = "4.4.1",
                                                               .text = SPAN("mx.example.org[192.0.2.1]:25: "
                                                                            "connection refused"),
                                                               .host = SPAN("mx.example.org[192.0.2.1]:25")}},
                      1000);
    assert_int_equal(ask(f, LIST(9, .reason = SPAN("REFUSED")), ANSWER_OK), 1);
    assert_true(says("\"waits\":\"delivery\",\"waits_for\":\"an attempt is under way"));
    assert_true(says("\"waits\":\"destination\",\"waits_for\":\"its next hop rests after a "
                     "failure\",\"next\":\"2026-11-25T"));
    assert_true(says("connection refused\",\"host\":\"mx.example.org[192.0.2.1]:25\""));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_DESTINATIONS}, ANSWER_OK), 1);
    assert_true(
        says("{\"destination\":\"mx odd.example.org\",\"standing\":\"failed\",\"waiting\":1,\"sessions\":0"));
    assert_true(says("\"status\":\"4.4.1\",\"reason\":\"mx.example.org[192.0.2.1]:25: connection refused\""));
    assert_true(says("\"waits_for\":\"its next hop rests after a failure\""));
    struct question by_reason = {
        .kind = QUESTION_SUMMARY, .what = GROUP_REASON, .filter = QUESTION_FILTER_ANY};
    assert_int_equal(ask(f, by_reason, ANSWER_OK), 3);
    assert_true(says("{\"reason\":\"4.4.1 *: connection refused\",\"recipients\":1,"));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_DESTINATIONS}, ANSWER_OK), 1);
    assert_true(says("\"next_after\":\"back-off\""));
    /* one that is named, and one that is not known */
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_DESTINATIONS, .hop = buf_span(&b)}, ANSWER_OK),
                     1);
    assert_true(says("{\"destination\":\"mx odd.example.org\""));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_DESTINATIONS, .hop = SPAN("x")}, ANSWER_OK),
                     0);
    assert_int_equal(destinations_next_ms(destinations, false) > 1000, 1);
    assert_int_equal(ask(f, CHANGE(CHANGE_FLUSH, .destination = SPAN("odd")), ANSWER_OK), 2);
    assert_int_equal(destinations_next_ms(destinations, false), 0); /* the probe may begin */
    assert_true(says("\"recipients\":1,\"busy\":1,\"held\":0}"));
    destinations_destroy(&destinations);
}

/* Nothing failed, and it waits all the same. */
static void limits_are_a_reason(void **state)
{
    struct fixture *f = *state;
    uint8_t key[NEXT_HOP_KEY_OCTETS];
    uint64_t id;
    uint32_t i;
    enum store_due why;
    struct destination_transaction take;
    struct destination_limits limits = destination_limits_default;
    limits.messages = (struct destination_rate){2, 60000};
    destinations = destinations_create(1, 16);
    for (id = 1; id <= 7; id += 2)
        assert_int_equal(fixture_commit(f, id, 50, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    struct buf b = buf_on(key, sizeof key);
    assert_true(next_hop_of(f, store_find(f->store, 1), NULL, &b));
    while (store_due(f->store, STORE_ANY, f->now_ms, &id, &i, &why))
        store_ready(f->store, id, i, destinations_add(destinations, buf_span(&b), &limits, id, i, 0, 1000),
                    f->now_ms);
    assert_int_equal(ask(f, LIST(9, ), ANSWER_OK), 4);
    assert_true(says("\"waits_for\":\"its turn\""));
    for (unsigned n = 0; n < 2; n++) {
        assert_true(destinations_take(destinations, 1000, false, &take));
        assert_true(store_taken(f->store, take.id, take.recipients[0]));
    }
    assert_int_equal(ask(f, LIST(9, ), ANSWER_OK), 4);
    assert_true(says("\"waits_for\":\"the first connections to its next hop are being made\""));
    for (unsigned n = 0; n < 2; n++)
        destinations_done(
            destinations,
            &(struct destination_result){.destination = take.destination, .outcome = DESTINATION_REACHED},
            1000);
    assert_int_equal(ask(f, LIST(9, ), ANSWER_OK), 4);
    assert_true(says("\"waits_for\":\"its next hop had all the messages that its limit allows in this "
                     "time\",\"next\":\"2026-11-25T"));
    assert_int_equal(ask(f, LIST(9, .reason = SPAN("its limit allows")), ANSWER_OK), 2);
    destinations_destroy(&destinations);
}

static void filters(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 10; id++)
        assert_int_equal(fixture_commit(f, id, (size_t)id * 100, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    f->now_ms += 3600000;
    assert_int_equal(fixture_commit(f, 11, 5000, 1), STORE_PENDING);
    assert_true(fixture_flush(f));
    struct attempt a = {.state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("mailbox full")};
    assert_true(store_attempt(f->store, 4, 0, &a, f->now_ms));
    assert_int_equal(ask(f, LIST(9, .domain = SPAN("Example.ORG")), ANSWER_OK), 11);
    assert_int_equal(ask(f, LIST(9, .domain = SPAN("xample.org")), ANSWER_OK), 0);
    assert_int_equal(ask(f, LIST(9, .larger = 500), ANSWER_OK), 7);
    assert_int_equal(ask(f,
                         (struct question){.kind = QUESTION_LIST,
                                           .page = 9,
                                           .filter = {.larger = 500, .smaller = 700, .newer_ms = UINT64_MAX}},
                         ANSWER_OK),
                     3);
    assert_int_equal(ask(f, LIST(9, .older_ms = 1800000), ANSWER_OK), 10);
    assert_int_equal(ask(f,
                         (struct question){.kind = QUESTION_LIST,
                                           .page = 9,
                                           .filter = {.smaller = UINT64_MAX, .newer_ms = 1800000}},
                         ANSWER_OK),
                     1);
    assert_int_equal(ask(f, LIST(9, .reason = SPAN("full")), ANSWER_OK), 1);
    assert_int_equal(ask(f, LIST(9, .destination = SPAN("even")), ANSWER_OK), 5);
    assert_int_equal(ask(f, LIST(9, .id = 3), ANSWER_OK), 1);
    assert_int_equal(ask(f, LIST(9, .id = 33), ANSWER_OK), 0);
}

static void summaries(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 300; id++)
        assert_int_equal(fixture_commit(f, id, 100, 2), STORE_PENDING);
    assert_true(fixture_flush(f));
    struct attempt a = {
        .state = RECIPIENT_DEFERRED, .enhanced = SPAN("4.2.2"), .text = SPAN("try in 17 seconds")};
    assert_true(store_attempt(f->store, 4, 0, &a, f->now_ms));
    a.text = SPAN("try in 4 seconds");
    assert_true(store_attempt(f->store, 5, 1, &a, f->now_ms));
    assert_true(store_hold(f->store, 6, true, 1000, f->now_ms));
    struct question q = {.kind = QUESTION_SUMMARY, .what = GROUP_DESTINATION, .filter = QUESTION_FILTER_ANY};
    assert_int_equal(ask(f, q, ANSWER_OK), 3);
    assert_true(said(
        "{\"destination\":\"mx odd.example.org\",\"recipients\":300,\"queued\":299,\"deferred\":1,\"held\":0,"
        "\"octets\":15000,"));
    assert_true(said("{\"examined\":300}"));
    q.what = GROUP_REASON;
    assert_int_equal(ask(f, q, ANSWER_OK), 4);
    assert_true(said("{\"reason\":\"4.2.2 try in # seconds\",\"recipients\":2,"));
    assert_true(said("{\"reason\":\"held by an operator\",\"recipients\":2,"));
    assert_true(said("{\"reason\":\"not tried yet\",\"recipients\":596,"));
    assert_true(fixture_flush(f));
    fixture_crash(f);
    assert_int_equal(ask(f, q, ANSWER_OK), 4);
    assert_true(
        said("{\"reason\":\"4.2.2 try in # seconds\",\"recipients\":2,")); /* a restart knows it, too */
}

/* Each recipient another reason: many groups come on several pages, and none is lost. */
static void many_groups(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_commit(f, 1, 100, 200), STORE_PENDING);
    assert_int_equal(fixture_commit(f, 2, 100, 2), STORE_PENDING);
    assert_true(fixture_flush(f));
    for (uint32_t i = 0; i < 200; i++) {
        char text[3] = {(char)('a' + i / 20), (char)('a' + i % 20), 0};
        struct attempt a = {.state = RECIPIENT_DEFERRED, .text = span_str(text)};
        assert_true(store_attempt(f->store, 1, i, &a, f->now_ms));
    }
    struct question q = {.kind = QUESTION_SUMMARY, .what = GROUP_REASON, .filter = QUESTION_FILTER_ANY};
    assert_int_equal(ask(f, q, ANSWER_OK),
                     128 + 1 + 1 + 1 + 1); /* 128, other, examined; not tried, examined */
    assert_true(said("{\"reason\":\"other\",\"recipients\":72,"));
    assert_true(said("{\"reason\":\"not tried yet\",\"recipients\":2,"));
}

static void operators(void **state)
{
    struct fixture *f = *state;
    uint64_t id;
    uint32_t i;
    enum store_due why;
    for (uint64_t m = 1; m <= 20; m++)
        assert_int_equal(fixture_commit(f, m, 100, 2), STORE_PENDING);
    assert_int_equal(fixture_commit(f, 21, 100, 1200), STORE_PENDING); /* takes several pages */
    assert_true(fixture_flush(f));
    assert_int_equal(ask(f, CHANGE(CHANGE_HOLD, .id = 3), ANSWER_OK), 2);
    assert_true(said("\"messages\":1,\"recipients\":2,\"busy\":0,\"held\":0}"));
    assert_int_equal(ask(f, CHANGE(CHANGE_HOLD, .id = 3), ANSWER_OK), 1); /* it is held */
    f->now_ms += 61000;
    assert_int_equal(ask(f, CHANGE(CHANGE_RELEASE, .states = QUESTION_HELD), ANSWER_OK), 2);
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_SHOW, .filter = {.id = 3}}, ANSWER_OK),
                     4); /* its head, its arrival, and these */
    assert_true(says(",\"event\":\"held\",\"uid\":1000}\n"));
    assert_true(says(",\"event\":\"released\",\"uid\":1000}\n"));
    assert_int_equal(ask(f, CHANGE(CHANGE_REMOVE, .id = 99), ANSWER_UNKNOWN), 0);
    assert_true(store_due(f->store, STORE_ANY, f->now_ms, &id, &i, &why));
    assert_int_equal(ask(f, CHANGE(CHANGE_REMOVE, .id = id), ANSWER_OK), 3 + (id == 21) * 4);
    assert_true(said("\"busy\":1,\"held\":0}")); /* its delivery is under way */
    assert_true(said("\",\"busy\":1}\n"));       /* and which it is */
    store_put_back(f->store, id, i, f->now_ms);
    (void)ask(f, CHANGE(CHANGE_REMOVE, .id = id), ANSWER_OK);
    assert_true(fixture_flush(f));
    assert_null(store_find(f->store, id));
    if (store_find(f->store, 21)) {
        assert_int_equal(ask(f, CHANGE(CHANGE_REMOVE, .id = 21), ANSWER_OK),
                         6); /* 500, 500, 200: and counts */
        assert_null(store_find(f->store, 21));
    }
    struct attempt a = {.state = RECIPIENT_DEFERRED, .text = SPAN("later")};
    assert_true(store_attempt(f->store, 7, 1, &a, f->now_ms));
    assert_int_equal(ask(f, CHANGE(CHANGE_REQUEUE, .id = 7), ANSWER_OK), 2);
    assert_int_equal(message_recipients(store_find(f->store, 7))[1].state, RECIPIENT_QUEUED);
    assert_int_equal(message_recipients(store_find(f->store, 7))[1].attempts, 0);
    (void)ask(f, (struct question){.kind = QUESTION_SHOW, .filter = {.id = 7}}, ANSWER_OK);
    assert_true(says("\"event\":\"operator\",\"to\":"));
    assert_true(says("\"text\":\"queued anew by an operator (uid 1000)\"}"));
    bounced = 0;
    places = 1; /* one page of one, and then no word that all is well */
    assert_int_equal(ask(f, CHANGE(CHANGE_BOUNCE, .id = 7), ANSWER_BUSY), 2);
    assert_true(said("{\"examined\":0,\"messages\":1,\"recipients\":1,\"busy\":0,\"held\":0}"));
    assert_int_equal(bounced, 1);
    places = UINT32_MAX;
    assert_int_equal(ask(f, CHANGE(CHANGE_BOUNCE, .id = 7), ANSWER_OK), 2);
    assert_int_equal(bounced, 2);
    assert_true(fixture_flush(f));
    fixture_crash(f);
    assert_null(store_find(f->store, 7));
    assert_null(store_find(f->store, 21));
    (void)ask(f, CHANGE(CHANGE_REMOVE, .from = SPAN("@")), ANSWER_OK);
    assert_int_equal(store_counters(f->store).messages, 0);
    assert_true(changes > 20);
}

static void counts_and_verify(void **state)
{
    struct fixture *f = *state;
    for (uint64_t id = 1; id <= 20; id++) {
        assert_int_equal(fixture_commit(f, id, 7000, 1), STORE_PENDING);
        assert_true(fixture_flush(f));
    }
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_COUNTS}, ANSWER_OK), 1);
    assert_true(says("{\"queued\":20,\"deferred\":0,\"held\":0,\"messages\":20,"));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_VERIFY}, ANSWER_OK), 1);
    assert_true(says("\"messages\":20,\"damaged\":0}"));
    assert_true(sim_disk_damage(f->disk, "log-00000001", 4096 + 3000, 1));
    assert_int_equal(ask(f, (struct question){.kind = QUESTION_VERIFY}, ANSWER_OK), 2);
    assert_true(says("\"damaged\":1}"));
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(list),
                                       TEST(many_recipients),
                                       TEST(show),
                                       TEST(attempts_at_a_next_hop),
                                       TEST(a_recipient_names_the_failure_of_its_next_hop),
                                       TEST(limits_are_a_reason),
                                       TEST(filters),
                                       TEST(summaries),
                                       TEST(many_groups),
                                       TEST(operators),
                                       TEST(counts_and_verify)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
