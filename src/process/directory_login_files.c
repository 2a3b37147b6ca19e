#include "process/directory_login_files.h"

#include <stdlib.h>
#include <unistd.h>

#include "system/file_octets.h"
#include "system/log.h"
#include "system/tls_revocations.h"

/* Closes fd. Null: no memory, or it cannot be read. One octet more than is allowed is read, so that what is too long is noticed. */
static uint8_t *octets_of(int fd, size_t max, size_t *n)
{
    uint8_t *memory = malloc(max + 1);
    ssize_t got = memory ? file_octets(fd, memory, max + 1) : -1;
    close(fd);
    *n = got > 0 ? (size_t)got : 0;
    if (got >= 0) return memory;
    free(memory);
    return NULL;
}

static void octets_free(uint8_t *memory, size_t n)
{
    if (memory) explicit_bzero(memory, n);
    free(memory);
}

struct token_keys *login_files_token_keys(int fd)
{
    size_t n;
    uint8_t *memory = octets_of(fd, LIMIT_TOKEN_KEYS_OCTETS, &n);
    const char *why = "cannot be read";
    struct token_keys *keys = memory ? token_keys_read(span_of(memory, n), &why) : NULL;
    if (!keys) log_note(LOG_LEVEL_ERROR, "token-keys-unusable", why, 0);
    octets_free(memory, n);
    return keys;
}

struct tls_authorities *login_files_authorities(int fd)
{
    size_t n;
    uint8_t *memory = octets_of(fd, LIMIT_AUTHORITIES_OCTETS, &n);
    const char *why = "cannot be read";
    struct tls_authorities *a = memory ? tls_authorities_create(span_of(memory, n), &why) : NULL;
    if (!a) log_note(LOG_LEVEL_ERROR, "client-authorities-unusable", why, 0);
    octets_free(memory, n);
    return a;
}

void login_files_revocations(int fd, struct tls_authorities **a)
{
    size_t n;
    uint8_t *memory = octets_of(fd, LIMIT_REVOCATIONS_OCTETS, &n);
    const char *why = "cannot be read";
    if (memory && *a) why = tls_revocations_add(*a, span_of(memory, n));
    if (*a && why) log_note(LOG_LEVEL_ERROR, "client-revocations-unusable", why, 0);
    if (why) tls_authorities_free(a);
    octets_free(memory, n);
}

struct kerberos *login_files_kerberos(int fd, const struct config_kerberos *c)
{
    size_t n;
    uint8_t *memory = octets_of(fd, LIMIT_KEYTAB_OCTETS, &n);
    const char *why = "cannot be read";
    struct kerberos *k = memory ? kerberos_create(span_of(memory, n), c, &why) : NULL;
    if (!k) log_note(LOG_LEVEL_ERROR, "keytab-unusable", why, 0);
    octets_free(memory, n);
    return k;
}
