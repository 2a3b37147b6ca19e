/* Is the session under TLS? What was asked for (--tls), and what the listeners of the server make of it. */
#include "cmd/explain_private.h"

void explain_tls(struct explain_call *x)
{
    const uint32_t modes = config_tls_modes(x->server), none = UINT32_C(1) << TLS_NONE,
                   implicit = UINT32_C(1) << TLS_IMPLICIT;
    const char *said = NULL;

    x->tls_possible = (modes & ~none) != 0;
    x->tls = x->tls_possible && (x->q->tls || modes == implicit);
    if (!x->tls_possible && (x->q->tls || x->server->mechanisms || x->server->require_tls))
        said = x->q->tls ? "no listener of this server has TLS: what follows is said of a session without it"
                         : "no listener of this server has TLS";
    if (x->tls && !x->q->tls) said = "every listener of this server has TLS from the first octet on";
    if (!said) return;
    struct buf *b = explain_begin(x->e, "tls");
    buf_str(b, said);
    explain_end(x->e, x->tls ? "tls.implicit" : "tls.none");
}
