#include "policy/decide.h"
#include "service/inbound_private.h"

static void refuse(struct server_verdict *v, unsigned code, const char *enhanced, const char *text)
{
    *v = (struct server_verdict){.code = (uint16_t)code, .enhanced = enhanced, .text = span_str(text)};
}

static void refuse_decision(struct server_verdict *v, enum decision d)
{
    const char *enhanced;
    unsigned code = decision_code(d, &enhanced);
    refuse(v, code, enhanced, decision_text(d));
}

static bool login_ended(const struct session *s)
{
    return s->principal && loop_unix_ms(s->in->setup.loop) / 1000 >= s->principal->valid_until;
}

/* The directory is asked for each message, so that a lock counts at once. The null reverse-path is nobody's: a notification may be sent by
 * whoever may send. False: it cannot be asked. */
static bool ask_sender(struct session *s, const struct path *path)
{
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8];
    struct buf key = buf_on(memory, sizeof memory);
    if (!(s->principal->rights & RIGHT_ANY_SENDER) && !path->null) path_key(path, &key);
    return !key.over && inbound_ask_sender(s, buf_span(&key));
}

/* Who has not logged in on a server for old devices sends from the addresses that are listed for its own, and nobody else there. */
static bool sender_pinned(const struct session *s, const struct path *path)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8];
    struct buf key = buf_on(memory, sizeof memory);
    if (s->principal) return true;
    path_key(path, &key);
    return !key.over && config_sender_listed(server, &s->client, buf_span(&key));
}

bool inbound_ask_mail(struct session *s, const struct server_detail *d, struct server_verdict *v)
{
    struct inbound *in = s->in;
    const struct config_server *server = &in->setup.config->servers[s->server];
    const char *rule = NULL, *limit;
    inbound_from_begin(s);
    enum decision decision =
        submit_decide(server->access, inbound_rights(s), s->relay_network, s->device, &rule);
    if (in->stopping) {
        refuse(v, 421, "4.3.2", "Service is shutting down, try again later");
    } else if (inbound_ban(s, false)) { /* by hand, since it came */
        rule = "banned.by-hand";
        refuse(v, 421, "4.7.0", BANNED_BY_HAND);
    } else if (login_ended(s)) {
        *v = inbound_login_ended;
        rule = "login.ended";
    } else if (decision != DECISION_LOCAL) {
        refuse_decision(v, decision);
    } else if (!sender_pinned(s, &d->path)) {
        rule = "sender.pinned";
        refuse(v, 553, "5.7.1", PIN_REFUSED);
    } else if (!inbound_rate_message(s, v, &limit)) {
        rule = limit;
    } else if (!inbound_transaction_begin(s, d)) {
        inbound_rate_no_message(s, loop_now_ms(in->setup.loop));
        in->counters.deferred++;
        refuse(v, 452, "4.3.1", "No buffer for another message now, try again later");
    } else if (s->principal) {
        if (ask_sender(s, &d->path)) return false;
        inbound_transaction_drop(s);
        refuse(v, 451, "4.3.0", "Your right to this sender cannot be checked now, try again later");
    }
    if (v->code) inbound_log_refused(s, d, v, rule);
    return true;
}

void inbound_ask_rcpt(struct session *s, const struct server_detail *d, struct server_verdict *v)
{
    struct inbound *in = s->in;
    const struct config_server *server = &in->setup.config->servers[s->server];
    uint8_t memory[LIMIT_LOCAL_PART_OCTETS + LIMIT_DOMAIN_OCTETS + 8], written[LIMIT_PATH_OCTETS + 2];
    struct buf key = buf_on(memory, sizeof memory), path = buf_on(written, sizeof written);
    path_key(&d->path, &key);
    path_put(&d->path, &path);
    enum recipients_answer found = RECIPIENTS_NOT_SERVED;
    if (!d->path.postmaster && !d->path.literal && !key.over) {
        size_t at = span_rfind(buf_span(&key), '@');
        if (at != SPAN_NPOS && config_domain_served(server, span_skip(buf_span(&key), at + 1)))
            found = recipients_find(&in->setup.recipients, buf_span(&key));
    }
    struct relay_facts facts = {
        .access = server->access,
        .principal = s->principal ? s->principal->kind : PRINCIPAL_ANONYMOUS,
        .rights = inbound_rights(s),
        .relay_network = s->relay_network,
        .device = s->device,
        .served = found == RECIPIENTS_KNOWN     ? SERVED_KNOWN
                  : found == RECIPIENTS_UNKNOWN ? SERVED_UNKNOWN
                                                : SERVED_NOT,
        .postmaster = d->path.postmaster,
    };
    const char *rule = NULL, *limit;
    enum decision decision = relay_decide(&facts, &rule);
    if (decision != DECISION_LOCAL && decision != DECISION_RELAY) {
        refuse_decision(v, decision);
    } else if (!inbound_rate_recipient(s, v, &limit)) {
        rule = limit;
    } else {
        struct envelope_recipient r = {
            .notify = d->rcpt.notify,
            .local = decision == DECISION_LOCAL,
            .path = buf_span(&path),
            .orcpt = d->rcpt.orcpt,
        };
        if (s->transaction) s->transaction->utf8_path |= d->path.utf8;
        if (path.over || !inbound_transaction_recipient(s, &r))
            refuse(v, 452, "4.3.1",
                   "No buffer for another recipient now, send the rest in another transaction");
    }
    if (v->code) {
        in->counters.refused_recipients++;
        inbound_log_refused(s, d, v, rule);
    }
}
