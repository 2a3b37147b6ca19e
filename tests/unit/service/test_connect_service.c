/* A socket of a service: what the configuration calls so, and nobody else's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/connect.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char path[64];
static struct loop *loop;
static struct connect *engine;
static struct config config;
static struct connect_answer answer;
static char text[512];
static unsigned answered;

static bool on_ask(void *context, const struct dns_question *q)
{
    (void)context, (void)q;
    fail_msg("no name is looked up");
    return false;
}

static void on_answer(void *context, const void *asker, const struct connect_answer *a, int fd)
{
    (void)context;
    assert_ptr_equal(asker, &answer);
    assert_int_equal(a->status == CONNECT_OPEN, fd >= 0);
    answer = *a;
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(a->text));
    answered++;
    loop_stop(loop);
}

static void turn(void *context)
{
    (void)context;
}

static void wait_answer(void)
{
    if (!answered) loop_run(loop, turn, NULL);
    assert_int_equal(answered, 1);
    assert_int_equal(answer.tag, 7);
    assert_int_equal(connect_count(engine).open, 0);
    answered = 0;
}

static void ask_service(enum connect_status status, const char *why)
{
    connect_ask_service(engine, &answer, &(struct connect_service_question){7, CONNECT_SERVICE_DOVECOT});
    wait_answer();
    assert_int_equal(answer.status, status);
    if (!strstr(text, why)) fail_msg("%s: %s", why, text);
}

static void test_service(void **state)
{
    (void)state;
    static const struct connect_hooks hooks = {on_ask, on_answer, NULL};
    static const struct config without;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(path, sizeof path, "/tmp/sallyport-service-%d", (int)getpid());
    memcpy(a.sun_path, path, sizeof path);
    config.dovecot.socket = span_str(path);
    loop = loop_create(16);
    engine = connect_create(loop, &config, &hooks, NULL, 4711);
    assert_non_null(engine);
    ask_service(CONNECT_DEFER, "No such file");
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(bind(s, (struct sockaddr *)&a, sizeof a) == 0);
    ask_service(CONNECT_DEFER, "refused");
    assert_int_equal(listen(s, 8), 0);
    ask_service(CONNECT_OPEN, "");
    /* a relay that says where it is does not come to it */
    const struct connect_question q = {
        .tag = 7, .hop = {.kind = NEXT_HOP_UNIX, .protocol = NEXT_HOP_LMTP, .name = config.dovecot.socket}};
    connect_ask(engine, &answer, &q);
    wait_answer();
    assert_int_equal(answer.status, CONNECT_DEFER);
    assert_string_equal(answer.enhanced, "4.3.5");
    connect_config(engine, &without); /* a reload took it away */
    ask_service(CONNECT_DEFER, "no route");
    close(s);
    unlink(path);
    connect_free(&engine);
    loop_destroy(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_service)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
