/* The public key of a certificate, by which it is known where it was pinned. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "system/tls_certificate.h"

static X509 *read_one(struct span certificate)
{
    if (certificate.n == 0 || certificate.n > INT32_MAX) return NULL;
    BIO *in = BIO_new_mem_buf(certificate.p, (int)certificate.n);
    const uint8_t *p = certificate.p;
    X509 *x = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    if (!x) x = d2i_X509(NULL, &p, (long)certificate.n);
    return x;
}

bool tls_certificate_key_hash(struct span certificate, uint8_t ret[32])
{
    X509 *x = read_one(certificate);
    uint8_t *der = NULL;
    int n = x ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : -1;
    bool good = n > 0 && EVP_Digest(der, (size_t)n, ret, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(der);
    X509_free(x);
    ERR_clear_error();
    return good;
}
