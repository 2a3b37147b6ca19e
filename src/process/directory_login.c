#include "process/directory_login.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "process/directory_login_files.h"
#include "process/directory_login_private.h"
#include "system/log.h"

static const unsigned threads_of[LOGIN_QUEUES] = {[LOGIN_QUICK] = LIMIT_LOGIN_QUICK_THREADS,
                                                  [LOGIN_SLOW] = LIMIT_LOGIN_SLOW_THREADS,
                                                  [LOGIN_OUTSIDE] = LIMIT_LOGIN_OUTSIDE_THREADS};

static bool threads_create(struct logins *l)
{
    const char *why = NULL;
    for (unsigned i = 0; i < LOGINS_THREADS; i++) {
        l->threads[i] = login_thread_create(&l->world, &why);
        if (!l->threads[i]) {
            log_note(LOG_LEVEL_ERROR, "identity-unusable", why, 0);
            return false;
        }
    }
    return true;
}

struct logins *logins_create(struct child *c, const struct login_ask *ask)
{
    struct logins *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    *l = (struct logins){.child = c, .world = {.config = c->config, .identity = -1, .ask = ask}};
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++)
        l->edges[i] = (struct login_edge){.all = l, .fd = -1, .index = i};
    return l;
}

void logins_token_keys(struct logins *l, int fd)
{
    token_keys_free(&l->token_keys);
    l->world.token_keys = l->token_keys = login_files_token_keys(fd);
}

void logins_authorities(struct logins *l, int fd)
{
    tls_authorities_free(&l->authorities);
    l->authorities = login_files_authorities(fd);
    l->world.authorities = l->child->config->client_revocations.n ? NULL : l->authorities;
}

void logins_revocations(struct logins *l, int fd)
{
    login_files_revocations(fd, &l->authorities);
    l->world.authorities = l->authorities;
}

void logins_keytab(struct logins *l, int fd)
{
    kerberos_free(&l->world.kerberos);
    l->world.kerberos = login_files_kerberos(fd, &l->child->config->kerberos);
}

static bool anybody_may_log_in(const struct config *c)
{
    uint32_t mechanisms = 0;
    for (uint32_t i = 0; i < c->n_servers; i++)
        mechanisms |= c->servers[i].mechanisms;
    return mechanisms != 0;
}

void logins_open(struct logins *l, int identity, struct span home)
{
    void *states[LOGINS_THREADS];
    bool logins = anybody_may_log_in(l->child->config);
    l->world.identity = identity;
    l->world.home = home;
    if (logins && (getrandom(l->world.chance, sizeof l->world.chance, 0) != (ssize_t)sizeof l->world.chance ||
                   !threads_create(l)))
        return;
    /* bans by hand hold where nobody logs in, too */
    if (logins || guard_has_store(identity)) l->guard = guard_create(l->child, identity);
    if (!l->guard || !logins) return;
    for (unsigned i = 0; i < LOGINS_THREADS; i++)
        states[i] = l->threads[i];
    l->turns = turns_create();
    l->open = l->turns != NULL;
    void *const *first = states;
    for (unsigned q = 0; q < LOGIN_QUEUES; first += threads_of[q++]) {
        l->workers[q] =
            workers_create(l->child->loop, threads_of[q], first, logins_step_work, logins_step_done, l);
        l->open &= l->workers[q] != NULL;
    }
    workers_give_way(l->workers[LOGIN_SLOW]);
    if (!l->open) log_note(LOG_LEVEL_ERROR, "identity-unusable", "no memory for threads", errno);
}

void logins_free(struct logins **logins)
{
    struct logins *l = *logins;
    if (!l) return;
    *logins = NULL;
    for (unsigned q = 0; q < LOGIN_QUEUES; q++)
        workers_free(&l->workers[q]);
    guard_free(&l->guard);
    conversation_forget_all(l);
    turns_free(&l->turns);
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++) {
        ipc_close(&l->edges[i].channel);
        if (l->edges[i].fd >= 0) close(l->edges[i].fd);
    }
    for (unsigned i = 0; i < LOGINS_THREADS; i++)
        login_thread_free(&l->threads[i]);
    token_keys_free(&l->token_keys);
    tls_authorities_free(&l->authorities);
    kerberos_free(&l->world.kerberos);
    explicit_bzero(l, sizeof *l);
    free(l);
}

void logins_peer(struct logins *l, unsigned edge, int fd)
{
    if (edge >= LIMIT_EDGES_MAX) {
        close(fd);
        return;
    }
    struct login_edge *e = &l->edges[edge];
    if (e->channel) logins_edge_lost(e, "replaced");
    if (e->fd >= 0) close(e->fd);
    e->fd = fd;
    if (l->started) logins_edge_open(e);
}

bool logins_start(struct logins *l)
{
    l->started = true;
    for (unsigned q = 0; l->open && q < LOGIN_QUEUES; q++)
        if (!workers_start(l->workers[q])) return false;
    if (l->guard && !guard_start(l->guard)) return false;
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++)
        if (l->edges[i].fd >= 0) logins_edge_open(&l->edges[i]);
    return true;
}

void logins_flush(struct logins *l)
{
    if (l->guard) guard_look(l->guard);
    for (unsigned i = 0; i < LIMIT_EDGES_MAX; i++) {
        struct login_edge *e = &l->edges[i];
        if (e->channel && l->guard && !guard_tell(l->guard, &e->bans, e->channel))
            logins_edge_lost(e, "bans cannot be sent");
        if (e->channel) ipc_flush(e->channel);
    }
}

void logins_status(const struct logins *l, struct buf *json)
{
    buf_str(json, ",\"logins\":");
    buf_u64(json, l->succeeded);
    buf_str(json, ",\"logins_refused\":");
    buf_u64(json, l->refused);
    buf_str(json, ",\"logins_failed\":");
    buf_u64(json, l->failed);
    buf_str(json, ",\"logins_open\":");
    buf_u64(json, l->n_logins);
    if (l->guard) guard_status(l->guard, json);
}
