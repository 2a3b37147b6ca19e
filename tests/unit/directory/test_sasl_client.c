#include "directory/sasl_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"

static const struct credential joe = {.user = {(const uint8_t *)"joe", 3},
                                      .password = {(const uint8_t *)"secret", 6}};
static const struct credential token = {.user = {(const uint8_t *)"j,o=e@example.org", 17},
                                        .token = {(const uint8_t *)"vF9dft4qmTc2", 12}};

/* Hashes that cost nothing: what matters here is what is said, and when. */
static bool prepare(struct span typed, struct buf *ret)
{
    buf_put(ret, typed);
    return typed.n > 0 && typed.p[0] != '!';
}

static bool keys(void *context, enum sasl_hash hash, struct span prepared, struct span salt,
                 uint32_t iterations, struct scram_keys *ret)
{
    (void)context, (void)hash, (void)prepared, (void)salt, (void)iterations;
    memset(ret, 1, sizeof *ret);
    return true;
}

static bool hmac(enum sasl_hash hash, struct span key, struct span text, uint8_t ret[SASL_HASH_OCTETS_MAX])
{
    (void)hash, (void)key, (void)text;
    memset(ret, 0, SASL_HASH_OCTETS_MAX);
    return true;
}

static bool digest(enum sasl_hash hash, struct span octets, uint8_t ret[SASL_HASH_OCTETS_MAX])
{
    return hmac(hash, octets, octets, ret);
}

static const struct sasl_crypto crypto = {.prepare = prepare, .keys = keys, .hmac = hmac, .digest = digest};
static struct sasl_client x;
static uint8_t memory[LIMIT_AUTH_LINE_OCTETS];
static struct buf said;

static void begin(const struct credential *c, struct span exporter)
{
    static const uint8_t chance[SASL_CLIENT_CHANCE]; /* base64: AAAAAAAAAAAAAAAAAAAAAAAA */
    sasl_client_begin(&x, c, &crypto, exporter, chance);
}

static enum credential_status step(const char *all, unsigned n, struct span challenge)
{
    said = buf_on(memory, sizeof memory);
    struct sasl_client_step s = {span_str(all), n, challenge};
    enum credential_status status = sasl_client_respond(&x, &s, &said);
    if (status != CREDENTIAL_RESPONSE) assert_int_equal(said.n, 0);
    return status;
}

/* The challenge in clear. */
static enum credential_status hear(unsigned n, const char *challenge)
{
    uint8_t text[2 * LIMIT_AUTH_LINE_OCTETS];
    struct buf b = buf_on(text, sizeof text);
    base64_encode(span_str(challenge), &b);
    return step("", n, buf_span(&b));
}

static void assert_said(const char *clear)
{
    uint8_t text[LIMIT_AUTH_LINE_OCTETS];
    struct buf b = buf_on(text, sizeof text - 1);
    assert_true(base64_decode(buf_span(&said), &b));
    text[b.n] = 0;
    assert_string_equal((char *)text, clear);
}

static void assert_why(const char *text)
{
    x.text[x.why.n < sizeof x.text ? x.why.n : sizeof x.text - 1] = 0;
    assert_string_equal(x.text, text);
}

/* --- PLAIN and LOGIN */

static const struct {
    const char *offered;
    unsigned steps; /* how many challenges are heard, with an empty one each but the last */
    const char *challenge;
    enum credential_status status;
    const char *mechanism, *response;
    bool last;
} rows[] = {
    /* RFC 4616: NUL joe NUL secret */
    {"PLAIN", 0, "", CREDENTIAL_RESPONSE, "PLAIN", "AGpvZQBzZWNyZXQ=", true},
    {"LOGIN PLAIN", 0, "", CREDENTIAL_RESPONSE, "PLAIN", "AGpvZQBzZWNyZXQ=", true},
    {"GSSAPI  plain XOAUTH2", 0, "", CREDENTIAL_RESPONSE, "PLAIN", "AGpvZQBzZWNyZXQ=", true},
    {"PLAIN", 1, "", CREDENTIAL_RESPONSE, "PLAIN",
     "AGpvZQBzZWNyZXQ=", true}, /* 334 and nothing: it wants it now */
    {"PLAIN", 1, "UGFzc3dvcmQ6", CREDENTIAL_BROKEN, NULL, NULL, false},
    {"PLAIN", 2, "", CREDENTIAL_BROKEN, NULL, NULL, false},
    {"LOGIN", 0, "", CREDENTIAL_RESPONSE, "LOGIN", "", false},
    {"LOGIN", 1, "VXNlcm5hbWU6", CREDENTIAL_RESPONSE, "LOGIN", "am9l", false},
    {"LOGIN", 2, "UGFzc3dvcmQ6", CREDENTIAL_RESPONSE, "LOGIN", "c2VjcmV0", true},
    {"LOGIN", 1, "", CREDENTIAL_RESPONSE, "LOGIN", "am9l", false}, /* however it asks */
    {"LOGIN", 3, "UGFzc3dvcmQ6", CREDENTIAL_BROKEN, NULL, NULL, false},
    {"", 0, "", CREDENTIAL_NO_MECHANISM, NULL, NULL, false},
    {"CRAM-MD5 PLAIN-CLIENTTOKEN LOGINX PLAI", 0, "", CREDENTIAL_NO_MECHANISM, NULL, NULL, false},
    {" ", 0, "", CREDENTIAL_NO_MECHANISM, NULL, NULL, false},
    {"XOAUTH2 OAUTHBEARER", 0, "", CREDENTIAL_NO_MECHANISM, NULL, NULL, false},
};

static void steps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum credential_status status = CREDENTIAL_RESPONSE;
        begin(&joe, SPAN(""));
        for (unsigned n = 0; n <= rows[i].steps && status == CREDENTIAL_RESPONSE; n++)
            status = step(rows[i].offered, n, n == rows[i].steps ? span_str(rows[i].challenge) : SPAN(""));
        assert_int_equal(status, rows[i].status);
        assert_true(span_eq(buf_span(&said), span_str(rows[i].response ? rows[i].response : "")));
        if (rows[i].mechanism) assert_string_equal(x.mechanism, rows[i].mechanism);
        if (status == CREDENTIAL_RESPONSE)
            assert_int_equal(x.last, rows[i].last);
        else
            assert_true(x.why.n > 0);
    }
    begin(&joe, SPAN(""));
    assert_int_equal(step("PLAIN", 1, SPAN("")), CREDENTIAL_BROKEN); /* without a beginning */
}

/* A response that does not fit the command line waits for the 334. */
static void long_password(void **state)
{
    (void)state;
    static uint8_t password[LIMIT_PASSWORD_OCTETS];
    memset(password, 'p', sizeof password);
    for (size_t n = 1; n <= sizeof password; n++) {
        struct credential c = {.user = SPAN("joe@example.org"), .password = span_of(password, n)};
        begin(&c, SPAN(""));
        assert_int_equal(step("PLAIN", 0, SPAN("")), CREDENTIAL_RESPONSE);
        size_t line = strlen("AUTH PLAIN ") + said.n + 2;
        assert_true(line <= LIMIT_SENT_LINE_OCTETS);
        if (n < 300) assert_true(said.n > 0);
        if (n > 400) assert_int_equal(said.n, 0);
        assert_int_equal(step("PLAIN", 1, SPAN("")), CREDENTIAL_RESPONSE);
        assert_int_equal(said.n, (15 + 2 + n + 2) / 3 * 4);
    }
}

/* --- which one */

static void choice(void **state)
{
    static const struct {
        const char *offered, *allowed;
        bool bound;
        const char *mechanism, *flag;
    } all[] = {
        {"PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", true, "SCRAM-SHA-256-PLUS",
         "p=tls-exporter,,"},
        {"PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS", "", false, "SCRAM-SHA-256", "n,,"},
        {"PLAIN SCRAM-SHA-1 SCRAM-SHA-256", "", true, "SCRAM-SHA-256", "y,,"},
        {"SCRAM-SHA-256-PLUS PLAIN", "", false, "PLAIN", NULL},
        {"SCRAM-SHA-1-PLUS SCRAM-SHA-1 PLAIN", "", true, "SCRAM-SHA-1-PLUS", "p=tls-exporter,,"},
        {"SCRAM-SHA-1-PLUS SCRAM-SHA-1 SCRAM-SHA-256", "", true, "SCRAM-SHA-256", "n,,"},
        {"SCRAM-SHA-1 PLAIN", "", true, "SCRAM-SHA-1", "y,,"},
        {"SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN", "SCRAM-SHA-256", true, "SCRAM-SHA-256", "n,,"},
        {"SCRAM-SHA-256 SCRAM-SHA-256-PLUS PLAIN LOGIN", "LOGIN PLAIN", true, "PLAIN", NULL},
        {"SCRAM-SHA-1 PLAIN", "SCRAM-SHA-256", true, NULL, NULL}, /* never weaker than what was named */
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct credential c = joe;
        c.mechanisms = span_str(all[i].allowed);
        begin(&c, all[i].bound ? SPAN("0123456789abcdef0123456789abcdef") : SPAN(""));
        enum credential_status status = step(all[i].offered, 0, SPAN(""));
        assert_int_equal(status, all[i].mechanism ? CREDENTIAL_RESPONSE : CREDENTIAL_NO_MECHANISM);
        if (all[i].mechanism) assert_string_equal(x.mechanism, all[i].mechanism);
        if (!all[i].flag) continue;
        char text[100];
        snprintf(text, sizeof text, "%sn=joe,r=AAAAAAAAAAAAAAAAAAAAAAAA", all[i].flag);
        assert_said(text);
    }
    assert_why("the next hop offers AUTH SCRAM-SHA-1 PLAIN, and we have SCRAM-SHA-256 for it");
}

/* --- SCRAM: hostile servers */

#define OURS "AAAAAAAAAAAAAAAAAAAAAAAA"

static void server_first(void **state)
{
    static const struct {
        const char *message, *why;
    } all[] = {
        {"r=" OURS "x,s=QQ==,i=4096", NULL},
        {"r=" OURS "x,s=QQ==,i=1000000,x=any", NULL},
        {"r=" OURS "x,s=QQ==,i=4095",
         "the server wants 4095 iterations: too few to hide the password (RFC 7677 4: at least 4096)"},
        {"r=" OURS "x,s=QQ==,i=1000001", "the server wants 1000001 iterations: too many (at most 1000000)"},
        {"r=" OURS "x,s=QQ==,i=18446744073709551616", "the server's count of iterations is none"},
        {"r=" OURS "x,s=QQ==,i=04096", "the server's count of iterations is none"},
        {"r=" OURS "x,s=QQ==,i=-1", "the server's count of iterations is none"},
        {"r=" OURS "x,s=QQ==,i=", "the server's count of iterations is none"},
        {"r=" OURS "x,s=QQ==", "the server's first message is malformed"},
        {"r=" OURS ",s=QQ==,i=4096", "the server's nonce does not begin with ours"}, /* it added nothing */
        {"r=BBBBBBBBBBBBBBBBBBBBBBBBx,s=QQ==,i=4096", "the server's nonce does not begin with ours"},
        {"r=,s=QQ==,i=4096", "the server's nonce does not begin with ours"},
        {"m=x,r=" OURS "x,s=QQ==,i=4096", "the server wants an extension that is unknown here"},
        {"r=" OURS "x,s=,i=4096", "the server's salt is malformed"},
        {"r=" OURS "x,s=Q,i=4096", "the server's salt is malformed"},
        {"s=QQ==,r=" OURS "x,i=4096", "the server's first message is malformed"},
        {"e=other-error", "the server's first message is malformed"},
        {"r=" OURS "x\r\n,s=QQ==,i=4096", "the server's first message is too long, or is no text"},
        {"", "the server's challenge is too long, or no base64"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        begin(&joe, SPAN(""));
        assert_int_equal(step("SCRAM-SHA-256", 0, SPAN("")), CREDENTIAL_RESPONSE);
        assert_false(x.last);
        assert_int_equal(hear(1, all[i].message), all[i].why ? CREDENTIAL_BROKEN : CREDENTIAL_RESPONSE);
        assert_false(x.last);
        if (all[i].why && i + 1 < sizeof all / sizeof all[0]) assert_why(all[i].why);
    }
    char large[SCRAM_MESSAGE_OCTETS + 100];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = 0;
    memcpy(large, "r=" OURS, 2 + 24);
    begin(&joe, SPAN(""));
    (void)step("SCRAM-SHA-256", 0, SPAN(""));
    assert_int_equal(hear(1, large), CREDENTIAL_BROKEN);
    struct credential odd = joe;
    odd.password = SPAN("!unassigned");
    begin(&odd, SPAN(""));
    (void)step("SCRAM-SHA-256", 0, SPAN(""));
    assert_int_equal(hear(1, all[0].message), CREDENTIAL_BROKEN);
    assert_why("the password has characters that SASLprep does not take (RFC 4013)");
}

#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void server_final(void **state)
{
    static const struct {
        const char *message, *why;
    } all[] = {
        {"v=" ZEROS, NULL},
        {"v=" ZEROS ",x=more", NULL},
        {"v=AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
         "the server does not know the password that it asks for"},
        {"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "the server's last message is malformed"}, /* of SHA-1 */
        {"v=", "the server's last message is malformed"},
        {"x", "the server's last message is malformed"},
        {"e=invalid-proof", "the server says invalid-proof"},
        {"e=\033[2J\r\nMAIL", "the server says \\x1b[2J\\x0d\\x0aMAIL"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        begin(&joe, SPAN(""));
        (void)step("SCRAM-SHA-256", 0, SPAN(""));
        assert_int_equal(hear(1, "r=" OURS "xyz,s=QQ==,i=4096"), CREDENTIAL_RESPONSE);
        assert_said("c=biws,r=" OURS "xyz,p=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        assert_int_equal(hear(2, all[i].message), all[i].why ? CREDENTIAL_BROKEN : CREDENTIAL_RESPONSE);
        assert_int_equal(x.last, all[i].why == NULL);
        if (all[i].why)
            assert_why(all[i].why);
        else
            assert_int_equal(said.n, 0); /* an empty line, then 235 */
    }
    begin(&joe, SPAN(""));
    (void)step("SCRAM-SHA-256", 0, SPAN(""));
    (void)hear(1, "r=" OURS "xyz,s=QQ==,i=4096");
    assert_int_equal(hear(2, "v=" ZEROS), CREDENTIAL_RESPONSE);
    assert_int_equal(hear(3, "v=" ZEROS), CREDENTIAL_BROKEN);
}

/* RFC 5802 6 */
static void bound(void **state)
{
    (void)state;
    begin(&joe, SPAN("0123456789abcdef0123456789abcdef"));
    (void)step("SCRAM-SHA-256-PLUS", 0, SPAN(""));
    assert_int_equal(hear(1, "r=" OURS "x,s=QQ==,i=4096"), CREDENTIAL_RESPONSE);
    /* base64 of "p=tls-exporter,,0123456789abcdef0123456789abcdef" */
    assert_said("c=cD10bHMtZXhwb3J0ZXIsLDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm,r=" OURS
                "x,p=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
}

/* A name of 320 commas: its message waits for the 334. */
static void long_name(void **state)
{
    uint8_t name[LIMIT_CREDENTIAL_USER_OCTETS];
    struct credential c = joe;
    (void)state;
    memset(name, ',', sizeof name);
    c.user = span_of(name, sizeof name);
    begin(&c, SPAN(""));
    assert_int_equal(step("SCRAM-SHA-256", 0, SPAN("")), CREDENTIAL_RESPONSE);
    assert_int_equal(said.n, 0);
    assert_int_equal(step("", 1, SPAN("")), CREDENTIAL_RESPONSE);
    assert_int_equal(said.n, (3 + 2 + 3 * sizeof name + 3 + 24 + 2) / 3 * 4);
    assert_int_equal(hear(2, "r=" OURS "x,s=QQ==,i=4096"), CREDENTIAL_RESPONSE);
    begin(&c, SPAN(""));
    (void)step("SCRAM-SHA-256", 0, SPAN(""));
    assert_int_equal(hear(1, "r=" OURS "x,s=QQ==,i=4096"), CREDENTIAL_BROKEN); /* it was not asked yet */
}

/* --- tokens */

#define ERROR "{\"status\":\"401\",\"schemes\":\"bearer\"}"

static void tokens(void **state)
{
    (void)state;
    begin(&token, SPAN(""));
    assert_int_equal(step("PLAIN XOAUTH2 OAUTHBEARER", 0, SPAN("")), CREDENTIAL_RESPONSE);
    assert_string_equal(x.mechanism, "OAUTHBEARER");
    assert_true(x.last);
    assert_said("n,a=j=2Co=3De@example.org,\1auth=Bearer vF9dft4qmTc2\1\1"); /* RFC 7628 3.1 */
    buf_str(&x.why, "the token in /t");
    assert_int_equal(hear(1, ERROR), CREDENTIAL_RESPONSE);
    assert_said("\1"); /* RFC 7628 3.2.3 */
    assert_false(x.last);
    assert_why("the token in /t: " ERROR);
    assert_int_equal(hear(2, ERROR), CREDENTIAL_BROKEN);

    begin(&token, SPAN(""));
    assert_int_equal(step("PLAIN XOAUTH2", 0, SPAN("")), CREDENTIAL_RESPONSE);
    assert_said("user=j,o=e@example.org\1auth=Bearer vF9dft4qmTc2\1\1");
    assert_int_equal(hear(1, "\033[2J\r\n"), CREDENTIAL_RESPONSE);
    assert_int_equal(said.n, 0);
    assert_why("\\x1b[2J\\x0d\\x0a");

    begin(&token, SPAN(""));
    assert_int_equal(step("PLAIN LOGIN SCRAM-SHA-256", 0, SPAN("")), CREDENTIAL_NO_MECHANISM);
    assert_why(
        "the next hop offers AUTH PLAIN LOGIN SCRAM-SHA-256, and we have a token for OAUTHBEARER or XOAUTH2");
}

/* RFC 4954 4: the command has 512 octets, what follows 12288. */
static void long_token(void **state)
{
    static uint8_t octets[LIMIT_CREDENTIAL_TOKEN_OCTETS], name[LIMIT_CREDENTIAL_USER_OCTETS];
    (void)state;
    memset(octets, 't', sizeof octets);
    memset(name, ',', sizeof name);
    for (unsigned k = 0; k < 2; k++) {
        struct credential c = {.user = span_of(name, sizeof name), .token = span_of(octets, sizeof octets)};
        begin(&c, SPAN(""));
        assert_int_equal(step(k ? "XOAUTH2" : "OAUTHBEARER", 0, SPAN("")), CREDENTIAL_RESPONSE);
        assert_int_equal(said.n, 0);
        assert_false(x.said);
        assert_int_equal(step("", 1, SPAN("")), CREDENTIAL_RESPONSE);
        assert_false(said.over);
        assert_true(said.n > sizeof octets && said.n <= LIMIT_AUTH_LINE_OCTETS);
        assert_int_equal(hear(2, ERROR), CREDENTIAL_RESPONSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),        cmocka_unit_test(long_password), cmocka_unit_test(choice),
        cmocka_unit_test(server_first), cmocka_unit_test(server_final),  cmocka_unit_test(bound),
        cmocka_unit_test(long_name),    cmocka_unit_test(tokens),        cmocka_unit_test(long_token),
    };
    return cmocka_run_group_tests_name("sasl_client", tests, NULL, NULL);
}
