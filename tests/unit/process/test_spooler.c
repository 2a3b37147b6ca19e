/* The spooler process with the test as its edges: real channels, a real spool in a temporary folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory/expand.h"
#include "process/spooler_private.h"
#include "spool/message_id.h"
#include "system/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A spooler lives as long as its process: what it has is never freed. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}

#define GENERATION 9

static struct {
    struct child child;
    struct timer tick;
    char folder[64];
    unsigned lost;
    char reason[64]; /* of the last loss */
} t;

/* What the spooler needs of the skeleton. */
void child_exit(struct child *c, int status)
{
    (void)status;
    loop_stop(c->loop);
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c, (void)role, (void)index;
    t.lost++;
    snprintf(t.reason, sizeof t.reason, "%s", reason);
}

static const char config_text[] = "hostname mx.test.example\n"
                                  "server mx {\n listen 127.0.0.1:2525\n}\n"
                                  "recipients dest.example any\n";

static void tick(struct timer *timer)
{
    loop_timer_set(t.child.loop, timer, loop_now_ms(t.child.loop) + 1, tick);
}

static void after_turn(void *context)
{
    spooler_hooks.after_turn(context);
    loop_stop(t.child.loop);
}

static void turns(unsigned n)
{
    while (n--)
        loop_run(t.child.loop, after_turn, &t.child);
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof t);
    snprintf(t.folder, sizeof t.folder, "/tmp/sallyport-spooler-XXXXXX");
    assert_non_null(mkdtemp(t.folder));
    struct config_source source = {.name = SPAN("/t.conf"), .text = span_str(config_text)};
    struct config_problem *problems = NULL;
    struct span missing;
    const char *error = "";
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "spooler", LOG_LEVEL_INFO);
    t.child = (struct child){.role = PROC_SPOOLER,
                             .generation = GENERATION,
                             .loop = loop_create(64),
                             .config = config_parse(arena_create(64 << 20), &source, 1, &problems, &missing)};
    assert_non_null(t.child.config);
    spooler_hooks.grant(&t.child, GRANT_SPOOL, 0, 0, open(t.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_true(spooler_hooks.prepare(&t.child, &error));
    assert_true(spooler_hooks.start(&t.child, &error));
    tick(&t.tick);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    struct spooler *s = t.child.state;
    store_close(&s->store);
    snprintf(command, sizeof command, "rm -r %s", t.folder);
    return system(command);
}

/* --- an edge --- */

struct edge {
    unsigned index;
    int channel;
    struct pool pool;
    uint64_t id;
    uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    size_t n;
};

static void flush(struct edge *e)
{
    if (e->n) assert_int_equal(send(e->channel, e->packet, e->n, MSG_NOSIGNAL), e->n);
    e->n = 0;
    turns(1);
}

static void say(struct edge *e, uint16_t type, const struct buf *payload)
{
    uint16_t length = (uint16_t)payload->n;
    assert_false(payload->over);
    if (e->n + 4 + length > sizeof e->packet) flush(e);
    memcpy(e->packet + e->n, &type, 2);
    memcpy(e->packet + e->n + 2, &length, 2);
    memcpy(e->packet + e->n + 4, payload->p, length);
    e->n += 4u + length;
}

static struct edge *begin(unsigned index, struct pool_geometry real, struct pool_geometry said)
{
    static struct edge edges[4];
    struct edge *e = &edges[index];
    uint8_t memory[SUBMIT_POOL_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    int pair[2], fd = pool_create(real);
    assert_true(fd >= 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    *e = (struct edge){.index = index, .channel = pair[0]};
    assert_true(pool_map(&e->pool, fd, real));
    spooler_hooks.grant(&t.child, GRANT_POOL, index, GENERATION, fd);
    spooler_hooks.peer(&t.child, PROC_EDGE, index, GENERATION, pair[1]);
    submit_pool_put(&b, &(struct submit_pool){said.small, said.large});
    say(e, MSG_SUBMIT_POOL, &b);
    flush(e);
    return e;
}

static void end(struct edge *e)
{
    close(e->channel);
    pool_unmap(&e->pool);
    turns(2);
}

static const struct pool_geometry cut = {64, 4};

static uint64_t next_id(struct edge *e)
{
    e->id = message_id_next(e->id, message_id_edge(GENERATION, e->index), loop_unix_ms(t.child.loop));
    return e->id;
}

/* Block 0 holds an envelope, whose length is returned; block 1 the text. */
static uint32_t fill(struct edge *e, const char *text)
{
    uint8_t *p = e->pool.memory;
    struct buf b = buf_on(p, LIMIT_BLOCK_SMALL_OCTETS);
    struct envelope_head h = {.server = SPAN("mx"), .reverse_path = SPAN("a@b.example")};
    struct envelope_recipient r = {.local = 1, .path = SPAN("u@dest.example")};
    envelope_put_head(&b, &h);
    envelope_put_recipient(&b, &r);
    memcpy(p + LIMIT_BLOCK_SMALL_OCTETS, text, strlen(text));
    return (uint32_t)b.n;
}

static void chunk(struct edge *e, uint64_t id, uint32_t length)
{
    static struct submit_chunk m;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    m = (struct submit_chunk){.id = id, .count = 1, .blocks = {{1, length}}};
    submit_chunk_put(&b, &m);
    say(e, MSG_SUBMIT_CHUNK, &b);
}

static void commit(struct edge *e, uint64_t id, uint32_t envelope, uint32_t length, uint64_t content)
{
    static struct submit_commit m;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    m = (struct submit_commit){.id = id,
                               .content_octets = content,
                               .envelope_count = 1,
                               .count = length ? 2 : 1,
                               .blocks = {{0, envelope}, {1, length}}};
    submit_commit_put(&b, &m);
    say(e, MSG_SUBMIT_COMMIT, &b);
}

/* The next answer for that edge; false: none. */
static bool heard(struct edge *e, struct submit_result *r)
{
    static uint8_t packet[LIMIT_IPC_MESSAGE_OCTETS];
    static size_t n, at;
    if (at == n) {
        ssize_t got = recv(e->channel, packet, sizeof packet, MSG_DONTWAIT);
        if (got <= 0) return false;
        n = (size_t)got;
        at = 0;
    }
    assert_true(n - at >= 20);
    assert_true(submit_result_read(span_of(packet + at + 4, 16), r));
    at += 20;
    return true;
}

static const struct message *stored(uint64_t id)
{
    const struct spooler *s = t.child.state;
    return store_find(s->store, id);
}

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
