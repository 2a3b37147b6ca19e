/* MS-NLMP 4.2: what the specification computes. */
#include "ntlm_client.h"

#include "base/hex.h"

#include "../span_check.h"

static uint8_t memory[8][512];

static struct span octets(unsigned slot, const char *hex)
{
    struct buf b = buf_on(memory[slot], sizeof memory[slot]);
    assert_true(hex_decode(span_str(hex), &b));
    assert_false(b.over);
    return buf_span(&b);
}

#define NEGOTIATED_V2                                                                                        \
    "358288e2"                                                                                               \
    "0501280a0000000f"
/* 4.2.4.3: header with a version, Domain, User, COMPUTER, LMv2, NTLMv2, encrypted session key */
#define AUTHENTICATE_V2                                                                                      \
    "4e544c4d53535000030000001800180"                                                                        \
    "06c00000054005400840000000c000c0048000000080008005400000010001000"                                      \
    "5c00000010001000d8000000" NEGOTIATED_V2 "44006f006d00610069006e005500730065007200"                      \
    "43004f004d0050005500540045005200"                                                                       \
    "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"                                                       \
    "68cd0ab851e51c96aabc927bebef6a1c" BLOB_V2 "c5dad2544fc9799094ce1ce90bc9d03e"
#define BLOB_V2                                                                                              \
    "01010000000000000000000000000000aaaaaaaaaaaaaaaa00000000"                                               \
    "02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000"                               \
    "00000000"

static const uint8_t server_challenge[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void computations(void **state)
{
    (void)state;
    uint8_t key[16], proof[16], session[16], exported[16];
    const struct ntlm_crypto *c = &ntlm_client_crypto;
    assert_true(
        ntlm_proof_response_key(c, ntlm_client_hash, SPAN("U\0S\0E\0R\0"), SPAN("D\0o\0m\0a\0i\0n\0"), key));
    assert_true(span_eq(span_of(key, 16), octets(0, "0c868a403bfd7a93a3001ef22ef02e3f"))); /* 4.2.4.1.1 */
    assert_true(ntlm_proof_compute(c, key, server_challenge, octets(0, BLOB_V2), proof));
    assert_true(span_eq(span_of(proof, 16), octets(0, "68cd0ab851e51c96aabc927bebef6a1c"))); /* 4.2.4.2.2 */
    assert_true(ntlm_proof_session_key(c, key, proof, session));
    assert_true(span_eq(span_of(session, 16), octets(0, "8de40ccadbc14a82f15cb0ad0de95ca3"))); /* 4.2.4.1.2 */
    ntlm_proof_rc4(session, octets(0, "c5dad2544fc9799094ce1ce90bc9d03e").p, exported);        /* 4.2.4.2.3 */
    assert_true(span_eq(span_of(exported, 16), octets(0, "55555555555555555555555555555555")));
}

static struct ntlm exchange(void)
{
    struct ntlm n = {0};
    memcpy(n.server_challenge, server_challenge, sizeof server_challenge);
    return n; /* the specification's time is 0 */
}

static void version_2(void **state)
{
    (void)state;
    struct ntlm n = exchange();
    struct ntlm_login l;
    struct ntlm_policy allowed = {NTLM_BINDINGS_ALLOWED, SPAN("")},
                       required = {NTLM_BINDINGS_REQUIRED, SPAN("")};
    struct span message = octets(1, AUTHENTICATE_V2);
    assert_int_equal(ntlm_read(message, &l), NTLM_USER);
    assert_span(l.user, "User");
    assert_span(l.domain, "Domain");
    assert_span(l.workstation, "COMPUTER");
    assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash), NTLM_PROVEN);
    assert_int_equal(ntlm_verify(&n, &l, &required, &ntlm_client_crypto, ntlm_client_hash), NTLM_NO_BINDINGS);
    assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, NULL), NTLM_WRONG_PROOF);
    uint8_t other[16];
    for (unsigned bit = 0; bit < 128; bit++) {
        memcpy(other, ntlm_client_hash, 16);
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, other), NTLM_WRONG_PROOF);
    }
    n.server_challenge[7] ^= 1;
    assert_int_equal(ntlm_verify(&n, &l, &allowed, &ntlm_client_crypto, ntlm_client_hash), NTLM_WRONG_PROOF);
}

/* 4.2.2.2.1, 4.2.3.2.2: right answers of NTLMv1, without and with the client's challenge, are refused unseen. */
static void version_1(void **state)
{
    (void)state;
    static const char *const answers[][2] = {
        {"98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13",
         "67c43011f30298a2ad35ece64f16331c44bdbed927841f94"},
        {"aaaaaaaaaaaaaaaa00000000000000000000000000000000",
         "7537f803ae367128ca458204bde7caf81e97ed2683267232"},
    };
    struct ntlm n = exchange();
    for (unsigned i = 0; i < 2; i++) {
        struct ntlm_client c = ntlm_client_of(&n, "User");
        c.lm = octets(2, answers[i][0]);
        c.nt = octets(3, answers[i][1]);
        struct buf b = buf_on(memory[4], sizeof memory[4]);
        struct ntlm_login l;
        ntlm_client_authenticate(&c, &n, &b);
        assert_int_equal(ntlm_read(buf_span(&b), &l), NTLM_OLD);
        assert_span(l.user, "User");
        c.nt = SPAN(""); /* the LM response alone */
        b = buf_on(memory[4], sizeof memory[4]);
        ntlm_client_authenticate(&c, &n, &b);
        assert_int_equal(ntlm_read(buf_span(&b), &l), NTLM_OLD);
    }
}

/* RFC 6229 2, 128 bits: the key stream at 0. */
static void rc4(void **state)
{
    (void)state;
    static const uint8_t zero[16];
    uint8_t ret[16];
    ntlm_proof_rc4(octets(0, "0102030405060708090a0b0c0d0e0f10").p, zero, ret);
    assert_true(span_eq(span_of(ret, 16), octets(1, "9ac7cc9a609d1ef7b2932899cde41b97")));
}

/* The example in Microsoft's text on extended protection (openspecification, 2013-03-26). */
static void channel_bindings(void **state)
{
    (void)state;
    uint8_t ret[16];
    assert_true(ntlm_proof_channel_bindings(
        &ntlm_client_crypto, octets(0, "ea05fefecc6b0bd571dbbc5baa3ed45386d0446835f7b74c85621b9983475f95"),
        ret));
    assert_true(span_eq(span_of(ret, 16), octets(1, "6586e99d81c2fc984e47172fd4dd0310")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computations), cmocka_unit_test(version_2),        cmocka_unit_test(version_1),
        cmocka_unit_test(rc4),          cmocka_unit_test(channel_bindings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
