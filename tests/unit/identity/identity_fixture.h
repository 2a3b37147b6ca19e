/* A database in a folder of its own for each test. */
#ifndef TESTS_IDENTITY_FIXTURE_H
#define TESTS_IDENTITY_FIXTURE_H

#include "identity/change.h"

#include "../span_check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char fixture_path[64];
static int fixture_folder = -1;
static struct identity *fixture; /* may write */
static struct arena *fixture_arena;
static const struct change_caller fixture_caller = {
    .uid = 7, .name = {(const uint8_t *)"tester", 6}, .unix_seconds = 1000};

static int fixture_begin(void **state)
{
    const char *why;
    (void)state;
    snprintf(fixture_path, sizeof fixture_path, "/tmp/sallyport-identity-XXXXXX");
    if (!mkdtemp(fixture_path)) return -1;
    fixture_folder = open(fixture_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    fixture = identity_open(fixture_folder, true, &why);
    fixture_arena = arena_create(1 << 20);
    return fixture && fixture_arena ? 0 : -1;
}

static int fixture_end(void **state)
{
    static const char *const names[] = {"", "-wal", "-shm", "-journal"};
    char name[128];
    (void)state;
    identity_close(&fixture);
    arena_destroy(&fixture_arena);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "%s%s", IDENTITY_FILE, names[i]);
        unlinkat(fixture_folder, name, 0);
    }
    close(fixture_folder);
    return rmdir(fixture_path); /* fails when something was left behind */
}

static inline void fixture_commit(const char *what)
{
    assert_true(change_commit(fixture, &fixture_caller, span_str(what)));
}

/* A user with a password whose hashes are cheap. */
static inline uint32_t fixture_user(const char *name, const char *password)
{
    struct change_secrets s = {.verifier = ""};
    uint32_t number = 0;
    s.scram_256 = (struct secret_scram){.iterations = 4096, .salt_octets = 16};
    assert_true(secret_scram_keys(span_str(password), SECRET_SHA_256, &s.scram_256));
    assert_true(change_begin(fixture));
    assert_int_equal(change_add(fixture, PRINCIPAL_USER, span_str(name), true, 1000, &number), CHANGE_DONE);
    assert_int_equal(change_secrets(fixture, number, &s), CHANGE_DONE);
    fixture_commit("user add");
    return number;
}

#endif
