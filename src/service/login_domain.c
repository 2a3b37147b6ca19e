#include "service/login_domain.h"

const struct config_winbind *login_domain_of(const struct config *c, const struct ntlm_login *claimed)
{
    size_t at = span_rfind(claimed->user, '@');
    return config_winbind_of(c, at == SPAN_NPOS ? claimed->domain : span_skip(claimed->user, at + 1));
}

static bool ask(struct login *l, const struct domain_question *q, struct domain_answer *ret)
{
    const struct login_ask *a = l->world->ask;
    uint8_t *question = arena_take(l->arena, DOMAIN_QUESTION_OCTETS);
    uint8_t *answer = arena_take(l->arena, DOMAIN_ANSWER_OCTETS);
    int fd = -1; /* none ever comes: directory_ask knows what may */
    if (!question || !answer) return false;
    struct buf b = buf_on(question, DOMAIN_QUESTION_OCTETS), said = buf_on(answer, DOMAIN_ANSWER_OCTETS);
    domain_question_put(&b, q);
    return !b.over && a->ask(a->context, LOGIN_ASK_WINBIND, buf_span(&b), &said, &fd) &&
           domain_answer_read(buf_span(&said), ret);
}

static enum login_kind refused(struct login *l, uint8_t status)
{
    static const enum login_reason reasons[DOMAIN_STATUS_COUNT] = {
        [DOMAIN_WRONG_SECRET] = LOGIN_REASON_WRONG_SECRET, [DOMAIN_UNKNOWN_USER] = LOGIN_REASON_UNKNOWN_USER,
        [DOMAIN_LOCKED] = LOGIN_REASON_DOMAIN_LOCKED,      [DOMAIN_DISABLED] = LOGIN_REASON_DISABLED,
        [DOMAIN_EXPIRED] = LOGIN_REASON_EXPIRED,           [DOMAIN_MUST_CHANGE] = LOGIN_REASON_MUST_CHANGE,
        [DOMAIN_RESTRICTED] = LOGIN_REASON_RESTRICTED,     [DOMAIN_GUEST] = LOGIN_REASON_GUEST,
        [DOMAIN_REFUSED] = LOGIN_REASON_DOMAIN_REFUSED,    [DOMAIN_UNAVAILABLE] = LOGIN_REASON_UNAVAILABLE,
    };
    return login_fail(l, reasons[status]);
}

/* Whoever answers says whose account it is: one of another domain is nobody's here (winbindd may try a domain of its own choice), and a
 * machine's (NAME$) no person's, as with Kerberos. */
static bool name_of(const struct login *l, const struct config_winbind *w, const struct domain_answer *a,
                    struct span *ret)
{
    uint8_t memory[LIMIT_DOMAIN_NAME_OCTETS + 1 + LIMIT_DOMAIN_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    bool person = span_find(a->account, '@') == SPAN_NPOS && a->account.p[a->account.n - 1] != '$';
    if (config_winbind_of(l->world->config, a->domain) != w || !person) return false;
    buf_put(&name, a->account);
    buf_byte(&name, '@');
    buf_put(&name, w->domain);
    *ret = arena_copy(l->arena, buf_span(&name));
    return ret->n > 0;
}

/* A group of a domain, by its name there or its SID. */
static bool is_domains(const struct config *c, struct span group)
{
    size_t at = span_rfind(group, '@');
    for (uint32_t i = 0; at != SPAN_NPOS && i < c->n_winbinds; i++)
        if (span_eq_nocase(span_skip(group, at + 1), c->winbinds[i].domain)) return true;
    return at == SPAN_NPOS && span_starts_nocase(group, SPAN("S-1-"));
}

/* Who is in groups of ours the identity database alone says, whatever comes from the process winbind. */
static void drop_groups_of_ours(const struct config *c, struct domain_answer *a)
{
    uint16_t n = 0;
    for (uint16_t i = 0; i < a->n_groups; i++)
        if (is_domains(c, a->groups[i])) a->groups[n++] = a->groups[i];
    a->n_groups = n;
}

enum login_kind login_domain(struct login *l, const struct config_winbind *w, const struct ntlm *n,
                             const struct ntlm_login *claimed, struct domain_answer *ret, struct span *name)
{
    struct domain_question q = {.user = claimed->user,
                                .domain = claimed->domain.n ? claimed->domain : w->names[0],
                                .workstation = claimed->workstation,
                                .response = claimed->message.nt};
    memcpy(q.challenge, n->server_challenge, sizeof q.challenge);
    login_claim(l, claimed->user);
    if (q.user.n > LIMIT_DOMAIN_NAME_OCTETS)
        return refused(l, DOMAIN_UNKNOWN_USER); /* AD has no longer ones */
    if (!ask(l, &q, ret)) return refused(l, DOMAIN_UNAVAILABLE);
    if (ret->status != DOMAIN_PROVEN) return refused(l, ret->status);
    drop_groups_of_ours(l->world->config, ret);
    return name_of(l, w, ret, name) ? LOGIN_SUCCESS : login_fail(l, LOGIN_REASON_FOREIGN_ACCOUNT);
}
