#include "system/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_PASSED = 3, PASSED_MAX = 1024, NAMES_OCTETS = 8192 };

static struct {
    int fd;
    uint64_t watchdog_ms;
    char names[NAMES_OCTETS];
} notify = {.fd = -1};

/* A number of the environment; 0 when it is absent or no number. The variable is removed. */
static uint64_t take_number(const char *variable)
{
    uint64_t v = 0;
    const char *text = getenv(variable);
    if (text && !span_u64(span_str(text), &v)) v = 0;
    unsetenv(variable);
    return v;
}

bool notify_open(void)
{
    uint64_t usec = take_number("WATCHDOG_USEC"), pid = take_number("WATCHDOG_PID");
    if (pid == 0 || pid == (uint64_t)getpid()) notify.watchdog_ms = usec / 1000;
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path) return true;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    bool sound = n > 1 && n < sizeof a.sun_path && (path[0] == '/' || path[0] == '@');
    if (sound) memcpy(a.sun_path, path, n);
    if (a.sun_path[0] == '@') a.sun_path[0] = 0; /* the abstract name space */
    unsetenv("NOTIFY_SOCKET");
    if (!sound) {
        errno = EINVAL;
        return false;
    }
    notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (notify.fd < 0) return false;
    if (connect(notify.fd, (const struct sockaddr *)&a,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) != 0) {
        int why = errno;
        close(notify.fd);
        notify.fd = -1;
        errno = why;
        return false;
    }
    return true;
}

void notify_send(struct span text)
{
    /* a lost READY or WATCHDOG is systemd's to notice; there is nobody else to tell */
    if (notify.fd >= 0 && send(notify.fd, text.p, text.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return;
}

uint64_t notify_watchdog_ms(void)
{
    return notify.watchdog_ms;
}

/* The next name of the colon-separated list; *names moves behind it. */
static const char *take_name(char **names)
{
    char *name = *names, *colon = strchr(name, ':');
    if (colon) {
        *colon = 0;
        *names = colon + 1;
    } else {
        *names = name + strlen(name);
    }
    return name;
}

size_t notify_sockets(struct notify_socket *ret, size_t max)
{
    const char *list = getenv("LISTEN_FDNAMES");
    if (list && strlen(list) < sizeof notify.names) memcpy(notify.names, list, strlen(list) + 1);
    unsetenv("LISTEN_FDNAMES");
    uint64_t pid = take_number("LISTEN_PID"), count = take_number("LISTEN_FDS");
    if (pid != (uint64_t)getpid() || count > PASSED_MAX) return 0;
    char *names = notify.names;
    size_t n = 0;
    for (int fd = FIRST_PASSED; fd < FIRST_PASSED + (int)count; fd++) {
        const char *name = take_name(&names);
        if (n < max && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
            ret[n++] = (struct notify_socket){fd, name};
        else
            close(fd);
    }
    return n;
}
