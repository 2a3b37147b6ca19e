#include "process/directory_credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "process/directory_credentials_private.h"
#include "system/log.h"

struct credentials *credentials_create(struct child *c)
{
    static struct config_user_file named[LIMIT_CREDENTIAL_FILES];
    struct credentials *k = calloc(1, sizeof *k);
    uint32_t n = config_user_files(c->config, named);
    if (n > LIMIT_CREDENTIAL_FILES) n = LIMIT_CREDENTIAL_FILES; /* the supervisor refuses that */
    struct credential_file *files = calloc(n + 1, sizeof *files);
    if (!k || !files) {
        free(k);
        free(files);
        return NULL;
    }
    mlock(files, n * sizeof *files); /* as far as the system allows */
    for (uint32_t i = 0; i < n; i++) {
        files[i].named = named[i];
        files[i].fd = -1;
    }
    *k = (struct credentials){.child = c, .files = files, .n = n};
    list_begin(&k->exchanges);
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++)
        k->relays[i] = (struct credential_relay){.credentials = k, .fd = -1, .index = i};
    return k;
}

void credentials_free(struct credentials **credentials)
{
    struct credentials *k = *credentials;
    if (!k) return;
    *credentials = NULL;
    workers_free(&k->thread); /* a step that is in hand ends first */
    while (!list_empty(&k->exchanges))
        credentials_exchange_forget(LIST_OF(k->exchanges.next, struct exchange, age));
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++) {
        ipc_close(&k->relays[i].channel);
        if (k->relays[i].fd >= 0) close(k->relays[i].fd);
    }
    for (uint32_t i = 0; i < k->n; i++)
        if (k->files[i].fd >= 0) close(k->files[i].fd);
    explicit_bzero(k->files, k->n * sizeof *k->files);
    free(k->files);
    free(k);
}

void credentials_grant(struct credentials *k, unsigned index, int fd)
{
    if (index >= k->n || k->started || k->files[index].fd >= 0) {
        close(fd);
        return;
    }
    k->files[index].fd = fd;
}

void credentials_load(struct credentials *k)
{
    void *const none = NULL;
    for (uint32_t i = 0; i < k->n; i++) {
        if (k->files[i].named.secret.token)
            credentials_token_load(&k->files[i], loop_unix_ms(k->child->loop) / 1000);
        else
            credentials_file_load(&k->files[i]);
    }
    if (k->n)
        k->thread =
            workers_create(k->child->loop, 1, &none, credentials_exchange_work, credentials_exchange_done, k);
    workers_give_way(k->thread); /* PBKDF2 as a server wants it */
    if (k->n && !k->thread) log_note(LOG_LEVEL_ERROR, "credential-unusable", "no memory for a thread", errno);
}

unsigned credentials_count(const struct credentials *k)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < k->n; i++)
        n += k->files[i].usable;
    return n;
}

void credentials_peer(struct credentials *k, unsigned relay, int fd)
{
    if (relay >= LIMIT_RELAYS_MAX) {
        close(fd);
        return;
    }
    struct credential_relay *r = &k->relays[relay];
    if (k->started) {
        credentials_relay_open(r, fd);
        return;
    }
    if (r->fd >= 0) close(r->fd);
    r->fd = fd;
}

bool credentials_start(struct credentials *k)
{
    k->started = true;
    if (k->thread && !workers_start(k->thread)) return false;
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++) {
        if (k->relays[i].fd >= 0) credentials_relay_open(&k->relays[i], k->relays[i].fd);
        k->relays[i].fd = -1;
    }
    return true;
}

void credentials_flush(struct credentials *k)
{
    for (unsigned i = 0; i < LIMIT_RELAYS_MAX; i++)
        if (k->relays[i].channel) ipc_flush(k->relays[i].channel);
}
