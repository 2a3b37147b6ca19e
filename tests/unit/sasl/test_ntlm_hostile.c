/* What attackers send: null sessions in every form, guests, what made other acceptors crash, and changed messages. */
#include "ntlm_client.h"

#include "base/base64.h"

#include "../span_check.h"

#include <stdlib.h>

static const uint8_t random_octets[8] = {9, 8, 7, 6, 5, 4, 3, 2};
static const struct ntlm_policy allowed = {NTLM_BINDINGS_ALLOWED, {NULL, 0}};
static uint8_t memory[4096];

static struct ntlm begin(void)
{
    struct ntlm n;
    struct span challenge;
    uint8_t text[64];
    struct buf b = buf_on(text, sizeof text);
    ntlm_client_negotiate(&b, NTLM_CLIENT_FLAGS, 32);
    assert_true(ntlm_challenge(&n, &(struct ntlm_target){.netbios_computer = SPAN("MX")}, buf_span(&b),
                               random_octets, UINT64_C(1700000000000), &challenge));
    return n;
}

static enum ntlm_kind say(const struct ntlm_client *c, const struct ntlm *n, struct ntlm_login *l)
{
    struct buf b = buf_on(memory, sizeof memory);
    ntlm_client_authenticate(c, n, &b);
    return ntlm_read(buf_span(&b), l);
}

/* Nessus 11308: 65 octets, a header of 64, one zero octet as LM response, all else empty, flags 0x8205. */
static void null_session_65(void **state)
{
    (void)state;
    static const char first[] = "TlRMTVNTUAABAAAAB4IAgAAAAAAAAAAAAAAAAAAAAAA=";
    uint8_t octets[96] = "NTLMSSP\0\3\0\0\0\1\0\1\0\x40";
    struct ntlm n;
    struct ntlm_login l;
    struct span challenge;
    struct buf b = buf_on(memory, sizeof memory);
    assert_true(base64_decode(span_str(first), &b));
    assert_true(ntlm_challenge(&n, &(struct ntlm_target){.netbios_computer = SPAN("MX")}, buf_span(&b),
                               random_octets, 0, &challenge));
    for (unsigned field = 1; field < 6; field++)
        octets[12 + 8 * field + 4] = 0x40;
    memcpy(octets + 60, "\5\x82\0\0", 4);
    assert_int_equal(ntlm_read(span_of(octets, 65), &l), NTLM_ANONYMOUS);
    assert_int_equal(l.user.n, 0);
    octets[12] = octets[14] = 0; /* without the zero octet */
    assert_int_equal(ntlm_read(span_of(octets, 64), &l), NTLM_ANONYMOUS);
    octets[60] = 6; /* OEM */
    assert_int_equal(ntlm_read(span_of(octets, 64), &l), NTLM_ANONYMOUS);
}

/* MS-NLMP: a header of 88 octets and NTLMSSP_NEGOTIATE_ANONYMOUS; with a user and a response it is still that. */
static void null_session_88(void **state)
{
    (void)state;
    struct ntlm n = begin();
    struct ntlm_login l;
    struct ntlm_client c = {.flags = NTLM_CLIENT_FLAGS | NTLM_FLAG_ANONYMOUS,
                            .user = "",
                            .domain = "",
                            .workstation = "",
                            .hash = ntlm_client_hash,
                            .header = 88,
                            .lm = SPAN("\0"),
                            .nt = SPAN("")};
    assert_int_equal(say(&c, &n, &l), NTLM_ANONYMOUS);
    c.lm = SPAN("");
    assert_int_equal(say(&c, &n, &l), NTLM_ANONYMOUS);
    c = ntlm_client_of(&n, "User");
    c.flags |= NTLM_FLAG_ANONYMOUS;
    assert_int_equal(say(&c, &n, &l), NTLM_ANONYMOUS);
    assert_span(l.user, "User");
}

/* No user with responses of any length; a user without a response; users that are no more than a domain. */
static void null_sessions(void **state)
{
    (void)state;
    static const uint8_t response[64];
    static const size_t lengths[] = {0, 1, 16, 24, 44, 64};
    static const char *const users[] = {"", "@", "@example.org", "DOMAIN\\", "\\", "A\\@b"};
    struct ntlm n = begin();
    struct ntlm_login l;
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof lengths[0]; j++) {
            struct ntlm_client c = ntlm_client_of(&n, users[i]);
            c.nt = span_of(response, lengths[j]);
            c.mic = false;
            assert_int_equal(say(&c, &n, &l), NTLM_ANONYMOUS);
            c.nt.p = NULL; /* a right one */
            assert_int_equal(say(&c, &n, &l), NTLM_ANONYMOUS);
        }
    struct ntlm_client c = ntlm_client_of(&n, "User");
    c.mic = false;
    c.nt = span_of(response, 0);
    for (size_t lm = 0; lm < 24; lm++) {
        c.lm = span_of(response, lm);
        assert_int_equal(say(&c, &n, &l), NTLM_ANONYMOUS);
    }
}

static void guests(void **state)
{
    (void)state;
    static const char *const names[] = {"guest",          "Guest",    "GUEST",     "gUeSt",
                                        "GAST",           "invitado", "MX\\guest", "guest@example.org",
                                        "A\\B\\Guest@x@y"};
    static const char *const others[] = {"guests", "gues",      "guest.house",
                                         "aguest", "joe@guest", "guest\\joe"};
    struct ntlm n = begin();
    struct ntlm_login l;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct ntlm_client c = ntlm_client_of(&n, names[i]);
        assert_int_equal(say(&c, &n, &l), NTLM_GUEST); /* with a right proof */
        assert_span(l.user, names[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct ntlm_client c = ntlm_client_of(&n, others[i]);
        assert_int_equal(say(&c, &n, &l), NTLM_USER);
    }
    /* "gość" in small letters, UTF-16 */
    uint8_t octets[128] = "NTLMSSP\0\3";
    octets[36] = 8;
    octets[40] = 64;
    octets[20] = 24;
    octets[24] = 72;
    octets[60] = 1;
    memcpy(octets + 64, "g\0o\0\x5b\1\7\1", 8);
    assert_int_equal(ntlm_read(span_of(octets, 96), &l), NTLM_GUEST);
}

/* gss-ntlmssp 1.2.0 crashed: a domain's acceptor, 24 octets as NT response, no LM response, a user that exists; and key exchange agreed
 * on without a key in the last message. */
static void crashes(void **state)
{
    (void)state;
    static const uint8_t response[24];
    struct ntlm n = begin();
    struct ntlm_login l;
    struct ntlm_client c = ntlm_client_of(&n, "User");
    c.mic = false;
    c.exchange = false;
    c.nt = span_of(response, sizeof response);
    assert_int_equal(say(&c, &n, &l), NTLM_OLD);
    c.nt.p = NULL;
    c.flags |= NTLM_FLAG_KEY_EXCHANGE | NTLM_FLAG_SIGN;
    assert_int_equal(say(&c, &n, &l), NTLM_MALFORMED);
}

/* Cut anywhere, or longer: never proven, never read outside (each copy has its own end). */
static void truncation(void **state)
{
    (void)state;
    struct ntlm n = begin();
    for (unsigned header = 64; header <= 88; header += 24) {
        struct ntlm_client c = ntlm_client_of(&n, "User");
        c.header = header;
        c.mic = header == 88;
        struct buf b = buf_on(memory, sizeof memory);
        ntlm_client_authenticate(&c, &n, &b);
        for (size_t i = 0; i <= b.n; i++) {
            uint8_t *copy = malloc(i ? i : 1);
            assert_non_null(copy);
            memcpy(copy, b.p, i);
            struct ntlm_login l;
            enum ntlm_kind kind = ntlm_read(span_of(copy, i), &l);
            assert_int_equal(kind, i == b.n ? NTLM_USER : NTLM_MALFORMED);
            free(copy);
        }
    }
}

/* Every octet of a message, changed in many ways: with a MIC nothing but the message itself is proven; without one, what is proven says
 * who it is and what it answers. */
static void mutations(void **state)
{
    (void)state;
    static const uint8_t changes[] = {1, 2, 4, 8, 16, 32, 64, 128, 0x55, 0xFF};
    struct ntlm n = begin();
    for (unsigned mic = 0; mic < 2; mic++) {
        struct ntlm_client c = ntlm_client_of(&n, "User");
        c.mic = mic;
        struct buf b = buf_on(memory, sizeof memory);
        ntlm_client_authenticate(&c, &n, &b);
        unsigned proven = 0;
        for (size_t at = 0; at < b.n; at++)
            for (size_t i = 0; i < sizeof changes; i++) {
                uint8_t change = changes[i];
                struct ntlm_login l;
                b.p[at] ^= change;
                if (ntlm_read(buf_span(&b), &l) == NTLM_USER &&
                    ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash) == NTLM_PROVEN) {
                    proven++;
                    assert_true(span_eq_nocase(l.user, SPAN("user")));
                    assert_false(mic);
                }
                b.p[at] ^= change;
            }
        assert_int_equal(proven > 0, !mic);
    }
}

/* Fields of any length anywhere. */
static void fields(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {0,  1,      24,     63,         64,         65,        88,
                                       89, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    enum { N = sizeof numbers / sizeof numbers[0] };
    struct ntlm n = begin();
    struct ntlm_client c = ntlm_client_of(&n, "User");
    struct buf b = buf_on(memory, sizeof memory);
    ntlm_client_authenticate(&c, &n, &b);
    for (unsigned field = 0; field < 6; field++)
        for (unsigned i = 0; i < N * N; i++) {
            uint8_t *copy = malloc(b.n);
            struct ntlm_login l;
            assert_non_null(copy);
            memcpy(copy, b.p, b.n);
            memcpy(copy + 12 + 8 * field, &numbers[i % N], 2);
            memcpy(copy + 16 + 8 * field, &numbers[i / N], 4);
            if (ntlm_read(span_of(copy, b.n), &l) == NTLM_USER)
                assert_int_not_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash),
                                     NTLM_PROVEN);
            free(copy);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_session_65), cmocka_unit_test(null_session_88), cmocka_unit_test(null_sessions),
        cmocka_unit_test(guests),          cmocka_unit_test(crashes),         cmocka_unit_test(truncation),
        cmocka_unit_test(mutations),       cmocka_unit_test(fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
