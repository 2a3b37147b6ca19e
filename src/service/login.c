#include "config/rights.h"
#include "identity/secret.h"
#include "service/kerberos.h"
#include "service/login_private.h"

#include <stdlib.h>

static login_step_fn *const steps[MECHANISM_COUNT] = {
    [MECHANISM_SCRAM_SHA_256_PLUS] = login_scram,
    [MECHANISM_SCRAM_SHA_256] = login_scram,
    [MECHANISM_SCRAM_SHA_1_PLUS] = login_scram,
    [MECHANISM_SCRAM_SHA_1] = login_scram,
    [MECHANISM_EXTERNAL] = login_external,
    [MECHANISM_GSSAPI] = login_gssapi,
    [MECHANISM_GSS_SPNEGO] = login_gssapi,
    [MECHANISM_NTLM] = login_ntlm,
    [MECHANISM_OAUTHBEARER] = login_oauth,
    [MECHANISM_XOAUTH2] = login_oauth,
    [MECHANISM_CRAM_MD5] = login_cram,
    [MECHANISM_PLAIN] = login_password,
    [MECHANISM_LOGIN] = login_password,
};

/* --- threads */

struct login_thread *login_thread_create(const struct login_world *w, const char **why)
{
    struct login_thread *t = calloc(1, sizeof *t);
    *why = "no memory";
    if (!t) return NULL;
    t->world = w;
    t->identity = identity_open(w->identity, false, why);
    if (t->identity) *why = "the libraries cannot be made ready";
    if (!t->identity || !secret_warm_up() || !login_scram_begin(t) || !login_ntlm_begin(t) ||
        (w->kerberos && !(t->kerberos = kerberos_acceptor_create(w->kerberos))))
        login_thread_free(&t);
    return t;
}

void login_thread_free(struct login_thread **t)
{
    if (!*t) return;
    login_scram_end(*t);
    login_ntlm_end(*t);
    kerberos_acceptor_free(&(*t)->kerberos);
    identity_close(&(*t)->identity);
    free(*t);
    *t = NULL;
}

/* --- a conversation */

static bool keep(struct login *l, struct span *s)
{
    bool any = s->n > 0;
    *s = arena_copy(l->arena, *s);
    return !any || s->p;
}

static bool asks_dovecot(const struct login *l)
{
    return l->world->config->servers[l->begin.server].login == CONFIG_LOGIN_DOVECOT;
}

struct login *login_create(const struct login_world *w, const struct login_begin *m)
{
    if (m->server >= w->config->n_servers || m->mechanism >= MECHANISM_COUNT || !steps[m->mechanism] ||
        !(w->config->servers[m->server].mechanisms & MECHANISM_BIT(m->mechanism)))
        return NULL; /* an edge offers what its configuration says, which is ours */
    struct login *l = calloc(1, sizeof *l);
    struct arena *arena = arena_create(LIMIT_LOGIN_MEMORY_OCTETS);
    if (!l || !arena) {
        free(l);
        arena_destroy(&arena);
        return NULL;
    }
    *l = (struct login){.world = w, .arena = arena, .begin = *m, .valid_until = UINT64_MAX};
    l->outside = asks_dovecot(l) && login_dovecot_waits(m);
    if (keep(l, &l->begin.exporter) && keep(l, &l->begin.end_point) && keep(l, &l->begin.certificate) &&
        keep(l, &l->begin.response))
        return l;
    login_free(&l);
    return NULL;
}

void login_free(struct login **login)
{
    struct login *l = *login;
    if (!l) return;
    *login = NULL;
    if (l->end) l->end(l);
    arena_wipe(l->arena);
    arena_destroy(&l->arena);
    explicit_bzero(l, sizeof *l);
    free(l);
}

const struct login_report *login_report_of(const struct login *l)
{
    return &l->report;
}

const struct login_begin *login_begin_of(const struct login *l)
{
    return &l->begin;
}

enum login_queue login_queue(const struct login *l)
{
    if (l->outside) return LOGIN_OUTSIDE;
    return mechanism_table[l->begin.mechanism].flags & MECHANISM_SLOW ? LOGIN_SLOW : LOGIN_QUICK;
}

uint32_t login_refusal_ms(const struct login *l)
{
    return asks_dovecot(l) ? LIMIT_DOVECOT_REFUSAL_MS : LIMIT_LOGIN_REFUSAL_MS;
}

uint32_t login_challenge_ms(const struct login *l)
{
    return l->looked_up ? LIMIT_LOGIN_CHALLENGE_MS : 0;
}

void login_claim(struct login *l, struct span name)
{
    name = span_head(name, sizeof l->report.claimed);
    if (name.n) memcpy(l->report.claimed, name.p, name.n);
    l->report.claimed_n = (uint16_t)name.n;
}

void login_detail(struct login *l, struct span text)
{
    text = span_head(text, sizeof l->report.detail);
    if (text.n) memcpy(l->report.detail, text.p, text.n);
    l->report.detail_n = (uint16_t)text.n;
}

void login_ends(struct login *l, uint64_t unix_seconds)
{
    if (unix_seconds < l->valid_until) l->valid_until = unix_seconds;
}

enum login_kind login_fail(struct login *l, enum login_reason reason)
{
    l->report.reason = reason;
    return login_reason_table[reason].answer;
}

enum login_kind login_fail_proof(struct login *l, bool has_one)
{
    return login_fail(l, l->who.number == 0 ? LOGIN_REASON_UNKNOWN_USER
                         : has_one          ? LOGIN_REASON_WRONG_SECRET
                                            : LOGIN_REASON_NO_SECRET);
}

/* --- what it permits. The only place that says LOGIN_SUCCESS to an edge. */

static uint32_t rights_here(const struct login *l)
{
    const struct identity_principal *who = &l->who;
    const struct rights_subject subject = {.name = who->name,
                                           .groups = who->groups,
                                           .n_groups = who->n_groups,
                                           .grants = who->grants,
                                           .n_grants = who->n_grants};
    return rights_of(&l->world->config->servers[l->begin.server], &subject, NULL, NULL);
}

/* What a mechanism proves is a number and nothing else: name, lock, groups and rights are the store's, of this moment, whatever the
 * mechanism left beside it (invariant I2). */
static enum login_kind authorise(struct login *l, struct login_thread *t, struct login_answer *ret)
{
    if (!l->proven || l->who.number == 0 || l->who.kind == PRINCIPAL_ANONYMOUS)
        return login_fail(l, LOGIN_REASON_ANONYMOUS);
    enum identity_found found = login_who_now(l, t);
    if (found == IDENTITY_UNREADABLE) return LOGIN_LATER;
    if (found != IDENTITY_FOUND) return login_fail(l, LOGIN_REASON_UNKNOWN_USER);
    if (l->useless) return login_fail(l, l->useless);
    if (l->who.locked) return login_fail(l, LOGIN_REASON_LOCKED);
    uint32_t rights = rights_here(l);
    if (!rights_open_door(rights)) return login_fail(l, LOGIN_REASON_NO_RIGHT);
    *ret = (struct login_answer){.session = l->begin.session,
                                 .slot = l->begin.slot,
                                 .kind = LOGIN_SUCCESS,
                                 .principal = l->who.kind,
                                 .rights = rights,
                                 .number = l->who.number,
                                 .valid_until = l->valid_until,
                                 .name = l->who.name,
                                 .label = l->label};
    memcpy(ret->stamp, l->stamp, sizeof ret->stamp);
    return LOGIN_SUCCESS;
}

void login_step(struct login *l, struct login_thread *t, struct span response, uint64_t unix_seconds,
                struct login_answer *ret)
{
    bool first = l->step == 0;
    l->out = SPAN("");
    l->looked_up = false;
    l->unix_seconds = unix_seconds;
    login_step_fn *step = asks_dovecot(l) ? login_dovecot : steps[l->begin.mechanism];
    enum login_kind kind = step(l, t, first ? l->begin.response : response, first && l->begin.initial);
    l->step++;
    *ret = (struct login_answer){.session = l->begin.session, .slot = l->begin.slot};
    if (kind == LOGIN_SUCCESS) kind = authorise(l, t, ret);
    ret->kind = (uint8_t)kind;
    if (kind == LOGIN_CHALLENGE) ret->challenge = l->out;
    if (kind == LOGIN_MALFORMED) l->report.reason = LOGIN_REASON_MALFORMED;
    if (kind == LOGIN_LATER && login_reason_table[l->report.reason].answer != LOGIN_LATER)
        l->report.reason = LOGIN_REASON_UNAVAILABLE;
}

static enum sender_verdict sender_of(struct login_thread *t, const struct sender_question *q)
{
    enum identity_found found = identity_stands(t->identity, q->number, q->name, q->stamp);
    if (found == IDENTITY_UNKNOWN) return SENDER_ENDED;
    if (found == IDENTITY_FOUND && q->path.n == 0) return SENDER_PERMITTED;
    if (found == IDENTITY_FOUND && !(q->number & IDENTITY_OUTSIDE))
        found = identity_sender(t->identity, q->number, q->path, NULL);
    else if (found == IDENTITY_FOUND && !identity_own_address(q->name, q->path))
        found = IDENTITY_UNKNOWN;
    return found == IDENTITY_FOUND     ? SENDER_PERMITTED
           : found == IDENTITY_UNKNOWN ? SENDER_REFUSED
                                       : SENDER_LATER;
}

void login_sender(struct login_thread *t, const struct sender_question *q, struct sender_answer *ret)
{
    *ret =
        (struct sender_answer){.session = q->session, .slot = q->slot, .verdict = (uint8_t)sender_of(t, q)};
}
