/* The admin process between a client on the control socket, a spooler and a supervisor that this test plays. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "service/connect_message.h"
#include "service/control.h"
#include "system/log.h"

/* ---- the skeleton, played */
static int exited = -1, asked = -1;
static unsigned lost;
static enum role lost_role;
static void (*answer_to)(struct child *, uint32_t, struct span);
static bool supervisor_deaf;

void child_exit(struct child *c, int status)
{
    (void)c;
    exited = status;
}

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c;
    (void)index;
    (void)reason;
    lost_role = role;
    lost++;
}

bool child_ask(struct child *c, uint32_t question, struct span argument,
               void (*answer)(struct child *, uint32_t, struct span))
{
    (void)c;
    (void)argument;
    assert_int_equal(asked, -1); /* one question at a time */
    if (supervisor_deaf) return false;
    asked = (int)question;
    answer_to = answer;
    return true;
}

/* ---- the scene */
static struct child child;
static struct ipc *spooler, *connector;
static struct question question; /* the last one */
static unsigned questions;
static char folder[] = "/tmp/sallyport-admin-XXXXXX", path[64];

static void on_question(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    (void)context;
    (void)fds;
    assert_int_equal(type, MSG_QUEUE_QUESTION);
    assert_int_equal(n_fds, 0);
    assert_true(question_read(payload, &question));
    questions++;
}

static void on_closed(void *context, const char *reason)
{
    (void)context;
    (void)reason;
    ipc_close(&spooler);
}

static uint64_t explained; /* tag of the last question to the connector */
static unsigned explanations;

static void on_explain(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct connect_question q;
    (void)context, (void)fds, (void)n_fds;
    assert_int_equal(type, MSG_EXPLAIN_QUESTION);
    assert_true(connect_question_read(payload, &q));
    assert_true(q.hop.kind == NEXT_HOP_MX && span_eq(q.hop.name, SPAN("a")));
    explained = q.tag;
    explanations++;
}

static void on_connector_closed(void *context, const char *reason)
{
    (void)context, (void)reason;
    ipc_close(&connector);
}

static void new_connector(void)
{
    static const struct ipc_allowed from_admin[] = {{MSG_EXPLAIN_QUESTION, 1, 8192, 0}};
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    if (connector) ipc_close(&connector);
    connector = ipc_open(child.loop, pair[0], from_admin, 1, 16, on_explain, on_connector_closed, NULL);
    assert_non_null(connector);
    admin_hooks.peer(&child, PROC_CONNECTOR, 0, 1, pair[1]);
}

static const struct ipc_allowed allowed[] = {{MSG_QUEUE_QUESTION, 1, 2048, 0}};

static void new_spooler(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    if (spooler) ipc_close(&spooler);
    spooler = ipc_open(child.loop, pair[0], allowed, 1, 16, on_question, on_closed, NULL);
    assert_non_null(spooler);
    admin_hooks.peer(&child, PROC_SPOOLER, 0, 1, pair[1]);
}

static void after_turn(void *context)
{
    (void)context;
    admin_hooks.after_turn(&child);
    if (spooler) ipc_flush(spooler);
    if (connector) ipc_flush(connector);
    log_flush();
}

static void on_stop(struct timer *t)
{
    (void)t;
    loop_stop(child.loop);
}

enum { TURNS = 10 };

static void turn(uint64_t ms)
{
    static struct timer t;
    after_turn(NULL); /* what this test sent leaves first */
    for (unsigned i = 0; i < TURNS;
         i++) { /* as many turns of the loop at least, however long one of them takes */
        loop_timer_set(child.loop, &t, loop_now_ms(child.loop) + ms / TURNS, on_stop);
        loop_run(child.loop, after_turn, NULL);
    }
}

static int connect_client(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static int client(const char *request)
{
    int fd = connect_client();
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    turn(20);
    return fd;
}

/* What the client has received by now; closed receives whether the stream ended. */
static const char *heard(int fd, bool *closed)
{
    static char text[400000];
    size_t n = 0;
    ssize_t got = 1;
    while (n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    if (closed) *closed = got == 0;
    return text;
}

static void spooler_says(uint64_t tag, uint64_t cursor, uint8_t status, bool last, struct span text)
{
    static uint8_t memory[LIMIT_IPC_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    answer_put(&b, &(struct answer){tag, cursor, status, last, text});
    assert_false(b.over);
    assert_true(ipc_send(spooler, MSG_QUEUE_ANSWER, buf_span(&b)));
    turn(20);
}

static void assert_ended(int fd, const char *text)
{
    bool closed;
    assert_string_equal(heard(fd, &closed), text);
    assert_true(closed);
    close(fd);
}

static int set_up(void **state)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    const char *error;
    (void)state;
    log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), "admin", LOG_LEVEL_ERROR);
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/control", folder);
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 64) != 0) return -1;
    child = (struct child){.role = PROC_ADMIN, .name = "admin", .loop = loop_create(64)};
    admin_hooks.grant(&child, GRANT_CONTROL, 0, 0, fd);
    new_spooler();
    return admin_hooks.prepare(&child, &error) && admin_hooks.start(&child, &error) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* ---- tests; in this order, on one admin */
static void test_the_supervisor_answers_in_turn(void **state)
{
    (void)state;
    int one = client("status\n"), two = client("reload\n"), three = client("stop\n");
    assert_int_equal(asked, CHILD_ASK_STATUS);
    asked = -1;
    answer_to(&child, CHILD_ASK_STATUS, SPAN("{\"edges\":2}"));
    turn(20);
    assert_ended(one, "+{\"edges\":2}\n=ok\n");
    assert_int_equal(asked, CHILD_ASK_RELOAD);
    close(two); /* leaves: its answer is nobody's, and not the next one's */
    turn(20);
    asked = -1;
    answer_to(&child, CHILD_ASK_RELOAD, SPAN("line 3: wrong\nline 4: wrong"));
    turn(20);
    assert_int_equal(asked, CHILD_ASK_STOP);
    asked = -1;
    answer_to(&child, CHILD_ASK_STOP, SPAN(""));
    turn(20);
    assert_ended(three, "=ok\n");
}

static void test_a_refused_reload_says_why(void **state)
{
    (void)state;
    int fd = client("reload\n");
    asked = -1;
    answer_to(&child, CHILD_ASK_RELOAD, SPAN("line 3: wrong\nline 4: wrong"));
    turn(20);
    assert_ended(fd, "+line 3: wrong\n+line 4: wrong\n=failed\n");
    supervisor_deaf = true;
    fd = client("reload\n");
    assert_ended(fd, "=busy the supervisor does not listen\n");
    supervisor_deaf = false;
}

static void test_pages(void **state)
{
    (void)state;
    questions = 0;
    int fd = client("queue-list\tstate=held\tfrom=me@\n");
    assert_int_equal(questions, 1);
    assert_int_equal(question.kind, QUESTION_LIST);
    assert_int_equal(question.filter.states, QUESTION_HELD);
    assert_true(question.cursor == 0);
    spooler_says(question.tag, 77, ANSWER_OK, false, SPAN("{\"n\":1}\n{\"n\":2}\n"));
    assert_int_equal(questions, 2);
    assert_true(question.cursor == 77);
    spooler_says(question.tag, 78, ANSWER_OK, false, SPAN("")); /* a filter that found nothing so far */
    assert_int_equal(questions, 3);
    spooler_says(question.tag, 0, ANSWER_OK, true, SPAN("{\"n\":3}\n"));
    assert_ended(fd, "+{\"n\":1}\n+{\"n\":2}\n+{\"n\":3}\n=ok\n");
    assert_int_equal(questions, 3);
}

#define EXPLAIN "explain-hop\thop=000000000100610000\n"

static void connector_says(uint64_t tag, bool last, struct span text)
{
    uint8_t memory[256];
    struct buf b = buf_on(memory, sizeof memory);
    answer_put(&b, &(struct answer){tag, 0, ANSWER_OK, last, text});
    assert_true(ipc_send(connector, MSG_EXPLAIN_ANSWER, buf_span(&b)));
    turn(20);
}

static void test_the_connector_explains(void **state)
{
    (void)state;
    assert_ended(client(EXPLAIN), "=busy the connector does not listen\n");
    new_connector();
    int one = client(EXPLAIN), list = client("queue-list\n");
    assert_int_equal(explanations, 1);
    uint64_t of_one = explained, of_list = question.tag;
    connector_says(of_list, true, SPAN("{}\n")); /* the spooler's to answer */
    spooler_says(of_one, 0, ANSWER_OK, true, SPAN("{}\n"));
    bool closed;
    assert_string_equal(heard(one, &closed), "");
    assert_false(closed);
    connector_says(of_one, true, SPAN("{\"host\":\"\033\"}\n{\"outcome\":1}\n"));
    assert_ended(one, "+{\"host\":\"?\"}\n+{\"outcome\":1}\n=ok\n");
    spooler_says(of_list, 0, ANSWER_OK, true, SPAN("{\"n\":1}\n"));
    assert_ended(list, "+{\"n\":1}\n=ok\n");

    int waits = client(
        EXPLAIN); /* a new connector knows nothing of it; nor does one that breaks the rules answer it */
    new_connector();
    turn(20);
    assert_ended(waits, "=busy the connector was restarted\n");
    waits = client(EXPLAIN);
    unsigned before = lost;
    connector_says(explained, false, SPAN("{}\n"));
    assert_true(lost == before + 1 && lost_role == PROC_CONNECTOR);
    assert_ended(waits, "=busy the connector was restarted\n");
}

static void test_a_slow_reader_holds_up_nobody(void **state)
{
    (void)state;
    static char page[30000];
    memset(page, 'x', sizeof page);
    page[sizeof page - 1] = '\n';
    questions = 0;
    int slow = client("queue-list\n");
    unsigned pages = 0;
    while (questions == pages + 1 && pages < 100) { /* until the socket is full: no page is asked for */
        pages++;
        spooler_says(question.tag, pages, ANSWER_OK, false, span_of(page, sizeof page));
    }
    assert_in_range(pages, 2, 99);
    uint64_t slow_tag = question.tag;
    int quick = client("queue-counts\n");
    assert_true(question.tag != slow_tag);
    spooler_says(question.tag, 0, ANSWER_OK, true, SPAN("{\"messages\":1}\n"));
    assert_ended(quick, "+{\"messages\":1}\n=ok\n");
    unsigned before = questions;
    heard(slow, NULL);
    turn(20);
    assert_int_equal(questions, before + 1); /* it reads again: the next page */
    close(slow);
    turn(20);
    spooler_says(question.tag, 0, ANSWER_OK, true, SPAN("{}\n")); /* for nobody */
}

static void test_outcomes_of_the_spooler(void **state)
{
    (void)state;
    int fd = client("queue-show\tid=0000000000001\n");
    assert_true(question.filter.id == 1);
    spooler_says(question.tag, 0, ANSWER_UNKNOWN, true, SPAN(""));
    assert_ended(fd, "=unknown no such message\n");
    fd = client("queue-verify\n");
    spooler_says(question.tag, 0, ANSWER_BUSY, true, SPAN(""));
    assert_ended(fd, "=busy no room in the spooler for more now: try the rest again\n");
    fd = client("queue-verify\n");
    spooler_says(question.tag + 1000, 0, ANSWER_OK, true, SPAN("{}\n")); /* a tag that nobody waits for */
    assert_string_equal(heard(fd, NULL), "");
    new_spooler(); /* restarted: who waited is told, who comes is served */
    turn(20);
    assert_ended(fd, "=busy the spooler was restarted\n");
    fd = client("queue-counts\n");
    spooler_says(question.tag, 0, ANSWER_OK, true, SPAN("{}\n"));
    assert_ended(fd, "+{}\n=ok\n");
}

static void test_a_spooler_that_breaks_the_protocol_is_cut_off(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    int fd = client("queue-counts\n");
    unsigned before = lost;
    answer_put(&b, &(struct answer){question.tag, 0, ANSWER_OK, true, SPAN("{}")});
    memory[16] = 200; /* a status that does not exist */
    assert_true(ipc_send(spooler, MSG_QUEUE_ANSWER, buf_span(&b)));
    turn(20);
    assert_int_equal(lost, before + 1);
    assert_ended(fd, "=busy the spooler was restarted\n");
    fd = client("queue-counts\n");
    assert_ended(fd, "=busy the spooler does not listen\n");
    new_spooler();
}

static void test_hostile_clients(void **state)
{
    (void)state;
    static const char *const bad[] = {"\n", "nonsense\n", "status\tx\n", "queue-list\tstate=\n",
                                      "GET / HTTP/1.1\r\n\r\n"};
    unsigned before = questions;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int fd = client(bad[i]);
        bool closed;
        assert_memory_equal(heard(fd, &closed), "=bad ", 5);
        assert_true(closed);
        close(fd);
    }
    static char endless[LIMIT_CONTROL_REQUEST_OCTETS + 1];
    memset(endless, 'x', LIMIT_CONTROL_REQUEST_OCTETS);
    int fd = client(endless);
    assert_memory_equal(heard(fd, NULL), "=bad request too long", 20);
    close(fd);
    fd = client("sta");
    close(fd); /* half a request, then gone */
    turn(20);
    assert_int_equal(questions, before);
    fd = client("sta");
    assert_int_equal(write(fd, "tus\nstop\n", 9), 9); /* the rest, and a second request: nobody's */
    turn(20);
    assert_int_equal(asked, CHILD_ASK_STATUS);
    asked = -1;
    answer_to(&child, CHILD_ASK_STATUS, SPAN("{}"));
    turn(20);
    assert_int_equal(asked, -1);
    close(fd);
}

static void test_too_many_clients(void **state)
{
    (void)state;
    int fds[LIMIT_CONTROL_CLIENTS + 4];
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS + 4; i++) {
        fds[i] = connect_client();
        turn(5);
    }
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS + 4; i++) {
        bool closed;
        assert_string_equal(heard(fds[i], &closed),
                            i < LIMIT_CONTROL_CLIENTS ? "" : "=busy too many clients\n");
        assert_int_equal(closed, i >= LIMIT_CONTROL_CLIENTS);
    }
    char json[64];
    struct buf b = buf_on(json, sizeof json);
    admin_hooks.status(&child, &b);
    assert_true(span_eq(buf_span(&b), SPAN("\"clients\":16")));
    for (unsigned i = 0; i < LIMIT_CONTROL_CLIENTS + 4; i++)
        close(fds[i]);
    turn(20);
    b = buf_on(json, sizeof json);
    admin_hooks.status(&child, &b);
    assert_true(span_eq(buf_span(&b), SPAN("\"clients\":0")));
}

static void test_silence_ends(void **state)
{
    (void)state;
    bool closed;
    int fd = connect_client();
    turn(20);
    heard(fd, &closed);
    assert_false(closed);
    turn(LIMIT_CONTROL_REQUEST_SECONDS * 1000 + 200);
    heard(fd, &closed);
    assert_true(closed);
    close(fd);
}

static void test_drain(void **state)
{
    (void)state;
    int fd = client("queue-counts\n");
    admin_hooks.drain(&child, true);
    turn(20);
    assert_int_equal(exited, -1); /* the open question may end */
    spooler_says(question.tag, 0, ANSWER_OK, true, SPAN("{}\n"));
    assert_ended(fd, "+{}\n=ok\n");
    assert_int_equal(exited, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_supervisor_answers_in_turn),
        cmocka_unit_test(test_a_refused_reload_says_why),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_the_connector_explains),
        cmocka_unit_test(test_a_slow_reader_holds_up_nobody),
        cmocka_unit_test(test_outcomes_of_the_spooler),
        cmocka_unit_test(test_a_spooler_that_breaks_the_protocol_is_cut_off),
        cmocka_unit_test(test_hostile_clients),
        cmocka_unit_test(test_too_many_clients),
        cmocka_unit_test(test_silence_ends),
        cmocka_unit_test(test_drain),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
