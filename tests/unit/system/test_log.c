#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "system/log.h"

enum { READ_END, WRITE_END };
static char text[1 << 20];

static size_t read_all(int fd)
{
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = 0;
    return n;
}

static void open_pipe(int p[2], enum log_level least)
{
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(fcntl(p[READ_END], F_SETFL, O_NONBLOCK), 0);
    log_open(p[WRITE_END], "edge-0", least);
    log_clock(UINT64_C(1795620600123)); /* 2026-11-25T15:30:00.123Z */
}

static void close_pipe(int p[2])
{
    close(p[READ_END]);
    close(p[WRITE_END]);
}

static void a_line_reads_as_promised(void **state)
{
    (void)state;
    int p[2];
    open_pipe(p, LOG_LEVEL_INFO);
    log_begin(LOG_LEVEL_INFO, "queued");
    log_id(0x12ab);
    log_u64("octets", 18446744073709551615u);
    log_str("from", "a@b");
    log_end();
    log_flush();
    read_all(p[READ_END]);
    assert_string_equal(text,
                        "{\"ts\":\"2026-11-25T15:30:00.123Z\",\"level\":\"info\",\"process\":\"edge-0\","
                        "\"event\":\"queued\",\"session\":\"00000000000012ab\","
                        "\"octets\":18446744073709551615,\"from\":\"a@b\"}\n");
    log_clock(UINT64_C(1795620661009));
    log_note(LOG_LEVEL_ERROR, "sync-failed", "segment 3", EIO);
    log_flush();
    read_all(p[READ_END]);
    assert_non_null(strstr(text, "{\"ts\":\"2026-11-25T15:31:01.009Z\",\"level\":\"error\""));
    assert_non_null(
        strstr(text, "\"text\":\"segment 3\",\"errno\":\"EIO\",\"error\":\"Input/output error\"}\n"));
    close_pipe(p);
}

/* Our own calendar against libc's: every day of four centuries and more. */
static void dates_are_right(void **state)
{
    (void)state;
    int p[2];
    char want[32];
    for (uint64_t day = 0; day < 170000; day += 97) {
        open_pipe(p, LOG_LEVEL_INFO);
        for (uint64_t second = day * 86400 + 86399, n = 0; n < 4; n++, second += 86400) {
            time_t t = (time_t)second;
            struct tm tm;
            gmtime_r(&t, &tm);
            assert_int_equal(strftime(want, sizeof want, "{\"ts\":\"%Y-%m-%dT%H:%M:%S", &tm), 26);
            log_clock(second * 1000 + 7);
            log_note(LOG_LEVEL_INFO, "x", "", 0);
            log_flush();
            read_all(p[READ_END]);
            assert_memory_equal(text, want, 26);
            assert_memory_equal(text + 26, ".007Z", 5);
        }
        close_pipe(p);
    }
}

static void hostile_text_stays_inside_its_string(void **state)
{
    (void)state;
    int p[2];
    open_pipe(p, LOG_LEVEL_INFO);
    log_begin(LOG_LEVEL_INFO, "x");
    log_span("v", SPAN("\"},\r\n{\"event\":\"ready\"\x1b[2J\x00\x7f\xff\\"));
    log_end();
    log_flush();
    size_t n = read_all(p[READ_END]);
    assert_int_equal(strlen(text), n); /* no NUL */
    assert_ptr_equal(strchr(text, '\n'), text + n - 1);
    assert_null(strchr(text, '\r'));
    assert_null(strchr(text, 0x1b));
    assert_null(strstr(text, "\"event\":\"ready\""));
    close_pipe(p);
}

static void long_values_and_lines_are_cut(void **state)
{
    (void)state;
    int p[2];
    static uint8_t controls[5000];
    memset(controls, 1, sizeof controls);
    open_pipe(p, LOG_LEVEL_INFO);
    log_begin(LOG_LEVEL_INFO, "x");
    for (int i = 0; i < 20; i++)
        log_span("v", span_of(controls, sizeof controls));
    log_u64("after", 7);
    log_end();
    log_flush();
    size_t n = read_all(p[READ_END]);
    assert_true(n <= LIMIT_LOG_LINE_OCTETS);
    assert_string_equal(text + n - strlen(",\"cut\":true}\n"), ",\"cut\":true}\n");
    close_pipe(p);
}

static void levels_are_filtered(void **state)
{
    (void)state;
    int p[2];
    open_pipe(p, LOG_LEVEL_WARNING);
    log_note(LOG_LEVEL_INFO, "quiet", "", 0);
    log_begin(LOG_LEVEL_DEBUG, "quiet");
    log_u64("n", 1);
    log_end();
    log_note(LOG_LEVEL_SECURITY, "loud", "", 0);
    log_flush();
    read_all(p[READ_END]);
    assert_null(strstr(text, "quiet"));
    assert_non_null(strstr(text, "\"level\":\"security\""));
    close_pipe(p);
}

/* Nobody reads: no call blocks, lines are counted, and the count is told later. Every line that arrives is whole. */
static void a_full_pipe_drops_and_tells(void **state)
{
    (void)state;
    int p[2];
    open_pipe(p, LOG_LEVEL_INFO);
    unsigned sent = 5000, seen = 0, dropped = 0;
    for (unsigned i = 0; i < sent; i++) {
        log_begin(LOG_LEVEL_INFO, "line");
        log_str("pad", "0123456789012345678901234567890123456789012345678901234567890123456789");
        log_end();
        if (i % 10 == 0) log_flush();
    }
    for (int turn = 0; turn < 100; turn++) {
        size_t n = read_all(p[READ_END]);
        for (char *at = text, *end; at < text + n; at = end + 1) {
            end = strchr(at, '\n');
            assert_non_null(end);
            assert_memory_equal(at, "{\"ts\":", 6);
            assert_int_equal(end[-1], '}');
            *end = 0;
            if (strstr(at, "\"event\":\"line\"")) seen++;
            char *count = strstr(at, "log-lines-dropped\",\"count\":");
            if (count)
                dropped += (unsigned)strtoul(count + strlen("log-lines-dropped\",\"count\":"), NULL, 10);
        }
        log_flush();
        if (turn == 50) log_note(LOG_LEVEL_INFO, "last", "", 0);
    }
    assert_true(dropped > 0);
    assert_int_equal(seen + dropped, sent);
    int flags = fcntl(p[WRITE_END], F_GETFL);
    assert_false(flags & O_NONBLOCK); /* the shared description stays as it was */
    close_pipe(p);
}

static void a_lost_reader_is_survived(void **state)
{
    (void)state;
    int s[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
    log_open(s[1], "x", LOG_LEVEL_INFO);
    close(s[0]);
    for (int i = 0; i < 1000; i++) {
        log_note(LOG_LEVEL_INFO, "void", "", 0);
        log_flush(); /* no SIGPIPE */
    }
    close(s[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reads_as_promised),
        cmocka_unit_test(dates_are_right),
        cmocka_unit_test(hostile_text_stays_inside_its_string),
        cmocka_unit_test(long_values_and_lines_are_cut),
        cmocka_unit_test(levels_are_filtered),
        cmocka_unit_test(a_full_pipe_drops_and_tells),
        cmocka_unit_test(a_lost_reader_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
