/* The process winbind: the test is the skeleton, the directory, and winbindd, who takes as long as he likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "service/winbind.h"

enum { THREADS = LIMIT_LOGIN_OUTSIDE_THREADS, MOST = 16 * THREADS };

const struct role_row role_table[PROC_ROLE_COUNT] = {
    [PROC_WINBIND] = {.name = "winbind", .group = "no-such-group"}};

static struct child child;
static unsigned lost;
static struct ipc *directory; /* its end */
static struct {
    unsigned n;
    struct domain_answer last;
} heard;

void child_peer_lost(struct child *c, enum role role, unsigned index, const char *reason)
{
    (void)c, (void)index, (void)reason;
    assert_int_equal(role, PROC_DIRECTORY);
    lost++;
}

void child_exit(struct child *c, int status)
{
    (void)c, (void)status;
}

/* --- winbindd */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool holds;
static unsigned working, asked;

const char *winbind_load(void)
{
    return NULL;
}

struct winbind *winbind_create(const struct config *c)
{
    (void)c;
    return malloc(1);
}

void winbind_free(struct winbind **w)
{
    free(*w);
    *w = NULL;
}

void winbind_ask(struct winbind *w, const struct domain_question *q, struct buf *b,
                 struct winbind_report *report)
{
    (void)w;
    pthread_mutex_lock(&mutex);
    asked++;
    working++;
    while (holds)
        pthread_cond_wait(&changed, &mutex);
    working--;
    pthread_mutex_unlock(&mutex);
    *report = (struct winbind_report){.status = DOMAIN_PROVEN};
    domain_answer_put(
        b, &(struct domain_answer){
               .tag = q->tag, .status = DOMAIN_PROVEN, .account = q->user, .domain = SPAN("CORP")});
}

static void hold(bool it)
{
    pthread_mutex_lock(&mutex);
    holds = it;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static bool all_work(void)
{
    pthread_mutex_lock(&mutex);
    bool all = working == THREADS;
    pthread_mutex_unlock(&mutex);
    return all;
}

/* --- the directory */

static const struct ipc_allowed answers[] = {{MSG_DOMAIN_ANSWER, 9, DOMAIN_ANSWER_OCTETS, 0}};

static void answered(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    (void)context, (void)type, (void)fds, (void)n_fds;
    assert_true(domain_answer_read(payload, &heard.last));
    heard.n++;
}

static void closed(void *context, const char *reason)
{
    (void)context, (void)reason;
}

static struct timer stopper;
static void stop(struct timer *t)
{
    (void)t;
    loop_stop(child.loop);
}

static void flush(void *context)
{
    (void)context;
    if (directory) ipc_flush(directory);
    winbind_hooks.after_turn(&child);
}

static void turn(void)
{
    loop_timer_set(child.loop, &stopper, loop_now_ms(child.loop) + 10, stop);
    loop_run(child.loop, flush, NULL);
}

#define UNTIL(what)                                                                                          \
    for (unsigned i = 0; !(what); i++) {                                                                     \
        assert_true(i < 2000);                                                                               \
        turn();                                                                                              \
    }

static void introduce(void)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
    ipc_close(&directory);
    directory = ipc_open(child.loop, pair[0], answers, 1, 64, answered, closed, NULL);
    assert_non_null(directory);
    winbind_hooks.peer(&child, PROC_DIRECTORY, 0, 1, pair[1]);
}

static void ask(uint64_t tag)
{
    static uint8_t memory[DOMAIN_QUESTION_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    domain_question_put(&b, &(struct domain_question){.tag = tag,
                                                      .user = SPAN("joe"),
                                                      .response = SPAN("1234567890123456789012345678")});
    assert_true(ipc_send(directory, MSG_DOMAIN_QUESTION, buf_span(&b)));
}

/* --- tests */

static void a_question_is_answered(void **state)
{
    (void)state;
    ask(7);
    UNTIL(heard.n == 1);
    assert_true(heard.last.tag == 7 && heard.last.status == DOMAIN_PROVEN);
    assert_true(lost == 0 && asked == 1);
}

/* The directory was started again: its tags begin anew, so an answer to the one before must not reach it. */
static void an_answer_is_for_who_asked(void **state)
{
    (void)state;
    hold(true);
    for (uint64_t tag = 1; tag <= THREADS; tag++)
        ask(tag);
    UNTIL(all_work());
    introduce();
    hold(false);
    for (unsigned i = 0; i < 20; i++)
        turn();
    assert_int_equal(heard.n, 0);
    ask(1);
    UNTIL(heard.n == 1);
    assert_int_equal(heard.last.status, DOMAIN_PROVEN);
}

static void more_than_it_can_hold(void **state)
{
    (void)state;
    hold(true);
    for (uint64_t tag = 1; tag <= MOST; tag++) {
        ask(tag);
        turn();
    }
    assert_int_equal(heard.n, 0);
    ask(MOST + 1);
    UNTIL(heard.n == 1);
    assert_true(heard.last.tag == MOST + 1 && heard.last.status == DOMAIN_UNAVAILABLE);
    hold(false);
    UNTIL(heard.n == MOST + 1);
    assert_int_equal(asked, MOST);
}

static void what_is_no_question(void **state)
{
    static uint8_t memory[DOMAIN_QUESTION_LEAST];
    (void)state;
    assert_true(ipc_send(directory, MSG_DOMAIN_QUESTION, span_of(memory, sizeof memory)));
    UNTIL(lost == 1);
    assert_int_equal(asked, 0);
    introduce();
    ask(1);
    UNTIL(heard.n == 1);
}

static int begin(void **state)
{
    const char *error;
    (void)state;
    child = (struct child){.role = PROC_WINBIND, .loop = loop_create(16)};
    lost = asked = working = 0;
    holds = false;
    memset(&heard, 0, sizeof heard);
    introduce(); /* before it starts: it waits for that */
    return winbind_hooks.prepare(&child, &error) && winbind_hooks.start(&child, &error) ? 0 : -1;
}

/* The process ends with its loop; its threads go on to wait here, for nothing. */
static int end(void **state)
{
    (void)state;
    ipc_close(&directory);
    for (unsigned i = 0; i < 20; i++)
        turn();
    winbind_hooks.drain(&child, true);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_question_is_answered),
        TEST(an_answer_is_for_who_asked),
        TEST(more_than_it_can_hold),
        TEST(what_is_no_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
