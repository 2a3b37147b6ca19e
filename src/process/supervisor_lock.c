/* One spool, one service. The lock lies in the open description of the spool's folder, which spooler and mailbox share with the
 * supervisor: it is free when the last of the three is gone, however they ended. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "process/supervisor_private.h"

enum { PATIENCE_MS = 5000, NAP_MS = 20, LOCKS_OCTETS = 65536 };

static uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool supervisor_may_wait(struct supervisor *s)
{
    struct pollfd signals = {.fd = s->signals.fd, .events = POLLIN};
    if (s->serving) return false;
    uint64_t now = now_ms();
    if (s->patience_ms == 0) {
        s->patience_ms = now + PATIENCE_MS;
        log_note(LOG_LEVEL_INFO, "start-waits", "what is needed is still in use", 0);
        log_flush();
    }
    return now < s->patience_ms && poll(&signals, 1, NAP_MS) == 0;
}

static struct span word(struct span *line)
{
    while (line->n && line->p[0] == ' ')
        *line = span_skip(*line, 1);
    size_t end = span_find(*line, ' ');
    struct span w = span_head(*line, end);
    *line = span_skip(*line, w.n);
    return w;
}

/* "1: FLOCK ADVISORY WRITE 4711 08:01:131 0 EOF", proc_locks(5): the process, when it is a lock on that inode and alive. */
static uint64_t holder_in(struct span line, ino_t inode)
{
    uint64_t pid, number;
    (void)word(&line);
    if (!span_eq(word(&line), SPAN("FLOCK"))) return 0;
    (void)word(&line);
    (void)word(&line);
    struct span who = word(&line), file = word(&line);
    size_t colon = span_rfind(file, ':');
    if (colon == SPAN_NPOS || !span_u64(span_skip(file, colon + 1), &number) || number != inode) return 0;
    return span_u64(who, &pid) && pid <= INT32_MAX && getpgid((pid_t)pid) >= 0 ? pid : 0;
}

/* 0: unknown. It took the lock; those it shared it with may outlive it. */
static uint64_t holder(int folder)
{
    static uint8_t text[LOCKS_OCTETS];
    struct stat st;
    size_t n = 0;
    uint64_t pid = 0;
    int fd = open("/proc/locks", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    for (ssize_t got; n < sizeof text && (got = read(fd, text + n, sizeof text - n)) > 0;)
        n += (size_t)got;
    close(fd);
    if (fstat(folder, &st) != 0) return 0;
    struct span rest = span_of(text, n);
    for (size_t end; pid == 0 && (end = span_find(rest, '\n')) != SPAN_NPOS; rest = span_skip(rest, end + 1))
        pid = holder_in(span_head(rest, end), st.st_ino);
    return pid;
}

/* pid: of who has it; 0: nobody knows. */
static void tell_spool(struct buf *text, struct span folder, int error, uint64_t pid)
{
    uint8_t memory[4 * LIMIT_CONFIG_PATH_OCTETS + 256];
    struct buf b = buf_on(memory, sizeof memory);
    buf_str(&b, "the spool ");
    buf_escaped(&b, folder, LIMIT_CONFIG_PATH_OCTETS);
    buf_str(&b, error == EWOULDBLOCK ? " is in use by another sallyportd" : " cannot be locked: ");
    if (pid) {
        buf_str(&b, ", process ");
        buf_u64(&b, pid);
    }
    buf_str(&b, error == EWOULDBLOCK ? ": stop it first, or give this one a spool of its own"
                                     : strerrordesc_np(error));
    supervisor_tell_reason(text, buf_span(&b));
}

bool supervisor_lock_spool(struct supervisor *s, const struct generation *g, struct buf *text)
{
    if (s->lock >= 0) return true; /* a reload: the spool is the same */
    int folder = g->opened[0].fd, why = 0;
    while (flock(folder, LOCK_EX | LOCK_NB) != 0) {
        why = errno;
        if (why == EINTR || (why == EWOULDBLOCK && supervisor_may_wait(s))) continue;
        if (why == EWOULDBLOCK) s->status = SUPERVISOR_EXIT_BUSY;
        tell_spool(text, g->load.config->spool_folder, why, why == EWOULDBLOCK ? holder(folder) : 0);
        return false;
    }
    s->lock = fcntl(folder, F_DUPFD_CLOEXEC, 3);
    if (s->lock < 0) supervisor_tell_reason(text, SPAN("no descriptor for the lock of the spool"));
    return s->lock >= 0;
}
