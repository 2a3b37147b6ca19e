/* What MIT's library tries in the directory process at each ticket: to open a folder of plugins by its name. It is told that there is none; a file by
 * its name ends the process as ever. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "in_cage.h"

static bool plugins_are_absent(void)
{
    return !opendir("/usr/lib") && errno == ENOENT;
}
static bool open_file(void)
{
    return open("/etc/hostname", O_RDONLY) >= 0;
}
static bool make_file(void)
{
    return open("/tmp/sallyport-never", O_WRONLY | O_CREAT, 0600) >= 0;
}
static bool open_unlinked(void)
{
    return open("/tmp", O_TMPFILE | O_WRONLY, 0600) >= 0; /* its flags have O_DIRECTORY in them */
}

static void folders(void **state)
{
    (void)state;
    const unsigned directory = SANDBOX_NO_PLUGINS | SANDBOX_FILES_AT | SANDBOX_THREADS | SANDBOX_MEMORY;
    assert_int_equal(caged(directory, NULL, plugins_are_absent), WORKED);
    assert_int_equal(caged(directory, NULL, open_file), KILLED);
    assert_int_equal(caged(directory, NULL, make_file), KILLED);
    assert_int_equal(caged(directory, NULL, open_unlinked), FAILED);
    assert_int_equal(caged(SANDBOX_FILES_AT, NULL, plugins_are_absent), KILLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
