#include "directory/sasl_client.h"

#include "base/base64.h"

/* "AUTH PLAIN ", the initial response and CRLF are one command line (RFC 4954 4, RFC 5321 4.5.3.1.4). */
#define INITIAL_RESPONSE_OCTETS (LIMIT_SENT_LINE_OCTETS - CREDENTIAL_MECHANISM_OCTETS - 8)

enum {
    PREPARED_OCTETS = 3 * LIMIT_PASSWORD_OCTETS + 1, /* SASLprep may lengthen it */
    TOKEN_MESSAGE_OCTETS =
        LIMIT_AUTH_LINE_OCTETS / 4 * 3, /* RFC 4954 4: the line has so many octets in base64 */
    SHOWN_CHALLENGE_OCTETS = 160,
};

typedef enum credential_status respond_fn(struct sasl_client *x, const struct sasl_client_step *s,
                                          struct buf *response);

static respond_fn scram, plain, login, bearer, xoauth2;

static const struct row {
    const char *name;
    respond_fn *respond;
    bool token; /* it shows a token, else a password */
    enum sasl_hash hash;
    bool plus;
} rows[] = {
    {"SCRAM-SHA-256-PLUS", scram, false, SASL_SHA_256, true},
    {"SCRAM-SHA-256", scram, false, SASL_SHA_256, false},
    {"SCRAM-SHA-1-PLUS", scram, false, SASL_SHA_1, true},
    {"SCRAM-SHA-1", scram, false, SASL_SHA_1, false},
    {"PLAIN", plain, false, SASL_SHA_1, false},
    {"LOGIN", login, false, SASL_SHA_1, false},
    {"OAUTHBEARER", bearer, true, SASL_SHA_1, false},
    {"XOAUTH2", xoauth2, true, SASL_SHA_1, false},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

static enum credential_status broken(struct sasl_client *x, const char *why)
{
    x->why = buf_on(x->text, sizeof x->text); /* whatever stood there, too much of it included */
    buf_str(&x->why, why);
    return CREDENTIAL_BROKEN;
}

/* The first message of a mechanism in which the client begins: with the command where the line has room for it. False: after the 334. */
static bool begins(const struct sasl_client_step *s, struct span message, struct buf *response)
{
    bool later = s->step == 0 && BASE64_OCTETS(message.n) > INITIAL_RESPONSE_OCTETS;
    if (!later) base64_encode(message, response);
    return !later;
}

/* --- passwords in clear */

/* RFC 4616: [authzid] NUL authcid NUL passwd. Said once, with the command or after an empty challenge. */
static enum credential_status plain(struct sasl_client *x, const struct sasl_client_step *s,
                                    struct buf *response)
{
    uint8_t memory[LIMIT_CREDENTIAL_USER_OCTETS + LIMIT_PASSWORD_OCTETS + 2];
    struct buf message = buf_on(memory, sizeof memory);
    if (s->step > 1 || s->challenge.n > 0) return broken(x, "the server asks for more than PLAIN has");
    buf_byte(&message, 0);
    buf_put(&message, x->credential->user);
    buf_byte(&message, 0);
    buf_put(&message, x->credential->password);
    if (!message.over) x->last = begins(s, buf_span(&message), response);
    explicit_bzero(memory, sizeof memory);
    return message.over ? broken(x, "name and password are too long") : CREDENTIAL_RESPONSE;
}

/* No RFC (draft-murchison-sasl-login): the server asks for the user name, then for the password; how it asks differs. */
static enum credential_status login(struct sasl_client *x, const struct sasl_client_step *s,
                                    struct buf *response)
{
    const struct credential *c = x->credential;
    if (s->step > 2) return broken(x, "the server asks for more than LOGIN has");
    if (s->step > 0) base64_encode(s->step == 1 ? c->user : c->password, response);
    x->last = s->step == 2;
    return CREDENTIAL_RESPONSE;
}

/* --- SCRAM */

static bool offered(struct span all, const char *name);

/* RFC 5802 6: "y" tells a server that offered -PLUS that somebody took the offer away on the way. */
static enum scram_binding binding_of(const struct sasl_client *x, struct span all)
{
    bool any_plus = false;
    for (size_t i = 0; i < ROWS; i++)
        any_plus |= rows[i].plus && offered(all, rows[i].name);
    if (rows[x->row].plus) return SCRAM_BOUND;
    return x->exporter.n > 0 && !any_plus ? SCRAM_NOT_OFFERED : SCRAM_UNBOUND;
}

static enum credential_status scram_first(struct sasl_client *x, const struct sasl_client_step *s,
                                          struct buf *response)
{
    uint8_t name[PREPARED_OCTETS], memory[SCRAM_AUTH_OCTETS];
    struct buf prepared = buf_on(name, sizeof name), message = buf_on(memory, sizeof memory);
    if (s->challenge.n > 0) return broken(x, "the server speaks before us, and must not");
    if (s->step == 0) {
        bool good =
            x->crypto->prepare(x->credential->user, &prepared) && prepared.n <= LIMIT_CREDENTIAL_USER_OCTETS;
        scram_client_begin(&x->scram, rows[x->row].hash, binding_of(x, s->mechanisms),
                           good ? buf_span(&prepared) : x->credential->user,
                           span_of(x->nonce, sizeof x->nonce));
    }
    scram_client_first(&x->scram, &message);
    x->said = begins(s, buf_span(&message), response);
    return CREDENTIAL_RESPONSE;
}

static enum credential_status scram_final(struct sasl_client *x, struct span server_first,
                                          struct buf *response)
{
    uint8_t password[PREPARED_OCTETS], memory[SCRAM_AUTH_OCTETS];
    struct buf prepared = buf_on(password, sizeof password), message = buf_on(memory, sizeof memory);
    bool good = x->crypto->prepare(x->credential->password, &prepared);
    if (!good) buf_str(&x->why, "the password has characters that SASLprep does not take (RFC 4013)");
    good = good && scram_client_final(&x->scram, x->crypto, buf_span(&prepared), x->exporter, server_first,
                                      &message, &x->why);
    explicit_bzero(password, sizeof password);
    if (!good) return CREDENTIAL_BROKEN;
    base64_encode(buf_span(&message), response);
    return CREDENTIAL_RESPONSE;
}

static enum credential_status scram(struct sasl_client *x, const struct sasl_client_step *s,
                                    struct buf *response)
{
    uint8_t memory[SCRAM_MESSAGE_OCTETS];
    struct buf message = buf_on(memory, sizeof memory);
    if (!x->said) return s->step < 2 ? scram_first(x, s, response) : broken(x, "too many challenges");
    if (x->last || !base64_decode(s->challenge, &message) || message.over)
        return broken(x, x->last ? "the server asks for more than SCRAM has"
                                 : "the server's challenge is too long, or no base64");
    if (!x->proven) {
        x->proven = true;
        return scram_final(x, buf_span(&message), response);
    }
    x->last = scram_client_verify(&x->scram, buf_span(&message), &x->why);
    return x->last ? CREDENTIAL_RESPONSE : CREDENTIAL_BROKEN; /* RFC 4954 4: an empty response */
}

/* --- tokens */

/* What the server thinks of the token: JSON (RFC 7628 3.2.2), shown as it is; then 535 follows our acknowledgement. */
static enum credential_status acknowledge(struct sasl_client *x, const struct sasl_client_step *s,
                                          struct span ours, struct buf *response)
{
    uint8_t memory[2048];
    struct buf said = buf_on(memory, sizeof memory);
    if (x->acknowledged) return broken(x, "the server asks for more than a token");
    x->acknowledged = true;
    x->last = false;
    if (x->why.n) buf_str(&x->why, ": ");
    if (base64_decode(s->challenge, &said) && !said.over)
        buf_escaped(&x->why, buf_span(&said), SHOWN_CHALLENGE_OCTETS);
    base64_encode(ours, response);
    return CREDENTIAL_RESPONSE;
}

static enum credential_status show_token(struct sasl_client *x, const struct sasl_client_step *s,
                                         struct buf *message, struct span acknowledgement,
                                         struct buf *response)
{
    if (s->challenge.n > 0 && s->step > 0) return acknowledge(x, s, acknowledgement, response);
    if (x->said || s->step > 1) return broken(x, "the server asks for more than a token");
    if (message->over) return broken(x, "name and token are too long");
    x->said = x->last = begins(s, buf_span(message), response);
    return CREDENTIAL_RESPONSE;
}

/* RFC 7628 3.1; host and port are not needed by a bearer token. */
static enum credential_status bearer(struct sasl_client *x, const struct sasl_client_step *s,
                                     struct buf *response)
{
    uint8_t memory[TOKEN_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, SPAN("n,a="));
    for (size_t i = 0; i < x->credential->user.n; i++) { /* saslname: RFC 5801 4 */
        uint8_t c = x->credential->user.p[i];
        if (c == ',' || c == '=')
            buf_put(&b, c == ',' ? SPAN("=2C") : SPAN("=3D"));
        else
            buf_byte(&b, c);
    }
    buf_put(&b, SPAN(",\1auth=Bearer "));
    buf_put(&b, x->credential->token);
    buf_put(&b, SPAN("\1\1"));
    enum credential_status status = show_token(x, s, &b, SPAN("\1"), response);
    explicit_bzero(memory, sizeof memory);
    return status;
}

/* No RFC (Google, Microsoft). An error is acknowledged by an empty line. */
static enum credential_status xoauth2(struct sasl_client *x, const struct sasl_client_step *s,
                                      struct buf *response)
{
    uint8_t memory[TOKEN_MESSAGE_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, SPAN("user="));
    buf_put(&b, x->credential->user);
    buf_put(&b, SPAN("\1auth=Bearer "));
    buf_put(&b, x->credential->token);
    buf_put(&b, SPAN("\1\1"));
    enum credential_status status = show_token(x, s, &b, SPAN(""), response);
    explicit_bzero(memory, sizeof memory);
    return status;
}

/* --- the choice */

static bool offered(struct span all, const char *name)
{
    while (all.n > 0) {
        size_t end = span_find(all, ' ');
        if (span_eq_nocase(span_head(all, end), span_str(name))) return true;
        all = end == SPAN_NPOS ? span_skip(all, all.n) : span_skip(all, end + 1);
    }
    return false;
}

const char *sasl_client_mechanism(size_t i, bool *token)
{
    if (i >= ROWS) return NULL;
    *token = rows[i].token;
    return rows[i].name;
}

static bool fits(const struct sasl_client *x, const struct row *row)
{
    const struct credential *c = x->credential;
    if (row->token != (c->token.n > 0) || (row->plus && x->exporter.n == 0)) return false;
    return c->mechanisms.n == 0 || offered(c->mechanisms, row->name);
}

static bool choose(struct sasl_client *x, struct span all)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (!fits(x, &rows[i]) || !offered(all, rows[i].name)) continue;
        x->row = i;
        x->mechanism = rows[i].name;
        return true;
    }
    return false;
}

static enum credential_status no_mechanism(struct sasl_client *x, struct span all)
{
    const struct credential *c = x->credential;
    buf_str(&x->why, "the next hop offers AUTH ");
    buf_escaped(&x->why, all, SHOWN_CHALLENGE_OCTETS);
    buf_str(&x->why, ", and we have ");
    if (c->mechanisms.n) {
        buf_escaped(&x->why, c->mechanisms, SHOWN_CHALLENGE_OCTETS);
        buf_str(&x->why, " for it");
    } else {
        buf_str(&x->why, c->token.n ? "a token for OAUTHBEARER or XOAUTH2"
                                    : "a password for SCRAM-SHA-256, SCRAM-SHA-1, PLAIN or LOGIN");
    }
    return CREDENTIAL_NO_MECHANISM;
}

void sasl_client_begin(struct sasl_client *x, const struct credential *credential,
                       const struct sasl_crypto *crypto, struct span exporter, const uint8_t *chance)
{
    struct buf nonce = buf_on(x->nonce, sizeof x->nonce), copy;
    x->credential = credential;
    x->crypto = crypto;
    x->mechanism = NULL;
    x->last = x->said = x->proven = x->acknowledged = false;
    x->row = 0;
    x->why = buf_on(x->text, sizeof x->text);
    copy = buf_on(x->exporter_memory, sizeof x->exporter_memory);
    buf_put(&copy, exporter);
    x->exporter = buf_span(&copy);
    base64_encode(span_of(chance, SASL_CLIENT_CHANCE), &nonce);
}

enum credential_status sasl_client_respond(struct sasl_client *x, const struct sasl_client_step *s,
                                           struct buf *response)
{
    if (s->step == 0 && !choose(x, s->mechanisms)) return no_mechanism(x, s->mechanisms);
    if (!x->mechanism) return broken(x, "the exchange began with another directory");
    return rows[x->row].respond(x, s, response);
}
