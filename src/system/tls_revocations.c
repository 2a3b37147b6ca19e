#include "system/tls_revocations.h"

#include "system/tls_authorities_private.h"
#include "system/tls_certificate_private.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { NAME_OCTETS = 256 };

/* --- the file */

static const char *read_all(X509_STORE *store, BIO *in)
{
    unsigned n = 0;
    for (X509_CRL *list; in && (list = PEM_read_bio_X509_CRL(in, NULL, NULL, NULL)); n++) {
        bool added = X509_STORE_add_crl(store, list) == 1;
        X509_CRL_free(list);
        if (!added) return "no memory";
    }
    if (!in) return "no memory";
    if (!tls_pem_ended()) return "a list in it is broken";
    return n ? NULL : "it holds no list of revoked certificates";
}

/* Whether its key has signed the list, and may. The first time OpenSSL fetches algorithms: not in the cage. */
static bool signed_by(X509_CRL *list, X509 *authority)
{
    return (X509_get_key_usage(authority) & KU_CRL_SIGN) != 0 &&
           X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1;
}

static void no_doubt(void *context, enum tls_revocations_doubt doubt, const char *name)
{
    (void)context, (void)doubt, (void)name;
}

const char *tls_revocations_add(struct tls_authorities *a, struct span pem)
{
    if (pem.n > LIMIT_REVOCATIONS_OCTETS) return "too long for a file of revoked certificates";
    BIO *in = BIO_new_mem_buf(pem.n ? pem.p : (const uint8_t *)"", (int)pem.n);
    ERR_clear_error();
    const char *why = read_all(a->store, in);
    BIO_free(in);
    a->lists = !why;
    if (!why) tls_revocations_doubts(a, 0, no_doubt, NULL);
    ERR_clear_error();
    return why;
}

/* --- doubts */

static enum tls_revocations_doubt doubt_of(X509_CRL *list, X509 *authority, time_t now)
{
    const ASN1_TIME *begins = X509_CRL_get0_lastUpdate(list), *ends = X509_CRL_get0_nextUpdate(list);
    if (!signed_by(list, authority)) return TLS_REVOCATIONS_UNSIGNED;
    if (X509_cmp_time(begins, &now) >= 0) return TLS_REVOCATIONS_EARLY;
    if (ends && X509_cmp_time(ends, &now) <= 0) return TLS_REVOCATIONS_EXPIRED;
    return TLS_REVOCATIONS_DOUBTS;
}

/* One good list is enough, whatever lies beside it. */
static enum tls_revocations_doubt doubt_of_lists(STACK_OF(X509_OBJECT) * all, X509 *authority, time_t now)
{
    enum tls_revocations_doubt doubt = TLS_REVOCATIONS_MISSING;
    for (int i = 0; doubt != TLS_REVOCATIONS_DOUBTS && i < sk_X509_OBJECT_num(all); i++) {
        X509_CRL *list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
        if (list && X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0)
            doubt = doubt_of(list, authority, now);
    }
    return doubt;
}

static bool is_of_one(STACK_OF(X509_OBJECT) * all, X509_CRL *list)
{
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        if (x && X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(x)) == 0) return true;
    }
    return false;
}

void tls_revocations_doubts(const struct tls_authorities *a, uint64_t unix_seconds,
                            tls_revocations_doubt_fn *doubt, void *context)
{
    STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(a->store);
    char name[NAME_OCTETS];
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        X509 *x = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i));
        X509_CRL *list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(all, i));
        enum tls_revocations_doubt what = TLS_REVOCATIONS_DOUBTS;
        if (x) what = doubt_of_lists(all, x, (time_t)unix_seconds);
        if (list && !is_of_one(all, list)) what = TLS_REVOCATIONS_STRANGER;
        if (what == TLS_REVOCATIONS_DOUBTS) continue;
        X509_NAME_oneline(x ? X509_get_subject_name(x) : X509_CRL_get_issuer(list), name, sizeof name);
        doubt(context, what, name);
    }
    ERR_clear_error();
}
