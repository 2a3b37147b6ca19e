#include "cmd/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct dial {
    int fd;
    SSL_CTX *context;
    SSL *tls;
    size_t begin, end; /* what is held in memory */
    uint8_t memory[LIMIT_DIAL_OCTETS];
};

bool dial_split(const char *where, char host[256], char port[8])
{
    struct span s = span_str(where);
    size_t colon = span_rfind(s, ':');
    uint64_t number;
    if (colon == SPAN_NPOS || !span_u64(span_skip(s, colon + 1), &number) || number < 1 || number > 65535)
        return false;
    struct span name = span_head(s, colon);
    if (name.n >= 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
        name = span_head(span_skip(name, 1), name.n - 2);
    else if (span_find(name, ':') != SPAN_NPOS)
        return false;
    if (name.n == 0 || name.n > 255) return false;
    memcpy(host, name.p, name.n);
    host[name.n] = '\0';
    snprintf(port, 8, "%u", (unsigned)number);
    return true;
}

static struct dial *take(int fd, unsigned seconds, const char **why)
{
    struct dial *d = calloc(1, sizeof *d);
    struct timeval limit = {.tv_sec = (time_t)seconds};
    *why = d ? NULL : "no memory";
    if (!d) {
        close(fd);
        return NULL;
    }
    d->fd = fd;
    /* A blocking socket that cannot be bounded would be a worse tool; it cannot fail on a socket. */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return d;
}

/* connect honours SO_SNDTIMEO (socket(7)): EINPROGRESS is its time-out. */
static int try_address(const struct addrinfo *a, unsigned seconds, const char **why)
{
    struct timeval limit = {.tv_sec = (time_t)seconds};
    int on = 1, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, a->ai_protocol);
    if (fd < 0) {
        *why = strerror(errno);
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) return fd;
    *why = errno == EINPROGRESS ? "connecting took too long" : strerror(errno);
    close(fd);
    return -1;
}

struct dial *dial_tcp(const char *host, const char *port, unsigned seconds, const char **why)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int fd = -1, error = getaddrinfo(host, port, &hints, &found);
    *why = "no address";
    if (error != 0) {
        *why = gai_strerror(error);
        return NULL;
    }
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = try_address(a, seconds, why);
    freeaddrinfo(found);
    if (fd < 0) return NULL;
    return take(fd, seconds, why);
}

struct dial *dial_unix(const char *path, unsigned seconds, const char **why)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n >= sizeof a.sun_path) {
        *why = "the socket's path is too long";
        return NULL;
    }
    memcpy(a.sun_path, path, n);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0) {
        *why = strerror(errno);
        if (fd >= 0) close(fd);
        return NULL;
    }
    return take(fd, seconds, why);
}

void dial_close(struct dial **d)
{
    if (!*d) return;
    if ((*d)->tls) {
        SSL_shutdown((*d)->tls);
        SSL_free((*d)->tls);
    }
    SSL_CTX_free((*d)->context);
    close((*d)->fd);
    free(*d);
    *d = NULL;
}

static bool is_address(const char *name)
{
    struct in6_addr a;
    return inet_pton(AF_INET, name, &a) == 1 || inet_pton(AF_INET6, name, &a) == 1;
}

/* The certificate must be for tls->name, by a chain that we trust. */
static bool set_trust(struct dial *d, const struct dial_tls *tls)
{
    SSL_set_verify(d->tls, tls->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (is_address(tls->name)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(d->tls), tls->name) == 1;
    /* what SSL_set_tlsext_host_name does, without casting const away */
    return SSL_set1_host(d->tls, tls->name) == 1 &&
           SSL_ctrl(d->tls, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                    (void *)(uintptr_t)tls->name) == 1;
}

static const char *tls_error(const struct dial *d)
{
    bool checked = d->tls && SSL_get_verify_mode(d->tls) != SSL_VERIFY_NONE;
    long verdict = checked ? SSL_get_verify_result(d->tls) : X509_V_OK;
    if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "TLS failed";
}

bool dial_start_tls(struct dial *d, const struct dial_tls *tls, const char **why)
{
    *why = "the server spoke in clear after it said that TLS begins";
    if (d->end > d->begin || d->tls) return false;
    ERR_clear_error();
    d->context = SSL_CTX_new(TLS_client_method());
    bool ok = d->context && SSL_CTX_set_min_proto_version(d->context, TLS1_2_VERSION) == 1;
    if (ok && !tls->insecure)
        ok = (tls->ca_file ? SSL_CTX_load_verify_file(d->context, tls->ca_file)
                           : SSL_CTX_set_default_verify_paths(d->context)) == 1;
    if (ok) ok = (d->tls = SSL_new(d->context)) != NULL;
    ok = ok && set_trust(d, tls) && SSL_set_fd(d->tls, d->fd) == 1 && SSL_connect(d->tls) == 1;
    *why = ok ? NULL : tls_error(d);
    return ok;
}

const char *dial_tls_text(const struct dial *d)
{
    static char text[128]; /* one connection at a time, one thread */
    text[0] = '\0';
    if (d->tls) snprintf(text, sizeof text, "%s %s", SSL_get_version(d->tls), SSL_get_cipher_name(d->tls));
    return text;
}

bool dial_write(struct dial *d, struct span octets, const char **why)
{
    while (octets.n > 0) {
        size_t n = 0;
        if (d->tls) {
            ERR_clear_error();
            if (SSL_write_ex(d->tls, octets.p, octets.n, &n) != 1) {
                *why = tls_error(d);
                return false;
            }
        } else {
            ssize_t sent = send(d->fd, octets.p, octets.n, MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) continue;
            if (sent <= 0) {
                *why = errno == EAGAIN ? "the server takes nothing" : strerror(errno);
                return false;
            }
            n = (size_t)sent;
        }
        octets = span_skip(octets, n);
    }
    return true;
}

/* Octets read, 0 at the end of the stream, -1 with *why. */
static ssize_t fill(struct dial *d, uint8_t *to, size_t room, const char **why)
{
    if (d->tls) {
        size_t n = 0;
        ERR_clear_error();
        if (SSL_read_ex(d->tls, to, room, &n) == 1) return (ssize_t)n;
        if (SSL_get_error(d->tls, 0) == SSL_ERROR_ZERO_RETURN) return 0;
        *why = tls_error(d);
        return -1;
    }
    ssize_t n;
    do
        n = recv(d->fd, to, room, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) *why = errno == EAGAIN ? "no answer in time" : strerror(errno);
    return n;
}

struct span dial_read(struct dial *d, bool more, const char **why)
{
    *why = NULL;
    if (d->begin > 0) {
        memmove(d->memory, d->memory + d->begin, d->end - d->begin);
        d->end -= d->begin;
        d->begin = 0;
    }
    if (more) {
        if (d->end == sizeof d->memory) {
            *why = "a line without an end";
            return (struct span){NULL, 0};
        }
        ssize_t n = fill(d, d->memory + d->end, sizeof d->memory - d->end, why);
        if (n <= 0) return (struct span){NULL, 0};
        d->end += (size_t)n;
    }
    return (struct span){d->memory, d->end};
}

void dial_consume(struct dial *d, size_t octets)
{
    d->begin += octets <= d->end - d->begin ? octets : d->end - d->begin;
}
