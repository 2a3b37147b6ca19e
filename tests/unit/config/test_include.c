/* Includes: the parser opens nothing, so files are sources, and what is not among them is named. */
#include "config_check.h"

#define SOURCE(file, content)                                                                                \
    {                                                                                                        \
        .name = SPAN(file), .text = SPAN(content)                                                            \
    }

static void names_what_is_missing(void **state)
{
    struct config_source s[] = {
        SOURCE("/d/sallyport.conf", "include b.conf\ninclude /c.conf\nhostname a.example\n"),
        SOURCE("/d/b.conf", ""), SOURCE("/c.conf", "")};
    struct parsed p;

    (void)state;
    parse_sources(&p, s, 1);
    assert_null(p.config);
    assert_string_equal(p.problems, "");
    assert_span(p.missing, "/d/b.conf");
    parsed_free(&p);
    parse_sources(&p, s, 2);
    assert_null(p.config);
    assert_span(p.missing, "/c.conf");
    parsed_free(&p);
    parse_sources(&p, s, 3);
    assert_non_null(p.config);
    assert_int_equal(p.missing.n, 0);
    parsed_free(&p);
}

static void inside_a_block(void **state)
{
    struct config_source s[] = {
        SOURCE("/d/sallyport.conf", "server a { include sub/s.conf }\nhold *\n"),
        SOURCE("/d/sub/s.conf",
               "listen 127.0.0.1:25 limits { include l.conf\n errors 4 } tls certificate c key k"),
        SOURCE("/d/sub/l.conf", "recipients 3 # no line end"),
    };
    struct parsed p;

    (void)state;
    parse_sources(&p, s, 3);
    assert_non_null(p.config);
    assert_int_equal(p.config->servers[0].limits.recipients, 3);
    assert_int_equal(p.config->servers[0].limits.errors, 4);
    assert_span(p.config->servers[0].certificates[0].chain_file,
                "/d/sub/c"); /* beside the file it stands in */
    parsed_free(&p);
}

static void a_file_closes_what_it_opens(void **state)
{
    struct config_source open[] = {
        SOURCE("/d/sallyport.conf", "include b.conf\nlisten 127.0.0.1:25 }\nhostname a.example\n"),
        SOURCE("/d/b.conf", "server a {\n")};
    struct config_source close[] = {
        SOURCE("/d/sallyport.conf", "server a { listen 127.0.0.1:25\ninclude b.conf\nrecipients a.example "
                                    "}\ndeliver * to maildir /m\n"),
        SOURCE("/d/b.conf", "}\n")};
    struct parsed p;

    (void)state;
    parse_sources(&p, open, 2);
    assert_null(p.config);
    assert_string_equal(
        p.problems,
        "2:1 error: listen has no place in the top level | it belongs in server { }\n"
        "2:21 error: '}' without a block that was opened in this file\n"
        "/d/b.conf:1:1 error: the block of server is not closed | write } behind its last line\n");
    parsed_free(&p);
    parse_sources(&p, close, 2);
    assert_null(p.config);
    assert_string_equal(p.problems,
                        "/d/b.conf:1:1 error: '}' without a block that was opened in this file\n");
    parsed_free(&p);
}

static void circles_end(void **state)
{
    struct config_source s[] = {SOURCE("/d/sallyport.conf", "include b.conf\n"),
                                SOURCE("/d/b.conf", "include sallyport.conf\n")};
    struct config_source twice[] = {SOURCE("/d/sallyport.conf", "include b.conf\ninclude b.conf\n"),
                                    SOURCE("/d/b.conf", "hold a.example\n")};
    struct parsed p;

    (void)state;
    parse_sources(&p, s, 2);
    assert_null(p.config);
    assert_string_equal(p.problems, "/d/b.conf:1:9 error: \"/d/sallyport.conf\" includes itself\n");
    parsed_free(&p);
    parse_sources(&p, twice, 2); /* one behind the other is no circle */
    assert_non_null(p.config);
    parsed_free(&p);
}

static void depth_is_bounded(void **state)
{
    struct config_source s[] = {
        SOURCE("/d/sallyport.conf", "include 1"),
        SOURCE("/d/1", "include 2"),
        SOURCE("/d/2", "include 3"),
        SOURCE("/d/3", "include 4"),
        SOURCE("/d/4", "include 5"),
        SOURCE("/d/5", "include 6"),
        SOURCE("/d/6", "include 7"),
        SOURCE("/d/7", "include 8"),
        SOURCE("/d/8", ""),
    };
    struct parsed p;

    (void)state;
    parse_sources(&p, s, 9);
    assert_null(p.config);
    assert_string_equal(p.problems, "/d/7:1:9 error: includes are nested more than 8 deep\n");
    parsed_free(&p);
}

static void what_cannot_be_read(void **state)
{
    struct config_source s[] = {SOURCE("/d/sallyport.conf", "\n include b.conf\nhostnme\n"),
                                {.name = SPAN("/d/b.conf"), .unreadable = "Permission denied"}};
    struct parsed p;

    (void)state;
    parse_sources(&p, s, 2);
    assert_null(p.config);
    assert_string_equal(p.problems,
                        "2:10 error: cannot read /d/b.conf: Permission denied\n"
                        "3:1 error: unknown directive \"hostnme\" | did you mean \"hostname\"?\n");
    parsed_free(&p);
    s[0].unreadable = "No such file or directory";
    s[0].text = SPAN("");
    parse_sources(&p, s, 1);
    assert_null(p.config);
    assert_string_equal(
        p.problems,
        "1:1 error: cannot read the file: No such file or directory | sallyport init makes one\n");
    parsed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_what_is_missing),
        cmocka_unit_test(inside_a_block),
        cmocka_unit_test(a_file_closes_what_it_opens),
        cmocka_unit_test(circles_end),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
