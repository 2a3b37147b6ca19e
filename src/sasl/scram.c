#include "sasl/scram.h"

#include "base/base64.h"
#include "base/utf8.h"

/* What stands before the first comma, or all; the comma is taken, too. */
static struct span take(struct span *rest, bool *more)
{
    size_t comma = span_find(*rest, ',');
    struct span s = span_head(*rest, comma);
    *more = comma != SPAN_NPOS;
    *rest = *more ? span_skip(*rest, comma + 1) : SPAN("");
    return s;
}

static bool is_attribute(struct span s, char name)
{
    return s.n > 2 && s.p[0] == (uint8_t)name && s.p[1] == '=';
}

/* printable = %x21-2B / %x2D-7E */
static bool is_nonce(struct span s)
{
    return is_attribute(s, 'r') && span_printable(s) && span_find(s, ' ') == SPAN_NPOS;
}

static bool is_base64(struct span s, char name)
{
    return is_attribute(s, name) && base64_valid(span_skip(s, 2));
}

static bool is_username(struct span s)
{
    uint8_t memory[LIMIT_PRINCIPAL_NAME_OCTETS];
    struct buf name = buf_on(memory, sizeof memory);
    return is_attribute(s, 'n') && gs2_unescape(span_skip(s, 2), &name) && authzid_is_name(buf_span(&name));
}

/* attr-val = ALPHA "=" value; the letters that have a meaning (5.1) mean nothing here. */
static bool is_extension(struct span s)
{
    return s.n > 2 && octet_is_alnum(s.p[0]) && !octet_is_digit(s.p[0]) && s.p[1] == '=' &&
           !memchr("anmrcsipve", s.p[0], 10) && utf8_valid(s) && span_find(s, 0) == SPAN_NPOS;
}

bool scram_first_read(struct span message, struct gs2_header *header)
{
    struct span rest = message;
    bool more;
    if (!gs2_read(&rest, header) || !is_username(take(&rest, &more)) || !more) return false;
    bool valid = is_nonce(take(&rest, &more));
    while (valid && more)
        valid = is_extension(take(&rest, &more));
    return valid;
}

bool scram_final_is_valid(struct span message)
{
    struct span rest = message;
    bool more;
    if (!is_base64(take(&rest, &more), 'c') || !more || !is_nonce(take(&rest, &more))) return false;
    while (more) {
        struct span s = take(&rest, &more);
        if (!more) return is_base64(s, 'p');
        if (!is_extension(s)) return false;
    }
    return false;
}
