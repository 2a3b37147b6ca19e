/* The client's half of SCRAM with real hashes, against the examples of the RFCs. */
#include "service/scram_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    enum sasl_hash hash;
    const char *nonce, *first, *server_first, *final, *server_final;
} examples[] = {
    /* RFC 5802 5 */
    {SASL_SHA_1, "fyko+d2lbbFgONRv9qkxdawL", "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
     "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
     "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
     "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="},
    /* RFC 7677 3 */
    {SASL_SHA_256, "rOprNGfwEbeRWgbNEkqO", "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
     "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
     "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"
     "Ute9ytag9zjfMHgsqmmiz7AndVQ=",
     "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
};

static void rfc_examples(void **state)
{
    struct scram_kept kept = {.known = false};
    struct sasl_crypto crypto = scram_keys_crypto(&kept);
    (void)state;
    for (size_t i = 0; i < 4;
         i++) { /* twice each: the second time with kept keys of the other hash, or its own */
        static struct scram_client s;
        uint8_t memory[2048], text[400];
        struct buf b = buf_on(memory, sizeof memory), why = buf_on(text, sizeof text);
        const size_t k = i / 2;
        scram_client_begin(&s, examples[k].hash, SCRAM_UNBOUND, SPAN("user"), span_str(examples[k].nonce));
        scram_client_first(&s, &b);
        assert_true(span_eq(buf_span(&b), span_str(examples[k].first)));
        b.n = 0;
        assert_true(scram_client_final(&s, &crypto, SPAN("pencil"), SPAN(""),
                                       span_str(examples[k].server_first), &b, &why));
        assert_true(span_eq(buf_span(&b), span_str(examples[k].final)));
        assert_true(scram_client_verify(&s, span_str(examples[k].server_final), &why));
        assert_int_equal(why.n, 0);
        assert_false(scram_client_verify(&s, span_str(examples[1 - k].server_final), &why));
    }
}

/* The keys of one salt are no keys of another. */
static void kept_keys(void **state)
{
    struct scram_kept kept = {.known = false};
    struct sasl_crypto crypto = scram_keys_crypto(&kept);
    struct scram_keys a, b, c, d;
    (void)state;
    assert_true(crypto.keys(&kept, SASL_SHA_256, SPAN("pencil"), SPAN("salt"), 4096, &a));
    assert_true(kept.known && kept.iterations == 4096);
    assert_true(crypto.keys(&kept, SASL_SHA_256, SPAN("pencil"), SPAN("tlas"), 4096, &b));
    assert_true(crypto.keys(&kept, SASL_SHA_256, SPAN("pencil"), SPAN("tlas"), 4097, &c));
    assert_true(crypto.keys(&kept, SASL_SHA_256, SPAN("pencil"), SPAN("salt"), 4096, &d));
    assert_memory_not_equal(&a, &b, sizeof a);
    assert_memory_not_equal(&b, &c, sizeof a);
    assert_memory_equal(&a, &d, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rfc_examples), cmocka_unit_test(kept_keys)};
    return cmocka_run_group_tests_name("scram_keys", tests, NULL, NULL);
}
