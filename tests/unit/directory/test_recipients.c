#include "directory/recipients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct name {
    char text[80];
    int kind; /* 0 mailbox, 1 domain, 2 domain with any */
};

static void add(struct recipients_builder *b, const struct name *n)
{
    if (n->kind == 0)
        recipients_add_mailbox(b, span_str(n->text));
    else
        recipients_add_domain(b, span_str(n->text), n->kind == 2);
}

/* Memory of exactly the size, so that the sanitizer sees the first octet beyond it. */
static void *build(const struct name *n, size_t count, size_t *octets)
{
    struct recipients_builder b;
    recipients_begin(&b, NULL, 0);
    for (size_t i = 0; i < count; i++)
        add(&b, &n[i]);
    *octets = recipients_needed(&b);
    void *memory = calloc(1, *octets);
    assert_non_null(memory);
    recipients_begin(&b, memory, *octets);
    for (size_t i = 0; i < count; i++)
        add(&b, &n[i]);
    assert_true(recipients_finish(&b));
    return memory;
}

static void rules(void **state)
{
    (void)state;
    static const struct name n[] = {{"example.org", 1},     {"example.net", 2},        {"bob@example.org", 0},
                                    {"a+b@example.org", 0}, {"bob@example.org", 0},    {"stray@other.org", 0},
                                    {"root@", 0},           {"\"a b\"@example.org", 0}};
    size_t octets;
    void *memory = build(n, sizeof n / sizeof n[0], &octets);
    struct recipients r;
    assert_true(recipients_open(&r, memory, octets));
    static const struct {
        const char *key;
        enum recipients_answer answer;
    } t[] = {
        {"bob@example.org", RECIPIENTS_KNOWN},
        {"bob+x@example.org", RECIPIENTS_KNOWN},
        {"bob+@example.org", RECIPIENTS_KNOWN},
        {"bob+x+y@example.org", RECIPIENTS_KNOWN},
        {"+bob@example.org", RECIPIENTS_UNKNOWN},
        {"+@example.org", RECIPIENTS_UNKNOWN},
        {"@example.org", RECIPIENTS_UNKNOWN},
        {"a+b@example.org", RECIPIENTS_KNOWN}, /* the whole name first */
        {"a+c@example.org", RECIPIENTS_UNKNOWN},
        {"a@example.org", RECIPIENTS_UNKNOWN},
        {"\"a b\"@example.org", RECIPIENTS_KNOWN},
        {"\"bob+x\"@example.org", RECIPIENTS_UNKNOWN},
        {"postmaster@example.org", RECIPIENTS_KNOWN},
        {"postmaster+x@example.org", RECIPIENTS_KNOWN},
        {"abuse@example.org", RECIPIENTS_KNOWN},
        {"postmaster@other.org", RECIPIENTS_NOT_SERVED},
        {"stray@other.org", RECIPIENTS_NOT_SERVED},
        {"root@example.org", RECIPIENTS_KNOWN}, /* in every domain that is served */
        {"root+x@example.org", RECIPIENTS_KNOWN},
        {"root@example.net", RECIPIENTS_KNOWN},
        {"root@other.org", RECIPIENTS_NOT_SERVED},
        {"root@", RECIPIENTS_NOT_SERVED},
        {"a/b@example.net", RECIPIENTS_UNKNOWN}, /* no folder can be called so */
        {"..@example.net", RECIPIENTS_UNKNOWN},
        {"anyone@example.net", RECIPIENTS_KNOWN},
        {"@example.net", RECIPIENTS_UNKNOWN},
        {"bob@sub.example.org", RECIPIENTS_NOT_SERVED},
        {"bob@xample.org", RECIPIENTS_NOT_SERVED},
        {"bob@", RECIPIENTS_NOT_SERVED},
        {"bob", RECIPIENTS_NOT_SERVED},
        {"", RECIPIENTS_NOT_SERVED},
        {"example.org", RECIPIENTS_NOT_SERVED},
        {"@", RECIPIENTS_NOT_SERVED},
        {"\"x@y\"@example.org", RECIPIENTS_UNKNOWN},
        {"bob@example.org@evil.org", RECIPIENTS_NOT_SERVED},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        if (recipients_find(&r, span_str(t[i].key)) != t[i].answer) fail_msg("%s", t[i].key);
    assert_int_equal(recipients_find(&r, span_of("bob@example.org\0", 16)), RECIPIENTS_NOT_SERVED);
    char huge[3000];
    memset(huge, 'a', sizeof huge);
    memcpy(huge + sizeof huge - 12, "@example.org", 12);
    assert_int_not_equal(recipients_find(&r, span_of(huge, sizeof huge)), RECIPIENTS_KNOWN);
    free(memory);
}

static bool listed(const struct name *n, size_t count, int kind, const char *z)
{
    for (size_t i = 0; i < count; i++)
        if (n[i].kind == kind && strcmp(n[i].text, z) == 0) return true;
    return false;
}

/* The rule of the header in the plainest words, over a list. */
static enum recipients_answer naive(const struct name *n, size_t count, const char *local, const char *domain)
{
    char key[80];
    if (listed(n, count, 2, domain)) return local[0] ? RECIPIENTS_KNOWN : RECIPIENTS_UNKNOWN;
    if (!listed(n, count, 1, domain)) return RECIPIENTS_NOT_SERVED;
    snprintf(key, sizeof key, "%s@%s", local, domain);
    if (listed(n, count, 0, key)) return RECIPIENTS_KNOWN;
    const char *plus = strchr(local, '+');
    int base = plus && plus != local ? (int)(plus - local) : (int)strlen(local);
    if ((base == 10 && memcmp(local, "postmaster", 10) == 0) || (base == 5 && memcmp(local, "abuse", 5) == 0))
        return RECIPIENTS_KNOWN;
    snprintf(key, sizeof key, "%.*s@%s", base, local, domain);
    return listed(n, count, 0, key) ? RECIPIENTS_KNOWN : RECIPIENTS_UNKNOWN;
}

static const char *const locals[] = {"a",          "b",     "a+b",     "ab", "+",     "a+", "+a",
                                     "postmaster", "abuse", "abuse+x", "aa", "b+b+b", ""};
static const char *const domains[] = {"x", "y", "x.y", "y.x", "z"};

static void same_as_a_list(void **state)
{
    (void)state;
    srandom(7);
    for (unsigned round = 0; round < 3000; round++) {
        struct name n[60];
        size_t count = (size_t)random() % 60;
        for (size_t i = 0; i < count; i++) {
            const char *l = locals[(size_t)random() % 12], *d = domains[(size_t)random() % 5];
            n[i].kind = random() % 4 ? 0 : (random() % 8 ? 1 : 2);
            if (n[i].kind)
                snprintf(n[i].text, sizeof n[i].text, "%s", d);
            else
                snprintf(n[i].text, sizeof n[i].text, "%s@%s", l, d);
        }
        size_t octets;
        void *memory = build(n, count, &octets);
        struct recipients r;
        assert_true(recipients_open(&r, memory, octets));
        for (size_t i = 0; i < 13; i++)
            for (size_t k = 0; k < 5; k++) {
                char key[80];
                snprintf(key, sizeof key, "%s@%s", locals[i], domains[k]);
                if (recipients_find(&r, span_str(key)) != naive(n, count, locals[i], domains[k]))
                    fail_msg("%s", key);
            }
        free(memory);
    }
}

static void many(void **state)
{
    (void)state;
    const size_t count = 20001;
    struct name *n = calloc(count, sizeof *n);
    assert_non_null(n);
    n[0] = (struct name){"example.org", 1};
    for (size_t i = 1; i < count; i++)
        snprintf(n[i].text, sizeof n[i].text, "user%zu@example.org", i);
    size_t octets;
    void *memory = build(n, count, &octets);
    struct recipients r;
    assert_true(recipients_open(&r, memory, octets));
    for (size_t i = 1; i < count; i++)
        assert_int_equal(recipients_find(&r, span_str(n[i].text)), RECIPIENTS_KNOWN);
    assert_int_equal(recipients_find(&r, SPAN("user0@example.org")), RECIPIENTS_UNKNOWN);
    free(memory);
    free(n);
}

/* The second pass brings more, or other names than the first: refused, nothing is written beyond the memory. */
static void passes_that_differ(void **state)
{
    (void)state;
    struct recipients_builder b;
    recipients_begin(&b, NULL, 0);
    recipients_add_domain(&b, SPAN("x"), false);
    assert_false(recipients_finish(&b)); /* without memory there is no map */
    size_t octets = recipients_needed(&b);
    void *memory = calloc(1, octets);
    recipients_begin(&b, memory, octets - 1);
    assert_false(recipients_finish(&b));
    recipients_begin(&b, NULL, 0);
    recipients_add_domain(&b, SPAN("x"), false);
    recipients_begin(&b, memory, octets);
    for (int i = 0; i < 100; i++)
        recipients_add_mailbox(&b, span_of(&"0123456789"[i % 10], 1));
    assert_false(recipients_finish(&b));
    free(memory);
    char huge[2000];
    memset(huge, 'a', sizeof huge);
    recipients_begin(&b, NULL, 0);
    recipients_add_mailbox(&b, span_of(huge, sizeof huge));
    assert_true(b.over);
    recipients_begin(&b, NULL, 0);
    recipients_add_mailbox(&b, SPAN("@example.org"));
    assert_true(b.over);
}

static void hostile_memory(void **state)
{
    (void)state;
    static const struct name n[] = {
        {"example.org", 1}, {"example.net", 2}, {"bob@example.org", 0}, {"al@example.org", 0}};
    size_t octets;
    uint8_t *good = build(n, 4, &octets);
    struct recipients r;
    for (size_t i = 0; i < octets; i++)
        assert_false(recipients_open(&r, good, i));
    assert_false(recipients_open(&r, NULL, octets));
    srandom(8);
    for (unsigned round = 0; round < 50000; round++) {
        uint8_t *bad = malloc(octets);
        assert_non_null(bad);
        memcpy(bad, good, octets);
        for (int k = 1 + (int)(random() % 6); k > 0; k--)
            bad[24 + (size_t)random() % (octets - 24)] = random() % 2 ? (uint8_t)random() : 255;
        if (recipients_open(&r, bad, octets)) {
            recipients_find(&r, SPAN("bob@example.org"));
            recipients_find(&r, SPAN("nobody+x@example.org"));
            recipients_find(&r, SPAN("x@example.com"));
        }
        free(bad);
    }
    free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules), cmocka_unit_test(same_as_a_list),
                                       cmocka_unit_test(many), cmocka_unit_test(passes_that_differ),
                                       cmocka_unit_test(hostile_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
