/* In the cage of the directory process, as roles.c has it, the identity database can be opened, read and changed, by more than one
 * thread, and passwords can be checked; and nothing beside its folder can be touched. */
#include "identity/change.h"
#include "process/role.h"
#include "system/sandbox.h"

#include "../span_check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Sanitizers do not work inside it: there everything but the cage is tested. */
#if defined(__SANITIZE_ADDRESS__)
enum { CAGED = 0 };
#else
enum { CAGED = 1 };
#endif

static char path[64];
static int folder;
static uint32_t uid, gid;

static int begin(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/sallyport-cage-XXXXXX");
    if (!mkdtemp(path)) return -1;
    sandbox_account("directory", PROC_DIRECTORY, &uid, &gid);
    if (geteuid() == 0 && chown(path, uid, gid) != 0) return -1;
    folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return folder >= 0 ? 0 : -1;
}

static int end(void **state)
{
    static const char *const names[] = {IDENTITY_FILE, IDENTITY_FILE "-wal", IDENTITY_FILE "-shm"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlinkat(folder, names[i], 0);
    close(folder);
    return rmdir(path);
}

static void add_user(void)
{
    const struct change_caller who = {.uid = 0, .name = SPAN("test"), .unix_seconds = 1};
    struct change_secrets secrets = {.verifier = ""};
    const char *why;
    uint32_t number;
    struct identity *i = identity_open(folder, true, &why);
    assert_non_null(i);
    assert_true(secret_verifier(SPAN("word"), secrets.verifier));
    assert_true(change_begin(i));
    assert_int_equal(change_add(i, PRINCIPAL_USER, SPAN("joe@example.org"), true, 1, &number), CHANGE_DONE);
    assert_int_equal(change_secrets(i, number, &secrets), CHANGE_DONE);
    assert_true(change_commit(i, &who, SPAN("test")));
    identity_close(&i);
}

static void close_cage(void)
{
    const char *error = "";
    const struct sandbox s = {.process = "directory",
                              .abilities = role_table[PROC_DIRECTORY].abilities,
                              .directories = &folder,
                              .n_directories = 1,
                              .max_fds = 64,
                              .debug = true};
    if (!secret_warm_up()) _exit(3);
    if (!sandbox_drop_user("directory", uid, gid, 0, &error)) _exit(5);
    if (CAGED && sandbox_enter(&s, &error) == SANDBOX_FAILED) _exit(4);
}

/* What the process is told: 0 when all of it works. */
static int use_database(bool writes)
{
    const struct change_caller who = {.uid = 0, .name = SPAN("caged"), .unix_seconds = 1};
    const char *why;
    struct identity_principal p;
    struct secret_scram scram = {.iterations = 4096, .salt_octets = 16};
    uint32_t after = 0;
    struct span name;
    struct arena *a = arena_create(1 << 20);
    struct identity *i = identity_open(folder, writes, &why);
    int wrong = 0;

    if (!i || !a) return 10;
    if (identity_find(i, SPAN("joe@example.org"), SPAN(""), NULL, 1, a, &p) != IDENTITY_FOUND) wrong = 11;
    if (!wrong && !secret_fits(SPAN("word"), p.crypt)) wrong = 12;
    if (!wrong && !secret_scram_keys(SPAN("word"), SECRET_SHA_256, &scram)) wrong = 13;
    if (!wrong && !identity_next_mailbox(i, &after, a, &name, &why)) wrong = 14;
    if (!wrong && !identity_check(i, &why)) wrong = 15;
    for (int k = 0; writes && !wrong && k < 50; k++)
        if (!change_begin(i) || change_lock(i, p.number, k % 2 == 0) != CHANGE_DONE ||
            !change_commit(i, &who, SPAN("lock")))
            wrong = 16;
    if (!wrong && identity_find(i, SPAN("joe@example.org"), SPAN(""), NULL, 1, a, &p) != IDENTITY_FOUND)
        wrong = 17;
    identity_close(&i);
    arena_destroy(&a);
    return wrong;
}

static void *reads_in_a_thread(void *unused)
{
    static int wrong;
    (void)unused;
    wrong = use_database(false);
    return &wrong;
}

static int in_child(int (*what)(void))
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close_cage();
        _exit(what());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status)) fail_msg("ended by signal %d", WTERMSIG(status));
    return WEXITSTATUS(status);
}

static int everything(void)
{
    pthread_t thread;
    void *said;
    if (pthread_create(&thread, NULL, reads_in_a_thread, NULL) != 0) return 20;
    int wrong = use_database(true);
    pthread_join(thread, &said);
    return wrong ? wrong : *(const int *)said;
}

/* Of a folder that is empty: the files are made in the cage. */
static int makes_it(void)
{
    const char *why;
    struct identity *i = identity_open(folder, true, &why);
    bool made = i != NULL;
    identity_close(&i);
    return made ? 0 : 21;
}

static int leaves_the_folder(void)
{
    if (openat(folder, "../sallyport-cage-beside", O_RDWR | O_CREAT | O_CLOEXEC, 0600) >= 0) return 30;
    if (errno != EACCES) return 31;
    if (openat(folder, "../../etc/passwd", O_RDONLY | O_CLOEXEC) >= 0) return 32;
    return errno == EACCES ? 0 : 33;
}

static int opens_by_name(void)
{
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 40 : 41;
}

static void the_database_is_used_in_the_cage(void **state)
{
    (void)state;
    add_user();
    assert_int_equal(in_child(everything), 0);
}

static void the_database_is_made_in_the_cage(void **state)
{
    (void)state;
    assert_int_equal(in_child(makes_it), 0);
}

static void nothing_else_is_touched(void **state)
{
    (void)state;
    if (!CAGED) skip();
    assert_int_equal(in_child(leaves_the_folder), 0);
    assert_int_equal(in_child(opens_by_name), 128 + SIGSYS); /* --debug-sandbox: it says so and ends */
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {CASE(the_database_is_used_in_the_cage),
                                       CASE(the_database_is_made_in_the_cage), CASE(nothing_else_is_touched)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
