/* The spooler process with the test as its edges. */
#include "spooler_fixture.h"

#include "directory/expand.h"
#include "spool/message_id.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_message(void **state)
{
    (void)state;
    struct edge *e = begin(0, cut, cut);
    struct submit_result r;
    uint32_t envelope = fill(e, "hello\r\n");
    uint64_t id = next_id(e);
    chunk(e, id, 7);
    commit(e, id, envelope, 7, 14);
    flush(e);
    turns(2);
    assert_true(heard(e, &r));
    assert_int_equal(r.status, SUBMIT_WRITTEN);
    assert_true(heard(e, &r));
    assert_int_equal(r.status, SUBMIT_DURABLE);
    assert_int_equal(r.id, id);
    assert_non_null(stored(id));
    assert_int_equal(stored(id)->content_octets, 14);
    end(e);
}

/* A pool that was cut in another way than any configuration says, and one whose cut is a lie. */
static void test_pools(void **state)
{
    (void)state;
    struct pool_geometry other = {32, 5}; /* as much memory as `cut` */
    assert_int_equal(pool_octets(other), pool_octets(cut));
    struct edge *e = begin(0, other, other);
    struct submit_result r;
    uint32_t envelope = fill(e, "hello\r\n");
    commit(e, next_id(e), envelope, 7, 7);
    flush(e);
    turns(2);
    assert_true(heard(e, &r));
    assert_int_equal(r.status, SUBMIT_DURABLE);
    end(e);
    t.lost = 0;
    struct pool_geometry lies[] = {{64, 5}, {0, 0}, {UINT32_MAX, UINT32_MAX}};
    for (unsigned i = 0; i < 3; i++) {
        e = begin(1, cut, lies[i]);
        turns(2);
        assert_int_equal(t.lost, i + 1);
        assert_string_equal(t.reason, "its pool is not as it says");
        end(e);
    }
}

/* One edge can neither take the ids of another, nor go on with its messages, nor end them. */
static void test_ids_of_others(void **state)
{
    (void)state;
    struct edge *a = begin(0, cut, cut), *b = begin(1, cut, cut);
    struct submit_result r;
    uint32_t envelope = fill(a, "hello\r\n");
    (void)fill(b, "HELLO\r\n");
    uint64_t id = next_id(a);
    chunk(a, id, 7);
    flush(a);
    chunk(b, id, 7);
    commit(b, id, envelope, 7, 14);
    uint8_t memory[8];
    struct buf abort_message = buf_on(memory, sizeof memory);
    submit_abort_put(&abort_message, &(struct submit_abort){id});
    say(b, MSG_SUBMIT_ABORT, &abort_message);
    commit(b, next_id(a), envelope, 7, 7); /* one that a will want next */
    flush(b);
    turns(2);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(heard(b, &r));
        assert_int_equal(r.status, SUBMIT_REFUSED);
    }
    assert_false(heard(b, &r));
    assert_true(heard(a, &r));
    assert_int_equal(r.status, SUBMIT_WRITTEN);
    commit(a, id, envelope, 7, 14);
    flush(a);
    turns(2);
    assert_true(heard(a, &r));
    assert_int_equal(r.status, SUBMIT_DURABLE);
    assert_null(stored(a->id));
    end(a);
    end(b);
}

/* An edge that reads no answers: its last answers fail while the store is in the middle of one of its messages. How many fit is the
 * kernel's affair, so several numbers are tried. */
static void test_answers_not_read(void **state)
{
    (void)state;
    struct spooler *s = t.child.state;
    unsigned cut_off = 0;
    for (unsigned bogus = 0; bogus <= 1500; bogus += 500) {
        struct edge *e = begin(0, cut, cut);
        uint32_t envelope = fill(e, "hello\r\n");
        while (s->edges[0].ipc && ipc_can_send(s->edges[0].ipc)) {
            for (unsigned i = 0; i < 50; i++)
                commit(e, next_id(e), envelope, 7, 1); /* refused: not as long as it says */
            flush(e);
        }
        for (unsigned i = 0; i < bogus; i++)
            commit(e, next_id(e), envelope, 7, 1);
        uint64_t open = next_id(e);
        t.lost = 0;
        int flags = fcntl(e->channel, F_GETFL);
        fcntl(e->channel, F_SETFL, flags | O_NONBLOCK);
        /* all in one turn of the spooler, so that the batch is full before the turn ends */
        chunk(e, open, 7);
        for (unsigned i = 0; i < LIMIT_BATCH_MESSAGES; i++) {
            uint64_t id = next_id(e);
            if (e->n + 64 > sizeof e->packet) {
                if (send(e->channel, e->packet, e->n, MSG_NOSIGNAL) < 0) break;
                e->n = 0;
            }
            commit(e, id, envelope, 7, 7);
        }
        if (e->n + 64 <= sizeof e->packet) commit(e, open, envelope, 7, 14);
        (void)!send(e->channel, e->packet, e->n, MSG_NOSIGNAL);
        e->n = 0;
        turns(4);
        assert_true(t.lost == 0 || strcmp(t.reason, "answers are not read") == 0);
        assert_true((t.lost == 0) == (s->edges[0].ipc != NULL));
        cut_off += t.lost;
        end(e);
    }
    assert_true(cut_off > 0);
    /* the others do not notice */
    struct edge *e = begin(0, cut, cut);
    struct submit_result r;
    commit(e, next_id(e), fill(e, "hello\r\n"), 7, 7);
    flush(e);
    turns(2);
    assert_true(heard(e, &r));
    assert_int_equal(r.status, SUBMIT_DURABLE);
    end(e);
}

/* --- directory and mailbox, played by the test */

static int peer(enum role role)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    spooler_hooks.peer(&t.child, role, 0, GENERATION, pair[1]);
    return pair[0];
}

/* The type of the first message of a packet; 0: the end; -1: nothing there. */
static int asked(int channel)
{
    uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    ssize_t n = recv(channel, packet, sizeof packet, 0);
    uint16_t type = 0;
    if (n >= 4) memcpy(&type, packet, 2);
    return n < 0 ? -1 : n == 0 ? 0 : type;
}

/* What was asked seems to have been so for that long. */
static void pass_time(uint64_t ms)
{
    struct spooler *s = t.child.state;
    for (unsigned i = 0; i < SPOOLER_DELIVERIES; i++)
        s->deliveries[i].asked_ms -= ms;
    s->overdue_ms -= SPOOLER_RETRY_MS;
    s->maintain_ms = 0;
    turns(2);
}

static void answer_mailbox(int directory, uint64_t id)
{
    uint8_t targets[64], payload[128], packet[160];
    struct buf to = buf_on(targets, sizeof targets), b = buf_on(payload, sizeof payload);
    expand_target_put(&to, &(struct expand_target){EXPAND_MAILBOX, SPAN("u@dest.example")});
    expand_answer_put(&b,
                      &(struct expand_answer){.id = id, .last = true, .count = 1, .targets = buf_span(&to)});
    uint16_t type = MSG_EXPAND_ANSWER, length = (uint16_t)b.n;
    memcpy(packet, &type, 2);
    memcpy(packet + 2, &length, 2);
    memcpy(packet + 4, payload, length);
    assert_int_equal(send(directory, packet, 4u + length, 0), 4 + length);
    turns(2);
}

static uint64_t send_one(void)
{
    struct edge *e = begin(0, cut, cut);
    uint64_t id = next_id(e);
    commit(e, id, fill(e, "hello\r\n"), 7, 7);
    flush(e);
    turns(2);
    end(e);
    return id;
}

static void test_a_directory_that_never_answers(void **state)
{
    (void)state;
    int directory = peer(PROC_DIRECTORY), mailbox = peer(PROC_MAILBOX);
    uint64_t id = send_one();
    assert_int_equal(asked(directory), MSG_EXPAND_QUESTION);
    t.lost = 0;
    pass_time(LIMIT_DELIVERY_ANSWER_SECONDS * 1000 - 5000);
    assert_int_equal(asked(directory), -1);
    assert_int_equal(t.lost, 0);
    pass_time(5000);
    assert_int_equal(t.lost, 1);
    assert_string_equal(t.reason, "no answer in time");
    assert_int_equal(asked(directory), 0);
    assert_int_equal(asked(mailbox), -1); /* nothing was asked of it, and it is left alone */
    assert_int_equal(message_recipients(stored(id))[0].state, RECIPIENT_DEFERRED);
    assert_int_equal(message_recipients(stored(id))[0].attempts, 1);
    close(directory);
    close(mailbox);
}

static void test_a_mailbox_that_never_answers(void **state)
{
    (void)state;
    int directory = peer(PROC_DIRECTORY), mailbox = peer(PROC_MAILBOX);
    uint64_t id = send_one();
    assert_int_equal(asked(directory), MSG_EXPAND_QUESTION);
    answer_mailbox(directory, id);
    assert_int_equal(asked(mailbox), MSG_JOB_SEGMENT);
    t.lost = 0;
    pass_time(LIMIT_DELIVERY_ANSWER_SECONDS * 1000);
    assert_int_equal(t.lost, 1);
    assert_string_equal(t.reason, "no answer in time");
    while (asked(mailbox) > 0) { /* the job, then the end */
    }
    assert_int_equal(asked(mailbox), 0);
    assert_int_equal(asked(directory), -1);
    assert_int_equal(message_recipients(stored(id))[0].state, RECIPIENT_DEFERRED);
    /* a newer one is given what is due */
    close(mailbox);
    mailbox = peer(PROC_MAILBOX);
    (void)send_one();
    assert_int_equal(asked(directory), MSG_EXPAND_QUESTION);
    close(directory);
    close(mailbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pools, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ids_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_answers_not_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_directory_that_never_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_mailbox_that_never_answers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
