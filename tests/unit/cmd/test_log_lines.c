#include "cmd/log_lines.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../span_check.h"
#include "base/limits.h"
#include "cmd/complain.h"

static char name[2][32];

/* A file of that content; its name is name[which]. */
static void put_file(unsigned which, struct span content)
{
    snprintf(name[which], sizeof name[which], "/tmp/log-lines-XXXXXX");
    int fd = mkstemp(name[which]);
    assert_true(fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n);
    close(fd);
}

static struct log_lines *open_files(size_t n, uint64_t since_ms)
{
    char *names[] = {name[0], name[1]};
    static char *kept[2];
    memcpy(kept, names, sizeof kept);
    struct log_lines *l = log_lines_open(kept, n, since_ms);
    assert_non_null(l);
    return l;
}

static void done(struct log_lines *l, size_t n, uint64_t lines, uint64_t foreign)
{
    struct log_line line;
    assert_false(log_lines_next(l, &line));
    assert_false(log_lines_failed(l));
    assert_int_equal(log_lines_count(l).lines, lines);
    assert_int_equal(log_lines_count(l).foreign, foreign);
    log_lines_close(&l);
    assert_null(l);
    for (size_t i = 0; i < n; i++)
        unlink(name[i]);
}

#define LINE(event, more)                                                                                    \
    "{\"ts\":\"2026-11-25T15:30:00.123Z\",\"level\":\"info\",\"event\":\"" event "\"" more "}"

static void what_is_compressed_is_no_log(void **state)
{
    const struct span beginnings[] = {SPAN("\x1f\x8b\x08rest\n"),
                                      SPAN("\xfd"
                                           "7zXZ\0rest\n"),
                                      SPAN("\x28\xb5\x2f\xfdrest\n"), SPAN("BZh91AY\n"),
                                      SPAN("LPKSHHRHrest\n")};
    struct log_line l;
    (void)state;
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        put_file(0, beginnings[i]);
        put_file(1, SPAN(LINE("a", "") "\n"));
        struct log_lines *lines = open_files(2, 0);
        assert_false(log_lines_next(lines, &l));
        assert_true(log_lines_failed(lines));
        log_lines_close(&lines);
        unlink(name[0]);
        unlink(name[1]);
    }
}

static void lines_of_two_files(void **state)
{
    (void)state;
    struct log_line l;
    put_file(0, SPAN(LINE("a", ",\"server\":\"mx\",\"n\":17,\"odd\":\"17\",\"less\":-1") "\n" LINE(
                    "b", ""))); /* no end */
    put_file(1, SPAN("\n" LINE("c", ",\"text\":\"x\\u0001\\\"}{\"") "\n"));
    struct log_lines *lines = open_files(2, 0);
    assert_true(log_lines_next(lines, &l));
    assert_span(l.event, "a");
    assert_true(l.ms == 1795620600123);
    assert_span(log_line_text(&l, "server"), "mx");
    assert_int_equal(log_line_number(&l, "n"), 17);
    assert_int_equal(log_line_number(&l, "odd"), 0);
    assert_int_equal(log_line_number(&l, "less"), 0);
    assert_int_equal(log_line_text(&l, "n").n, 0);
    assert_true(log_lines_next(lines, &l));
    assert_span(l.event, "b");
    assert_true(log_lines_next(lines, &l));
    assert_span(log_line_text(&l, "text"), "x\1\"}{");
    done(lines, 2, 4, 1); /* the empty one */
}

static void what_is_none_of_ours(void **state)
{
    (void)state;
    struct log_line l;
    put_file(
        0,
        SPAN("Nov 25 15:30:00 host otherd[1]: sallyportd[1]: " LINE("a", "") "\n" LINE(
            "a",
            "") "x\n"
                "[" LINE("a", "") "]\n" LINE(
                    "a",
                    ",\"event\":\"b\"") "\n"                  /* said twice */
                                        "{\"event\":\"a\"}\n" /* when? */
                                        "{\"ts\":\"2026-11-25T15:30:00.123Z\"}\n"
                                        "{\"ts\":\"2026-11-25T15:30:00Z\",\"event\":\"a\"}\n"
                                        "{\"ts\":\"2026-02-30T15:30:00.000Z\",\"event\":\"a\"}\n"
                                        "{\"ts\":5,\"event\":\"a\"}\n" LINE(
                                            "a",
                                            ",\"x\":\"\\u0000\"") "\n" LINE("a",
                                                                            ",\"x\":\"\xff\"") "\n"
                                                                                               "\0\n" LINE(
                                                                                                   "good",
                                                                                                   "") "\n"));
    struct log_lines *lines = open_files(1, 0);
    assert_true(log_lines_next(lines, &l));
    assert_span(l.event, "good");
    done(lines, 1, 13, 12);
}

static void behind_what_syslog_writes(void **state)
{
    (void)state;
    struct log_line l;
    put_file(
        0,
        SPAN("Nov 25 15:30:00 host sallyportd[1]: " LINE("a", "") "\nsallyportd: " LINE(
            "b", "") "\nsallyportd[1]:" LINE("c", "") "\nmy-sallyportd: " LINE("c",
                                                                               "") "\n: " LINE("c",
                                                                                               "") "\n: \n"));
    struct log_lines *lines = open_files(1, 0);
    assert_true(log_lines_next(lines, &l));
    assert_span(l.event, "a");
    assert_true(log_lines_next(lines, &l));
    assert_span(l.event, "b");
    done(lines, 1, 6, 4);
}

/* Lines that end before, at and behind the octets that are kept at a time; deep ones. */
static void lines_of_any_length(void **state)
{
    (void)state;
    enum { MOST = 3 * LIMIT_LOG_READ_OCTETS };
    char *memory = malloc(MOST + 200);
    assert_non_null(memory);
    for (size_t n = LIMIT_LOG_READ_OCTETS - 2; n <= MOST; n += n < LIMIT_LOG_READ_OCTETS + 2 ? 1 : 65535) {
        memset(memory, '[', n);
        memory[n] = '\n';
        strcpy(memory + n + 1, LINE("good", "") "\n");
        put_file(0, span_of(memory, n + 1 + strlen(memory + n + 1)));
        struct log_lines *lines = open_files(1, 0);
        struct log_line l;
        assert_true(log_lines_next(lines, &l));
        assert_span(l.event, "good");
        done(lines, 1, 2, 1);
    }
    put_file(0, span_of(memory, MOST)); /* one that never ends */
    struct log_lines *lines = open_files(1, 0);
    done(lines, 1, 1, 1);
    free(memory);
}

static void a_file_that_is_not_there(void **state)
{
    (void)state;
    struct log_line l;
    put_file(1, SPAN(LINE("a", "") "\n"));
    snprintf(name[0], sizeof name[0], "/nonexistent/log");
    struct log_lines *lines = open_files(2, 0);
    assert_false(log_lines_next(lines, &l));
    assert_false(log_lines_next(lines, &l));
    assert_true(log_lines_failed(lines));
    log_lines_close(&lines);
    unlink(name[1]);
    snprintf(name[0], sizeof name[0], "/tmp"); /* a folder opens and cannot be read */
    lines = open_files(1, 0);
    assert_false(log_lines_next(lines, &l));
    assert_true(log_lines_failed(lines));
    log_lines_close(&lines);
    log_lines_close(&lines);
}

static void only_since(void **state)
{
    (void)state;
    struct log_line l;
    uint64_t ms = 0;
    put_file(0, SPAN(LINE("a", "") "\n{\"ts\":\"2026-11-25T15:30:00.124Z\",\"event\":\"b\"}\n"));
    struct log_lines *lines = open_files(1, 1795620600124);
    assert_true(log_lines_next(lines, &l));
    assert_span(l.event, "b");
    done(lines, 1, 2, 0);

    assert_true(log_lines_since(SPAN("7d"), 1795620600123, &ms));
    assert_true(ms == 1795620600123 - 7ull * 86400000);
    assert_true(log_lines_since(SPAN("99999d"), 1795620600123, &ms));
    assert_true(ms == 0);
    assert_true(log_lines_since(SPAN("2026-11-25"), 0, &ms));
    assert_true(ms == 1795564800000);
    assert_true(log_lines_since(SPAN("2026-11-25T15:30:00Z"), 0, &ms));
    assert_true(ms == 1795620600000);
    assert_true(log_lines_since(SPAN("2026-11-25T15:30:00"), 0, &ms));
    static const char *const wrong[] = {
        "5", "7200", "", "d", "yesterday", "-1h", "2026-11-25Z", "2026-11-25T15:30:00+01:00", "2026-11"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(log_lines_since(span_str(wrong[i]), 1795620600123, &ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_two_files),           cmocka_unit_test(what_is_none_of_ours),
        cmocka_unit_test(behind_what_syslog_writes),    cmocka_unit_test(lines_of_any_length),
        cmocka_unit_test(a_file_that_is_not_there),     cmocka_unit_test(only_since),
        cmocka_unit_test(what_is_compressed_is_no_log),
    };
    complain_as("test", false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
