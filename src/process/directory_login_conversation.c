#include "process/directory_login_private.h"

#include <stdlib.h>

static unsigned bucket_of(unsigned edge, uint64_t session)
{
    return (unsigned)((session * UINT64_C(0x9e3779b97f4a7c15)) >> 32 ^ edge) % LOGINS_BUCKETS;
}

struct conversation *conversation_find(const struct logins *l, unsigned edge, uint64_t session, uint32_t slot)
{
    struct conversation *c = l->buckets[bucket_of(edge, session)];
    while (c && (c->edge != edge || c->session != session || c->slot != slot || c->sender || c->cancelled))
        c = c->next;
    return c;
}

static unsigned *count_of(struct logins *l, bool sender)
{
    return sender ? &l->n_senders : &l->n_logins;
}

struct conversation *conversation_add(struct login_edge *e, uint64_t session, uint32_t slot, bool sender)
{
    struct logins *l = e->all;
    unsigned *n = count_of(l, sender);
    struct conversation *c = *n < LIMIT_LOGINS ? calloc(1, sizeof *c) : NULL;
    if (!c) return NULL;
    struct conversation **bucket = &l->buckets[bucket_of(e->index, session)];
    *c = (struct conversation){
        .all = l, .edge = e->index, .session = session, .slot = slot, .sender = sender, .next = *bucket};
    *bucket = c;
    ++*n;
    return c;
}

void conversation_wipe(struct conversation *c)
{
    if (!c->response.p) return;
    explicit_bzero((void *)(uintptr_t)c->response.p, c->response.n);
    free((void *)(uintptr_t)c->response.p);
    c->response = (struct span){0};
}

bool conversation_keep(struct conversation *c, struct span s)
{
    uint8_t *copy = malloc(s.n + 1);
    conversation_wipe(c);
    if (!copy) return false;
    if (s.n) memcpy(copy, s.p, s.n);
    c->response = span_of(copy, s.n);
    return true;
}

void conversation_forget(struct conversation *c)
{
    struct logins *l = c->all;
    struct conversation **p = &l->buckets[bucket_of(c->edge, c->session)];
    while (*p != c)
        p = &(*p)->next;
    *p = c->next;
    --*count_of(l, c->sender);
    turns_leave(l->turns, &c->turn);
    loop_timer_stop(l->child->loop, &c->timer);
    conversation_wipe(c);
    login_free(&c->login);
    free(c);
}

void conversation_forget_edge(struct logins *l, unsigned edge)
{
    for (unsigned i = 0; i < LOGINS_BUCKETS; i++)
        for (struct conversation *c = l->buckets[i], *next; c; c = next) {
            next = c->next;
            if (c->edge != edge) continue;
            c->cancelled = true;
            if (!c->working) conversation_forget(c);
        }
}

void conversation_forget_all(struct logins *l)
{
    for (unsigned i = 0; i < LOGINS_BUCKETS; i++)
        while (l->buckets[i])
            conversation_forget(l->buckets[i]);
}
