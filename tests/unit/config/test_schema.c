#include "config_check.h"

#include "config/schema.h"

/* The table is complete: every row can be explained, and no two rows of a block have one name. */
static void rows(void **state)
{
    (void)state;
    assert_true(schema_rows > 30);
    for (size_t i = 0; i < schema_rows; i++) {
        const struct schema_row *row = &schema_table[i];
        assert_non_null(row->name);
        assert_true(row->where != 0);
        assert_true(row->doc && row->doc[0] && row->doc[strlen(row->doc) - 1] == '.');
        assert_non_null(row->arguments);
        assert_non_null(row->since);
        assert_true(row->type != SCHEMA_OWN || row->read != NULL);
        assert_true((row->type == SCHEMA_BLOCK) <= (row->opens != 0));
        assert_true(row->type != SCHEMA_CHOICE || (row->choices && row->octets));
        if (row->type == SCHEMA_NUMBER || row->type == SCHEMA_OCTETS || row->type == SCHEMA_DURATION) {
            assert_true(row->min > 0 && row->min < row->max); /* zero never means unlimited */
            assert_true(!row->fallback || (row->fallback >= row->min && row->fallback <= row->max));
            assert_true(row->octets == 8 || (row->octets == 4 && row->max <= UINT32_MAX));
        }
        for (size_t k = 0; k < i; k++)
            assert_false((row->where & schema_table[k].where) &&
                         strcmp(row->name, schema_table[k].name) == 0);
    }
}

static void distances(void **state)
{
    char longest[64];

    (void)state;
    assert_int_equal(suggest_distance(SPAN(""), SPAN(""), 3), 0);
    assert_int_equal(suggest_distance(SPAN("abc"), SPAN(""), 3), 3);
    assert_int_equal(suggest_distance(SPAN("listen"), SPAN("LISTEN"), 3), 0);
    assert_int_equal(suggest_distance(SPAN("lisen"), SPAN("listen"), 3), 1);
    assert_int_equal(suggest_distance(SPAN("lsiten"), SPAN("listen"), 3), 1); /* two letters changed places */
    assert_int_equal(suggest_distance(SPAN("lixxen"), SPAN("listen"), 3), 2);
    assert_int_equal(suggest_distance(SPAN("kitten"), SPAN("sitting"), 3), 3);
    assert_int_equal(suggest_distance(SPAN("abcdef"), SPAN("uvwxyz"), 3), 4);
    memset(longest, 'a', sizeof longest);
    assert_int_equal(suggest_distance(span_of(longest, sizeof longest), span_of(longest, sizeof longest), 3),
                     4);
}

static void suggestions(void **state)
{
    (void)state;
    assert_string_equal(schema_nearest(SPAN("recipient"), SCHEMA_SERVER), "recipients");
    assert_string_equal(schema_nearest(SPAN("message_size"), SCHEMA_LIMITS), "message-size");
    assert_null(schema_nearest(SPAN("message_size"), SCHEMA_TOP));
    assert_null(schema_nearest(SPAN("qqqqqq"), SCHEMA_TOP));
    assert_span(suggest_word(SPAN("implizit"), "starttls implicit none"), "implicit");
    assert_int_equal(suggest_word(SPAN("zzz"), "starttls implicit none").n, 0);
    assert_int_equal(suggest_word(SPAN(""), "").n, 0);
}

static void amounts(void **state)
{
    static const struct {
        unsigned type;
        uint64_t value;
        const char *text;
    } samples[] = {
        {SCHEMA_OCTETS, 52428800, "50M"},  {SCHEMA_OCTETS, 1024, "1K"},   {SCHEMA_OCTETS, 1000, "1000"},
        {SCHEMA_OCTETS, 1073741824, "1G"}, {SCHEMA_DURATION, 300, "5m"},  {SCHEMA_DURATION, 432000, "5d"},
        {SCHEMA_DURATION, 61, "61s"},      {SCHEMA_NUMBER, 3600, "3600"}, {SCHEMA_OCTETS, 0, "0"},
        {SCHEMA_DURATION, 7200, "2h"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        uint8_t memory[32];
        struct buf b = buf_on(memory, sizeof memory);
        schema_amount(&b, samples[i].type, samples[i].value);
        assert_span(buf_span(&b), samples[i].text);
    }
}

static void contains(const struct buf *b, const char *text)
{
    assert_non_null(memmem(b->p, b->n, text, strlen(text)));
}

static void papers(void **state)
{
    static uint8_t memory[131072];
    struct buf b = buf_on(memory, sizeof memory);

    (void)state;
    schema_man(&b);
    assert_false(b.over);
    for (size_t i = 0; i < schema_rows; i++) {
        char item[80];
        snprintf(item, sizeof item, "\n.It Ic %s No ", schema_table[i].name);
        contains(&b, item);
    }
    contains(&b, "From 1K to 2147483647. Default: 50M.");
    contains(&b, "From 1m to 30d. Default: 4h.");
    b = buf_on(memory, sizeof memory);
    schema_text(&b);
    assert_false(b.over);
    contains(&b, "  command-time TIME\n");
    b = buf_on(memory, sizeof memory);
    schema_dictionary(&b);
    assert_false(b.over);
    contains(&b, "\"sessions-per-source\"\n");
}

/* man/sallyport.conf.5 and tests/fuzz/config.dict are what the schema makes. */
static const char *man_file, *dictionary_file;

static void check_file(const char *file, void (*make)(struct buf *))
{
    static uint8_t memory[131072], read[131072];
    struct buf b = buf_on(memory, sizeof memory);
    FILE *f = fopen(file, "r");

    assert_non_null(f);
    size_t n = fread(read, 1, sizeof read, f);
    assert_int_equal(fclose(f), 0);
    make(&b);
    if (n != b.n || memcmp(read, b.p, n) != 0)
        fail_msg(
            "%s is not what the schema makes: sallyport help config --man, or --dictionary, writes it anew",
            file);
}

static void files_are_fresh(void **state)
{
    (void)state;
    check_file(man_file, schema_man);
    check_file(dictionary_file, schema_dictionary);
}

/* argv: the man page and the dictionary in the tree */
int main(int argc, char **argv)
{
    if (argc != 3) return 2;
    man_file = argv[1];
    dictionary_file = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),    cmocka_unit_test(distances), cmocka_unit_test(suggestions),
        cmocka_unit_test(amounts), cmocka_unit_test(papers),    cmocka_unit_test(files_are_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
