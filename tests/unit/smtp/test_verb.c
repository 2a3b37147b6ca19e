#include "../span_check.h"

#include "smtp/verb.h"

static void table_is_whole(void **state)
{
    (void)state;
    assert_int_equal(verb_table_rows, VERB_COUNT - 1);
    for (size_t i = 0; i < verb_table_rows; i++) {
        const struct verb_row *r = &verb_table[i];
        assert_non_null(r->name);
        assert_ptr_equal(verb_row(r->verb), r);
        assert_ptr_equal(verb_find(span_str(r->name)), r);
        assert_true(r->reference && *r->reference);
        assert_true(r->help && span_starts_nocase(span_str(r->help), span_str(r->name)));
        assert_in_range(strlen(r->help), 1, 200);
        assert_int_not_equal(r->states & VERB_ANYWHERE, 0);
        for (const char *c = r->name; *c; c++)
            assert_true((*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || (*c == '-' && c > r->name));
        for (size_t k = 0; k < i; k++)
            assert_false(span_eq_nocase(span_str(r->name), span_str(verb_table[k].name)));
        if (r->flags & (VERB_NEVER | VERB_OFF)) assert_int_equal(r->flags & (VERB_ORG | VERB_RIGHT), 0);
    }
    assert_null(verb_row(VERB_UNKNOWN));
    assert_null(verb_row(VERB_COUNT));
}

/* Zeek compared with the client's length: X was X-ANONYMOUSTLS and the empty word was everything. */
static void whole_words_only(void **state)
{
    (void)state;
    char word[64];
    for (size_t i = 0; i < verb_table_rows; i++) {
        const char *name = verb_table[i].name;
        size_t n = strlen(name);
        for (size_t k = 0; k < n; k++) { /* a prefix is the verb only if it is another verb by itself */
            const struct verb_row *r = verb_find(span_of(name, k));
            if (r) assert_int_equal(strlen(r->name), k);
            assert_ptr_not_equal(r, &verb_table[i]);
        }
        memcpy(word, name, n);
        for (unsigned c = 0; c < 256; c++) { /* one octet more, or one octet changed */
            word[n] = (char)c;
            const struct verb_row *r = verb_find(span_of(word, n + 1));
            if (r) assert_int_equal(strlen(r->name), n + 1);
            word[0] = (char)c;
            r = verb_find(span_of(word, n));
            if (octet_lower((uint8_t)c) != octet_lower((uint8_t)name[0]))
                assert_ptr_not_equal(r, &verb_table[i]);
            word[0] = name[0];
        }
    }
    assert_null(verb_find(SPAN("")));
    assert_null(verb_find((struct span){NULL, 0}));
    assert_null(verb_find(SPAN("X")));
    assert_null(verb_find(SPAN("X-")));
    assert_null(verb_find(SPAN("MAI")));
    assert_null(verb_find(SPAN("MAILX")));
    assert_null(verb_find(SPAN("MAIL\0")));
    assert_null(verb_find(SPAN("NO\0P")));
    assert_null(verb_find(SPAN("FROBNICATE")));
}

static void any_case(void **state)
{
    (void)state;
    assert_int_equal(verb_find(SPAN("mail"))->verb, VERB_MAIL);
    assert_int_equal(verb_find(SPAN("StartTls"))->verb, VERB_STARTTLS);
    assert_int_equal(verb_find(SPAN("x-link2state"))->verb, VERB_XLINK2STATE);
    assert_null(verb_find(SPAN("X\rLINK2STATE"))); /* 0x20 apart from '-' and no letter */
}

/* DESIGN 8 and RFC 5321 4.1.4: what may come when. */
static void states(void **state)
{
    (void)state;
    for (size_t i = 0; i < verb_table_rows; i++) { /* after a non-LAST BDAT (MS02-012) */
        const struct verb_row *r = &verb_table[i];
        bool harmless = r->verb == VERB_RSET || r->verb == VERB_NOOP || r->verb == VERB_QUIT ||
                        r->verb == VERB_BDAT || r->verb == VERB_EHLO || r->verb == VERB_HELO ||
                        r->verb == VERB_BURL;
        assert_int_equal((r->states & VERB_IN_BDAT) != 0, harmless);
        if (r->argument == VERB_ARG_PATH) assert_int_equal(r->states & VERB_IN_START, 0);
    }
    assert_int_equal(verb_row(VERB_MAIL)->states, VERB_IN_IDLE);
    assert_int_equal(verb_row(VERB_DATA)->states, VERB_IN_RCPT);
    assert_int_equal(verb_row(VERB_STARTTLS)->states, VERB_IN_IDLE);
    assert_int_equal(verb_row(VERB_AUTH)->states, VERB_IN_IDLE);
    static const enum verb private[] = {VERB_XEXCH50, VERB_XLINK2STATE};
    for (size_t i = 0; i < 2; i++)
        assert_true(verb_row(private[i])->flags & VERB_ORG);
    static const enum verb sync[] = {VERB_EHLO, VERB_DATA, VERB_VRFY,     VERB_EXPN, VERB_HELP,
                                     VERB_NOOP, VERB_QUIT, VERB_STARTTLS, VERB_AUTH};
    for (size_t i = 0; i < sizeof sync / sizeof *sync; i++)
        assert_true(verb_row(sync[i])->flags & VERB_SYNC);
    static const enum verb grouped[] = {VERB_MAIL, VERB_RCPT, VERB_RSET, VERB_BDAT};
    for (size_t i = 0; i < sizeof grouped / sizeof *grouped; i++)
        assert_false(verb_row(grouped[i])->flags & VERB_SYNC);
}

static void splitting(void **state)
{
    (void)state;
    static const struct {
        const char *line, *word, *argument;
    } t[] = {
        {"NOOP", "NOOP", ""},
        {"NOOP ", "NOOP", ""},
        {"MAIL FROM:<a@b> SIZE=1", "MAIL", "FROM:<a@b> SIZE=1"},
        {"MAIL   FROM:<a@b>   ", "MAIL", "FROM:<a@b>"},
        {" NOOP", "", "NOOP"},
        {"MAIL\tFROM:<a@b>", "MAIL\tFROM:<a@b>", ""},
        {"NOOP \t", "NOOP", "\t"},
        {"", "", ""},
        {"   ", "", ""},
    };
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        struct span argument;
        assert_span(verb_split(span_str(t[i].line), &argument), t[i].word);
        assert_span(argument, t[i].argument);
    }
    struct span argument;
    assert_int_equal(verb_split((struct span){NULL, 0}, &argument).n, 0);
    assert_int_equal(argument.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_whole), cmocka_unit_test(whole_words_only), cmocka_unit_test(any_case),
        cmocka_unit_test(states),         cmocka_unit_test(splitting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
