/* What the process winbind needs: UNIX sockets of others, threads, one more group. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#include "in_cage.h"

static int in_cage(unsigned abilities, action_fn *action)
{
    return caged(abilities, NULL, action);
}

static bool open_file(void)
{
    return open("/etc/hostname", O_RDONLY) >= 0;
}
static bool make_socket(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}
static bool make_datagrams(void)
{
    return socket(AF_UNIX, SOCK_DGRAM, 0) >= 0;
}
static bool make_netlink(void)
{
    return socket(AF_NETLINK, SOCK_RAW, 0) >= 0;
}
static bool bind_name(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/tmp/sallyport-never"};
    return bind(0, (struct sockaddr *)&a, sizeof a) == 0 || errno != 0;
}
static bool listen_here(void)
{
    return listen(0, 1) == 0 || errno != 0;
}
static bool execute(void)
{
    char *none[] = {NULL};
    return execve("/bin/true", none, none) == 0 || errno != 0;
}
static bool connect_unix(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    return s >= 0 && connect(s, (struct sockaddr *)&a, sizeof a) < 0 && errno == ENOENT;
}
static bool look_at_link(void)
{
    struct stat st;
    return lstat("/etc", &st) == 0;
}
static bool look_through_link(void)
{
    struct stat st;
    return stat("/etc", &st) == 0;
}
static bool make_pair(void)
{
    int two[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, two) == 0;
}

/* libwbclient's ability: UNIX sockets of others, and whether they are there; no file, no network, no socket of its own to be called at. */
static void sockets_of_this_host_alone(void **state)
{
    (void)state;
    assert_int_equal(in_cage(0, connect_unix), KILLED);
    assert_int_equal(in_cage(0, look_at_link), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, connect_unix), WORKED);
    assert_int_equal(in_cage(SANDBOX_UNIX, look_at_link), WORKED);
    assert_int_equal(in_cage(SANDBOX_UNIX, look_through_link), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, open_file), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, make_socket), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, make_datagrams), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, make_netlink), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, make_pair), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, bind_name), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, listen_here), KILLED);
    assert_int_equal(in_cage(SANDBOX_UNIX, execute), KILLED);
}

static void *allocate(void *arg)
{
    void *volatile some = malloc(100);
    pthread_barrier_wait(arg); /* all at once: each would like a heap of its own */
    free(some);
    return arg;
}
static bool start_many_threads(void)
{
    enum { MANY = 40 };
    pthread_barrier_t all;
    pthread_t t[MANY];
    pthread_barrier_init(&all, NULL, MANY);
    for (unsigned i = 0; i < MANY; i++)
        if (pthread_create(&t[i], NULL, allocate, &all) != 0) return false;
    for (unsigned i = 0; i < MANY; i++)
        pthread_join(t[i], NULL);
    return true;
}

static void *give_much_back(void *arg)
{
    enum { BLOCKS = 300, OCTETS = 100000 };
    static void *volatile blocks[BLOCKS];
    for (unsigned i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(OCTETS);
    for (unsigned i = BLOCKS; i-- > 0;)
        free(blocks[i]);
    return arg;
}
static bool threads_give_much_back(void)
{
    pthread_t t;
    return pthread_create(&t, NULL, give_much_back, NULL) == 0 && pthread_join(t, NULL) == 0;
}

/* The C library would look in /proc whether memory of a thread may be given back. */
static void memory_of_threads(void **state)
{
    (void)state;
    assert_int_equal(in_cage(SANDBOX_MEMORY | SANDBOX_THREADS, threads_give_much_back), WORKED);
}

static void as_many_threads_as_it_likes(void **state)
{
    (void)state;
    assert_int_equal(in_cage(SANDBOX_MEMORY | SANDBOX_THREADS, start_many_threads), WORKED);
}

/* True: it is in that one and in no other. */
static bool in_group(uint32_t uid, uint32_t gid, uint32_t group)
{
    const char *error;
    gid_t groups[2];
    return sandbox_drop_user("test", uid, gid, group, &error) && getgroups(2, groups) == 1 &&
           groups[0] == group;
}

static void one_more_group(void **state)
{
    (void)state;
    uint32_t uid, gid;
    int status;
    sandbox_account("no-such-role", 1, &uid, &gid);
    assert_int_equal(sandbox_group("no-such-group"), 0);
    assert_int_not_equal(sandbox_group("daemon"), 0);
    if (geteuid() != 0) return;
    pid_t pid = fork();
    if (pid == 0) _exit(in_group(uid, gid, gid + 1) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_of_this_host_alone),
        cmocka_unit_test(memory_of_threads),
        cmocka_unit_test(as_many_threads_as_it_likes),
        cmocka_unit_test(one_more_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
