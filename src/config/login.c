/* login: can anybody log in to a server at all? check, explain and server ask the same function. */
#include "config/config.h"
#include "sasl/mechanism.h"

uint32_t config_tls_modes(const struct config_server *s)
{
    uint32_t modes = 0;

    for (uint32_t i = 0; i < s->n_listeners; i++)
        modes |= UINT32_C(1) << s->listeners[i].tls;
    return modes;
}

bool config_names_authorities(const struct config *c)
{
    bool any = false;
    for (uint32_t i = 0; i < c->n_servers; i++)
        any |= c->servers[i].name_authorities;
    return any && c->client_authorities.n;
}

uint32_t config_logins(const struct config_server *s)
{
    bool tls = (config_tls_modes(s) & ~(UINT32_C(1) << TLS_NONE)) != 0;
    const struct mechanism_facts under = {.tls = tls, .binding = tls, .certificate = tls},
                                 clear = {.clear = s->n_clear_auth > 0};

    return mechanism_offered(s->mechanisms, &under) | mechanism_offered(s->mechanisms, &clear);
}
