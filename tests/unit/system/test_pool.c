#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "system/pool.h"

static const struct pool_geometry geometry = {8, 2};

static void takes_every_block_once(void **state)
{
    (void)state;
    int fd = pool_create(geometry);
    struct pool p;
    assert_true(fd >= 0 && pool_map(&p, fd, geometry));
    bool seen[10] = {false};
    for (unsigned i = 0; i < 8; i++) {
        uint32_t b = pool_take(&p, false);
        assert_true(b < 8 && !seen[b]);
        assert_int_equal(pool_block_octets(&p, b), LIMIT_BLOCK_SMALL_OCTETS);
        seen[b] = true;
    }
    assert_int_equal(pool_take(&p, false), POOL_NONE);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t b = pool_take(&p, true);
        assert_true(b >= 8 && b < 10 && !seen[b]);
        assert_int_equal(pool_block_octets(&p, b), LIMIT_BLOCK_LARGE_OCTETS);
        seen[b] = true;
    }
    assert_int_equal(pool_take(&p, true), POOL_NONE);
    pool_give(&p, 9);
    pool_give(&p, 3);
    assert_int_equal(pool_take(&p, true), 9);
    assert_int_equal(pool_take(&p, false), 3); /* the warmest first */
    pool_unmap(&p);
    pool_unmap(&p);
    close(fd);
}

static void what_the_edge_writes_the_spooler_reads(void **state)
{
    (void)state;
    int fd = pool_create(geometry);
    struct pool p;
    assert_true(fd >= 0 && pool_map(&p, fd, geometry));
    const uint8_t *view = pool_map_read_only(fd, geometry);
    assert_non_null(view);
    size_t offset;
    uint32_t octets;
    assert_true(pool_offset(geometry, 9, &offset, &octets));
    assert_int_equal(octets, LIMIT_BLOCK_LARGE_OCTETS);
    assert_int_equal(offset + octets, pool_octets(geometry));
    p.memory[offset + octets - 1] = 0x5a;
    assert_int_equal(view[offset + octets - 1], 0x5a);
    assert_false(pool_offset(geometry, 10, &offset, &octets));
    assert_false(pool_offset(geometry, POOL_NONE, &offset, &octets));
    pool_unmap(&p);
    close(fd);
}

static void cannot_be_shrunk_or_unsealed(void **state)
{
    (void)state;
    int fd = pool_create(geometry);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 1 << 24), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    close(fd);
}

static void refuses_other_memory(void **state)
{
    (void)state;
    struct pool p = {0};
    int fd = memfd_create("loose", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)pool_octets(geometry)), 0);
    assert_false(pool_map(&p, fd, geometry)); /* right size, no seals */
    assert_null(pool_map_read_only(fd, geometry));
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    assert_false(pool_map(&p, fd, geometry)); /* may yet be sealed against writing */
    close(fd);
    fd = pool_create(geometry);
    assert_false(pool_map(&p, fd, (struct pool_geometry){8, 3}));
    assert_null(pool_map_read_only(fd, (struct pool_geometry){7, 2}));
    assert_false(pool_map(&p, fd, (struct pool_geometry){0, 0}));
    close(fd);
    assert_false(pool_map(&p, -1, geometry));
}

static int dies_giving(uint32_t block)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct pool p;
        int fd = pool_create(geometry);
        if (fd < 0 || !pool_map(&p, fd, geometry)) _exit(2);
        uint32_t taken = pool_take(&p, false);
        pool_give(&p, taken);
        signal(SIGABRT, SIG_DFL); /* cmocka catches it */
        pool_give(&p, block);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void giving_back_twice_ends_the_process(void **state)
{
    (void)state;
    assert_int_equal(dies_giving(0), SIGABRT);
    assert_int_equal(dies_giving(10), SIGABRT);
    assert_int_equal(dies_giving(POOL_NONE), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_block_once),
        cmocka_unit_test(what_the_edge_writes_the_spooler_reads),
        cmocka_unit_test(cannot_be_shrunk_or_unsealed),
        cmocka_unit_test(refuses_other_memory),
        cmocka_unit_test(giving_back_twice_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
