/* Mail that leaves: the test plays the relays. */
#include "spooler_fixture.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

struct peer { /* a relay */
    int channel;
    struct relay_head head, heads[4]; /* the last one; and of the first jobs */
    struct relay_recipient recipients[8];
    struct relay_extents extents;
    unsigned n_recipients, n_jobs, n_heads, n_segments, n_recalls;
    uint8_t memory[8][LIMIT_IPC_MESSAGE_OCTETS]; /* of the packets that were read */
    unsigned n_packets;
};

static struct peer *relay(unsigned index, unsigned generation)
{
    static struct peer peers[2];
    struct peer *p = &peers[index];
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    memset(p, 0, sizeof *p);
    p->channel = pair[0];
    spooler_hooks.peer(&t.child, PROC_RELAY, index, generation, pair[1]);
    return p;
}

static void take(struct peer *p, uint16_t type, struct span payload)
{
    struct job_segment s;
    switch (type) {
    case MSG_JOB_SEGMENT: p->n_segments++; break;
    case MSG_JOB_RECALL: p->n_recalls += job_segment_read(payload, &s); break;
    case MSG_RELAY_HEAD:
        assert_true(relay_head_read(payload, &p->head));
        if (p->n_heads < 4) p->heads[p->n_heads++] = p->head;
        p->n_recipients = 0;
        break;
    case MSG_RELAY_RECIPIENT:
        assert_true(relay_recipient_read(payload, &p->recipients[p->n_recipients++]));
        break;
    default:
        assert_int_equal(type, MSG_RELAY_EXTENTS);
        assert_true(relay_extents_read(payload, &p->extents));
        p->n_jobs += p->extents.last;
        break;
    }
}

/* All that was said to it. */
static void listen_to(struct peer *p)
{
    for (;;) {
        uint8_t *memory = p->memory[p->n_packets++ % 8];
        struct iovec iov = {memory, LIMIT_IPC_MESSAGE_OCTETS};
        union {
            struct cmsghdr align;
            char octets[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr m = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(p->channel, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n <= 0) return;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        if (c) close(*(int *)(void *)CMSG_DATA(c));
        for (size_t at = 0; at < (size_t)n;) {
            uint16_t type, length;
            memcpy(&type, memory + at, 2);
            memcpy(&length, memory + at + 2, 2);
            take(p, type, span_of(memory + at + 4, length));
            at += 4u + length;
        }
    }
}

static void answer(struct peer *p, const struct relay_result *r)
{
    uint8_t memory[1024];
    struct buf b = buf_on(memory + 4, sizeof memory - 4);
    uint16_t type = MSG_RELAY_RESULT;
    relay_result_put(&b, r);
    uint16_t length = (uint16_t)b.n;
    memcpy(memory, &type, 2);
    memcpy(memory + 2, &length, 2);
    assert_int_equal(send(p->channel, memory, b.n + 4, 0), b.n + 4);
    turns(3);
    listen_to(p);
}

static struct relay_result result(const struct peer *p, enum relay_scope scope, enum job_status status)
{
    return (struct relay_result){.job = p->head.job,
                                 .scope = (uint8_t)scope,
                                 .status = (uint8_t)status,
                                 .last = 1,
                                 .code = 250,
                                 .enhanced = "2.0.0",
                                 .text = SPAN("ok"),
                                 .host = SPAN("mx.far.example[192.0.2.1]:25"),
                                 .tls = SPAN("none"),
                                 .connect_ms = 1};
}

static uint64_t submit(struct edge *e, const struct envelope_recipient *to, unsigned n)
{
    struct submit_result r;
    uint32_t envelope = fill_for(e, "hello\r\n", to, n);
    uint64_t id = next_id(e);
    commit(e, id, envelope, 7, 7);
    flush(e);
    turns(3);
    assert_true(heard(e, &r));
    assert_int_equal(r.status, SUBMIT_DURABLE);
    return id;
}

static const struct envelope_recipient far[] = {
    {.path = SPAN("one@far.example"), .notify = 4, .orcpt = SPAN("rfc822;x")},
    {.path = SPAN("two@far.example")},
    {.path = SPAN("three@other.example")}};

static void test_job_and_result(void **state)
{
    (void)state;
    struct edge *e = begin(0, cut, cut);
    struct peer *p = relay(0, GENERATION);
    uint64_t id = submit(e, far, 2);
    listen_to(p);
    assert_int_equal(p->n_jobs, 1);
    assert_int_equal(p->n_segments, 1);
    assert_int_equal(p->head.id, id);
    assert_int_equal(p->head.hop.kind, NEXT_HOP_MX);
    assert_true(span_eq(p->head.hop.name, SPAN("far.example")));
    assert_true(span_eq(p->head.reverse_path, SPAN("a@b.example")));
    assert_int_equal(p->n_recipients, 2);
    assert_true(span_eq(p->recipients[0].path, SPAN("one@far.example")));
    assert_true(span_eq(p->recipients[0].orcpt, SPAN("rfc822;x")));
    assert_int_equal(p->recipients[0].notify, 4);
    assert_int_equal(p->extents.count, 1);
    assert_int_equal(p->extents.extents[0].length, 7);
    assert_non_null(stored(id));
    struct relay_result r = result(p, RELAY_MESSAGE, JOB_DELIVERED);
    answer(p, &r);
    assert_null(stored(id)); /* all of it was delivered */
    close(p->channel);
    end(e);
}

static void test_results_by_recipient(void **state)
{
    (void)state;
    struct spooler *s = t.child.state;
    struct edge *e = begin(0, cut, cut);
    struct peer *p = relay(0, GENERATION);
    uint64_t id = submit(e, far, 2);
    listen_to(p);
    struct relay_result r = result(p, RELAY_RECIPIENT, JOB_FAILED),
                        rest = result(p, RELAY_MESSAGE, JOB_DEFERRED);
    r.last = 0;
    r.recipient = 1;
    r.code = 550;
    memcpy(r.enhanced, "5.1.1", 6);
    uint64_t told = s->notifications;
    answer(p, &r);
    assert_int_equal(message_recipients(stored(id))[1].state, RECIPIENT_BOUNCED);
    assert_int_equal(message_recipients(stored(id))[0].state, RECIPIENT_QUEUED);
    assert_int_equal(s->notifications, told + 1);
    assert_true(p->head.id != id); /* the notification is on its way already */
    answer(p, &rest);
    const struct recipient *one = &message_recipients(stored(id))[0];
    assert_int_equal(one->state, RECIPIENT_DEFERRED);
    assert_int_equal(one->attempts, 1);
    assert_true(one->next_ms > s->now_ms + 60000);
    close(p->channel);
    end(e);
}

/* The queue's notification for that sender. */
static const struct message *told(const char *sender)
{
    const struct spooler *s = t.child.state;
    const struct message *m = NULL;
    for (uint64_t at = 0; (m = store_after(s->store, at)); at = m->id)
        if (m->flags & MESSAGE_DSN && span_eq(message_path(m, &message_recipients(m)[0]), span_str(sender)))
            return m;
    return NULL;
}

static bool tells(const char *sender, const char *text)
{
    static uint8_t content[8192];
    const struct spooler *s = t.child.state;
    const struct message *m = told(sender);
    int64_t n = m ? store_read_content(s->store, m, content, sizeof content) : 0;
    return n > 0 && memmem(content, (size_t)n, text, strlen(text));
}

/* Members of a list with an owner and a direct recipient, all at one next hop: each envelope has its own sender (RFC 5321 3.9.2), and each
 * sender hears of its own recipients. */
static void test_list_and_direct(void **state)
{
    (void)state;
    struct spooler *s = t.child.state;
    struct edge *e = begin(0, cut, cut);
    static const struct envelope_recipient to[] = {{.path = SPAN("one@far.example")},
                                                   {.path = SPAN("list@dest.example"), .local = 1}};
    uint8_t memory[128];
    struct buf targets = buf_on(memory, sizeof memory);
    derived_put(&targets, &(struct derived){DERIVED_REMOTE, SPAN("m1@far.example")});
    derived_put(&targets, &(struct derived){DERIVED_REMOTE, SPAN("m2@far.example")});
    uint64_t id = submit(e, to, 2);
    assert_true(store_expand(s->store, id, 1, SPAN("owner@lists.example"), buf_span(&targets), s->now_ms));
    turns(3);
    struct peer *p = relay(0, GENERATION);
    turns(3);
    listen_to(p);
    assert_int_equal(p->n_jobs, 2);
    assert_true(span_eq(p->heads[0].reverse_path, SPAN("a@b.example")));
    assert_int_equal(p->heads[0].recipients, 1);
    assert_true(span_eq(p->heads[1].reverse_path, SPAN("owner@lists.example")));
    assert_int_equal(p->heads[1].recipients, 2);
    assert_null(told("a@b.example"));
    for (unsigned i = 0; i < 2; i++) {
        struct relay_result r = result(p, RELAY_MESSAGE, JOB_FAILED);
        r.job = p->heads[i].job;
        memcpy(r.enhanced, "5.1.1", 6);
        answer(p, &r);
        assert_true((told("owner@lists.example") != NULL) == (i == 1));
    }
    assert_non_null(told("a@b.example"));
    assert_null(stored(id));
    close(p->channel);
    end(e);
}

static int channel_of(enum role role)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    spooler_hooks.peer(&t.child, role, 0, GENERATION, pair[1]);
    return pair[0];
}

/* A slow disk, a directory that does not answer: what is for elsewhere leaves beside what waits for them; and the other way round. */
static void test_local_trouble(void **state)
{
    (void)state;
    static const struct envelope_recipient near = {.path = SPAN("u@dest.example"), .local = 1};
    struct spooler *s = t.child.state;
    struct edge *e = begin(0, cut, cut);
    int directory = channel_of(PROC_DIRECTORY), mailbox = channel_of(PROC_MAILBOX);
    uint8_t packet[512];
    s->n_local = SPOOLER_LOCAL; /* all their places are taken */
    uint64_t waits = submit(e, &near, 1), leaves = submit(e, far, 1);
    assert_int_equal(recv(directory, packet, sizeof packet, 0), -1);
    struct peer *p = relay(0, GENERATION);
    turns(3);
    listen_to(p);
    assert_int_equal(p->n_jobs, 1);
    assert_int_equal(p->head.id, leaves);
    assert_non_null(stored(waits));
    s->n_local = 0;
    s->n_relayed = SPOOLER_SHARE; /* now those of the relays */
    uint64_t stays = submit(e, far + 2, 1);
    listen_to(p);
    assert_int_equal(p->n_jobs, 1);
    assert_true(message_recipients(stored(stays))[0].flags & RECIPIENT_READY);
    assert_true(recv(directory, packet, sizeof packet, 0) > 0);
    assert_int_equal(s->n_local, 1);
    close(directory); /* what it had in hand is nobody's now */
    turns(3);
    assert_int_equal(s->n_local, 0);
    s->n_relayed = 1;
    close(mailbox);
    close(p->channel);
    end(e);
}

/* A next hop that fails as a whole: its queue waits, another's does not. */
static void test_next_hop_fails(void **state)
{
    (void)state;
    struct edge *e = begin(0, cut, cut);
    struct peer *p = relay(0, GENERATION);
    uint64_t first = submit(e, far, 1);
    listen_to(p);
    struct relay_result r = result(p, RELAY_NEXT_HOP, JOB_DEFERRED);
    r.code = 0;
    memcpy(r.enhanced, "4.4.1", 6);
    r.text = SPAN("connection refused");
    answer(p, &r);
    assert_int_equal(message_recipients(stored(first))[0].state, RECIPIENT_DEFERRED);
    unsigned jobs = p->n_jobs;
    uint64_t second = submit(e, far + 1, 1), other = submit(e, far + 2, 1);
    listen_to(p);
    assert_int_equal(p->n_jobs, jobs + 1);
    assert_int_equal(p->head.id, other);
    assert_true(message_recipients(stored(second))[0].flags & RECIPIENT_READY);
    r = result(p, RELAY_MESSAGE, JOB_DELIVERED);
    answer(p, &r);
    assert_null(stored(other));
    assert_null(told("a@b.example"));
    /* late, and never tried itself: its sender hears why all the same */
    t.arrival_ms = loop_unix_ms(t.child.loop) - 1000000;
    uint64_t late = submit(e, far + 1, 1);
    turns(5);
    assert_true(message_recipients(stored(late))[0].flags & RECIPIENT_DELAY_TOLD);
    assert_int_equal(message_recipients(stored(late))[0].attempts, 0);
    assert_true(tells("a@b.example",
                      "Diagnostic-Code: x-sallyport; mx.far.example[192.0.2.1]:25: connection refused\r\n"));
    t.arrival_ms = 0;
    close(p->channel);
    end(e);
}

/* What a relay had in hand when it died is handed out again, once; one that breaks the protocol is given up. */
static void test_relay_dies(void **state)
{
    (void)state;
    struct edge *e = begin(0, cut, cut);
    struct peer *p = relay(0, GENERATION);
    uint64_t id = submit(e, far, 1);
    listen_to(p);
    assert_int_equal(p->n_jobs, 1);
    t.lost = 0;
    close(p->channel);
    turns(3);
    assert_int_equal(t.lost, 1);
    assert_int_equal(message_recipients(stored(id))[0].attempts, 0);
    p = relay(0, GENERATION);
    for (unsigned i = 0; i < 3000 && p->n_jobs == 0; i++) {
        turns(1);
        listen_to(p);
    }
    assert_int_equal(p->n_jobs, 1);
    struct relay_result r = result(p, RELAY_RECIPIENT, JOB_DELIVERED);
    r.recipient = 7; /* not one of its */
    answer(p, &r);
    assert_int_equal(t.lost, 2);
    assert_non_null(stored(id));
    close(p->channel);
    end(e);
}

/* What is lost again and again is no secret, and is not tried each second: from the second time on it is an attempt. */
static void test_relay_dies_again(void **state)
{
    (void)state;
    struct edge *e = begin(0, cut, cut);
    struct peer *p = relay(0, GENERATION);
    uint64_t id = submit(e, far, 1);
    listen_to(p);
    for (unsigned round = 1; round <= 2; round++) {
        assert_int_equal(p->n_jobs, 1);
        assert_int_equal(message_recipients(stored(id))[0].attempts, 0);
        close(p->channel);
        turns(3);
        p = relay(0, GENERATION);
        for (unsigned i = 0; i < 3000 && p->n_jobs == 0 && message_recipients(stored(id))[0].attempts == 0;
             i++) {
            turns(1);
            listen_to(p);
        }
    }
    assert_int_equal(p->n_jobs, 0);
    const struct recipient *r = &message_recipients(stored(id))[0];
    assert_int_equal(r->state, RECIPIENT_DEFERRED);
    assert_int_equal(r->attempts, 1);
    assert_true(r->next_ms > loop_unix_ms(t.child.loop) + 2000);
    close(p->channel);
    end(e);
}

/* A result that cannot be read costs its job, not its relay. */
static void test_unreadable_result(void **state)
{
    (void)state;
    struct edge *e = begin(0, cut, cut);
    struct peer *p = relay(0, GENERATION);
    uint64_t id = submit(e, far, 1), other = submit(e, far + 2, 1);
    listen_to(p);
    assert_int_equal(p->n_jobs, 2);
    t.lost = 0;
    struct relay_result of_other = result(p, RELAY_MESSAGE, JOB_DELIVERED), r = of_other;
    r.job = p->heads[0].job;
    r.scope = RELAY_SCOPE_COUNT;
    answer(p, &r);
    assert_int_equal(t.lost, 0);
    assert_int_equal(message_recipients(stored(id))[0].state, RECIPIENT_DEFERRED);
    assert_int_equal(message_recipients(stored(id))[0].attempts, 1);
    answer(p, &of_other);
    assert_null(stored(other));
    assert_int_equal(t.lost, 0);
    close(p->channel);
    end(e);
}

/* A newer generation has the new jobs; the older one's results still count. */
static void test_generations(void **state)
{
    (void)state;
    struct edge *e = begin(0, cut, cut);
    struct peer *old = relay(0, GENERATION);
    uint64_t first = submit(e, far, 1);
    listen_to(old);
    assert_int_equal(old->n_jobs, 1);
    struct peer *fresh = relay(1, GENERATION + 1);
    uint64_t second = submit(e, far + 2, 1);
    listen_to(old);
    listen_to(fresh);
    assert_int_equal(old->n_jobs, 1);
    assert_int_equal(fresh->n_jobs, 1);
    assert_int_equal(fresh->head.id, second);
    struct relay_result r = result(old, RELAY_MESSAGE, JOB_DELIVERED);
    answer(old, &r);
    assert_null(stored(first));
    close(old->channel);
    close(fresh->channel);
    end(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_job_and_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_results_by_recipient, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_list_and_direct, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_local_trouble, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_next_hop_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relay_dies, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_relay_dies_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unreadable_result, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_generations, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
