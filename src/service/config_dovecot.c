/* The Dovecot that servers with login dovecot ask: is its socket there, may we use it, and does it speak what they offer? It is asked by `check` alone: when the
 * service starts Dovecot may not have started yet, and the supervisor reads no octet that is not its own. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "sasl/dovecot.h"
#include "sasl/mechanism.h"
#include "service/config_files_private.h"

static const char until_then[] = "logins of servers with login dovecot are answered 454 until then";

/* -1: errno says why. */
static int connect_to(struct span path)
{
    const struct timeval patience = {.tv_sec = LIMIT_DOVECOT_CHECK_SECONDS};
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path.p, path.n < sizeof a.sun_path ? path.n : sizeof a.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* Its greeting, which is short: what does not fit is none. */
static bool hear_greeting(int fd, struct dovecot_server *ret)
{
    uint8_t memory[LIMIT_DOVECOT_LINE_OCTETS];
    size_t n = 0;
    struct buf hello = buf_on(memory, sizeof memory);
    dovecot_put_hello(&hello, (uint32_t)getpid() | UINT32_C(1) << 30);
    if (send(fd, hello.p, hello.n, MSG_NOSIGNAL) != (ssize_t)hello.n) return false;
    while (!ret->done && n < sizeof memory) {
        ssize_t got = recv(fd, memory + n, sizeof memory - n, 0);
        if (got <= 0) return false;
        n += (size_t)got;
        struct span input = span_of(memory, n), line;
        *ret = (struct dovecot_server){0};
        while (!ret->done && dovecot_line_take(&input, &line))
            if (!dovecot_handshake(ret, line)) return false;
    }
    return ret->done;
}

static void check_mechanisms(const struct config_files *f, const struct dovecot_server *d)
{
    for (uint32_t i = 0; i < f->config->n_servers; i++) {
        const struct config_server *s = &f->config->servers[i];
        uint8_t memory[256];
        struct buf names = buf_on(memory, sizeof memory - 1);
        uint32_t known = d->mechanisms & MECHANISM_BIT(MECHANISM_PLAIN)
                             ? d->mechanisms | MECHANISM_PASSWORDS
                             : d->mechanisms & ~MECHANISM_PASSWORDS;
        bool own;
        struct config_place place = config_server_said(f->config, s, "access", false, &own);
        if (s->login != CONFIG_LOGIN_DOVECOT || !(s->mechanisms & ~known)) continue;
        mechanism_put_names(&names, s->mechanisms & ~known);
        memory[names.n] = 0;
        config_report_add(
            f->report, CONFIG_WARNING, place.line ? place : s->place,
            CONFIG_FILES_SAY("server ", config_files_text(s->name), " offers ", (const char *)memory,
                             ", and Dovecot does not speak it: it is answered 454"),
            "name it in Dovecot's auth_mechanisms, or behind access ... mechanisms only what is there");
    }
}

static void check_permission(const struct config_files *f, struct config_place place, const char *path,
                             const struct stat *st)
{
    if (!config_files_permitted(path, st, &f->who->connector, 2))
        config_report_add(
            f->report, CONFIG_WARNING, place,
            CONFIG_FILES_SAY("Dovecot's socket ", path, " cannot be used by the connector process"),
            "in Dovecot: service auth { unix_listener auth-client { mode = 0660 group = sallyport-connector "
            "} }");
}

void config_files_dovecot(const struct config_files *f)
{
    struct span path = f->config->dovecot.socket;
    const struct config_place place = config_said(f->config, "dovecot");
    struct dovecot_server d = {0};
    struct stat st;
    if (!path.n) return;
    const char *p = config_files_text(path);
    int fd = stat(p, &st) == 0 ? connect_to(path) : -1;
    if (fd < 0 && errno == EACCES && geteuid() != 0) {
        config_files_unreadable(f, place, "Dovecot's socket", path, strerrordesc_np(errno));
        return;
    }
    if (fd < 0) {
        config_report_add(f->report, CONFIG_WARNING, place,
                          CONFIG_FILES_SAY("Dovecot's socket ", p, ": ", strerrordesc_np(errno)), until_then);
        return;
    }
    check_permission(f, place, p, &st);
    if (hear_greeting(fd, &d))
        check_mechanisms(f, &d);
    else
        config_report_add(
            f->report, CONFIG_WARNING, place,
            CONFIG_FILES_SAY("what listens at ", p, " does not greet as Dovecot's authentication does"),
            until_then);
    close(fd);
}
