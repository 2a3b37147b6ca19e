/* The certificate authorities: those that next hops are verified by, and those that vouch for clients. */
#include <time.h>

#include "service/config_files_private.h"
#include "service/config_load.h"
#include "system/tls_authorities.h"
#include "system/tls_certificate.h"
#include "system/tls_client.h"
#include "system/tls_revocations.h"

static const struct config_place *verifying_route(const struct config_route *table, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (table[i].hop.tls == TLS_POLICY_VERIFY) return &table[i].place;
    return NULL;
}

/* What needs them first; null: nothing does. */
static const struct config_place *who_verifies(const struct config *c)
{
    const struct config_place *place = verifying_route(c->routes, c->n_routes);
    if (!place) place = verifying_route(c->sender_routes, c->n_sender_routes);
    for (uint32_t i = 0; !place && i < c->n_deliver; i++)
        if (c->deliver[i].how == DELIVER_LMTP && c->deliver[i].hop.tls == TLS_POLICY_VERIFY)
            place = &c->deliver[i].place;
    for (uint32_t i = 0; !place && i < c->n_destinations; i++)
        if (c->destinations[i].tls == TLS_POLICY_VERIFY) place = &c->destinations[i].place;
    return place;
}

void config_files_authorities(const struct config_files *f)
{
    const struct config *c = f->config;
    const struct config_place *needs = who_verifies(c);
    struct span text;
    const char *why;
    if (!needs && !c->authorities_given) return;
    const struct config_place place = c->authorities_given ? config_said(c, "authorities") : *needs;
    struct arena *arena = arena_create(2 * LIMIT_AUTHORITIES_OCTETS);
    why = arena ? config_load_file(arena, config_files_text(c->authorities), LIMIT_AUTHORITIES_OCTETS, &text)
                : "no memory";
    if (why) {
        config_files_unreadable(f, place, "the certificate authorities", c->authorities, why);
    } else {
        struct tls_client_context *trusted = tls_client_context_create(text, &why);
        bool none = trusted && needs && tls_client_authorities(trusted) == 0;
        if (none) why = "it holds no certificate";
        if (why)
            config_report_add(f->report, CONFIG_ERROR, none ? *needs : place,
                              CONFIG_FILES_SAY("the certificate authorities of ",
                                               config_files_text(c->authorities), ": ", why),
                              "authorities FILE with certificates as PEM");
        tls_client_context_free(&trusted);
    }
    arena_destroy(&arena);
}

/* --- of clients */

struct doubts { /* about lists of revoked certificates */
    const struct config_files *f;
    struct config_place place;
};

static void on_doubt(void *context, enum tls_revocations_doubt doubt, const char *name)
{
    static const char *const texts[TLS_REVOCATIONS_DOUBTS] = {
        [TLS_REVOCATIONS_MISSING] = "no list of revoked certificates",
        [TLS_REVOCATIONS_EXPIRED] = "a list of revoked certificates that has ended",
        [TLS_REVOCATIONS_EARLY] = "a list of revoked certificates that begins later",
        [TLS_REVOCATIONS_UNSIGNED] = "a list of revoked certificates that its key has not signed, or may not",
        [TLS_REVOCATIONS_STRANGER] = "a list of revoked certificates, and vouches for no clients here",
    };
    const struct doubts *d = context;
    const char *means = doubt == TLS_REVOCATIONS_STRANGER ? "" : ": nobody whom it vouches for gets in";
    config_report_add(d->f->report, CONFIG_WARNING, d->place,
                      CONFIG_FILES_SAY(name, " has ", texts[doubt], means),
                      "a fresh list of each authority, as PEM, in client-revocations");
}

static void check_revocations(const struct config_files *f, struct tls_authorities *a)
{
    const struct span file = f->config->client_revocations;
    struct doubts d = {f, config_said(f->config, "client-revocations")};
    struct span text;
    struct arena *arena = arena_create(2 * LIMIT_REVOCATIONS_OCTETS);
    const char *why = arena
                          ? config_load_file(arena, config_files_text(file), LIMIT_REVOCATIONS_OCTETS, &text)
                          : "no memory";
    if (why) {
        config_files_unreadable(f, d.place, "the lists of revoked certificates", file, why);
    } else if ((why = tls_revocations_add(a, text))) {
        config_report_add(
            f->report, CONFIG_ERROR, d.place,
            CONFIG_FILES_SAY("the lists of revoked certificates in ", config_files_text(file), ": ", why),
            "a list of each authority of clients, as PEM");
    } else {
        tls_revocations_doubts(a, (uint64_t)time(NULL), on_doubt, &d);
    }
    arena_destroy(&arena);
}

void config_files_client_authorities(const struct config_files *f)
{
    const struct span file = f->config->client_authorities;
    struct span text;
    if (!file.n) return;
    const struct config_place place = config_said(f->config, "client-authorities");
    struct arena *arena = arena_create(2 * LIMIT_AUTHORITIES_OCTETS);
    const char *why = arena
                          ? config_load_file(arena, config_files_text(file), LIMIT_AUTHORITIES_OCTETS, &text)
                          : "no memory";
    if (why) {
        config_files_unreadable(f, place, "the authorities of clients", file, why);
    } else {
        struct tls_authorities *a = tls_authorities_create(text, &why);
        if (!a)
            config_report_add(
                f->report, CONFIG_ERROR, place,
                CONFIG_FILES_SAY("the authorities of clients in ", config_files_text(file), ": ", why),
                "certificates of authorities as PEM: a root, and those between it and the clients");
        if (a && f->config->client_revocations.n) check_revocations(f, a);
        if (a && config_names_authorities(f->config) && !tls_subjects_fit(text))
            config_report_add(f->report, CONFIG_ERROR, place,
                              "the authorities of clients are too many to be named in each handshake",
                              "without name-authorities, or a shorter file");
        tls_authorities_free(&a);
    }
    arena_destroy(&arena);
}
