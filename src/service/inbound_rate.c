/* What a source or a principal may do in a time: refused for now, with a word when to come back. */
#include "service/inbound_private.h"

static struct rate_key key_of(const struct session *s, enum rate_kind kind, struct span who)
{
    return (struct rate_key){
        .kind = kind, .server = s->in->setup.config->servers[s->server].name, .who = who};
}

static uint32_t over(const struct session *s, enum rate_kind kind, struct span who,
                     const struct config_rate *limit)
{
    const struct inbound *in = s->in;
    if (!s->rated || !in->setup.rates || !who.n) return 0;
    struct rate_key key = key_of(s, kind, who);
    return rates_count(in->setup.rates, &key, limit->count, limit->seconds, loop_now_ms(in->setup.loop));
}

static void give_back(const struct session *s, enum rate_kind kind, struct span who,
                      const struct config_rate *limit, uint64_t counted_ms)
{
    if (!s->rated || !s->in->setup.rates || !who.n) return;
    struct rate_key key = key_of(s, kind, who);
    rates_give_back(s->in->setup.rates, &key, limit->seconds, counted_ms);
}

static struct span say(struct inbound *in, const char *what, const char *whose, uint32_t seconds)
{
    struct buf b = buf_on(in->rate_text, sizeof in->rate_text);
    buf_str(&b, "Too many ");
    buf_str(&b, what);
    buf_str(&b, whose);
    buf_str(&b, ", come back in ");
    buf_u64(&b, seconds);
    buf_str(&b, seconds == 1 ? " second" : " seconds");
    return buf_span(&b);
}

static const char from_source[] = " from your address", from_principal[] = " of yours";

bool inbound_rate_connection(struct session *s, struct span *why)
{
    uint8_t key[16];
    address_source_key(&s->client, key);
    const struct config_limits *l = &s->in->setup.config->servers[s->server].limits;
    uint32_t wait = over(s, RATE_CONNECTIONS, span_of(key, sizeof key), &l->connections_rate);
    if (wait) *why = say(s->in, "connections", from_source, wait);
    return wait == 0;
}

bool inbound_principal_enter(struct session *s)
{
    const struct inbound *in = s->in;
    const struct config_server *server = &in->setup.config->servers[s->server];
    if (!s->rated) return true;
    s->principal->counted =
        sources_hold(in->setup.sources, in->setup.column, server->name, inbound_principal_name(s),
                     server->limits.sessions_per_principal) == SOURCES_OK;
    return s->principal->counted;
}

void inbound_principal_leave(struct session *s)
{
    const struct inbound *in = s->in;
    if (!s->principal || !s->principal->counted) return;
    sources_release(in->setup.sources, in->setup.column, in->setup.config->servers[s->server].name,
                    inbound_principal_name(s));
    s->principal->counted = false;
}

static void give_back_source(const struct session *s, bool recipient, uint64_t counted_ms)
{
    uint8_t key[16];
    const struct config_limits *l = &s->in->setup.config->servers[s->server].limits;
    address_source_key(&s->client, key);
    give_back(s, recipient ? RATE_SOURCE_RECIPIENTS : RATE_SOURCE_MESSAGES, span_of(key, sizeof key),
              recipient ? &l->recipients_per_source : &l->messages_per_source, counted_ms);
}

/* The source first: it is the one that cannot be had for a password. */
static bool permits(struct session *s, bool recipient, unsigned code, struct server_verdict *v,
                    const char **rule)
{
    uint8_t key[16];
    address_source_key(&s->client, key);
    const struct config_limits *l = &s->in->setup.config->servers[s->server].limits;
    const char *what = recipient ? "recipients" : "messages", *whose = from_source;
    bool of_source = true;
    uint32_t wait =
        over(s, recipient ? RATE_SOURCE_RECIPIENTS : RATE_SOURCE_MESSAGES, span_of(key, sizeof key),
             recipient ? &l->recipients_per_source : &l->messages_per_source);
    *rule = recipient ? "rate.recipients-per-source" : "rate.messages-per-source";
    if (!wait) {
        wait = over(s, recipient ? RATE_PRINCIPAL_RECIPIENTS : RATE_PRINCIPAL_MESSAGES,
                    inbound_principal_name(s),
                    recipient ? &l->recipients_per_principal : &l->messages_per_principal);
        *rule = recipient ? "rate.recipients-per-principal" : "rate.messages-per-principal";
        whose = from_principal;
        of_source = false;
    }
    if (!wait) return true;
    if (!of_source) give_back_source(s, recipient, loop_now_ms(s->in->setup.loop));
    *v = (struct server_verdict){
        .code = (uint16_t)code, .enhanced = "4.7.1", .text = say(s->in, what, whose, wait)};
    return false;
}

bool inbound_rate_message(struct session *s, struct server_verdict *v, const char **rule)
{
    return permits(s, false, 450, v, rule);
}

void inbound_rate_no_message(struct session *s, uint64_t counted_ms)
{
    const struct config_limits *l = &s->in->setup.config->servers[s->server].limits;
    give_back_source(s, false, counted_ms);
    give_back(s, RATE_PRINCIPAL_MESSAGES, inbound_principal_name(s), &l->messages_per_principal, counted_ms);
}

bool inbound_rate_recipient(struct session *s, struct server_verdict *v, const char **rule)
{
    return permits(s, true, 452, v, rule);
}
