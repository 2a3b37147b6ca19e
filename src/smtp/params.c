#include "smtp/params.h"

#include "base/limits.h"
#include "base/utf8.h"
#include "smtp/path.h"
#include "smtp/xtext.h"

struct param {
    struct span whole, keyword, value;
    bool has_value;
};

/* RFC 5321 4.1.2: esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool keyword_valid(struct span s)
{
    if (s.n == 0 || s.p[0] == '-') return false;
    for (size_t i = 0; i < s.n; i++)
        if (!octet_is_alnum(s.p[i]) && s.p[i] != '-') return false;
    return true;
}

/* esmtp-value = 1*(%d33-60 / %d62-126); RFC 6531 3.3: esmtp-value =/ UTF8-non-ascii */
static bool value_valid(struct span s, unsigned offered)
{
    bool high = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] == '=' || s.p[i] == 127) return false;
        high |= s.p[i] > 127;
    }
    return s.n > 0 && (!high || ((offered & PARAMS_SMTPUTF8) && utf8_valid(s)));
}

/* RFC 5321 4.1.2: Mail-parameters = esmtp-param *(SP esmtp-param), each behind at least one SP here. False at the end,
 * or with *e set when what comes is none. */
static bool next_param(struct span *in, unsigned offered, struct param *p, enum params_error *e)
{
    struct span s = *in;
    while (s.n && s.p[0] == ' ')
        s = span_skip(s, 1);
    *e = PARAMS_OK;
    if (s.n == 0) return false;
    p->whole = span_head(s, span_find(s, ' '));
    size_t equals = span_find(p->whole, '=');
    p->keyword = span_head(p->whole, equals);
    p->has_value = equals != SPAN_NPOS;
    p->value = span_skip(p->whole, p->has_value ? equals + 1 : p->whole.n);
    if (s.n == in->n || !keyword_valid(p->keyword) || (p->has_value && !value_valid(p->value, offered))) {
        *e = PARAMS_SYNTAX; /* s.n == in->n: something stuck to the '>' */
        return false;
    }
    *in = span_skip(s, p->whole.n);
    return true;
}

static enum params_error read_size(const struct param *p, uint64_t *ret)
{
    /* RFC 1870 3: size-value ::= 1*20DIGIT */
    if (p->value.n == 0 || p->value.n > LIMIT_SIZE_DIGITS) return PARAMS_SYNTAX;
    for (size_t i = 0; i < p->value.n; i++)
        if (!octet_is_digit(p->value.p[i])) return PARAMS_SYNTAX;
    return span_u64(p->value, ret) ? PARAMS_OK : PARAMS_SIZE_HUGE;
}

static enum params_error read_body(const struct param *p, unsigned offered, enum body_type *ret)
{
    if (span_eq_nocase(p->value, SPAN("7BIT")))
        *ret = BODY_7BIT;
    else if (span_eq_nocase(p->value, SPAN("8BITMIME")))
        *ret = BODY_8BITMIME;
    else if (!span_eq_nocase(p->value, SPAN("BINARYMIME")))
        return PARAMS_SYNTAX;
    else if (!(offered & PARAMS_BINARY))
        return PARAMS_UNKNOWN;
    else
        *ret = BODY_BINARYMIME;
    return PARAMS_OK;
}

static enum params_error read_ret(const struct param *p, enum dsn_ret *ret)
{
    if (span_eq_nocase(p->value, SPAN("FULL")))
        *ret = DSN_RET_FULL;
    else if (span_eq_nocase(p->value, SPAN("HDRS")))
        *ret = DSN_RET_HDRS;
    else
        return PARAMS_SYNTAX;
    return PARAMS_OK;
}

static enum params_error read_envid(const struct param *p, struct span *ret)
{
    if (p->value.n == 0 || p->value.n > LIMIT_ENVID_OCTETS || !xtext_valid(p->value)) return PARAMS_SYNTAX;
    *ret = p->value;
    return PARAMS_OK;
}

/* RFC 4954 5: AUTH=mailbox, xtext of an addr-spec, or "<>". The brackets are ours, the grammar is the path's. */
static enum params_error read_auth(const struct param *p, struct span *ret)
{
    uint8_t memory[LIMIT_PATH_OCTETS + 2];
    struct buf b = buf_on(memory, sizeof memory);
    struct path path;
    struct span rest;
    if (p->value.n == 0 || !xtext_valid(p->value)) return PARAMS_SYNTAX;
    *ret = p->value;
    if (span_eq(p->value, SPAN("<>"))) return PARAMS_OK;
    buf_byte(&b, '<');
    xtext_decode(p->value, &b);
    buf_byte(&b, '>');
    if (b.over || path_parse(buf_span(&b), 0, &path, &rest) || rest.n) return PARAMS_SYNTAX;
    return PARAMS_OK;
}

/* Parameters of one command: bit set of those that were there. */
enum {
    SEEN_SIZE = 1,
    SEEN_BODY = 2,
    SEEN_SMTPUTF8 = 4,
    SEEN_RET = 8,
    SEEN_ENVID = 16,
    SEEN_AUTH = 32,
    SEEN_NOTIFY = 64,
    SEEN_ORCPT = 128
};

static const struct known {
    struct span keyword;
    unsigned seen;
    unsigned offer; /* PARAMS_* that offers it */
    bool mail;      /* of MAIL, else of RCPT */
} known[] = {
    {SPAN("SIZE"), SEEN_SIZE, PARAMS_SIZE, true},
    {SPAN("BODY"), SEEN_BODY, PARAMS_BODY, true},
    {SPAN("SMTPUTF8"), SEEN_SMTPUTF8, PARAMS_SMTPUTF8, true},
    {SPAN("RET"), SEEN_RET, PARAMS_DSN, true},
    {SPAN("ENVID"), SEEN_ENVID, PARAMS_DSN, true},
    {SPAN("AUTH"), SEEN_AUTH, PARAMS_AUTH, true},
    {SPAN("NOTIFY"), SEEN_NOTIFY, PARAMS_DSN, false},
    {SPAN("ORCPT"), SEEN_ORCPT, PARAMS_DSN, false},
};

/* Which parameter it is, as SEEN_*, 0 when there is no such or it was not offered.
 * RFC 5321 4.1.1.11: "If the server SMTP does not recognize or cannot implement one or more of the parameters ... it will
 * return code 555." */
static unsigned recognise(struct span keyword, unsigned offered, bool mail)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].mail == mail && (offered & known[i].offer) && span_eq_nocase(keyword, known[i].keyword))
            return known[i].seen;
    return 0;
}

static enum params_error read_mail(const struct param *p, unsigned which, unsigned offered,
                                   struct mail_params *r)
{
    switch (which) {
    case SEEN_SIZE: r->has_size = true; return read_size(p, &r->size);
    case SEEN_BODY: r->has_body = true; return read_body(p, offered, &r->body);
    case SEEN_SMTPUTF8:
        r->smtputf8 = true;
        return p->has_value ? PARAMS_SYNTAX : PARAMS_OK; /* RFC 6531 3.1: no value */
    case SEEN_RET: return read_ret(p, &r->ret);
    case SEEN_ENVID: return read_envid(p, &r->envid);
    case SEEN_AUTH: r->has_auth = true; return read_auth(p, &r->auth);
    default: return PARAMS_UNKNOWN;
    }
}

/* RFC 3461 4.1: NOTIFY = "NEVER" / 1#( "SUCCESS" / "FAILURE" / "DELAY" ) */
static enum params_error read_notify(const struct param *p, uint8_t *ret)
{
    struct span rest = p->value;
    if (span_eq_nocase(rest, SPAN("NEVER"))) {
        *ret = DSN_NOTIFY_NEVER;
        return PARAMS_OK;
    }
    for (;;) {
        struct span word = span_head(rest, span_find(rest, ','));
        if (span_eq_nocase(word, SPAN("SUCCESS")))
            *ret |= DSN_NOTIFY_SUCCESS;
        else if (span_eq_nocase(word, SPAN("FAILURE")))
            *ret |= DSN_NOTIFY_FAILURE;
        else if (span_eq_nocase(word, SPAN("DELAY")))
            *ret |= DSN_NOTIFY_DELAY;
        else
            return PARAMS_SYNTAX;
        if (word.n == rest.n) return PARAMS_OK;
        rest = span_skip(rest, word.n + 1);
    }
}

/* RFC 6533 3: an address of type utf-8 may hold UTF-8 as it is; all else of it is as in xtext. */
static bool utf8_address_valid(struct span s)
{
    while (s.n) {
        uint32_t code;
        size_t n = 0;
        while (n < s.n && s.p[n] < 128)
            n++;
        if (!xtext_valid(span_head(s, n))) return false;
        s = span_skip(s, n);
        if (s.n == 0) break;
        n = utf8_next(s, &code);
        if (n == 0 || utf8_is_control(code)) return false;
        s = span_skip(s, n);
    }
    return true;
}

/* RFC 3461 4.2: ORCPT = addr-type ";" xtext, addr-type = atom */
static enum params_error read_orcpt(const struct param *p, unsigned offered, struct span *ret)
{
    size_t semicolon = span_find(p->value, ';');
    if (semicolon == SPAN_NPOS || p->value.n > LIMIT_ORCPT_OCTETS) return PARAMS_SYNTAX;
    struct span type = span_head(p->value, semicolon), address = span_skip(p->value, semicolon + 1);
    if (!keyword_valid(type))
        return PARAMS_SYNTAX; /* every registered type is of letters, digits and hyphens */
    bool utf8 = (offered & PARAMS_SMTPUTF8) && span_eq_nocase(type, SPAN("utf-8"));
    if (utf8 ? !utf8_address_valid(address) : !xtext_valid(address)) return PARAMS_SYNTAX;
    *ret = p->value;
    return PARAMS_OK;
}

static enum params_error read_rcpt(const struct param *p, unsigned which, unsigned offered,
                                   struct rcpt_params *r)
{
    switch (which) {
    case SEEN_NOTIFY: return read_notify(p, &r->notify);
    case SEEN_ORCPT: return read_orcpt(p, offered, &r->orcpt);
    default: return PARAMS_UNKNOWN;
    }
}

/* One of mail and rcpt is null. */
static enum params_error read_all(struct span in, unsigned offered, struct mail_params *mail,
                                  struct rcpt_params *rcpt, struct span *bad)
{
    unsigned seen = 0;
    struct param p = {0};
    enum params_error e;
    while (next_param(&in, offered, &p, &e)) {
        unsigned which = recognise(p.keyword, offered, mail != NULL);
        if (which == 0)
            e = PARAMS_UNKNOWN;
        else if (seen & which)
            e = PARAMS_TWICE; /* RFC 3461 4.1 to 4.4: "MUST NOT appear more than once" */
        else
            e = mail ? read_mail(&p, which, offered, mail) : read_rcpt(&p, which, offered, rcpt);
        if (e) break;
        seen |= which;
    }
    if (e) *bad = p.whole;
    return e;
}

enum params_error params_mail(struct span in, unsigned offered, struct mail_params *ret, struct span *bad)
{
    *ret = (struct mail_params){0};
    return read_all(in, offered, ret, NULL, bad);
}

enum params_error params_rcpt(struct span in, unsigned offered, struct rcpt_params *ret, struct span *bad)
{
    *ret = (struct rcpt_params){0};
    return read_all(in, offered, NULL, ret, bad);
}

enum chunk_error params_chunk(struct span in, uint64_t *size, bool *last)
{
    /* RFC 3030 2: chunk-size ::= 1*DIGIT; bdat-cmd ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF */
    struct span digits = span_head(in, span_find(in, ' '));
    if (!span_u64(digits, size)) return CHUNK_BAD_SIZE;
    struct span rest = span_skip(in, digits.n);
    while (rest.n && rest.p[0] == ' ')
        rest = span_skip(rest, 1);
    *last = span_eq_nocase(rest, SPAN("LAST"));
    return *last || rest.n == 0 ? CHUNK_OK : CHUNK_BAD_REST;
}
