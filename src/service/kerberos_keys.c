#include "service/kerberos_keys.h"

#include <krb5.h>
#include <stdlib.h>

#include "sasl/keytab.h"
#include "service/kerberos.h"

struct kerberos_keys {
    krb5_context context;
    krb5_keytab keytab; /* lives as long as somebody holds it */
};

/* --- which are of use */

static bool of_our_service(const struct keytab_key *k, const struct config_kerberos *c)
{
    bool found = false;
    for (uint32_t i = 0; i < c->n_services; i++)
        found |= span_eq_nocase(c->services[i], k->components[0]);
    return found && k->n_components == KEYTAB_COMPONENTS && k->components[1].n > 0;
}

/* Whoever runs a realm can say of anybody that it is he, with a ticket for a key of it: so only those that are named. */
static bool of_a_realm(const struct keytab_key *k, const struct config_kerberos *c)
{
    for (uint32_t i = 0; i < c->n_realms; i++)
        if (span_eq(c->realms[i].name, k->realm)) return true;
    return false;
}

static bool is_of_use(const struct keytab_key *k, const struct config_kerberos *c)
{
    return of_our_service(k, c) && of_a_realm(k, c) && keytab_key_is_strong(k);
}

const char *kerberos_keytab_wrong(struct span text, const struct config_kerberos *c)
{
    struct keytab keytab;
    struct keytab_key k;
    enum keytab_found found;
    bool any = false, ours = false, named = false, strong = false;
    if (!keytab_begin(&keytab, text)) return "it is no keytab";
    while ((found = keytab_next(&keytab, &k)) == KEYTAB_KEY) {
        any = true;
        ours |= of_our_service(&k, c);
        named |= of_our_service(&k, c) && of_a_realm(&k, c);
        strong |= is_of_use(&k, c);
    }
    if (found == KEYTAB_BROKEN) return "it is damaged";
    if (!any) return "it is empty";
    if (!ours) return "it has no key of this service, like smtp/mail.example.org";
    if (!named) return "its keys of this service are of realms that are not named here";
    return strong ? NULL : "its keys of this service are all of old kinds (RC4, DES): AES is needed";
}

/* --- for the library */

static bool add(struct kerberos_keys *to, const struct keytab_key *k)
{
    krb5_keytab_entry e = {.vno = k->version,
                           .timestamp = (krb5_timestamp)k->timestamp,
                           .key = {.enctype = k->encryption,
                                   .length = (unsigned)k->key.n,
                                   .contents = (krb5_octet *)(uintptr_t)k->key.p}}; /* which is copied */
    if (krb5_build_principal_ext(to->context, &e.principal, (unsigned)k->realm.n, (const char *)k->realm.p,
                                 (unsigned)k->components[0].n, (const char *)k->components[0].p,
                                 (unsigned)k->components[1].n, (const char *)k->components[1].p, 0) != 0)
        return false;
    bool added = krb5_kt_add_entry(to->context, to->keytab, &e) == 0;
    krb5_free_principal(to->context, e.principal);
    return added;
}

struct kerberos_keys *kerberos_keys_create(struct span text, const struct config_kerberos *c,
                                           const char **why)
{
    struct keytab keytab;
    struct keytab_key key;
    *why = kerberos_keytab_wrong(text, c);
    if (*why || !keytab_begin(&keytab, text)) return NULL;
    *why = "no memory";
    struct kerberos_keys *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    bool good = krb5_init_context(&k->context) == 0 &&
                krb5_kt_resolve(k->context, KERBEROS_KEYS_NAME, &k->keytab) == 0;
    while (good && keytab_next(&keytab, &key) == KEYTAB_KEY)
        good = !is_of_use(&key, c) || add(k, &key);
    if (!good) kerberos_keys_free(&k);
    return k;
}

void kerberos_keys_free(struct kerberos_keys **k)
{
    if (!*k) return;
    if ((*k)->keytab) krb5_kt_close((*k)->context, (*k)->keytab); /* wipes */
    if ((*k)->context) krb5_free_context((*k)->context);
    free(*k);
    *k = NULL;
}
