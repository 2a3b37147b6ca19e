/* Parsing a text in a test, and its problems as text: "LINE:COLUMN error: what | suggestion", one a line. */
#ifndef TEST_CONFIG_CHECK_H
#define TEST_CONFIG_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "../span_check.h"
#include "base/buf.h"
#include "config/config.h"

struct parsed {
    struct arena *arena;
    const struct config *config;
    char problems[8192];
    struct span missing;
};

static inline void put_problems(struct parsed *p, const struct config_problem *list)
{
    struct buf b = buf_on(p->problems, sizeof p->problems - 1);

    for (; list; list = list->next) {
        if (!span_eq(list->place.file, SPAN("/d/sallyport.conf"))) {
            buf_put(&b, list->place.file);
            buf_byte(&b, ':');
        }
        buf_u64(&b, list->place.line);
        buf_byte(&b, ':');
        buf_u64(&b, list->place.column);
        buf_str(&b, list->severity == CONFIG_ERROR ? " error: " : " warning: ");
        buf_put(&b, list->text);
        if (list->suggestion.n) {
            buf_str(&b, " | ");
            buf_put(&b, list->suggestion);
        }
        buf_byte(&b, '\n');
    }
    assert_false(b.over);
    p->problems[b.n] = 0;
}

static inline void parse_sources(struct parsed *p, const struct config_source *sources, size_t n)
{
    struct config_problem *problems = NULL;

    memset(p, 0, sizeof *p);
    p->arena = arena_create(64 << 20);
    assert_non_null(p->arena);
    p->config = config_parse(p->arena, sources, n, &problems, &p->missing);
    put_problems(p, problems);
}

static inline void parse(struct parsed *p, const char *text)
{
    struct config_source s = {.name = SPAN("/d/sallyport.conf"), .text = span_str(text)};

    parse_sources(p, &s, 1);
}

static inline void parsed_free(struct parsed *p)
{
    arena_destroy(&p->arena);
}

/* What a text leads to, to the letter; usable: into a configuration all the same. */
struct sample {
    const char *name, *text, *problems;
};

static inline void check_samples(const struct sample *s, size_t n, bool usable)
{
    for (size_t i = 0; i < n; i++) {
        struct parsed p;
        parse(&p, s[i].text);
        if (strcmp(p.problems, s[i].problems) != 0) print_message("sample: %s\n", s[i].name);
        assert_string_equal(p.problems, s[i].problems);
        if (usable)
            assert_non_null(p.config);
        else
            assert_null(p.config);
        parsed_free(&p);
    }
}

#endif
