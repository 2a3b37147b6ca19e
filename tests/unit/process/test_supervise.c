#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "process/peers.h"
#include "process/skeleton.h"
#include "process/supervise.h"

static void every_message_comes_back(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct buf b = buf_on(memory, sizeof memory);
    struct supervise_hello h = {PROC_EDGE, 7, 2, 8, 15, 1000, 1001, 1002, {3, 4}, 1, 0, 1}, h2;
    supervise_hello_put(&b, &h);
    assert_int_equal(b.n, SUPERVISE_HELLO_OCTETS);
    assert_true(supervise_hello_read(buf_span(&b), &h2));
    assert_int_equal(h2.index, 7);
    assert_int_equal(h2.column, 15);
    assert_int_equal(h2.gid, 1001);
    assert_int_equal(h2.group, 1002);
    assert_int_equal(h2.pool.large, 4);
    assert_true(h2.insecure_no_sandbox && !h2.debug_sandbox && h2.listeners_shared);

    b = buf_on(memory, sizeof memory);
    struct supervise_grant g = {GRANT_POOL, 1, UINT32_MAX}, g2;
    supervise_grant_put(&b, &g);
    assert_int_equal(b.n, SUPERVISE_GRANT_OCTETS);
    assert_true(supervise_grant_read(buf_span(&b), &g2));
    assert_true(g2.kind == GRANT_POOL && g2.a == 1 && g2.b == UINT32_MAX);

    b = buf_on(memory, sizeof memory);
    struct supervise_peer p = {PROC_SPOOLER, 0, 9, 77}, p2;
    supervise_peer_put(&b, &p);
    assert_int_equal(b.n, SUPERVISE_PEER_OCTETS);
    assert_true(supervise_peer_read(buf_span(&b), &p2));
    assert_true(p2.role == PROC_SPOOLER && p2.generation == 9 && p2.serial == 77);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    uint8_t memory[64];
    struct supervise_hello h = {.role = PROC_EDGE}, h2;
    struct supervise_grant g;
    struct supervise_peer p;
    static const struct supervise_hello bad[] = {{.role = PROC_SUPERVISOR},
                                                 {.role = PROC_ROLE_COUNT},
                                                 {.role = PROC_EDGE, .index = LIMIT_EDGES_MAX},
                                                 {.role = PROC_EDGE, .n_edges = LIMIT_EDGES_MAX + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b = buf_on(memory, sizeof memory);
        supervise_hello_put(&b, &bad[i]);
        assert_false(supervise_hello_read(buf_span(&b), &h2));
    }
    struct buf b = buf_on(memory, sizeof memory);
    supervise_hello_put(&b, &h);
    for (size_t n = 0; n < b.n; n++)
        assert_false(supervise_hello_read(span_of(memory, n), &h2));
    assert_false(supervise_hello_read(span_of(memory, b.n + 1), &h2));
    memory[0] ^= 1; /* another version */
    assert_false(supervise_hello_read(buf_span(&b), &h2));

    b = buf_on(memory, sizeof memory);
    supervise_grant_put(&b, &(struct supervise_grant){GRANT_COUNT, 0, 0});
    assert_false(supervise_grant_read(buf_span(&b), &g));
    assert_false(supervise_grant_read(span_of(memory, 8), &g));
    b = buf_on(memory, sizeof memory);
    supervise_peer_put(&b, &(struct supervise_peer){PROC_EDGE, LIMIT_EDGES_MAX, 0, 0});
    assert_false(supervise_peer_read(buf_span(&b), &p));
    assert_false(supervise_peer_read(span_of(memory, 12), &p));
}

/* The trust map, written a second time: whoever widens it does so in two places. */
static void who_may_talk_to_whom(void **state)
{
    (void)state;
    static const enum role pairs[][2] = {
        {PROC_EDGE, PROC_SPOOLER},      {PROC_EDGE, PROC_KEYRING},       {PROC_SPOOLER, PROC_MAILBOX},
        {PROC_SPOOLER, PROC_DIRECTORY}, {PROC_CONNECTOR, PROC_RESOLVER}, {PROC_ADMIN, PROC_SPOOLER},
        {PROC_SPOOLER, PROC_RELAY},     {PROC_RELAY, PROC_CONNECTOR},    {PROC_RELAY, PROC_DIRECTORY},
        {PROC_ADMIN, PROC_CONNECTOR},   {PROC_EDGE, PROC_DIRECTORY},     {PROC_DIRECTORY, PROC_CONNECTOR},
        {PROC_DIRECTORY, PROC_WINBIND}, {PROC_EDGE, PROC_RESOLVER}};
    for (int a = 0; a < PROC_ROLE_COUNT; a++)
        for (int b = 0; b < PROC_ROLE_COUNT; b++) {
            bool want = false;
            for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
                want |= ((int)pairs[i][0] == a && (int)pairs[i][1] == b) ||
                        ((int)pairs[i][0] == b && (int)pairs[i][1] == a);
            assert_int_equal(peers_may_talk((enum role)a, (enum role)b), want);
        }
}

static void messages_of_the_two_directions_are_apart(void **state)
{
    (void)state;
    for (unsigned i = 0; i < supervise_to_child_n; i++)
        for (unsigned k = 0; k < supervise_from_child_n; k++)
            assert_true(supervise_to_child[i].type != supervise_from_child[k].type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(who_may_talk_to_whom),
        cmocka_unit_test(messages_of_the_two_directions_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
