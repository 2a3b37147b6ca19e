#include "sasl/dovecot.h"

#include "base/base64.h"
#include "sasl/mechanism.h"

enum { MAJOR = 1, MINOR = 2, ESCAPE = 1 };

/* --- fields */

bool dovecot_line_take(struct span *input, struct span *line)
{
    size_t n = span_find(*input, '\n');
    if (n == SPAN_NPOS) return false;
    *line = span_head(*input, n);
    *input = span_skip(*input, n + 1);
    return true;
}

/* Takes the first field, without the TAB behind it, off *line. */
static struct span field_take(struct span *line)
{
    size_t n = span_find(*line, '\t');
    struct span field = span_head(*line, n);
    *line = n == SPAN_NPOS ? SPAN("") : span_skip(*line, n + 1);
    return field;
}

static const struct {
    uint8_t plain, letter;
} escapes[] = {{0, '0'}, {ESCAPE, '1'}, {'\t', 't'}, {'\r', 'r'}, {'\n', 'n'}};

void dovecot_put_plain(struct buf *b, struct span field)
{
    for (size_t i = 0; i < field.n; i++) {
        uint8_t c = field.p[i];
        if (c == ESCAPE && i + 1 < field.n) {
            c = field.p[++i];
            for (size_t k = 0; k < sizeof escapes / sizeof escapes[0]; k++)
                if (escapes[k].letter == field.p[i]) c = escapes[k].plain;
        }
        buf_byte(b, c);
    }
}

void dovecot_put_escaped(struct buf *b, struct span plain)
{
    for (size_t i = 0; i < plain.n; i++) {
        size_t k = 0;
        while (k < sizeof escapes / sizeof escapes[0] && escapes[k].plain != plain.p[i])
            k++;
        bool escaped = k < sizeof escapes / sizeof escapes[0];
        if (escaped) buf_byte(b, ESCAPE);
        buf_byte(b, escaped ? escapes[k].letter : plain.p[i]);
    }
}

/* "name=value", or the name alone with an empty value. */
static bool field_is(struct span field, const char *name, struct span *value)
{
    struct span n = span_str(name);
    if (!span_eq(span_head(field, n.n), n) || (field.n > n.n && field.p[n.n] != '=')) return false;
    *value = span_skip(field, n.n + 1);
    return true;
}

static bool has_field(struct span fields, const char *name)
{
    struct span value;
    while (fields.n)
        if (field_is(field_take(&fields), name, &value)) return true;
    return false;
}

static bool take_u32(struct span *line, uint32_t *ret)
{
    uint64_t v;
    if (!span_u64(field_take(line), &v) || v > UINT32_MAX) return false;
    *ret = (uint32_t)v;
    return true;
}

/* --- the handshake */

static bool read_version(struct dovecot_server *s, struct span fields)
{
    uint32_t major;
    s->version = take_u32(&fields, &major) && take_u32(&fields, &s->minor) && major == MAJOR;
    return s->version;
}

static void read_mechanism(struct dovecot_server *s, struct span fields)
{
    const struct mechanism_row *m = mechanism_find(field_take(&fields));
    if (m && !has_field(fields, "anonymous") && !has_field(fields, "private"))
        s->mechanisms |= MECHANISM_BIT(m->mechanism);
}

bool dovecot_handshake(struct dovecot_server *s, struct span line)
{
    struct span word = field_take(&line);
    if (++s->lines > LIMIT_DOVECOT_HANDSHAKE_LINES) return false;
    if (span_eq(word, SPAN("VERSION"))) return !s->version && read_version(s, line);
    if (!s->version) return false;
    if (span_eq(word, SPAN("MECH"))) read_mechanism(s, line);
    if (span_eq(word, SPAN("DONE"))) s->done = true;
    return true;
}

void dovecot_put_hello(struct buf *b, uint32_t cpid)
{
    buf_str(b, "VERSION\t");
    buf_u64(b, MAJOR);
    buf_byte(b, '\t');
    buf_u64(b, MINOR);
    buf_str(b, "\nCPID\t");
    buf_u64(b, cpid);
    buf_byte(b, '\n');
}

/* --- what is said */

/* no-penalty: failed logins are slowed where they come in, not twice. nologin: nobody will ask for this session's user afterwards. resp is the
 * last one: what stands behind it Dovecot does not read. */
void dovecot_put_auth(struct buf *b, const struct dovecot_request *r)
{
    buf_str(b, "AUTH\t");
    buf_u64(b, r->id);
    buf_byte(b, '\t');
    buf_str(b, r->mechanism);
    buf_str(b, "\tservice=smtp\tnologin\tno-penalty\trip=");
    dovecot_put_escaped(b, r->client);
    if (r->local.n) {
        buf_str(b, "\tlip=");
        dovecot_put_escaped(b, r->local);
        buf_str(b, "\tlport=");
        buf_u64(b, r->local_port);
    }
    if (r->tls) buf_str(b, "\tsecured=tls");
    if (r->initial) {
        buf_str(b, "\tresp=");
        base64_encode(r->response, b);
    }
    buf_byte(b, '\n');
}

void dovecot_put_cont(struct buf *b, uint32_t id, struct span response)
{
    buf_str(b, "CONT\t");
    buf_u64(b, id);
    buf_byte(b, '\t');
    base64_encode(response, b);
    buf_byte(b, '\n');
}

void dovecot_put_cancel(struct buf *b, uint32_t id)
{
    buf_str(b, "CANCEL\t");
    buf_u64(b, id);
    buf_byte(b, '\n');
}

/* --- what is heard */

static enum dovecot_code code_of(struct span word)
{
    static const struct {
        const char *word;
        enum dovecot_code code;
    } codes[] = {{"temp_fail", DOVECOT_TEMPORARY},
                 {"authz_fail", DOVECOT_AUTHORISATION},
                 {"user_disabled", DOVECOT_DISABLED},
                 {"pass_expired", DOVECOT_EXPIRED}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (span_eq(word, span_str(codes[i].word))) return codes[i].code;
    return DOVECOT_REFUSED;
}

static struct span plain_of(struct buf *memory, struct span field)
{
    size_t before = memory->n;
    dovecot_put_plain(memory, field);
    return memory->over ? SPAN("") : span_skip(buf_span(memory), before);
}

/* temp, authz, user_disabled and pass_expired alone are what servers before 2.3 say. False: it names two users. */
static bool read_fields(struct span fields, struct buf *memory, struct dovecot_reply *ret)
{
    struct span value;
    while (fields.n) {
        struct span field = field_take(&fields);
        bool user = field_is(field, "user", &value);
        if (user && ret->user.n) return false;
        if (user)
            ret->user = plain_of(memory, value);
        else if (field_is(field, "auth_user", &value))
            ret->actor = plain_of(memory, value);
        else if (field_is(field, "code", &value))
            ret->code = code_of(value);
        else if (field_is(field, "temp", &value))
            ret->code = DOVECOT_TEMPORARY;
        else if (field_is(field, "authz", &value))
            ret->code = DOVECOT_AUTHORISATION;
        else if (field_is(field, "user_disabled", &value))
            ret->code = DOVECOT_DISABLED;
        else if (field_is(field, "pass_expired", &value))
            ret->code = DOVECOT_EXPIRED;
        else if (field_is(field, "nologin", &value) || field_is(field, "proxy", &value))
            ret->no_login = true;
        else if (field_is(field, "anonymous", &value))
            ret->anonymous = true;
    }
    return !memory->over;
}

void dovecot_reply_read(struct span line, uint32_t id, struct buf *memory, struct dovecot_reply *ret)
{
    struct span word = field_take(&line);
    uint32_t about;
    size_t before = memory->n;
    *ret = (struct dovecot_reply){.kind = DOVECOT_NONSENSE};
    if (!take_u32(&line, &about) || about != id) return;
    if (span_eq(word, SPAN("CONT"))) {
        if (!base64_decode(field_take(&line), memory) || memory->over) return;
        ret->challenge = span_skip(buf_span(memory), before);
        ret->kind = DOVECOT_CONT;
        return;
    }
    bool ok = span_eq(word, SPAN("OK"));
    if (!ok && !span_eq(word, SPAN("FAIL"))) return;
    if (read_fields(line, memory, ret)) ret->kind = ok ? DOVECOT_OK : DOVECOT_FAIL;
}
