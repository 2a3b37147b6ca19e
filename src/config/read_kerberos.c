/* read_kerberos: kerberos { }: whose tickets stand for an account here. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

#define QUOTED(s) SPAN("\""), (s), SPAN("\"")

/* RFC 4120 6.1, without what kerberos_name refuses anyway. */
static bool is_realm(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || strchr("/@:\\\"", s.p[i])) return false;
    return s.n > 0 && s.n <= LIMIT_KERBEROS_REALM_OCTETS;
}

/* realm REALM domain DOMAIN */
void read_kerberos_realm(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_kerberos *k = &r->config->kerberos;
    struct config_realm realm = {.place = reader_place(r, name)}, *grown;
    struct token t;

    if (!reader_argument(r, name, row->arguments, &t)) return;
    realm.name = arena_copy(r->arena, token_value(&t, r->arena));
    if (!is_realm(realm.name)) {
        config_problem_at(r, &t, PROBLEM_TEXT(r, QUOTED(t.text), SPAN(" is no realm of Kerberos")),
                          SPAN("realm CORP.EXAMPLE domain example.org"));
        return;
    }
    for (uint32_t i = 0; i < k->n_realms; i++)
        if (span_eq(k->realms[i].name, realm.name)) {
            config_problem_at(r, &t, PROBLEM_TEXT(r, SPAN("realm "), realm.name, SPAN(" was said already")),
                              SPAN(""));
            return;
        }
    if (!reader_word(r, "domain")) {
        config_problem_at(r, name, SPAN("a realm needs the domain of its accounts"),
                          PROBLEM_TEXT(r, SPAN("realm "), realm.name, SPAN(" domain example.org")));
        return;
    }
    if (!reader_argument(r, name, "a DOMAIN", &t) || !value_domain(r, &t, false, &realm.domain)) return;
    grown = reader_push(r, k->realms, &k->n_realms, sizeof realm, LIMIT_KERBEROS_REALMS);
    if (!grown) return;
    k->realms = grown;
    grown[k->n_realms - 1] = realm;
}

/* service NAME ... */
void read_kerberos_service(struct reader *r, const struct schema_row *row, const struct token *name)
{
    struct config_kerberos *k = &r->config->kerberos;
    struct token t;

    for (bool more = reader_argument(r, name, row->arguments, &t); more; more = reader_more(r, &t)) {
        struct span service, *grown;
        if (!value_name(r, &t, &service)) return;
        grown = reader_push(r, k->services, &k->n_services, sizeof *grown, LIMIT_KERBEROS_SERVICES);
        if (!grown) return;
        k->services = grown;
        grown[k->n_services - 1] = service;
    }
}

void finish_kerberos(struct reader *r)
{
    struct config_kerberos *k = &r->config->kerberos;

    k->given = r->config->said && config_said(r->config, "kerberos").line > 0;
    if (k->n_services) return;
    k->services = arena_take_array(r->arena, 2, sizeof *k->services);
    if (!k->services) {
        r->no_memory = true;
        return;
    }
    k->services[0] = SPAN("smtp");
    k->services[1] = SPAN("smtpsvc"); /* what clients of Windows ask for */
    k->n_services = 2;
}

void check_mechanisms_given(struct reader *r, uint32_t mechanisms, struct span text, struct span example)
{
    for (uint32_t i = 0; i < r->n_drafts; i++)
        if ((r->drafts[i].server.mechanisms & mechanisms) &&
            r->drafts[i].server.login == CONFIG_LOGIN_DATABASE)
            config_problem_add(r, CONFIG_ERROR,
                               mechanisms == MECHANISM_TOKENS ? r->drafts[i].tokens_place
                                                              : r->drafts[i].kerberos_place,
                               text, example);
}

/* Two realms of one domain: then the same name of both is one account. */
static void check_domains(struct reader *r, const struct config_kerberos *k)
{
    for (uint32_t i = 1; i < k->n_realms; i++)
        for (uint32_t j = 0; j < i; j++)
            if (span_eq(k->realms[i].domain, k->realms[j].domain))
                config_problem_add(r, CONFIG_WARNING, k->realms[i].place,
                                   PROBLEM_TEXT(r, SPAN("realm "), k->realms[j].name,
                                                SPAN(" has the same domain: a name in both is one account")),
                                   SPAN(""));
}

void check_kerberos(struct reader *r)
{
    const struct config_kerberos *k = &r->config->kerberos;

    if (!k->given)
        check_mechanisms_given(r, MECHANISM_KERBEROS, SPAN("nothing says which tickets are good"),
                               SPAN("kerberos { keytab FILE  realm REALM domain DOMAIN } at the top level"));
    if (!k->given || r->failed) return;
    if (k->keytab_file.n == 0)
        config_problem_add(r, CONFIG_ERROR, config_said(r->config, "kerberos"),
                           SPAN("kerberos needs a keytab"), SPAN("keytab /etc/sallyport/smtp.keytab"));
    if (k->n_realms == 0)
        config_problem_add(r, CONFIG_ERROR, config_said(r->config, "kerberos"),
                           SPAN("kerberos needs a realm"), SPAN("realm CORP.EXAMPLE domain example.org"));
    check_domains(r, k);
}
