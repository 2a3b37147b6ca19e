#include "service/config_load.h"

#include "../span_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/sallyport-config-XXXXXX";

static int begin(void **state)
{
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 && mkdir("sub", 0700) == 0 ? 0 : -1;
}

static int end(void **state)
{
    static const char *const names[] = {"a.conf", "sub/b.conf", "c.conf", "big.conf", "fifo"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        (void)unlink(names[i]);
    return rmdir("sub") == 0 && chdir("/") == 0 ? rmdir(folder) : -1;
}

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void files_and_what_they_include(void **state)
{
    struct config_load l;
    (void)state;

    put("a.conf", "include sub/b.conf\nhostname a.example\n");
    put("sub/b.conf", "include ../c.conf\n");
    put("c.conf", "hold b.example\n");
    assert_true(config_load(&l, "./a.conf"));
    assert_non_null(l.config);
    assert_int_equal(l.n_sources, 3);
    assert_true(config_held(l.config, SPAN("b.example")));
    assert_int_equal(l.sources[0].name.p[0], '/');
    assert_true(span_starts_nocase(l.config->spool_folder, span_str(folder)));
    config_load_free(&l);
    assert_null(l.arena);
}

static void what_cannot_be_read_is_a_problem(void **state)
{
    struct config_load l;
    (void)state;

    put("a.conf", "\ninclude nothing.conf\n");
    assert_true(config_load(&l, "a.conf"));
    assert_null(l.config);
    assert_non_null(l.problems);
    assert_int_equal(l.problems->place.line, 2);
    assert_non_null(memmem(l.problems->text.p, l.problems->text.n, "No such file", 12));
    config_load_free(&l);
    assert_true(config_load(&l, "nothing.conf"));
    assert_null(l.config);
    assert_non_null(l.problems);
    config_load_free(&l);
    assert_true(config_load(&l, "sub"));
    assert_null(l.config);
    assert_span(l.problems->text, "cannot read the file: it is a folder");
    config_load_free(&l);
}

static void sizes_are_bounded(void **state)
{
    struct config_load l;
    int fd = open("big.conf", O_WRONLY | O_CREAT | O_EXCL, 0600);
    (void)state;

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, LIMIT_CONFIG_OCTETS + 1), 0);
    assert_int_equal(close(fd), 0);
    assert_true(config_load(&l, "big.conf"));
    assert_null(l.config);
    assert_span(l.problems->text, "cannot read the file: it is too large");
    config_load_free(&l);
}

/* A FIFO without a writer is an empty file, not a program that hangs. */
static void a_fifo_does_not_hang(void **state)
{
    struct config_load l;
    (void)state;

    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_true(config_load(&l, "fifo"));
    assert_non_null(l.config);
    config_load_free(&l);
}

static void text_at_hand(void **state)
{
    struct config_load l;
    (void)state;

    put("c.conf", "hold b.example\n");
    assert_true(config_load_text(&l, "candidate.conf", SPAN("include c.conf\n")));
    assert_non_null(l.config);
    assert_true(config_held(l.config, SPAN("b.example")));
    config_load_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_and_what_they_include),
        cmocka_unit_test(what_cannot_be_read_is_a_problem),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_fifo_does_not_hang),
        cmocka_unit_test(text_at_hand),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
