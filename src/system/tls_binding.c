/* What ties something else to this very TLS session, and who is at its other end. */
#include <openssl/x509.h>

#include "system/tls_private.h"

bool tls_exporter(const struct tls *t, uint8_t ret[LIMIT_EXPORTER_OCTETS])
{
    static const char label[] = "EXPORTER-Channel-Binding";
    /* RFC 9266 4.2: below TLS 1.3 only with the extended master secret (RFC 7627) */
    bool unique = SSL_version(t->ssl) >= TLS1_3_VERSION || SSL_get_extms_support(t->ssl) == 1;
    return t->state == TLS_STATE_OPEN && unique &&
           SSL_export_keying_material(t->ssl, ret, LIMIT_EXPORTER_OCTETS, label, sizeof label - 1, NULL, 0,
                                      1) == 1; /* an empty context: RFC 9266 2 */
}

bool tls_end_point(const struct tls *t, struct buf *ret)
{
    X509 *own = t->shown;
    int digest = NID_undef, weak;
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (!own || X509_get_signature_info(own, &digest, NULL, NULL, NULL) != 1) return false;
    weak = digest == NID_md5 || digest == NID_sha1 || digest == NID_undef; /* RFC 5929 4.1 */
    const EVP_MD *md = weak ? EVP_sha256() : EVP_get_digestbynid(digest);
    if (!md || X509_digest(own, md, hash, &n) != 1) return false;
    buf_put(ret, span_of(hash, n));
    return !ret->over;
}

bool tls_client_certificate(const struct tls *t, struct buf *ret)
{
    X509 *peer = t->context && t->state == TLS_STATE_OPEN ? SSL_get0_peer_certificate(t->ssl) : NULL;
    uint8_t der[LIMIT_CLIENT_CERTIFICATE_OCTETS], *end = der;
    int n = peer ? i2d_X509(peer, NULL) : -1;
    if (n <= 0 || (size_t)n > sizeof der || (size_t)n > ret->max - ret->n || i2d_X509(peer, &end) != n)
        return false;
    buf_put(ret, span_of(der, (size_t)n));
    return true;
}
