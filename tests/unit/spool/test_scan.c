/* A torn tail and damage look alike; what tells them apart is what was written later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "spool/scan.h"

#define N    65536
#define SALT 99

static uint8_t p[N];
static size_t starts[64], n_records;

struct seen {
    uint64_t ids, damages;
    size_t from, to;
};

static size_t put(size_t at, uint64_t id, uint16_t batch, bool end)
{
    uint8_t payload[200];
    memset(payload, (int)id, sizeof payload);
    struct record r = {.id = id,
                       .length = sizeof payload,
                       .payload_crc = crc32c(0, payload, sizeof payload),
                       .epoch = 1,
                       .batch = batch,
                       .type = id ? RECORD_BODY : RECORD_SEGMENT,
                       .flags = end ? RECORD_END : 0};
    record_head_put(p + at, &r, id ? SALT : 0);
    memcpy(p + at + RECORD_HEAD_OCTETS, payload, sizeof payload);
    starts[n_records++] = at;
    return (size_t)record_next(at, &r);
}

/* Three batches of three records each, ids 0..8. */
static size_t three_batches(void)
{
    size_t at = 0;
    memset(p, 0, sizeof p);
    n_records = 0;
    for (uint16_t batch = 1; batch <= 3; batch++)
        for (int k = 0; k < 3; k++)
            at = put(at, (uint64_t)(batch - 1) * 3 + (uint64_t)k, batch, k == 2);
    return at;
}

static void on_record(void *context, size_t offset, const struct record *r, struct span payload)
{
    struct seen *s = context;
    (void)offset, (void)payload;
    s->ids |= UINT64_C(1) << r->id;
}

static void on_damage(void *context, size_t from, size_t to, uint64_t id, const char *text)
{
    struct seen *s = context;
    (void)id, (void)text;
    s->damages++;
    s->from = from;
    s->to = to;
}

static struct scan scan(enum scan_end how, size_t n, struct seen *seen)
{
    *seen = (struct seen){0};
    struct scan s = {.p = p,
                     .n = n,
                     .epoch = 1,
                     .salt = SALT,
                     .how = how,
                     .context = seen,
                     .record = on_record,
                     .damage = on_damage};
    scan_segment(&s);
    return s;
}

static void whole(void **state)
{
    (void)state;
    struct seen seen;
    size_t end = three_batches();
    struct scan s = scan(SCAN_LAST, N, &seen);
    assert_int_equal(seen.ids, 511);
    assert_int_equal(s.end, end);
    assert_true(s.whole && s.clean);
    assert_int_equal(s.batch, 3);
    assert_int_equal(seen.damages, 0);
    s = scan(SCAN_EXACT, end, &seen);
    assert_int_equal(seen.ids, 511);
    assert_int_equal(seen.damages, 0);
    (void)scan(SCAN_OPEN, N, &seen);
    assert_int_equal(seen.damages, 0);
}

static void torn_in_the_last_batch(void **state)
{
    (void)state;
    struct seen seen;
    for (int k = 6; k < 9; k++) {
        three_batches();
        p[starts[k] + 40] ^= 1;
        struct scan s = scan(SCAN_LAST, N, &seen);
        assert_int_equal(seen.damages, 0);
        assert_int_equal(seen.ids, 63); /* a batch counts as a whole or not at all */
        assert_int_equal(s.end, starts[6]);
        assert_int_equal(s.batch, 2);
        assert_true(s.whole);
        assert_false(s.clean); /* intact records of the torn batch stand behind the end */
    }
    three_batches();
    memset(p + starts[6], 0, N - starts[6]);
    struct scan s = scan(SCAN_LAST, N, &seen);
    assert_int_equal(s.end, starts[6]);
    assert_true(s.clean);
}

static void damage_before_the_last_batch(void **state)
{
    (void)state;
    struct seen seen;
    for (int k = 0; k < 5; k++) {
        three_batches();
        p[starts[k] + (k % 2 ? 8 : 50)] ^= 4; /* head or payload */
        (void)scan(SCAN_LAST, N, &seen);
        assert_int_equal(seen.damages, 1);
        assert_int_equal(seen.ids, 511 & ~(1U << k)); /* nothing else is hidden */
        assert_int_equal(seen.from, starts[k]);
        assert_int_equal(seen.to, starts[k + 1]);
    }
    three_batches(); /* the last of batch 2: batch 3 proves that it was durable */
    p[starts[5]] ^= 1;
    (void)scan(SCAN_LAST, N, &seen);
    assert_int_equal(seen.damages, 1);
    assert_int_equal(seen.ids, 511 & ~(1U << 5));
}

static void damage_in_a_sealed_segment(void **state)
{
    (void)state;
    struct seen seen;
    for (int k = 0; k < 9; k++) {
        size_t end = three_batches();
        memset(p + starts[k], 0xee, 16);
        (void)scan(SCAN_EXACT, end, &seen);
        assert_int_equal(seen.damages, 1);
        assert_int_equal(seen.ids, 511 & ~(1U << k));
    }
}

static void a_lie_about_the_salt_is_not_believed(void **state)
{
    (void)state;
    struct seen seen;
    three_batches();
    uint8_t forged[RECORD_HEAD_OCTETS];
    struct record r = {.id = 40, .epoch = 1, .batch = 9, .type = RECORD_TOMBSTONE};
    record_head_put(forged, &r, 0);                                    /* what a sender could know */
    memcpy(p + starts[8] + RECORD_HEAD_OCTETS, forged, sizeof forged); /* torn, with that inside */
    struct scan s = scan(SCAN_LAST, N, &seen);
    assert_int_equal(seen.ids, 63);
    assert_int_equal(seen.damages, 0);
    assert_int_equal(s.end, starts[6]);
}

static void proof_of_use(void **state)
{
    (void)state;
    size_t end = three_batches();
    assert_true(scan_proves_use(p, N, 0, 1, SALT));
    assert_false(scan_proves_use(p, N, 0, 2, SALT));
    assert_false(scan_proves_use(p, starts[1], 0, 1, SALT)); /* SEGMENT alone may be torn */
    assert_true(scan_proves_use(p, N, starts[8], 1, SALT));
    assert_false(scan_proves_use(p, N, end, 1, SALT));
    memset(p, 0, sizeof p);
    assert_false(scan_proves_use(p, N, 0, 1, SALT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole),
                                       cmocka_unit_test(torn_in_the_last_batch),
                                       cmocka_unit_test(damage_before_the_last_batch),
                                       cmocka_unit_test(damage_in_a_sealed_segment),
                                       cmocka_unit_test(a_lie_about_the_salt_is_not_believed),
                                       cmocka_unit_test(proof_of_use)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
