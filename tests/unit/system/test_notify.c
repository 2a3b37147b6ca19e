#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "system/notify.h"

/* Each case runs in a process of its own: the environment and the descriptors are the process'. */
static int in_child(int (*run)(void))
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(run());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int without_systemd(void)
{
    struct notify_socket s[4];
    unsetenv("NOTIFY_SOCKET");
    unsetenv("LISTEN_FDS");
    if (!notify_open() || notify_watchdog_ms() != 0) return 1;
    notify_send(SPAN("READY=1")); /* goes nowhere */
    return notify_sockets(s, 4) == 0 ? 0 : 2;
}

static int speaks(const char *path, struct sockaddr_un *a, socklen_t n)
{
    char got[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)a, n) != 0) return 1;
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "20000000", 1);
    if (!notify_open() || getenv("NOTIFY_SOCKET") || getenv("WATCHDOG_USEC")) return 2;
    if (notify_watchdog_ms() != 20000) return 3;
    notify_send(SPAN("READY=1\nSTATUS=x"));
    return recv(fd, got, sizeof got, 0) == 16 && memcmp(got, "READY=1\nSTATUS=x", 16) == 0 ? 0 : 4;
}

static int to_a_path(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char path[] = "/tmp/sallyport-notify-XXXXXX";
    if (!mkdtemp(path)) return 9;
    snprintf(a.sun_path, sizeof a.sun_path, "%s/s", path);
    char copy[sizeof a.sun_path];
    memcpy(copy, a.sun_path, sizeof copy);
    int r = speaks(copy, &a, sizeof a);
    unlink(copy);
    rmdir(path);
    return r;
}

static int to_an_abstract_name(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    char name[64];
    int n = snprintf(name, sizeof name, "@sallyport-notify-%d", (int)getpid());
    memcpy(a.sun_path, name, (size_t)n);
    a.sun_path[0] = 0;
    return speaks(name, &a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n));
}

static int nonsense(void)
{
    static char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[0] = '/';
    const char *bad[] = {"", "relative", "/", longer, "/nonexistent/socket"};
    for (unsigned i = 0; i < 5; i++) {
        setenv("NOTIFY_SOCKET", bad[i], 1);
        if (notify_open()) return 1;
    }
    setenv("WATCHDOG_USEC", "-1", 1);
    setenv("NOTIFY_SOCKET", "@x", 1);
    (void)!notify_open();
    return notify_watchdog_ms() == 0 ? 0 : 2;
}

static void pass(const char *pid, const char *count, const char *names)
{
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_FDNAMES", names, 1);
}

static int takes_sockets(void)
{
    struct notify_socket s[8];
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    for (int fd = 3; fd < 7; fd++)
        if (dup2(0, fd) != fd) return 1;
    pass(pid, "3", "mx:submission");
    if (notify_sockets(s, 2) != 2) return 2;
    if (s[0].fd != 3 || strcmp(s[0].name, "mx") != 0 || s[1].fd != 4 || strcmp(s[1].name, "submission") != 0)
        return 3;
    if (!(fcntl(3, F_GETFD) & FD_CLOEXEC) || fcntl(5, F_GETFD) >= 0) return 4; /* the third had no room */
    if (getenv("LISTEN_FDS") || getenv("LISTEN_PID") || getenv("LISTEN_FDNAMES")) return 5;
    pass("1", "1", ""); /* meant for another process */
    if (notify_sockets(s, 8) != 0 || fcntl(6, F_GETFD) < 0) return 6;
    pass(pid, "18446744073709551615", "");
    return notify_sockets(s, 8) == 0 ? 0 : 7;
}

static void all(void **state)
{
    (void)state;
    assert_int_equal(in_child(without_systemd), 0);
    assert_int_equal(in_child(to_a_path), 0);
    assert_int_equal(in_child(to_an_abstract_name), 0);
    assert_int_equal(in_child(nonsense), 0);
    assert_int_equal(in_child(takes_sockets), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
