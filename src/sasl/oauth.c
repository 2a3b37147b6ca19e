#include "sasl/oauth.h"

#define SEPARATOR 1 /* kvsep: ^A */

/* What stands before the first c, which is taken too. */
static bool take_until(struct span *rest, uint8_t c, struct span *ret)
{
    size_t at = span_find(*rest, c);
    if (at == SPAN_NPOS) return false;
    *ret = span_head(*rest, at);
    *rest = span_skip(*rest, at + 1);
    return true;
}

/* b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=" (RFC 6750 2.1) */
static bool is_token(struct span s)
{
    while (s.n > 0 && s.p[s.n - 1] == '=')
        s.n--;
    for (size_t i = 0; i < s.n; i++)
        if (!octet_is_alnum(s.p[i]) && (s.p[i] == 0 || !strchr("-._~+/", s.p[i]))) return false;
    return s.n > 0;
}

/* "Bearer" and the token (RFC 6750 2.1); empty: none. */
static bool read_auth(struct span value, struct span *token)
{
    struct span scheme = SPAN("Bearer ");
    if (value.n == 0) return true;
    if (!span_starts_nocase(value, scheme)) return false;
    *token = span_skip(value, scheme.n);
    while (token->n > 0 && token->p[0] == ' ')
        *token = span_skip(*token, 1);
    return is_token(*token);
}

static bool read_port(struct span value, uint16_t *port)
{
    uint64_t n;
    if (!span_u64(value, &n) || n == 0 || n > UINT16_MAX) return false;
    *port = (uint16_t)n;
    return true;
}

/* key = 1*(ALPHA); value = *(VCHAR / SP / HTAB / CR / LF): RFC 7628 3.1 */
static bool is_pair(struct span key, struct span value)
{
    for (size_t i = 0; i < key.n; i++)
        if (!octet_is_alnum(key.p[i]) || octet_is_digit(key.p[i])) return false;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] > '~' || (value.p[i] < ' ' && (value.p[i] == 0 || !strchr("\t\r\n", value.p[i]))))
            return false;
    return key.n > 0;
}

enum { HOST = 1, PORT = 2, AUTH = 4 };

static bool read_pair(struct span key, struct span value, struct oauth_message *ret, unsigned *seen)
{
    unsigned which = span_eq(key, SPAN("host"))   ? HOST
                     : span_eq(key, SPAN("port")) ? PORT
                     : span_eq(key, SPAN("auth")) ? AUTH
                                                  : 0;
    if (!is_pair(key, value) || *seen & which) return false;
    *seen |= which;
    if (which == PORT) return read_port(value, &ret->port);
    if (which == AUTH) return read_auth(value, &ret->token);
    if (which == HOST) {
        ret->host = value;
        return value.n <= LIMIT_DOMAIN_OCTETS && span_printable(value);
    }
    return true;
}

bool oauth_bearer_read(struct span message, struct oauth_message *ret)
{
    struct span rest = message, before, pair;
    unsigned seen = 0;
    *ret = (struct oauth_message){.port = 0};
    if (!gs2_read(&rest, &ret->header) || ret->header.flag == 'p') return false;
    ret->authzid = ret->header.authzid;
    if (!take_until(&rest, SEPARATOR, &before) || before.n > 0) return false;
    for (;;) {
        struct span key;
        if (!take_until(&rest, SEPARATOR, &pair)) return false;
        if (pair.n == 0) break;
        if (!take_until(&pair, '=', &key) || !read_pair(key, pair, ret, &seen)) return false;
    }
    return rest.n == 0 && seen & AUTH;
}

bool oauth_x2_read(struct span message, struct oauth_message *ret)
{
    struct span rest = message, user, auth, user_key = SPAN("user="), auth_key = SPAN("auth=");
    *ret = (struct oauth_message){.port = 0};
    if (!take_until(&rest, SEPARATOR, &user) || !take_until(&rest, SEPARATOR, &auth)) return false;
    if (!span_eq(rest, SPAN("\1")) || !span_eq(span_head(user, user_key.n), user_key) ||
        !span_eq(span_head(auth, auth_key.n), auth_key))
        return false;
    ret->authzid = span_skip(user, user_key.n);
    return authzid_is_name(ret->authzid) && read_auth(span_skip(auth, auth_key.n), &ret->token);
}

static void put_member(struct buf *b, const char *name, struct span value)
{
    if (value.n == 0) return;
    buf_str(b, ",\"");
    buf_str(b, name);
    buf_str(b, "\":\"");
    buf_json(b, value, value.n);
    buf_byte(b, '"');
}

void oauth_put_error(struct buf *b, const char *status, struct span scope, struct span configuration)
{
    buf_str(b, "{\"status\":\"");
    buf_str(b, status);
    buf_str(b, "\",\"schemes\":\"bearer\"");
    put_member(b, "scope", scope);
    put_member(b, "openid-configuration", configuration);
    buf_byte(b, '}');
}

bool oauth_is_acknowledgement(struct span message)
{
    return message.n == 0 || span_eq(message, SPAN("\1"));
}
