/* What unit tests say about spans and buffers. */
#ifndef TESTS_SPAN_CHECK_H
#define TESTS_SPAN_CHECK_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* A macro, so that a failure names the line of the test. */
#define assert_span(s, z)                                                                                    \
    do {                                                                                                     \
        struct span check_got = (s), check_want = span_str(z);                                               \
        assert_int_equal(check_got.n, check_want.n);                                                         \
        if (check_want.n) assert_memory_equal(check_got.p, check_want.p, check_want.n);                      \
    } while (0)

#endif
