/* The socket of a session, as OpenSSL sees it: read() and write() and nothing else, a share of reads for each call, and first what had
 * been read already. */
#include "system/tls_private.h"

#include <errno.h>
#include <unistd.h>

static int bio_read_preread(struct tls *t, char *p, int max)
{
    uint32_t n = t->preread_n - t->preread_at;
    if (n > (uint32_t)max) n = (uint32_t)max;
    memcpy(p, t->preread + t->preread_at, n);
    t->preread_at += n;
    if (t->preread_at == t->preread_n) {
        OPENSSL_free(t->preread);
        t->preread = NULL;
    }
    return (int)n;
}

static int bio_read(BIO *b, char *p, int max)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (max <= 0) return 0;
    if (t->preread) return bio_read_preread(t, p, max);
    if (t->reads >= LIMIT_TLS_TURN_READS) {
        BIO_set_retry_read(b);
        return -1;
    }
    t->reads++;
    ssize_t n;
    do
        n = read(t->fd, p, (size_t)max);
    while (n < 0 && errno == EINTR);
    if (n > 0) return (int)n;
    if (n == 0) t->eof = true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        t->blocked = true;
        BIO_set_retry_read(b);
    }
    return (int)n;
}

static int bio_write(BIO *b, const char *p, int n)
{
    struct tls *t = BIO_get_data(b);
    BIO_clear_retry_flags(b);
    if (n <= 0 || t->silent) return -1;
    ssize_t put;
    do
        put = write(t->fd, p, (size_t)n);
    while (put < 0 && errno == EINTR);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(b);
    return (int)put;
}

static long bio_ctrl(BIO *b, int command, long number, void *p)
{
    (void)number, (void)p;
    const struct tls *t = BIO_get_data(b);
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return t->eof;
    return 0;
}

static BIO_METHOD *bio_method(void)
{
    static BIO_METHOD *made;
    if (made) return made;
    BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "session");
    if (m && BIO_meth_set_read(m, bio_read) && BIO_meth_set_write(m, bio_write) &&
        BIO_meth_set_ctrl(m, bio_ctrl)) {
        made = m;
        return made;
    }
    BIO_meth_free(m);
    return NULL;
}

bool tls_bio_attach(struct tls *t)
{
    const BIO_METHOD *m = bio_method();
    BIO *b = m ? BIO_new(m) : NULL;
    if (!b) return false;
    BIO_set_data(b, t);
    BIO_set_init(b, 1);
    SSL_set_bio(t->ssl, b, b); /* one reference for both directions */
    return true;
}
