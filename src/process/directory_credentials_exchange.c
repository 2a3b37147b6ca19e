#include "process/directory_credentials_private.h"

#include <stdlib.h>
#include <sys/random.h>

static void step_drop(struct exchange *e)
{
    if (!e->step) return;
    explicit_bzero(e->step, sizeof *e->step);
    free(e->step);
    e->step = NULL;
}

bool credentials_exchange_keep(struct exchange *e, const struct credential_question *q)
{
    struct step_memory *m = malloc(sizeof *m);
    if (!m) return false;
    m->mechanisms_n = q->mechanisms.n;
    m->challenge_n = q->challenge.n;
    if (q->mechanisms.n) memcpy(m->mechanisms, q->mechanisms.p, q->mechanisms.n);
    if (q->challenge.n) memcpy(m->challenge, q->challenge.p, q->challenge.n);
    m->said = buf_on(m->response, sizeof m->response);
    m->step = q->step;
    e->step = m;
    return true;
}

void credentials_exchange_forget(struct exchange *e)
{
    list_take(&e->age);
    e->all->n_exchanges--;
    step_drop(e);
    credentials_token_wipe(e);
    explicit_bzero(e, sizeof *e);
    free(e);
}

struct exchange *credentials_exchange_find(const struct credentials *k, unsigned relay, uint64_t tag)
{
    for (struct list *p = k->exchanges.prev; p != &k->exchanges; p = p->prev) {
        struct exchange *e = LIST_OF(p, struct exchange, age);
        if (e->relay == relay && e->tag == tag && !e->gone) return e;
    }
    return NULL;
}

void credentials_exchange_forget_relay(struct credentials *k, unsigned relay)
{
    for (struct list *p = k->exchanges.next, *next; p != &k->exchanges; p = next) {
        struct exchange *e = LIST_OF(p, struct exchange, age);
        next = p->next;
        if (e->relay != relay) continue;
        e->gone = true;
        if (!e->working && !e->step) credentials_exchange_forget(e);
    }
}

/* Relays do not say when a session ended: the oldest is forgotten. */
static void make_room(struct credentials *k)
{
    struct list *p = k->exchanges.next;
    while (k->n_exchanges >= LIMIT_CREDENTIAL_EXCHANGES && p != &k->exchanges) {
        struct exchange *e = LIST_OF(p, struct exchange, age);
        p = p->next;
        if (!e->working) credentials_exchange_forget(e);
    }
}

struct exchange *credentials_exchange_begin(struct credential_relay *r, const struct credential_question *q,
                                            struct credential_file *f)
{
    struct credentials *k = r->credentials;
    make_room(k);
    struct exchange *e = k->n_exchanges < LIMIT_CREDENTIAL_EXCHANGES ? calloc(1, sizeof *e) : NULL;
    if (!e) return NULL;
    e->all = k;
    e->relay = r->index;
    e->tag = q->tag;
    e->file = f;
    e->crypto = scram_keys_crypto(&f->kept);
    if (q->exporter.n) memcpy(e->exporter_memory, q->exporter.p, sizeof e->exporter_memory);
    e->exporter = span_of(e->exporter_memory, q->exporter.n);
    list_append(&k->exchanges, &e->age);
    k->n_exchanges++;
    return e;
}

/* In the thread: it has e, and what the file keeps of SCRAM, for itself. */
static enum credential_status begin_exchange(struct exchange *e)
{
    uint8_t chance[SASL_CLIENT_CHANCE];
    const struct credential_file *f = e->file;
    bool random = getrandom(chance, sizeof chance, 0) == (ssize_t)sizeof chance;
    e->credential = f->credential;
    if (f->named.secret.token)
        e->credential =
            (struct credential){.user = f->named.secret.user, .mechanisms = f->named.secret.mechanisms};
    sasl_client_begin(&e->sasl, &e->credential, &e->crypto, e->exporter, chance);
    if (!random) buf_str(&e->sasl.why, "the system gives no random octets");
    if (!random || (f->named.secret.token && !credentials_token_take(e, &e->sasl.why)))
        return CREDENTIAL_UNKNOWN;
    return CREDENTIAL_RESPONSE;
}

void credentials_exchange_work(struct worker_task *task, void *state)
{
    struct exchange *e = (struct exchange *)(void *)task;
    struct step_memory *m = e->step;
    const struct sasl_client_step step = {span_of(m->mechanisms, m->mechanisms_n), m->step,
                                          span_of(m->challenge, m->challenge_n)};
    (void)state;
    e->status = m->step == 0 ? begin_exchange(e) : CREDENTIAL_RESPONSE;
    if (e->status == CREDENTIAL_RESPONSE) e->status = sasl_client_respond(&e->sasl, &step, &m->said);
    if (e->status != CREDENTIAL_RESPONSE || e->sasl.said) credentials_token_wipe(e);
}

void credentials_exchange_done(void *context, struct worker_task *task)
{
    struct exchange *e = (struct exchange *)(void *)task;
    (void)context;
    e->working = false;
    if (!e->gone) {
        credentials_token_note(e);
        credentials_relay_answer(e); /* may lose its relay, and then it is gone */
    }
    step_drop(e);
    if (e->gone || e->status != CREDENTIAL_RESPONSE) credentials_exchange_forget(e);
}
