#include "system/tls_ticket.h"

#include "base/wire.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x314b5453u /* "STK1" */

struct ticket_file {
    uint32_t magic, keys;
    struct tls_ticket_keys k;
};

static struct tls_ticket_keys ticket_keys;
static bool ticket_loaded;

static bool random_octets(void *p, size_t n)
{
    uint8_t *at = p;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        n -= (size_t)got;
    }
    return true;
}

bool tls_ticket_rotate(struct tls_ticket_keys *k)
{
    struct tls_ticket_key fresh;
    if (!random_octets(&fresh, sizeof fresh)) return false;
    /* A first call fills the older place too: with octets nobody has a ticket of. */
    bool first = true;
    for (size_t i = 0; i < sizeof k->key[0].name; i++)
        first = first && k->key[0].name[i] == 0;
    if (first && !random_octets(&k->key[0], sizeof k->key[0])) return false;
    for (unsigned i = TLS_TICKET_KEYS - 1; i > 0; i--)
        k->key[i] = k->key[i - 1];
    k->key[0] = fresh;
    explicit_bzero(&fresh, sizeof fresh);
    return true;
}

int tls_ticket_memfd(const struct tls_ticket_keys *k)
{
    struct ticket_file f = {.magic = MAGIC, .keys = TLS_TICKET_KEYS, .k = *k};
    int fd = memfd_create("sallyport-ticket-keys", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool good = fd >= 0 && pwrite(fd, &f, sizeof f, 0) == (ssize_t)sizeof f &&
                fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0;
    explicit_bzero(&f, sizeof f);
    if (good) return fd;
    if (fd >= 0) close(fd);
    return -1;
}

bool tls_ticket_load(int fd)
{
    struct ticket_file f;
    uint8_t beyond;
    /* pread: the file position is shared by all who were sent this descriptor */
    bool good = pread(fd, &f, sizeof f, 0) == (ssize_t)sizeof f && pread(fd, &beyond, 1, sizeof f) == 0 &&
                f.magic == MAGIC && f.keys == TLS_TICKET_KEYS;
    if (good) {
        ticket_keys = f.k;
        ticket_loaded = true;
    }
    explicit_bzero(&f, sizeof f);
    return good;
}

const struct tls_ticket_keys *tls_ticket_current(void)
{
    return ticket_loaded ? &ticket_keys : NULL;
}
