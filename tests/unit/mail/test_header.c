#include "base/buf.h"
#include "mail/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct header_scan scan(struct span s)
{
    struct header_scan h;
    header_scan_begin(&h);
    header_scan_feed(&h, s);
    return h;
}

static void counts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t received;
        bool done;
        uint64_t octets;
    } t[] = {
        {"Received: a\r\nSubject: x\r\n\r\nbody", 1, true, 27},
        {"Received: a\r\nRECEIVED: b\r\nreceived:c\r\n\r\n", 3, true, 40},
        {"Received: a\r\n\tReceived: folded\r\n\r\n", 1, true, 34},
        {"Received : obsolete\r\nReceived\t:x\r\n\r\n", 2, true, 36},
        {"Receive: a\r\nReceivedx: b\r\nX-Received: c\r\n\r\n", 0, true, 43},
        {"Received\r\n: a\r\n\r\n", 0, true, 17},
        {"\r\nReceived: in the body\r\n", 0, true, 2},
        {"\r\n\r\n", 0, true, 2},
        {"no header at all\r\nReceived: x", 1, false, 29},
        {"", 0, false, 0},
        {"Received: x\r\n\r", 1, false, 14},
        {"Received: x\r\n\rSubject: y\r\n\r\n", 1, true, 28}, /* CR alone is no empty line */
        {"Received: x\r\n\r\r\n\r\nReceived:", 1, true, 18},
        {"Received: x\n\nReceived: y\r\n\r\n", 1, true, 28}, /* LF alone ends nothing */
        {"Received: x\r\r\nReceived: y\r\n\r\n", 2, true, 29},
        {"Received: x\r\n\nReceived: y\r\n\r\n", 1, true, 29},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct header_scan h = scan(span_str(t[i].text));
        if (h.received != t[i].received || h.done != t[i].done || h.octets != t[i].octets)
            fail_msg("%zu: received %u done %d octets %llu", i, h.received, h.done,
                     (unsigned long long)h.octets);
    }
}

/* Any cut of any text gives the same as the text in one piece. */
static void splits(void **state)
{
    (void)state;
    static const char *const piece[] = {"Received", ":", " ",         "\r\n", "\r",      "\n",
                                        "\t",       "x", "received:", "Rec",  "\r\n\r\n"};
    srandom(4);
    for (unsigned round = 0; round < 20000; round++) {
        char memory[256];
        struct buf b = buf_on(memory, sizeof memory);
        for (size_t k = (size_t)random() % 14; k > 0; k--)
            buf_str(&b, piece[(size_t)random() % (sizeof piece / sizeof piece[0])]);
        struct header_scan whole = scan(buf_span(&b)), cut;
        header_scan_begin(&cut);
        struct span rest = buf_span(&b);
        while (rest.n) {
            size_t n = 1 + (size_t)random() % 5;
            header_scan_feed(&cut, span_head(rest, n));
            rest = span_skip(rest, n);
        }
        assert_int_equal(whole.received, cut.received);
        assert_int_equal(whole.done, cut.done);
        assert_int_equal(whole.octets, cut.octets);
    }
}

static void finds(void **state)
{
    (void)state;
    static const struct {
        const char *section, *value; /* of From; null: there is none */
    } t[] = {
        {"From: a\r\n", " a\r\n"},          {"To: b\r\nfROM:\r\n a\r\nX: c\r\n", "\r\n a\r\n"},
        {"From : a\r\n", " a\r\n"}, /* RFC 5322 4.5: obsolete */
        {"X: y\r\nFrom\t :a\r\n", "a\r\n"}, {"Fro: a\r\nFromm: b\r\nX-From: c\r\n", NULL},
        {"X: y\r\n From: a\r\n", NULL},     {"From\r\n : a\r\n", NULL},
        {"no field\r\n : a\r\nFrom:", ""},  {"", NULL},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct span value = header_find(span_str(t[i].section), SPAN("From"));
        if (!value.p != !t[i].value || (value.p && !span_eq(value, span_str(t[i].value))))
            fail_msg("%zu: %.*s", i, (int)value.n, (const char *)value.p);
    }
}

/* One letter for each field of a section, by what it is. */
static void is_a_field(void **state)
{
    (void)state;
    static const struct {
        struct span section;
        const char *kinds;
    } t[] = {
        {SPAN(""), ""},
        {SPAN("A: b\r\n c\r\nD:\r\n"), "ff"},
        {SPAN("A : b\r\n!~ \t :c\r\n"), "ff"},
        {SPAN("A: \xff \x01 \x1b$B\r\n"), "f"},
        {SPAN("A: b"), "f"},
        {SPAN("A\r\n : b\r\nC: d\r\n"), "cf"},
        {SPAN("hello\r\n"), "c"},
        {SPAN(" A: b\r\nC: d\r\n"), "nf"},
        {SPAN(": b\r\n"), "n"},
        {SPAN("From a@b.example Thu Nov 26 03:00:00 2026\r\n"), "n"},
        {SPAN("\xef\xbb\xbf"
              "From: a\r\n"),
         "n"},
        {SPAN("From\xc2\xa0: a\r\n"), "n"},
        {SPAN("From\x7f: a\r\n\x0b"
              "From: a\r\n"),
         "nn"},
        {SPAN("A: b\nFrom: c\r\nD: e\r\n"), "sf"},
        {SPAN("A: b\rFrom: c\r\n"), "s"},
        {SPAN("A: b\r\n c\r\r\n"), "s"},
        {SPAN("A: b\r"), "s"},
        {SPAN("A: b\0\r\n"), "s"},
        {SPAN("Fr\0om: b\r\n"), "s"},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct span rest = t[i].section;
        struct header_field f;
        char kinds[8] = "";
        for (size_t k = 0; k < sizeof kinds - 1; k++) {
            enum header_answer a = header_next(&rest, &f);
            if (a == HEADER_END) break;
            kinds[k] = a == HEADER_FIELD ? 'f' : a == HEADER_NO_COLON ? 'c' : a == HEADER_NAME ? 'n' : 's';
        }
        if (strcmp(kinds, t[i].kinds) != 0 || rest.n) fail_msg("%zu: %s", i, kinds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(counts), cmocka_unit_test(splits),
                                       cmocka_unit_test(finds), cmocka_unit_test(is_a_field)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
