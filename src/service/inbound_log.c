#include "service/inbound_private.h"

#include "sasl/mechanism.h"
#include "spool/message_id.h"
#include "system/log.h"

void inbound_log_session(const struct session *s)
{
    uint8_t text[64];
    struct buf b = buf_on(text, sizeof text);
    address_put(&b, &s->client);
    log_id(s->id);
    log_span("server", s->in->setup.config->servers[s->server].name);
    log_span("client", buf_span(&b));
}

void inbound_log_message(const struct inbound *in, const struct transaction *t, uint8_t status)
{
    static const char *const event[SUBMIT_STATUS_COUNT] = {"accepted", "accepted", "deferred", "deferred",
                                                           "deferred"};
    static const char *const why[SUBMIT_STATUS_COUNT] = {"", "", "no space in the spool",
                                                         "the spool could not write", "the spool refused"};
    uint8_t text[MESSAGE_ID_TEXT];
    struct buf id = buf_on(text, sizeof text);
    message_id_put(&id, t->id);
    struct envelope_head h = {0};
    struct envelope_recipient r = {0};
    if (t->n_envelope) {
        struct buf b = inbound_block(in, &t->envelope[0]);
        struct wire w = wire_on(buf_span(&b));
        if (envelope_read_head(&w, &h)) (void)envelope_read_recipient(&w, &r);
    }
    unsigned st = status < SUBMIT_STATUS_COUNT ? status : SUBMIT_REFUSED;
    log_begin(st == SUBMIT_DURABLE ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, event[st]);
    if (h.session) log_id(h.session);
    log_span("server", h.server);
    log_span("client", h.client_address);
    log_span("id", buf_span(&id));
    log_span("from", h.reverse_path);
    log_span("to", r.path);
    log_u64("recipients", t->recipients);
    log_u64("size", t->octets);
    log_u64("ms", loop_unix_ms(in->setup.loop) - t->began_ms);
    if (t->session && t->session->principal) log_span("user", inbound_principal_name(t->session));
    if (t->session && t->session->tls) log_str("tls", tls_version(t->session->tls));
    if (!t->session) log_str("client_gone", "before the reply");
    if (*why[st]) log_str("reason", why[st]);
    log_end();
}

void inbound_log_refused(const struct session *s, const struct server_detail *d,
                         const struct server_verdict *v, const char *rule)
{
    uint8_t text[LIMIT_PATH_OCTETS + 2];
    struct buf path = buf_on(text, sizeof text);
    path_put(&d->path, &path);
    log_begin(LOG_LEVEL_INFO, "refused");
    inbound_log_session(s);
    if (s->principal) log_span("user", inbound_principal_name(s));
    log_span("helo", server_helo(&s->engine));
    log_str("verb", s->engine.verb == VERB_RCPT ? "RCPT" : "MAIL");
    log_span("address", buf_span(&path));
    log_u64("code", v->code);
    log_str("enhanced", v->enhanced ? v->enhanced : "");
    log_span("text", v->text);
    if (rule) log_str("rule", rule);
    log_end();
}

void inbound_log_denied(const struct session *s, const struct admission_rule *rule,
                        const struct admission_name *name)
{
    uint8_t text[LIMIT_DOMAIN_OCTETS + 2];
    struct buf b = buf_on(text, sizeof text);
    log_begin(LOG_LEVEL_INFO, "refused");
    inbound_log_session(s);
    log_str("verb", "connect");
    log_u64("code", 554);
    log_str("enhanced", "5.7.1");
    if (rule) network_put(&b, &rule->network);
    if (rule) log_span("network", buf_span(&b));
    if (name) admission_name_put(&b, name);
    if (name) log_span("pattern", buf_span(&b));
    if (s->naming) log_span("name", inbound_name_of(s)); /* empty: none was confirmed */
    log_str("rule", rule   ? "connections.denied"
                    : name ? "connections.denied-name"
                           : "connections.not-listed");
    log_end();
}

void inbound_log_banned(const struct session *s, const struct barred_entry *ban)
{
    uint8_t text[64];
    struct buf b = buf_on(text, sizeof text);
    network_put(&b, &ban->network);
    log_begin(LOG_LEVEL_INFO, "refused");
    inbound_log_session(s);
    log_str("verb", "connect");
    log_u64("code", 554);
    log_str("enhanced", "5.7.1");
    log_span("network", buf_span(&b));
    log_str("rule", ban->by_hand ? "banned.by-hand" : "banned");
    log_end();
}

void inbound_log_login(const struct session *s, struct span label)
{
    log_begin(LOG_LEVEL_INFO, "login");
    inbound_log_session(s);
    log_span("user", inbound_principal_name(s));
    log_str("mechanism", mechanism_table[s->mechanism].name);
    if (label.n) log_span("label", label);
    log_end();
}

static struct span reverse_path(const struct session *s)
{
    struct envelope_head h = {0};
    struct transaction *t = s->transaction;
    if (!t || !t->n_envelope) return SPAN("");
    struct buf b = inbound_block(s->in, &t->envelope[0]);
    struct wire w = wire_on(buf_span(&b));
    return envelope_read_head(&w, &h) ? h.reverse_path : SPAN("");
}

void inbound_log_login_refused(const struct session *s, const struct server_verdict *v, const char *rule)
{
    log_begin(LOG_LEVEL_INFO, "refused");
    inbound_log_session(s);
    log_span("user", inbound_principal_name(s));
    log_str("verb", "AUTH");
    log_u64("code", v->code);
    log_str("enhanced", v->enhanced);
    log_span("text", v->text);
    log_str("rule", rule);
    log_end();
}

void inbound_log_sender(const struct session *s, const struct server_verdict *v, const char *rule)
{
    bool of_mail = s->engine.verb == VERB_MAIL;
    log_begin(LOG_LEVEL_INFO, "refused");
    inbound_log_session(s);
    if (s->principal) log_span("user", inbound_principal_name(s));
    log_str("verb", of_mail ? "MAIL" : s->engine.verb == VERB_BDAT ? "BDAT" : "DATA");
    log_span("address", of_mail ? reverse_path(s) : inbound_from_asked(s));
    log_u64("code", v->code);
    log_str("enhanced", v->enhanced);
    log_span("text", v->text);
    log_str("rule", rule);
    log_end();
}

void inbound_log_end(const struct session *s, const char *why)
{
    log_begin(LOG_LEVEL_INFO, "session-end");
    inbound_log_session(s);
    log_span("helo", server_helo(&s->engine));
    log_u64("messages", s->messages);
    log_u64("errors", s->engine.errors);
    if (s->tls) log_str("tls", tls_version(s->tls));
    log_str("reason", why);
    log_end();
}
