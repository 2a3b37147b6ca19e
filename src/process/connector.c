/* connector: finds addresses for next hops and connects; it passes each socket on and reads not one octet of it. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "process/messages.h"
#include "process/skeleton.h"
#include "system/dns_message.h"
#include "system/log.h"

enum { QUESTIONS_QUEUED = 512 };

struct connector {
    struct child *child;
    struct ipc *resolver;
    int resolver_fd; /* a conversation that waits for `start`; else -1 */
    bool started;
};

static const struct ipc_allowed from_resolver[] = {{MSG_DNS_ANSWER, 20, LIMIT_IPC_MESSAGE_OCTETS, 0}};

static struct connector *connector_of(struct child *c)
{
    if (c->state) return c->state;
    struct connector *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    k->child = c;
    k->resolver_fd = -1;
    c->state = k;
    return k;
}

static void resolver_closed(void *context, const char *reason)
{
    struct connector *k = context;
    ipc_close(&k->resolver);
    child_peer_lost(k->child, PROC_RESOLVER, 0, reason);
}

static void on_dns_answer(void *context, uint16_t type, struct span payload, const int *fds, unsigned n_fds)
{
    struct connector *k = context;
    struct dns_answer a;
    (void)type, (void)fds, (void)n_fds;
    if (k->resolver && !dns_answer_read(payload, &a)) resolver_closed(k, "malformed answer");
}

static void resolver_channel(struct connector *k, int fd)
{
    if (k->resolver) ipc_close(&k->resolver);
    k->resolver = ipc_open(k->child->loop, fd, from_resolver, sizeof from_resolver / sizeof from_resolver[0],
                           QUESTIONS_QUEUED, on_dns_answer, resolver_closed, k);
    if (!k->resolver) log_note(LOG_LEVEL_ERROR, "channel-failed", "resolver", errno);
}

static void connector_peer(struct child *c, enum role role, unsigned index, unsigned generation, int fd)
{
    struct connector *k = connector_of(c);
    (void)index, (void)generation;
    if (!k || role != PROC_RESOLVER) {
        close(fd);
        return;
    }
    if (k->started) {
        resolver_channel(k, fd);
        return;
    }
    if (k->resolver_fd >= 0) close(k->resolver_fd);
    k->resolver_fd = fd;
}

static bool connector_start(struct child *c, const char **error)
{
    struct connector *k = connector_of(c);
    *error = "no memory";
    if (!k) return false;
    k->started = true;
    if (k->resolver_fd >= 0) resolver_channel(k, k->resolver_fd);
    k->resolver_fd = -1;
    return true;
}

static void connector_config(struct child *c, const struct config *fresh)
{
    (void)c, (void)fresh; /* the skeleton keeps it: each question looks at child->config */
}

static void connector_drain(struct child *c, bool stopping)
{
    (void)stopping;
    child_exit(c, 0);
}

static void connector_after_turn(struct child *c)
{
    struct connector *k = c->state;
    if (k->resolver) ipc_flush(k->resolver);
}

const struct child_hooks connector_hooks = {
    .peer = connector_peer,
    .start = connector_start,
    .drain = connector_drain,
    .config = connector_config,
    .after_turn = connector_after_turn,
};
