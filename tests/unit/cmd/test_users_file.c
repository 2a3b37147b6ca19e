#include "cmd/users_file.h"

#include "../span_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64], path[96];

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/sallyport-users-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/users", folder);
    return 0;
}

static int end(void **state)
{
    char command[160];
    (void)state;
    snprintf(command, sizeof command, "%s/link", folder);
    unlink(command);
    unlink(path);
    return rmdir(folder); /* fails when something was left behind */
}

static void write_file(const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void file_is(const char *text)
{
    char got[4096];
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    ssize_t n = read(fd, got, sizeof got - 1);
    assert_true(n >= 0);
    got[n] = 0;
    close(fd);
    assert_string_equal(got, text);
}

static void a_file_that_is_not_there_is_made(void **state)
{
    struct users_file f;
    struct stat st;
    (void)state;
    assert_true(users_file_open(&f, path));
    assert_false(users_file_has(&f, SPAN("a@b")));
    assert_true(users_file_add(&f, SPAN("a@b"), SPAN("!")));
    assert_int_equal(access(path, F_OK), -1); /* nothing before it is saved */
    assert_true(users_file_save(&f));
    users_file_close(&f);
    file_is("a@b\t!\t\n");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07, 0);
}

static void what_is_not_meant_stays(void **state)
{
    struct users_file f;
    (void)state;
    write_file("# a@b\told\tx\nodd line\nA@B\told\tkeep\r\n\nc@d\t$y$1\t\na@b\tsecond\n\xff\tx\n-@-\tlast");
    assert_true(users_file_open(&f, path));
    assert_true(users_file_has(&f, SPAN("a@b")));
    assert_false(users_file_has(&f, SPAN("# a@b")));
    assert_true(users_file_set(&f, SPAN("a@b"), SPAN("a much longer verifier than before")));
    assert_true(users_file_add(&f, SPAN("e@f"), SPAN("!")));
    users_file_remove(&f, SPAN("c@d"));
    assert_false(users_file_has(&f, SPAN("c@d")));
    assert_true(users_file_save(&f));
    users_file_close(&f);
    file_is("# a@b\told\tx\nodd line\nA@B\ta much longer verifier than before\tkeep\r\n\n"
            "a@b\ta much longer verifier than before\n\xff\tx\n-@-\tlast\ne@f\t!\t\n");
}

static void every_line_of_a_name_goes(void **state)
{
    struct users_file f;
    (void)state;
    write_file("a@b\t1\t\nA@B\t2\t\na@bb\t3\t\naa@b\t4\t\na@b\t5");
    assert_true(users_file_open(&f, path));
    users_file_remove(&f, SPAN("a@b"));
    assert_true(users_file_save(&f));
    users_file_close(&f);
    file_is("a@bb\t3\t\naa@b\t4\t\n");
}

static void mode_and_links_stay(void **state)
{
    struct users_file f;
    struct stat st;
    char link[128];
    (void)state;
    write_file("a@b\t1\t\n");
    assert_int_equal(chmod(path, 0604), 0);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("users", link), 0);
    assert_true(users_file_open(&f, link));
    assert_true(users_file_add(&f, SPAN("c@d"), SPAN("!")));
    assert_true(users_file_save(&f));
    users_file_close(&f);
    assert_true(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    assert_true(lstat(path, &st) == 0 && S_ISREG(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0604);
    file_is("a@b\t1\t\nc@d\t!\t\n");
}

static void one_that_came_meanwhile_is_not_lost(void **state)
{
    struct users_file f;
    (void)state;
    assert_true(users_file_open(&f, path));
    assert_true(users_file_add(&f, SPAN("a@b"), SPAN("!")));
    write_file("other@b\t!\t\n");
    assert_false(users_file_save(&f));
    users_file_close(&f);
    file_is("other@b\t!\t\n");
}

static void a_folder_or_a_pipe_is_refused(void **state)
{
    struct users_file f;
    (void)state;
    assert_false(users_file_open(&f, folder));
    users_file_close(&f);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_false(users_file_open(&f, path)); /* and does not hang */
    users_file_close(&f);
}

static void listing(void **state)
{
    struct users_file f;
    struct span mailbox, verifier;
    size_t at = 0;
    (void)state;
    write_file("#x\ty\n\nno tab\na@b\t$y$1\topt\nc@d\t");
    assert_true(users_file_open(&f, path));
    assert_true(users_file_next(&f, &at, &mailbox, &verifier));
    assert_span(mailbox, "a@b");
    assert_span(verifier, "$y$1");
    assert_true(users_file_next(&f, &at, &mailbox, &verifier));
    assert_span(mailbox, "c@d");
    assert_int_equal(verifier.n, 0);
    assert_false(users_file_next(&f, &at, &mailbox, &verifier));
    users_file_close(&f);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_not_there_is_made),
        TEST(what_is_not_meant_stays),
        TEST(every_line_of_a_name_goes),
        TEST(mode_and_links_stay),
        TEST(one_that_came_meanwhile_is_not_lost),
        TEST(a_folder_or_a_pipe_is_refused),
        TEST(listing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
