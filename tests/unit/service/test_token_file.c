#include "service/token_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/token-file-XXXXXX";
static int fd;
enum { NOW = 1700000000 };

static void put(const char *name, const char *text, uint64_t age)
{
    int f = openat(fd, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    struct timespec times[2] = {{.tv_sec = (time_t)(NOW - age)}, {.tv_sec = (time_t)(NOW - age)}};
    assert_true(f >= 0);
    assert_int_equal(write(f, text, strlen(text)), strlen(text));
    assert_int_equal(futimens(f, times), 0);
    close(f);
    assert_int_equal(renameat(fd, "new", fd, name), 0);
}

static const char *look(const char *name, const char **token)
{
    static uint8_t memory[TOKEN_FILE_OCTETS + 1];
    static struct token_file_state state;
    struct span t;
    *token = NULL;
    if (token_file_read(fd, name, NOW, memory, &t, &state)) {
        memory[t.n + (size_t)(t.p - memory)] = 0;
        *token = (const char *)t.p;
    }
    return state.text;
}

static void content(void **state)
{
    static char large[TOKEN_FILE_OCTETS + 100];
    const char *token;
    (void)state;
    put("t", "ya29.first\n", 90);
    assert_string_equal(look("t", &token), "written 90 seconds ago");
    assert_string_equal(token, "ya29.first");
    put("t", "  second", 3700);
    assert_string_equal(look("t", &token), "written 61 minutes ago"); /* the new file of that name */
    assert_string_equal(token, "second");
    put("t", " \n", 7 * 86400);
    assert_string_equal(look("t", &token), "is empty, written 7 days ago");
    assert_null(token);
    put("t", "{\"access_token\":\"x\"}", 36000);
    assert_string_equal(look("t", &token), "holds something else than one token, written 10 hours ago");
    memset(large, 'x', sizeof large - 1);
    put("t", large, 0);
    assert_string_equal(look("t", &token), "is too long for a token, written 0 seconds ago");
    assert_int_equal(unlinkat(fd, "t", 0), 0);
    assert_string_equal(look("t", &token), "does not exist");
    assert_int_equal(mkdirat(fd, "t", 0700), 0);
    assert_true(strncmp(look("t", &token), "is no file", 10) == 0);
    assert_int_equal(unlinkat(fd, "t", AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(fd, "t", 0600), 0); /* nobody writes: it must not hang */
    assert_true(strncmp(look("t", &token), "is no file", 10) == 0);
    assert_int_equal(unlinkat(fd, "t", 0), 0);
}

static void split(void **state)
{
    struct span before;
    const char *name;
    (void)state;
    token_file_split(SPAN("/run/tokens/provider"), &before, &name);
    assert_true(span_eq(before, SPAN("/run/tokens")));
    assert_string_equal(name, "provider");
    token_file_split(SPAN("/provider"), &before, &name);
    assert_true(span_eq(before, SPAN("/")));
    assert_string_equal(name, "provider");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(content), cmocka_unit_test(split)};
    if (!mkdtemp(folder)) return 1;
    fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int failed = cmocka_run_group_tests_name("token_file", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
