/* Which files with credentials a configuration names, and how they are numbered. */
#include "config/user_file.h"
#include "config_check.h"

#include <stdlib.h>

static struct config_user_file files[LIMIT_CREDENTIAL_FILES];

static void numbered(void **state)
{
    struct parsed p;
    (void)state;
    parse(&p, "hostname h.example\n"
              "relay b.example via smarthost s.example:587 user-file two\n"
              "relay a.example via smarthost s.example:587 user-file /c/one\n"
              "relay c.example via smarthost t.example:587 user-file /d/two\n"
              "relay e.example via mx\n"
              "relay from z.example via smarthost s.example:587 user-file /c/three\n"
              "relay from y.example via smarthost s.example:587 user-file /c/one\n");
    if (!p.config) print_message("%s", p.problems);
    assert_non_null(p.config);
    assert_int_equal(config_user_files(p.config, files), 3);
    assert_span(files[0].path, "/c/one"); /* tables are sorted by pattern */
    assert_int_equal(files[0].place->line, 3);
    assert_span(files[1].path, "/d/two");
    assert_int_equal(files[1].place->line, 2);
    assert_span(files[2].path, "/c/three");
    parsed_free(&p);
    parse(&p, "hostname h.example\n"
              "relay a.example via smarthost s.example:587 token-file t user joe@example.org tls verify\n"
              "relay b.example via smarthost s.example:587 mechanisms scram-sha-256 Plain user-file u\n");
    if (!p.config) print_message("%s", p.problems);
    assert_non_null(p.config);
    assert_int_equal(config_user_files(p.config, files), 2);
    assert_span(files[0].path, "/d/t");
    assert_true(files[0].secret.token);
    assert_span(files[0].secret.user, "joe@example.org");
    assert_span(files[1].path, "/d/u");
    assert_false(files[1].secret.token);
    assert_span(files[1].secret.mechanisms, "SCRAM-SHA-256 PLAIN");
    parsed_free(&p);
    parse(&p, "hostname h.example\n");
    assert_int_equal(config_user_files(p.config, files), 0);
    parsed_free(&p);
}

static void too_many(void **state)
{
    enum { LINE_OCTETS = 96 };
    struct parsed p;
    char *text = malloc((LIMIT_CREDENTIAL_FILES + 60) * LINE_OCTETS);
    (void)state;
    for (unsigned more = 0; more < 60; more += 59) {
        size_t n = 0;
        for (unsigned i = 0; i < LIMIT_CREDENTIAL_FILES + more; i++)
            n += (size_t)snprintf(text + n, LINE_OCTETS,
                                  "relay d%03u.example via smarthost s:587 user-file /f%u\n", i, i);
        parse(&p, text);
        if (!p.config) print_message("%s", p.problems);
        assert_non_null(p.config);
        assert_int_equal(config_user_files(p.config, files), LIMIT_CREDENTIAL_FILES + (more > 0));
        assert_span(files[LIMIT_CREDENTIAL_FILES - 1].path, "/f255");
        parsed_free(&p);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(numbered), cmocka_unit_test(too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
