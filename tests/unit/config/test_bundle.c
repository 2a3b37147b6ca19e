#include "config_check.h"

static const struct config_source sources[] = {
    {.name = SPAN("/d/sallyport.conf"), .text = SPAN("include b\nhostname a.example\n")},
    {.name = SPAN("/d/b"), .text = SPAN("")},
};

static struct span encode(uint8_t *memory, size_t max, size_t n)
{
    struct buf b = buf_on(memory, max);

    config_bundle_put(&b, sources, n);
    assert_false(b.over);
    assert_int_equal(b.n, config_bundle_octets(sources, n));
    return buf_span(&b);
}

static void there_and_back(void **state)
{
    uint8_t memory[256];
    struct arena *a = arena_create(65536);
    struct span bundle = encode(memory, sizeof memory, 2);
    struct config_source *back;
    struct parsed p;
    size_t n;

    (void)state;
    assert_true(config_bundle_read(a, bundle, &back, &n));
    assert_int_equal(n, 2);
    assert_span(back[0].name, "/d/sallyport.conf");
    assert_span(back[1].name, "/d/b");
    assert_null(back[1].unreadable);
    parse_sources(&p, back, n);
    assert_non_null(p.config);
    assert_span(p.config->hostname, "a.example");
    parsed_free(&p);
    assert_true(config_bundle_read(a, encode(memory, sizeof memory, 0), &back, &n));
    assert_int_equal(n, 0);
    arena_destroy(&a);
}

static void every_cut_and_every_surplus_is_refused(void **state)
{
    uint8_t memory[256];
    struct arena *a = arena_create(1 << 20);
    struct span bundle = encode(memory, sizeof memory - 1, 2);
    struct config_source *back = NULL;
    size_t n = 99;

    (void)state;
    for (size_t cut = 0; cut < bundle.n; cut++)
        assert_false(config_bundle_read(a, span_head(bundle, cut), &back, &n));
    memory[bundle.n] = 0;
    assert_false(config_bundle_read(a, span_of(memory, bundle.n + 1), &back, &n));
    assert_null(back);
    assert_int_equal(n, 99);
    arena_destroy(&a);
}

/* A count or a length that promises more than there is must not size an allocation. */
static void lies_about_sizes(void **state)
{
    uint8_t memory[256];
    struct arena *a = arena_create(65536);
    struct span bundle = encode(memory, sizeof memory, 2);
    struct config_source *back;
    size_t n;

    (void)state;
    for (size_t at = 0; at < 8; at++) {
        uint8_t was = memory[at];
        memory[at] = 0xff;
        assert_false(config_bundle_read(a, bundle, &back, &n));
        memory[at] = was;
    }
    assert_true(arena_used(a) < 4096);
    arena_destroy(&a);
}

static void a_buffer_too_small_is_over(void **state)
{
    uint8_t memory[256];

    (void)state;
    for (size_t max = 0; max < config_bundle_octets(sources, 2); max++) {
        struct buf b = buf_on(memory, max);
        config_bundle_put(&b, sources, 2);
        assert_true(b.over);
    }
}

static void a_digest_tells_them_apart(void **state)
{
    struct config_source other[2] = {sources[0], sources[1]};
    uint32_t digest = config_bundle_digest(sources, 2);
    (void)state;
    assert_int_equal(config_bundle_digest(other, 2), digest);
    assert_true(config_bundle_digest(sources, 1) != digest);
    other[1].text = SPAN("#");
    assert_true(config_bundle_digest(other, 2) != digest);
    other[1] = (struct config_source){.name = SPAN("/d/c"), .text = SPAN("")};
    assert_true(config_bundle_digest(other, 2) != digest);
    other[0] = (struct config_source){.name = SPAN("/d/sallyport.confi"),
                                      .text = SPAN("nclude b\nhostname a.example\n")};
    other[1] = sources[1];
    assert_true(config_bundle_digest(other, 2) != digest); /* where a name ends */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_digest_tells_them_apart),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(every_cut_and_every_surplus_is_refused),
        cmocka_unit_test(lies_about_sizes),
        cmocka_unit_test(a_buffer_too_small_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
