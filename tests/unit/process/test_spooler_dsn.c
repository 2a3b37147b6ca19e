/* Who is told what: RFC 3461, and invariant I8: never a bounce for a bounce, never to nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"
#include "process/spooler_private.h"
#include "smtp/params.h"

static struct config_domain domains[] = {{.name = SPAN("example.org")}};
static struct config_server server = {.domains = domains, .n_domains = 1};
static const struct config config = {
    .hostname = SPAN("mail.example.org"), .servers = &server, .n_servers = 1};

void spooler_log_id(uint64_t id)
{
    (void)id;
}

static const struct destination_failure *failure; /* of the next hop */

const struct destination_failure *spooler_next_hop_failure(const struct spooler *s, const struct message *m,
                                                           const struct recipient *r)
{
    (void)s, (void)m, (void)r;
    return failure;
}

static uint64_t put(struct fixture *f, uint64_t id, struct span reverse, uint32_t flags, uint8_t notify)
{
    static uint8_t memory[1024];
    struct buf b = buf_on(memory, sizeof memory);
    envelope_put_head(
        &b, &(struct envelope_head){
                .flags = flags, .arrival_ms = f->now_ms, .reverse_path = reverse, .envid = SPAN("a+2Bb")});
    envelope_put_recipient(&b, &(struct envelope_recipient){.local = 1,
                                                            .notify = notify,
                                                            .path = SPAN("gone@example.org"),
                                                            .orcpt = SPAN("rfc822;old@example.org")});
    envelope_put_recipient(
        &b, &(struct envelope_recipient){.local = 1, .notify = notify, .path = SPAN("away@example.org")});
    struct span parts[2] = {buf_span(&b), SPAN("Subject: x\r\n\r\nbody\r\n")};
    assert_int_equal(store_commit(f->store, id, 1, 0, parts, 1, 2, parts[1].n, f->now_ms), STORE_PENDING);
    assert_true(fixture_flush(f));
    return id;
}

static bool wants(struct fixture *f, uint64_t id, uint8_t outcome)
{
    const struct message *m = store_find(f->store, id);
    return spooler_wants_dsn(&config, m, &message_recipients(m)[0], outcome);
}

static void who_is_told(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    static const uint8_t outcomes[] = {RECIPIENT_DELIVERED, RECIPIENT_DEFERRED, RECIPIENT_BOUNCED,
                                       RECIPIENT_EXPIRED, RECIPIENT_EXPANDED};
    uint64_t id = 1;
    for (uint8_t notify = 0; notify < 16; notify++)
        for (int nobody = 0; nobody < 3; nobody++, id++) {
            put(f, id, nobody == 1 ? SPAN("") : SPAN("s@example.org"), nobody == 2 ? ENVELOPE_DSN : 0,
                notify);
            for (size_t i = 0; i < sizeof outcomes; i++) {
                bool failed = outcomes[i] == RECIPIENT_BOUNCED || outcomes[i] == RECIPIENT_EXPIRED;
                bool want = failed ? notify == 0 || (notify & DSN_NOTIFY_FAILURE)
                                   : outcomes[i] == RECIPIENT_DELIVERED && (notify & DSN_NOTIFY_SUCCESS);
                if (outcomes[i] == RECIPIENT_DEFERRED)
                    want = true; /* the store asks for it only where it is wanted */
                if (notify & DSN_NOTIFY_NEVER || nobody) want = false;
                assert_int_equal(wants(f, id, outcomes[i]), want);
            }
        }
    fixture_free(&f);
}

/* The notification itself, as it lies in the queue. */
static void notify(struct span sender, bool local)
{
    struct fixture *f = fixture_new();
    struct child child = {.config = &config};
    struct spooler *s = calloc(1, sizeof *s);
    struct delivery d[2] = {{.id = put(f, 7, sender, 0, 0),
                             .state = RECIPIENT_BOUNCED,
                             .enhanced = "5.1.1",
                             .text_length = 4,
                             .text = {'g', 'o', 'n', 'e'}},
                            {.id = 7, .recipient = 1, .state = RECIPIENT_EXPIRED, .enhanced = "4.4.7"}};
    struct delivery *about[2] = {&d[0], &d[1]};
    assert_true(store_claim(f->store, 7, 1)); /* what its next hop said is the reason, not that time passed */
    assert_true(
        store_attempt(f->store, 7, 1,
                      &(struct attempt){.kind = EVENT_ATTEMPT,
                                        .state = RECIPIENT_DEFERRED,
                                        .enhanced = SPAN("4.2.1"),
                                        .text = SPAN("come again"),
                                        .trace = {.host = SPAN("mx.far.example[192.0.2.1]:25"), .code = 450}},
                      f->now_ms));
    assert_true(fixture_flush(f));
    s->child = &child;
    s->store = f->store;
    s->now_ms = f->now_ms;
    s->deliveries = d;
    assert_int_equal(spooler_notify(s, about, 2, SPOOLER_TOKEN_DSN), STORE_PENDING);
    assert_true(fixture_flush(f));
    assert_true(f->last_token & SPOOLER_TOKEN_DSN);
    const struct message *m = store_after(f->store, 7);
    assert_non_null(m);
    assert_int_equal(m->reverse_length, 0);
    assert_true(m->flags & MESSAGE_DSN);
    assert_int_equal(m->n_recipients, 1);
    const struct recipient *r = &message_recipients(m)[0];
    assert_true(span_eq(message_path(m, r), sender));
    assert_int_equal((r->flags & RECIPIENT_LOCAL) != 0, local);
    assert_false(wants(f, m->id, RECIPIENT_BOUNCED)); /* it is not answered */
    char *text = calloc(1, (size_t)m->content_octets + 1);
    assert_int_equal(store_read_content(f->store, m, (uint8_t *)text, (size_t)m->content_octets),
                     m->content_octets);
    static const char *const says[] = {"Action: failed\r\n",
                                       "Status: 5.1.1\r\n",
                                       "Final-Recipient: rfc822; gone@example.org\r\n",
                                       "Original-Recipient: rfc822; old@example.org\r\n",
                                       "Final-Recipient: rfc822; away@example.org\r\n",
                                       ("Status: 4.4.7\r\nRemote-MTA: dns; mx.far.example\r\n"
                                        "Diagnostic-Code: smtp; 450 4.2.1 come again\r\n"),
                                       "Original-Envelope-Id: a+b\r\n",
                                       "Subject: x\r\n"};
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++)
        assert_non_null(strstr(text, says[i]));
    free(text);
    free(s);
    fixture_free(&f);
}

static void to_a_local_sender(void **state)
{
    (void)state;
    notify(SPAN("s@example.org"), true);
}

static void to_a_sender_elsewhere(void **state)
{
    (void)state;
    notify(SPAN("s@far.example"), false);
}

/* Time is over, or long: what the sender hears of why, as the newest message in the queue. `tried`: there was an attempt of its own. */
static void waited(bool late, const struct attempt_trace *tried, const char *says)
{
    struct fixture *f = fixture_new();
    struct child child = {.config = &config};
    struct spooler *s = calloc(1, sizeof *s);
    struct delivery d = {.id = put(f, 7, SPAN("s@example.org"), 0, 0),
                         .recipient = 1,
                         .late = late,
                         .state = late ? RECIPIENT_DEFERRED : RECIPIENT_EXPIRED,
                         .enhanced = "4.4.7",
                         .text_length = 7,
                         .text = {'t', 'o', 'o', ' ', 'o', 'l', 'd'}},
                    *about = &d;
    struct attempt a = {.kind = EVENT_ATTEMPT,
                        .state = RECIPIENT_DEFERRED,
                        .enhanced = SPAN("4.2.1"),
                        .text = SPAN("come again")};
    if (tried) a.trace = *tried;
    assert_true(store_claim(f->store, 7, 1));
    if (tried) assert_true(store_attempt(f->store, 7, 1, &a, f->now_ms));
    assert_true(fixture_flush(f));
    *s = (struct spooler){.child = &child, .store = f->store, .now_ms = f->now_ms, .deliveries = &d};
    assert_int_equal(spooler_notify(s, &about, 1, SPOOLER_TOKEN_DSN), STORE_PENDING);
    assert_true(fixture_flush(f));
    const struct message *m = store_after(f->store, 7);
    char *text = calloc(1, (size_t)m->content_octets + 1);
    assert_int_equal(store_read_content(f->store, m, (uint8_t *)text, (size_t)m->content_octets),
                     m->content_octets);
    if (!strstr(text, says)) fail_msg("wanted %s in\n%s", says, text);
    assert_true((strstr(text, "Last-Attempt-Date: ") != NULL) == (tried != NULL));
    free(text);
    free(s);
    fixture_free(&f);
}

static void waiting_has_a_reason(void **state)
{
    (void)state;
    static const struct attempt_trace said = {.host = SPAN("mx.far.example[192.0.2.1]:25"), .code = 450},
                                      lost = {.host = SPAN("mx.far.example[192.0.2.1]:25")},
                                      broke = {.host = SPAN("mx.far.example[192.0.2.1]:25"), .connect_ms = 1},
                                      here = {0};
    static const struct destination_failure refused = {.enhanced = "4.4.1",
                                                       .text = SPAN("mx.far.example[192.0.2.9]:25: refused")},
                                            cut = {.enhanced = "4.4.2",
                                                   .text = SPAN("cut off"),
                                                   .host = SPAN("mx.far.example[192.0.2.9]:25")};
    for (int late = 0; late < 2; late++) {
        failure = &refused; /* of others: its own attempt says more */
        waited(late, &said,
               "Remote-MTA: dns; mx.far.example\r\nDiagnostic-Code: smtp; 450 4.2.1 come again\r\n");
        waited(late, &lost, "Diagnostic-Code: x-sallyport; mx.far.example[192.0.2.1]:25: come again\r\n");
        waited(
            late, &broke,
            "Remote-MTA: dns; mx.far.example\r\nDiagnostic-Code: x-sallyport; mx.far.example[192.0.2.1]:25: "
            "come again\r\n");
        waited(late, &here, "Diagnostic-Code: x-sallyport; come again\r\n");
        waited(late, NULL, "Diagnostic-Code: x-sallyport; mx.far.example[192.0.2.9]:25: refused\r\n");
        waited(late, NULL, late ? "Status: 4.4.1\r\n" : "Status: 4.4.7\r\n");
        failure = &cut;
        waited(late, NULL, "Diagnostic-Code: x-sallyport; mx.far.example[192.0.2.9]:25: cut off\r\n");
        failure = NULL;
        waited(late, NULL, "Diagnostic-Code: x-sallyport; too old\r\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_is_told), cmocka_unit_test(waiting_has_a_reason),
                                       cmocka_unit_test(to_a_local_sender),
                                       cmocka_unit_test(to_a_sender_elsewhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
