/* check_access: logins that cannot come about, and rights that nobody can have. */
#include "config/reader_private.h"
#include "sasl/mechanism.h"

/* Where a server says it, or what it follows from; else where it begins. */
static struct config_place access_place(const struct reader *r, const struct config_server *s)
{
    static const char *const names[] = {"access", "role", "profile"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        bool own;
        struct config_place place = config_server_said(r->config, s, names[i], false, &own);
        if (own) return place;
    }
    return s->place;
}

static void check_logins(struct reader *r, const struct config_server *s)
{
    uint8_t memory[256];
    struct buf all = buf_on(memory, sizeof memory);

    if (s->access == ACCESS_ANONYMOUS || !s->mechanisms || config_logins(s)) return;
    if (s->profile == PROFILE_LEGACY_DEVICE) return; /* there it follows from an error */
    mechanism_put_names(&all, s->mechanisms);
    config_problem_add(
        r, CONFIG_WARNING, access_place(r, s),
        PROBLEM_TEXT(r, SPAN("nobody can log in to server "), s->name, SPAN(": no listener has TLS, and "),
                     s->n_clear_auth ? SPAN("none without it: ") : SPAN("allow-cleartext-auth names nobody"),
                     s->n_clear_auth ? buf_span(&all) : SPAN("")),
        SPAN("listen ADDRESS:PORT tls starttls, with: tls certificate FILE key FILE"));
}

static void check_grants(struct reader *r, const struct config_server *s)
{
    for (uint32_t i = 0; i < s->n_grants && s->access == ACCESS_ANONYMOUS; i++)
        config_problem_add(r, CONFIG_WARNING, s->grants[i].place,
                           PROBLEM_TEXT(r, SPAN("nobody can log in to server "), s->name,
                                        SPAN(", which has access anonymous: nobody has this right")),
                           SPAN("access both, or leave the line out"));
}

void check_access(struct reader *r, const struct draft *d)
{
    if (d->damaged || r->top.damaged) return;
    check_logins(r, &d->server);
    check_grants(r, &d->server);
}
