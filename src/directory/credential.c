#include "directory/credential.h"

#include "base/utf8.h"

#define BYTE_ORDER_MARK SPAN("\xef\xbb\xbf")

/* --- the file */

/* Null: good. RFC 4616 2, RFC 4954 4: UTF-8, and never a NUL; what else steers a terminal is no part of a name or password. */
static const char *text_wrong(struct span s)
{
    uint32_t code;
    for (size_t n; s.n > 0; s = span_skip(s, n)) {
        n = utf8_next(s, &code);
        if (n == 0) return "is not UTF-8";
        if (utf8_is_control(code)) return "a control character stands in the line";
    }
    return NULL;
}

static const char *user_wrong(struct span s)
{
    if (s.n == 0) return "the user name is missing: write user name and password, one a line";
    if (s.n > LIMIT_CREDENTIAL_USER_OCTETS) return "the user name is too long";
    if (s.p[0] == ' ' || s.p[s.n - 1] == ' ') return "a blank stands before or behind the user name";
    return text_wrong(s);
}

static const char *password_wrong(struct span s)
{
    if (s.n == 0) return "the password is missing: write user name and password, one a line";
    if (s.n > LIMIT_PASSWORD_OCTETS) return "the password is too long";
    return text_wrong(s);
}

static struct span line_take(struct span *text)
{
    size_t end = span_find(*text, '\n');
    struct span line = span_head(*text, end);
    *text = end == SPAN_NPOS ? span_skip(*text, text->n) : span_skip(*text, end + 1);
    if (line.n > 0 && line.p[line.n - 1] == '\r') line.n--;
    return line;
}

const char *credential_parse(struct span text, struct credential *ret, uint32_t *line)
{
    struct credential c = {.token = {NULL, 0}};
    *line = 0;
    if (text.n == 0) return "is empty: write user name and password, one a line";
    if (text.n > LIMIT_CREDENTIAL_FILE_OCTETS) return "is too long for a user name and a password";
    *line = 1;
    if (span_eq(span_head(text, 3), BYTE_ORDER_MARK)) return "begins with a byte order mark: remove it";
    c.user = line_take(&text);
    const char *wrong = user_wrong(c.user);
    if (wrong) return wrong;
    *line = 2;
    c.password = line_take(&text);
    wrong = password_wrong(c.password);
    if (wrong) return wrong;
    *line = 3;
    if (text.n > 0) return "something follows the password: only two lines are allowed";
    *line = 0;
    *ret = c;
    return NULL;
}

/* --- a token */

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *credential_token(struct span text, struct span *ret)
{
    while (text.n > 0 && blank(text.p[0]))
        text = span_skip(text, 1);
    while (text.n > 0 && blank(text.p[text.n - 1]))
        text.n--;
    if (text.n == 0) return "is empty";
    if (text.n > LIMIT_CREDENTIAL_TOKEN_OCTETS) return "is too long for a token";
    size_t pads = 0;
    while (pads < text.n && text.p[text.n - 1 - pads] == '=')
        pads++;
    for (size_t i = 0; i < text.n - pads; i++)
        if (!octet_is_alnum(text.p[i]) && (text.p[i] == 0 || !strchr("-._~+/", text.p[i])))
            return "holds something else than one token";
    if (pads == text.n) return "holds something else than one token";
    *ret = text;
    return NULL;
}

/* --- messages */

static bool mechanism_good(struct span s) /* RFC 4422 3.1: sasl-mech */
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        if (!((c >= 'A' && c <= 'Z') || octet_is_digit(c) || c == '-' || c == '_')) return false;
    }
    return s.n > 0;
}

static bool base64_shaped(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!octet_is_alnum(s.p[i]) && s.p[i] != '+' && s.p[i] != '/' && s.p[i] != '=') return false;
    return s.n % 4 == 0;
}

void credential_question_put(struct buf *b, const struct credential_question *q)
{
    wire_put_u64(b, q->tag);
    wire_put_span(b, q->user);
    wire_put_span(b, span_head(q->mechanisms, CREDENTIAL_MECHANISMS_OCTETS));
    wire_put_u8(b, q->step);
    wire_put_span(b, q->challenge);
    wire_put_span(b, q->exporter);
}

bool credential_question_read(struct span payload, struct credential_question *ret)
{
    struct wire w = wire_on(payload);
    struct credential_question q = {.tag = wire_u64(&w)};
    q.user = wire_span(&w, LIMIT_CONFIG_PATH_OCTETS);
    q.mechanisms = wire_span(&w, CREDENTIAL_MECHANISMS_OCTETS);
    q.step = wire_u8(&w);
    q.challenge = wire_span(&w, LIMIT_AUTH_LINE_OCTETS);
    q.exporter = wire_span(&w, LIMIT_EXPORTER_OCTETS);
    if (!wire_done(&w) || q.user.n == 0 || !span_no_controls(q.user) || !span_printable(q.mechanisms) ||
        !span_printable(q.challenge))
        return false;
    if (q.step >= CREDENTIAL_STEPS_MAX || (q.step == 0 && q.challenge.n > 0)) return false;
    if (q.exporter.n != 0 && (q.exporter.n != LIMIT_EXPORTER_OCTETS || q.step > 0)) return false;
    *ret = q;
    return true;
}

void credential_answer_put(struct buf *b, const struct credential_answer *a)
{
    wire_put_u64(b, a->tag);
    wire_put_u8(b, a->status);
    wire_put_span(b, a->mechanism);
    wire_put_span(b, a->response);
    wire_put_u8(b, a->last);
    struct span text = span_head(a->text, LIMIT_RESULT_TEXT_OCTETS);
    wire_put_u16(b, (uint16_t)text.n);
    for (size_t i = 0; i < text.n; i++)
        buf_byte(b, text.p[i] >= ' ' && text.p[i] < 127 ? text.p[i] : '?');
}

bool credential_answer_read(struct span payload, struct credential_answer *ret)
{
    struct wire w = wire_on(payload);
    struct credential_answer a = {.tag = wire_u64(&w)};
    a.status = wire_u8(&w);
    a.mechanism = wire_span(&w, CREDENTIAL_MECHANISM_OCTETS);
    a.response = wire_span(&w, LIMIT_AUTH_LINE_OCTETS);
    uint8_t last = wire_u8(&w);
    a.last = last == 1;
    a.text = wire_span(&w, LIMIT_RESULT_TEXT_OCTETS);
    if (!wire_done(&w) || a.status >= CREDENTIAL_STATUS_COUNT || last > 1 || !span_printable(a.text))
        return false;
    if (a.status == CREDENTIAL_RESPONSE ? !mechanism_good(a.mechanism) || !base64_shaped(a.response)
                                        : a.mechanism.n > 0 || a.response.n > 0 || a.last)
        return false;
    *ret = a;
    return true;
}
