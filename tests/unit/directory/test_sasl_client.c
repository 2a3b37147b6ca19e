#include "directory/sasl_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct credential joe = {{(const uint8_t *)"joe", 3}, {(const uint8_t *)"secret", 6}};

static const struct {
    const char *offered;
    unsigned step;
    const char *challenge;
    enum credential_status status;
    const char *mechanism, *response;
} rows[] = {
    /* RFC 4616: NUL joe NUL secret */
    {"PLAIN", 0, "", CREDENTIAL_RESPONSE, "PLAIN", "AGpvZQBzZWNyZXQ="},
    {"LOGIN PLAIN", 0, "", CREDENTIAL_RESPONSE, "PLAIN", "AGpvZQBzZWNyZXQ="},
    {"GSSAPI  plain XOAUTH2", 0, "", CREDENTIAL_RESPONSE, "PLAIN", "AGpvZQBzZWNyZXQ="},
    {"PLAIN", 1, "", CREDENTIAL_RESPONSE, "PLAIN", "AGpvZQBzZWNyZXQ="}, /* 334 and nothing: it wants it now */
    {"PLAIN", 1, "UGFzc3dvcmQ6", CREDENTIAL_BROKEN, NULL, NULL},
    {"PLAIN", 2, "", CREDENTIAL_BROKEN, NULL, NULL},
    {"LOGIN", 0, "", CREDENTIAL_RESPONSE, "LOGIN", ""},
    {"LOGIN", 1, "VXNlcm5hbWU6", CREDENTIAL_RESPONSE, "LOGIN", "am9l"},
    {"LOGIN", 2, "UGFzc3dvcmQ6", CREDENTIAL_RESPONSE, "LOGIN", "c2VjcmV0"},
    {"LOGIN", 1, "", CREDENTIAL_RESPONSE, "LOGIN", "am9l"}, /* however it asks */
    {"LOGIN", 3, "UGFzc3dvcmQ6", CREDENTIAL_BROKEN, NULL, NULL},
    {"", 0, "", CREDENTIAL_NO_MECHANISM, NULL, NULL},
    {"CRAM-MD5 PLAIN-CLIENTTOKEN LOGINX PLAI", 0, "", CREDENTIAL_NO_MECHANISM, NULL, NULL},
    {" ", 0, "", CREDENTIAL_NO_MECHANISM, NULL, NULL},
};

static void steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t memory[LIMIT_AUTH_LINE_OCTETS];
        struct buf b = buf_on(memory, sizeof memory);
        const char *mechanism = NULL;
        struct sasl_client_step s = {span_str(rows[i].offered), rows[i].step, span_str(rows[i].challenge)};
        assert_int_equal(sasl_client_respond(&joe, &s, &mechanism, &b), rows[i].status);
        assert_true(span_eq(buf_span(&b), span_str(rows[i].response ? rows[i].response : "")));
        if (rows[i].mechanism) assert_string_equal(mechanism, rows[i].mechanism);
    }
}

/* A response that does not fit the command line waits for the 334. */
static void long_password(void **state)
{
    (void)state;
    static uint8_t password[LIMIT_PASSWORD_OCTETS], memory[LIMIT_AUTH_LINE_OCTETS];
    memset(password, 'p', sizeof password);
    const char *mechanism;
    for (size_t n = 1; n <= sizeof password; n++) {
        struct credential c = {SPAN("joe@example.org"), span_of(password, n)};
        struct sasl_client_step s = {SPAN("PLAIN"), 0, SPAN("")};
        struct buf b = buf_on(memory, sizeof memory);
        assert_int_equal(sasl_client_respond(&c, &s, &mechanism, &b), CREDENTIAL_RESPONSE);
        size_t line = strlen("AUTH PLAIN ") + b.n + 2;
        assert_true(line <= LIMIT_SENT_LINE_OCTETS);
        if (n < 300) assert_true(b.n > 0);
        if (n > 400) assert_int_equal(b.n, 0);
        b.n = 0;
        s.step = 1;
        assert_int_equal(sasl_client_respond(&c, &s, &mechanism, &b), CREDENTIAL_RESPONSE);
        assert_int_equal(b.n, (15 + 2 + n + 2) / 3 * 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(long_password),
    };
    return cmocka_run_group_tests_name("sasl_client", tests, NULL, NULL);
}
