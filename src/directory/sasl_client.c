#include "directory/sasl_client.h"

#include "base/base64.h"

/* "AUTH PLAIN ", the initial response and CRLF are one command line (RFC 4954 4, RFC 5321 4.5.3.1.4). */
#define INITIAL_RESPONSE_OCTETS (LIMIT_SENT_LINE_OCTETS - CREDENTIAL_MECHANISM_OCTETS - 8)

typedef enum credential_status respond_fn(const struct credential *c, const struct sasl_client_step *s,
                                          struct buf *response);

/* RFC 4616: [authzid] NUL authcid NUL passwd. Said once, with the command or after an empty challenge. */
static enum credential_status plain(const struct credential *c, const struct sasl_client_step *s,
                                    struct buf *response)
{
    uint8_t memory[LIMIT_CREDENTIAL_USER_OCTETS + LIMIT_PASSWORD_OCTETS + 2];
    struct buf message = buf_on(memory, sizeof memory);
    if (s->step > 1 || s->challenge.n > 0) return CREDENTIAL_BROKEN;
    buf_byte(&message, 0);
    buf_put(&message, c->user);
    buf_byte(&message, 0);
    buf_put(&message, c->password);
    bool later = s->step == 0 && BASE64_OCTETS(message.n) > INITIAL_RESPONSE_OCTETS;
    if (!later && !message.over) base64_encode(buf_span(&message), response);
    explicit_bzero(memory, sizeof memory);
    return message.over ? CREDENTIAL_BROKEN : CREDENTIAL_RESPONSE;
}

/* No RFC (draft-murchison-sasl-login): the server asks for the user name, then for the password; how it asks differs. */
static enum credential_status login(const struct credential *c, const struct sasl_client_step *s,
                                    struct buf *response)
{
    if (s->step > 2) return CREDENTIAL_BROKEN;
    if (s->step > 0) base64_encode(s->step == 1 ? c->user : c->password, response);
    return CREDENTIAL_RESPONSE;
}

static const struct {
    const char *name;
    respond_fn *respond;
} mechanisms[] = {
    {"PLAIN", plain},
    {"LOGIN", login},
};

static bool offered(struct span all, const char *name)
{
    while (all.n > 0) {
        size_t end = span_find(all, ' ');
        if (span_eq_nocase(span_head(all, end), span_str(name))) return true;
        all = end == SPAN_NPOS ? span_skip(all, all.n) : span_skip(all, end + 1);
    }
    return false;
}

enum credential_status sasl_client_respond(const struct credential *c, const struct sasl_client_step *s,
                                           const char **mechanism, struct buf *response)
{
    for (size_t i = 0; i < sizeof mechanisms / sizeof mechanisms[0]; i++) {
        if (!offered(s->mechanisms, mechanisms[i].name)) continue;
        *mechanism = mechanisms[i].name;
        return mechanisms[i].respond(c, s, response);
    }
    return CREDENTIAL_NO_MECHANISM;
}
