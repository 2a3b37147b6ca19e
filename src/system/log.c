#include "system/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/calendar.h"

enum {
    BUFFER_OCTETS = 65536,
    VALUE_OCTETS = 256, /* shown of a string from outside */
    END_OCTETS = 24,    /* kept free for ,"cut":true}\n */
    ATOMIC_OCTETS =
        4096,           /* PIPE_BUF: what a pipe takes whole, so that lines of several processes do not mix */
    STAMP_SECONDS = 19, /* 2026-11-25T15:30:00 */
    STAMP_OCTETS = 24,  /* ... .123Z */
};

enum target { TARGET_FILE, TARGET_PIPE, TARGET_SHARED_PIPE /* blocks: ask first */, TARGET_SOCKET };

static struct {
    int fd;
    enum target target;
    enum log_level least;
    uint64_t unix_ms;      /* of this turn; 0: ask the clock */
    uint64_t stamp_second; /* that stamp stands for */
    uint8_t stamp[STAMP_OCTETS];
    uint8_t process[64]; /* ,"process":"edge-0","event":" */
    size_t process_n;
    size_t n;         /* octets of whole lines in the buffer */
    size_t written;   /* of them, on their way already */
    uint64_t dropped; /* lines */
    bool active;      /* between log_begin and log_end, at a level that is wanted */
    bool cut;
    struct buf line;
    uint8_t buffer[BUFFER_OCTETS];
} out = {.fd = -1, .least = LOG_LEVEL_INFO};

static const char *const level_name[] = {"debug", "info", "warning", "error", "security"};

void log_open(int fd, const char *process_name, enum log_level least)
{
    struct stat st;
    out.fd = fd;
    out.least = least;
    out.target = TARGET_FILE;
    if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode)) out.target = TARGET_SOCKET;
    if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode)) {
        /* A description of our own, so that O_NONBLOCK is not set for everyone who shares the pipe. */
        char path[32];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        int own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (own >= 0) out.fd = own;
        out.target = own >= 0 ? TARGET_PIPE : TARGET_SHARED_PIPE;
    }
    struct buf b = buf_on(out.process, sizeof out.process);
    buf_str(&b, "\",\"process\":\"");
    buf_json(&b, span_str(process_name), 24);
    buf_str(&b, "\",\"event\":\"");
    out.process_n = b.over ? 0 : b.n;
}

void log_clock(uint64_t unix_ms)
{
    out.unix_ms = unix_ms;
}

static void put_second(uint64_t second)
{
    struct buf s = buf_on(out.stamp, STAMP_OCTETS);
    struct calendar c = calendar_of(second);
    calendar_put(&s, &c);
    buf_str(&s, ".000Z");
}

static void put_stamp(struct buf *b)
{
    uint64_t ms = out.unix_ms;
    if (ms == 0) {
        struct timespec t;
        clock_gettime(CLOCK_REALTIME, &t);
        ms = (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
    }
    if (out.stamp_second != ms / 1000) {
        put_second(ms / 1000);
        out.stamp_second = ms / 1000;
    }
    unsigned rest = (unsigned)(ms % 1000);
    out.stamp[STAMP_SECONDS + 1] = (uint8_t)('0' + rest / 100);
    out.stamp[STAMP_SECONDS + 2] = (uint8_t)('0' + rest / 10 % 10);
    out.stamp[STAMP_SECONDS + 3] = (uint8_t)('0' + rest % 10);
    buf_put(b, span_of(out.stamp, STAMP_OCTETS));
}

/* Begins a line; false when there is no room even after writing what waits. */
static bool begin_line(enum log_level level, const char *event)
{
    if (out.n + LIMIT_LOG_LINE_OCTETS > BUFFER_OCTETS) {
        log_flush();
        if (out.n + LIMIT_LOG_LINE_OCTETS > BUFFER_OCTETS) return false;
    }
    out.cut = false;
    out.line = buf_on(out.buffer + out.n, LIMIT_LOG_LINE_OCTETS - END_OCTETS);
    buf_put(&out.line, SPAN("{\"ts\":\""));
    put_stamp(&out.line);
    buf_put(&out.line, SPAN("\",\"level\":\""));
    buf_str(&out.line, level_name[level]);
    buf_put(&out.line, span_of(out.process, out.process_n));
    buf_str(&out.line, event);
    buf_byte(&out.line, '"');
    return true;
}

static void end_line(void)
{
    out.line.max += END_OCTETS;
    if (out.cut) buf_put(&out.line, SPAN(",\"cut\":true"));
    buf_put(&out.line, SPAN("}\n"));
    out.n += out.line.n;
}

/* What was lost while nobody read, before the next line. */
static void tell_dropped(void)
{
    if (out.dropped == 0 || !begin_line(LOG_LEVEL_WARNING, "log-lines-dropped")) return;
    buf_put(&out.line, SPAN(",\"count\":"));
    buf_u64(&out.line, out.dropped);
    end_line();
    out.dropped = 0;
}

void log_begin(enum log_level level, const char *event)
{
    out.active = false;
    if (out.fd < 0 || level < out.least) return;
    tell_dropped();
    if (out.dropped || !begin_line(level, event)) {
        out.dropped++;
        return;
    }
    out.active = true;
}

/* A field that does not fit is left out whole. */
static size_t field(const char *key)
{
    size_t before = out.line.n;
    buf_put(&out.line, SPAN(",\""));
    buf_str(&out.line, key);
    buf_put(&out.line, SPAN("\":"));
    return before;
}

static void field_end(size_t before)
{
    if (!out.line.over) return;
    out.line.over = false;
    out.line.n = before;
    out.cut = true;
}

/* Nothing to escape, as nearly always: printable ASCII without quote and backslash. */
static bool plain(struct span s)
{
    unsigned odd = 0;
    for (size_t i = 0; i < s.n; i++) {
        unsigned c = s.p[i];
        odd |= (unsigned)(c - ' ' > '~' - ' ') | (unsigned)(c == '"') | (unsigned)(c == '\\');
    }
    return !odd;
}

void log_span(const char *key, struct span value)
{
    if (!out.active) return;
    size_t before = field(key);
    buf_byte(&out.line, '"');
    if (value.n <= VALUE_OCTETS && plain(value))
        buf_put(&out.line, value);
    else
        buf_json(&out.line, value, VALUE_OCTETS);
    buf_byte(&out.line, '"');
    field_end(before);
}

void log_str(const char *key, const char *value)
{
    log_span(key, span_str(value));
}

void log_u64(const char *key, uint64_t value)
{
    if (!out.active) return;
    size_t before = field(key);
    buf_u64(&out.line, value);
    field_end(before);
}

void log_hex(const char *key, uint64_t value)
{
    if (!out.active) return;
    size_t before = field(key);
    buf_byte(&out.line, '"');
    buf_hex64(&out.line, value);
    buf_byte(&out.line, '"');
    field_end(before);
}

void log_id(uint64_t session)
{
    log_hex("session", session);
}

void log_end(void)
{
    if (!out.active) return;
    out.active = false;
    end_line();
}

/* How much to write at once: all of it into a file; into a pipe or socket whole lines that it takes in one piece. */
static size_t portion(struct span waiting)
{
    if (out.target == TARGET_FILE || waiting.n <= ATOMIC_OCTETS) return waiting.n;
    size_t end = span_rfind(span_head(waiting, ATOMIC_OCTETS), '\n');
    return end == SPAN_NPOS ? ATOMIC_OCTETS : end + 1;
}

static ssize_t write_portion(struct span s)
{
    if (out.target == TARGET_SOCKET) return send(out.fd, s.p, s.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (out.target == TARGET_SHARED_PIPE) {
        struct pollfd p = {.fd = out.fd, .events = POLLOUT};
        if (poll(&p, 1, 0) == 1 && !(p.revents & POLLOUT)) p.revents = 0;
        if (p.revents == 0) {
            errno = EAGAIN;
            return -1;
        }
    }
    return write(out.fd, s.p, s.n);
}

static uint64_t count_lines(struct span s)
{
    uint64_t n = 0;
    for (size_t at; (at = span_find(s, '\n')) != SPAN_NPOS; s = span_skip(s, at + 1))
        n++;
    return n;
}

void log_flush(void)
{
    if (out.fd < 0) return;
    while (out.written < out.n) {
        struct span waiting = span_of(out.buffer + out.written, out.n - out.written);
        ssize_t n = write_portion(span_head(waiting, portion(waiting)));
        if (n > 0) {
            out.written += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break; /* later */
        out.dropped += count_lines(waiting);                           /* disk full, reader gone */
        out.written = out.n;
    }
    if (out.written == 0) return;
    memmove(out.buffer, out.buffer + out.written, out.n - out.written);
    out.n -= out.written;
    out.written = 0;
}

void log_note(enum log_level level, const char *event, const char *text, int errno_value)
{
    log_begin(level, event);
    log_str("text", text);
    if (errno_value) {
        const char *name = strerrorname_np(errno_value);
        log_str("errno", name ? name : "unknown");
        log_str("error", strerrordesc_np(errno_value));
    }
    log_end();
}
