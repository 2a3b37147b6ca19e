/* Logging in: what the client says goes to the directory, what comes back is believed. The edge knows no mechanism and no secret; it keeps
 * who it is and what it may do, for as long as the session and its TLS last. */
#include "base/base64.h"
#include "directory/login_message.h"
#include "directory/sender_message.h"
#include "service/inbound_private.h"
#include "system/log.h"

static const struct server_verdict no_directory = {
    .code = 454, .enhanced = "4.7.0", .text = SPAN("Temporary authentication failure, try again later")};

uint32_t inbound_rights(const struct session *s)
{
    return s->principal ? s->principal->rights : 0;
}

struct span inbound_principal_name(const struct session *s)
{
    return s->principal ? span_of(s->principal->name, s->principal->name_n) : SPAN("");
}

/* Derived only where a mechanism that binds is configured: those that do not bind must know whether one could have. */
static bool exporter_of(const struct session *s, uint8_t ret[LIMIT_EXPORTER_OCTETS])
{
    uint32_t set = s->in->setup.config->servers[s->server].mechanisms;
    return s->tls && mechanism_any(set, MECHANISM_BINDS | MECHANISM_MAY_BIND) && tls_exporter(s->tls, ret);
}

void inbound_offer(struct session *s)
{
    const struct config_server *server = &s->in->setup.config->servers[s->server];
    uint8_t exporter[LIMIT_EXPORTER_OCTETS], der[LIMIT_CLIENT_CERTIFICATE_OCTETS];
    struct buf certificate = buf_on(der, sizeof der);
    if (!server->mechanisms || !s->in->setup.ask) return;
    struct mechanism_facts facts = {
        .tls = s->tls != NULL,
        .clear = s->clear_auth,
        .binding = exporter_of(s, exporter),
        .certificate = s->tls && tls_client_certificate(s->tls, &certificate),
    };
    explicit_bzero(exporter, sizeof exporter);
    server_offer(&s->engine, mechanism_offered(server->mechanisms, &facts));
}

/* --- questions */

static bool ask(struct session *s, enum inbound_question kind, const struct buf *b)
{
    struct inbound *in = s->in;
    if (b->over || !in->setup.ask(in->setup.context, kind, buf_span(b))) return false;
    s->asked_ms = loop_now_ms(in->setup.loop);
    return true;
}

static uint32_t slot_of(const struct session *s)
{
    return (uint32_t)(s - s->in->sessions);
}

static uint8_t tls_of(const struct session *s)
{
    if (!s->tls) return LOGIN_CLEAR;
    const char *version = tls_version(s->tls);
    return strcmp(version, "TLSv1.3") == 0   ? LOGIN_TLS_1_3
           : strcmp(version, "TLSv1.2") == 0 ? LOGIN_TLS_1_2
                                             : LOGIN_TLS_1_0;
}

static bool begin_login(struct session *s, const struct server_detail *d, struct span response, struct buf *b)
{
    uint8_t exporter[LIMIT_EXPORTER_OCTETS], hash[LIMIT_END_POINT_OCTETS],
        der[LIMIT_CLIENT_CERTIFICATE_OCTETS];
    struct buf end_point = buf_on(hash, sizeof hash), certificate = buf_on(der, sizeof der);
    bool wants_certificate = mechanism_table[d->mechanism].flags & MECHANISM_CERTIFICATE;
    struct login_begin m = {.session = s->id,
                            .slot = slot_of(s),
                            .server = s->server,
                            .mechanism = (uint8_t)d->mechanism,
                            .tls = tls_of(s),
                            .initial = d->initial,
                            .response = response};
    struct address local;
    memcpy(m.client, s->client.octets, sizeof m.client);
    if (inbound_local(s, &local, &m.local_port)) memcpy(m.local, local.octets, sizeof m.local);
    if (exporter_of(s, exporter)) m.exporter = span_of(exporter, sizeof exporter);
    if (s->tls && tls_end_point(s->tls, &end_point)) m.end_point = buf_span(&end_point);
    if (s->tls && wants_certificate && tls_client_certificate(s->tls, &certificate))
        m.certificate = buf_span(&certificate);
    s->mechanism = (uint8_t)d->mechanism;
    inbound_legacy_login(s, d->mechanism);
    login_begin_put(b, &m);
    explicit_bzero(exporter, sizeof exporter);
    return ask(s, INBOUND_LOGIN_BEGIN, b);
}

static bool go_on(struct session *s, struct span response, struct buf *b)
{
    login_step_put(b, &(struct login_step){s->id, slot_of(s), response});
    return ask(s, INBOUND_LOGIN_STEP, b);
}

bool inbound_ask_login(struct session *s, enum server_event event, const struct server_detail *d,
                       struct server_verdict *v)
{
    static uint8_t decoded[LIMIT_SASL_RESPONSE_OCTETS], payload[LOGIN_BEGIN_OCTETS]; /* wiped each time */
    struct buf response = buf_on(decoded, sizeof decoded), b = buf_on(payload, sizeof payload);
    bool sent = base64_decode(d->sasl, &response) && !response.over && s->in->setup.ask &&
                (event == SERVER_AUTH ? begin_login(s, d, buf_span(&response), &b)
                                      : go_on(s, buf_span(&response), &b));
    explicit_bzero(decoded, response.n);
    explicit_bzero(payload, b.n);
    if (!sent) {
        if (event == SERVER_SASL) inbound_login_cancel(s);
        *v = no_directory;
        return false;
    }
    s->wait |= WAIT_DIRECTORY;
    s->logging_in = true;
    return true;
}

void inbound_login_cancel(struct session *s)
{
    uint8_t payload[LOGIN_STEP_LEAST];
    struct buf b = buf_on(payload, sizeof payload);
    if (!s->logging_in) return;
    s->logging_in = false;
    login_step_put(&b, &(struct login_step){.session = s->id, .slot = slot_of(s)});
    (void)!ask(s, INBOUND_LOGIN_CANCEL, &b); /* what it never hears of ends there by its own deadline */
}

bool inbound_ask_sender(struct session *s, struct span path)
{
    uint8_t payload[SENDER_QUESTION_OCTETS];
    struct buf b = buf_on(payload, sizeof payload);
    struct sender_question q = {.session = s->id,
                                .slot = slot_of(s),
                                .number = s->principal->number,
                                .name = inbound_principal_name(s),
                                .path = path};
    memcpy(q.stamp, s->principal->stamp, sizeof q.stamp);
    sender_question_put(&b, &q);
    if (!ask(s, INBOUND_SENDER, &b)) return false;
    s->wait |= WAIT_DIRECTORY;
    return true;
}

/* --- who it is */

static struct inbound_principal *principal_take(struct inbound *in)
{
    struct inbound_principal *p = in->free_principals;
    if (p)
        in->free_principals = p->next;
    else if (in->used_principals < in->max_sessions)
        p = &in->principals[in->used_principals++];
    return p; /* there is one for each session */
}

void inbound_principal_forget(struct session *s)
{
    struct inbound_principal *p = s->principal;
    inbound_login_cancel(s);
    inbound_principal_leave(s);
    s->principal = NULL;
    if (!p) return;
    explicit_bzero(p, sizeof *p);
    p->next = s->in->free_principals;
    s->in->free_principals = p;
}

static bool believe(struct session *s, const struct login_answer *a)
{
    struct inbound_principal *p = s->principal ? NULL : principal_take(s->in);
    if (!p) return false;
    *p = (struct inbound_principal){.number = a->number,
                                    .rights = a->rights,
                                    .valid_until = a->valid_until,
                                    .kind = a->principal,
                                    .name_n = (uint16_t)a->name.n};
    memcpy(p->stamp, a->stamp, sizeof p->stamp);
    memcpy(p->name, a->name.p, a->name.n);
    s->principal = p;
    return true;
}

/* --- answers */

/* The session that waits, or null: it is gone, and another may have its slot. */
static struct session *asked(struct inbound *in, uint32_t slot, uint64_t id)
{
    struct session *s = slot < in->used_sessions ? &in->sessions[slot] : NULL;
    return s && s->open && s->id == id && (s->wait & WAIT_DIRECTORY) ? s : NULL;
}

static void resume(struct session *s, struct buf *out)
{
    s->wait &= (uint8_t)~WAIT_DIRECTORY;
    inbound_deadline(s);
    if (s->wait & WAIT_WRITE)
        (void)!inbound_send(s, buf_span(out)); /* inbound_on_socket goes on when the peer has taken it all */
    else
        inbound_go_on(s, out, true);
}

static void tell_login(struct session *s, const struct login_answer *a, struct buf *out)
{
    static const struct server_verdict refusals[LOGIN_KIND_COUNT] = {
        [LOGIN_REFUSED] = {.code = 535, .enhanced = "5.7.8", .text = SPAN("Authentication failed")},
        [LOGIN_MALFORMED] = {.code = 501,
                             .enhanced = "5.5.2",
                             .text = SPAN("Malformed authentication message")},
        [LOGIN_BANNED] = {.code = 421,
                          .enhanced = "4.7.0",
                          .text = SPAN("Too many failed logins from your address, try again later")},
    };
    static const struct server_verdict too_many = {
        .code = 421, .enhanced = "4.7.0", .text = SPAN("Too many sessions of yours, close some first")};
    uint64_t now = loop_now_ms(s->in->setup.loop);
    if (a->kind == LOGIN_CHALLENGE) {
        server_challenge(&s->engine, now, a->challenge, out);
        return;
    }
    s->logging_in = false;
    if (a->kind == LOGIN_SUCCESS && believe(s, a)) {
        if (!inbound_principal_enter(s)) {
            inbound_log_login_refused(s, &too_many, "sessions-per-principal");
            inbound_principal_forget(s);
            server_answer(&s->engine, now, &too_many, out);
            return;
        }
        inbound_log_login(s, a->label);
        if (a->rights & RIGHT_BYPASS_SIZE) server_permit_size(&s->engine);
        server_authenticated(&s->engine, now, (a->rights & RIGHT_SUBMIT) != 0, out);
        return;
    }
    const struct server_verdict *v = &refusals[a->kind];
    server_answer(&s->engine, now, v->code ? v : &no_directory, out);
}

bool inbound_login_answer(struct inbound *in, struct span payload)
{
    struct login_answer a;
    if (!login_answer_read(payload, &a)) return false;
    struct session *s = asked(in, a.slot, a.session);
    if (!s || !s->logging_in) return true;
    struct buf out = buf_on(in->output, INBOUND_OUT_OCTETS);
    tell_login(s, &a, &out);
    resume(s, &out);
    return true;
}

const struct server_verdict inbound_login_ended = {
    .code = 421, .enhanced = "4.7.0", .text = SPAN("Your login has ended: connect again and log in")};

static void tell_from(struct session *s, uint8_t verdict, struct buf *out)
{
    static const struct server_verdict later = {
        .code = 451, .enhanced = "4.3.0", .text = SPAN("Your right to this From cannot be checked now")};
    struct inbound_principal *p = s->principal;
    p->from_asked = false;
    if (verdict == SENDER_REFUSED && s->transaction) s->transaction->from = FROM_NOT_YOURS;
    s->wait &= (uint8_t)~WAIT_DIRECTORY;
    if (verdict == SENDER_LATER || verdict == SENDER_ENDED) {
        /* what was read of it is not trusted, and not refused */
        inbound_transaction_drop(s);
        server_answer(&s->engine, loop_now_ms(s->in->setup.loop),
                      verdict == SENDER_ENDED ? &inbound_login_ended : &later, out);
    } else {
        inbound_end_content(s, out);
    }
    if (!(s->wait & (WAIT_RESULT | WAIT_DIRECTORY))) resume(s, out);
}

static void tell_sender(struct session *s, uint8_t verdict)
{
    static const struct server_verdict verdicts[SENDER_VERDICT_COUNT] = {
        [SENDER_REFUSED] = {.code = 553,
                            .enhanced = "5.7.1",
                            .text = SPAN("This sender address is not yours")},
        [SENDER_LATER] = {.code = 451,
                          .enhanced = "4.3.0",
                          .text = SPAN("Your right to this sender cannot be checked now")},
    };
    struct buf out = buf_on(s->in->output, INBOUND_OUT_OCTETS);
    if (s->principal->from_asked) { /* it was a From */
        tell_from(s, verdict, &out);
        return;
    }
    const struct server_verdict *v = verdict == SENDER_ENDED ? &inbound_login_ended : &verdicts[verdict];
    if (v->code) {
        inbound_log_sender(s, v, verdict == SENDER_ENDED ? "login.ended" : "sender-lock");
        inbound_transaction_drop(s);
    }
    server_answer(&s->engine, loop_now_ms(s->in->setup.loop), v, &out);
    resume(s, &out);
}

bool inbound_sender_answer(struct inbound *in, struct span payload)
{
    struct sender_answer a;
    if (!sender_answer_read(payload, &a)) return false;
    struct session *s = asked(in, a.slot, a.session);
    if (s && !s->logging_in && s->principal) tell_sender(s, a.verdict);
    return true;
}

void inbound_directory_silent(struct session *s)
{
    if (!s->logging_in) {
        tell_sender(s, SENDER_LATER);
        return;
    }
    struct buf out = buf_on(s->in->output, INBOUND_OUT_OCTETS);
    inbound_login_cancel(s);
    tell_login(s, &(struct login_answer){.kind = LOGIN_LATER}, &out);
    resume(s, &out);
}

void inbound_directory_lost(struct inbound *in)
{
    for (uint32_t i = 0; i < in->used_sessions; i++) {
        struct session *s = &in->sessions[i];
        if (s->open && (s->wait & WAIT_DIRECTORY)) inbound_directory_silent(s);
    }
}
