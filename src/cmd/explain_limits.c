/* How much may come: sizes of a message, and what a source and a principal may do in a time. What was counted so far only the edges know. */
#include "cmd/explain_private.h"
#include "config/schema.h"

static void explain_size(struct explain_call *x)
{
    const struct config_limits *l = &x->server->limits;
    bool any = (x->rights & RIGHT_BYPASS_SIZE) != 0;
    uint64_t most = any ? LIMIT_MESSAGE_OCTETS_MAX : l->message_octets;
    struct buf *b = explain_begin(x->e, "size");
    schema_amount(b, SCHEMA_OCTETS, most);
    buf_str(b, any ? " a message (the right bypass-size), " : " a message (message-size), ");
    buf_u64(b, l->recipients);
    buf_str(b, " recipients a message, ");
    buf_u64(b, l->messages_per_session);
    buf_str(b, " messages a session");
    explain_number(x->e, "message_octets", most);
    explain_number(x->e, "recipients", l->recipients);
    explain_end(x->e, any ? "right.bypass-size" : "limits.message-size");
}

static void rate_fields(struct explain *e, const char *key, const struct config_rate *rate)
{
    explain_number(e, key, rate->count);
    explain_number(e, "seconds", rate->seconds);
}

static void explain_source(struct explain_call *x)
{
    const struct config_limits *l = &x->server->limits;
    struct buf *b = explain_begin(x->e, "rate");
    buf_str(b, "from the client's address: ");
    buf_u64(b, config_sessions_per_source(l, &x->q->address));
    buf_str(b, " sessions at once");
    if (address_is_loopback(&x->q->address) && l->rates_on_loopback != CONFIG_YES) {
        buf_str(b, ", nothing else is counted (rates-on-loopback)");
        explain_end(x->e, "rate.loopback");
        return;
    }
    explain_put_rate(b, &l->connections_rate, "connections");
    explain_put_rate(b, &l->messages_per_source, "messages");
    explain_put_rate(b, &l->recipients_per_source, "recipients");
    rate_fields(x->e, "messages", &l->messages_per_source);
    explain_end(x->e, "rate.source");
    if (!explain_logged_in(x)) return;
    b = explain_begin(x->e, "rate");
    buf_str(b, "from the account, wherever it comes from: ");
    buf_u64(b, l->sessions_per_principal);
    buf_str(b, " sessions at once");
    explain_put_rate(b, &l->messages_per_principal, "messages");
    explain_put_rate(b, &l->recipients_per_principal, "recipients");
    rate_fields(x->e, "messages", &l->messages_per_principal);
    explain_end(x->e, "rate.principal");
}

void explain_limits(struct explain_call *x)
{
    explain_size(x);
    explain_source(x);
}
