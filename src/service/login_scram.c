/* SCRAM-SHA-1, SCRAM-SHA-256 (RFC 5802, RFC 7677) and their -PLUS (RFC 9266), by libgsasl. The library asks for keys when it knows the name;
 * what it is given is never a password. */
#include <gsasl.h>
#include <stdlib.h>

#include "base/base64.h"
#include "sasl/scram.h"
#include "service/login_private.h"

struct scram {
    Gsasl_session *session;
    struct login *login;
    struct login_thread *thread; /* of the step in hand */
    bool begun;                  /* the client's first message is there */
    bool found;                  /* the name was looked up */
    bool unavailable;            /* the store could not be read */
    bool last; /* the server's last word is with the client: an empty answer ends it (RFC 4954 4) */
};

static bool is_sha_1(const struct login *l)
{
    return l->begin.mechanism == MECHANISM_SCRAM_SHA_1 || l->begin.mechanism == MECHANISM_SCRAM_SHA_1_PLUS;
}

static int give_base64(Gsasl_session *session, Gsasl_property p, struct span value)
{
    uint8_t memory[256];
    struct buf text = buf_on(memory, sizeof memory);
    base64_encode(value, &text);
    int r = text.over ? GSASL_INTEGRITY_ERROR : gsasl_property_set_raw(session, p, (char *)text.p, text.n);
    explicit_bzero(memory, sizeof memory);
    return r;
}

static int give_keys(struct scram *s)
{
    struct login *l = s->login;
    const char *name = gsasl_property_fast(s->session, GSASL_AUTHID);
    if (!name) return GSASL_NO_AUTHID;
    if (!s->found && !login_find(l, s->thread, span_head(span_str(name), LIMIT_PRINCIPAL_NAME_OCTETS))) {
        s->unavailable = true;
        return GSASL_NO_CALLBACK;
    }
    s->found = true;
    const struct identity_scram *k = is_sha_1(l) ? &l->who.scram_1 : &l->who.scram_256;
    uint8_t digits[16];
    struct buf b = buf_on(digits, sizeof digits);
    buf_u64(&b, k->iterations);
    int r = gsasl_property_set_raw(s->session, GSASL_SCRAM_ITER, (char *)b.p, b.n);
    if (r == GSASL_OK) r = give_base64(s->session, GSASL_SCRAM_SALT, k->salt);
    if (r == GSASL_OK) r = give_base64(s->session, GSASL_SCRAM_STOREDKEY, k->stored_key);
    if (r == GSASL_OK) r = give_base64(s->session, GSASL_SCRAM_SERVERKEY, k->server_key);
    return r;
}

/* RFC 5802 6: a client that could bind and believes that we cannot (its flag "y") was lied to, if we offered it. So the library is told of
 * the binding exactly when -PLUS is offered here. */
static bool binding_offered(const struct login *l)
{
    uint32_t plus = is_sha_1(l) ? MECHANISM_SCRAM_SHA_1_PLUS : MECHANISM_SCRAM_SHA_256_PLUS;
    return l->begin.exporter.n > 0 &&
           (l->world->config->servers[l->begin.server].mechanisms & MECHANISM_BIT(plus));
}

static int property(Gsasl *library, Gsasl_session *session, Gsasl_property p)
{
    struct scram *s = gsasl_session_hook_get(session);
    (void)library;
    switch (p) {
    case GSASL_SCRAM_ITER:
    case GSASL_SCRAM_SALT:
    case GSASL_SCRAM_STOREDKEY:
    case GSASL_SCRAM_SERVERKEY: return give_keys(s);
    case GSASL_CB_TLS_EXPORTER:
        if (!binding_offered(s->login)) return GSASL_NO_CB_TLS_EXPORTER;
        return give_base64(session, GSASL_CB_TLS_EXPORTER, s->login->begin.exporter);
    case GSASL_CB_TLS_UNIQUE: return GSASL_NO_CB_TLS_UNIQUE;
    default: return GSASL_NO_CALLBACK;
    }
}

static void end(struct login *l)
{
    struct scram *s = l->state;
    if (s->session) gsasl_finish(s->session);
    s->session = NULL;
}

static struct scram *open_session(struct login *l, struct login_thread *t)
{
    struct scram *s = arena_take(l->arena, sizeof *s);
    if (!s) return NULL;
    s->login = l;
    if (gsasl_server_start(t->scram, mechanism_table[l->begin.mechanism].name, &s->session) != GSASL_OK)
        return NULL;
    gsasl_session_hook_set(s->session, s);
    l->state = s;
    l->end = end;
    return s;
}

static bool has_keys(const struct login *l)
{
    return !(is_sha_1(l) ? l->no_scram_1 : l->no_scram_256);
}

static enum login_kind success(struct login *l, struct scram *s)
{
    const char *authzid = gsasl_property_fast(s->session, GSASL_AUTHZID);
    const char *authid = gsasl_property_fast(s->session, GSASL_AUTHID);
    if (l->who.number == 0 || !has_keys(l) || !authid) /* nobody knows those keys */
        return login_fail_proof(l, has_keys(l));
    if (authzid && !login_authzid_permitted(l, span_str(authzid), span_str(authid)))
        return login_fail(l, LOGIN_REASON_AUTHZID);
    l->proven = true;
    return LOGIN_SUCCESS;
}

static enum login_kind failure(struct login *l, const struct scram *s, int r)
{
    if (s->unavailable) return LOGIN_LATER;
    if (r == GSASL_MECHANISM_PARSE_ERROR) return LOGIN_MALFORMED;
    return s->found ? login_fail_proof(l, has_keys(l)) : login_fail(l, LOGIN_REASON_BINDING);
}

/* Is the message one, and does it fit the mechanism? RFC 5802 6: "p" is for the -PLUS alone; elsewhere nothing would look at what it binds. */
static enum login_kind look_at(struct login *l, struct scram *s, struct span response)
{
    struct gs2_header header;
    bool plus = mechanism_table[l->begin.mechanism].flags & MECHANISM_BINDS;
    if (s->begun) return scram_final_is_valid(response) ? LOGIN_CHALLENGE : LOGIN_MALFORMED;
    s->begun = true;
    if (!scram_first_read(response, &header)) return LOGIN_MALFORMED;
    return (header.flag == 'p') == plus ? LOGIN_CHALLENGE : login_fail(l, LOGIN_REASON_BINDING);
}

enum login_kind login_scram(struct login *l, struct login_thread *t, struct span response, bool initial)
{
    struct scram *s = l->state ? l->state : open_session(l, t);
    char *out = NULL;
    size_t n = 0;
    if (!s) return LOGIN_LATER;
    if (l->step == 0 && !initial) return LOGIN_CHALLENGE; /* an empty one: the client begins */
    if (s->last) return response.n == 0 ? success(l, s) : LOGIN_MALFORMED;
    s->thread = t;
    enum login_kind kind = look_at(l, s, response);
    if (kind != LOGIN_CHALLENGE) return kind;
    int r = gsasl_step(s->session, (const char *)response.p, response.n, &out, &n);
    bool fits = n <= sizeof l->challenge;
    if (fits && n) memcpy(l->challenge, out, n);
    if (out) gsasl_free(out);
    if (!fits || (r != GSASL_OK && r != GSASL_NEEDS_MORE)) return fits ? failure(l, s, r) : LOGIN_MALFORMED;
    l->out = span_of(l->challenge, n);
    s->last = r == GSASL_OK;
    return LOGIN_CHALLENGE;
}

bool login_scram_begin(struct login_thread *t)
{
    Gsasl *library = NULL;
    if (gsasl_init(&library) != GSASL_OK) return false;
    gsasl_callback_set(library, property);
    t->scram = library;
    return true;
}

void login_scram_end(struct login_thread *t)
{
    if (t->scram) gsasl_done(t->scram);
    t->scram = NULL;
}
