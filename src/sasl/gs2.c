#include "sasl/gs2.h"

bool gs2_unescape(struct span name, struct buf *out)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] != '=') {
            buf_byte(out, name.p[i]);
            continue;
        }
        struct span code = span_head(span_skip(name, i), 3);
        if (!span_eq(code, SPAN("=2C")) && !span_eq(code, SPAN("=3D"))) return false;
        buf_byte(out, code.p[1] == '2' ? ',' : '=');
        i += 2;
    }
    return !out->over;
}

/* cb-name = 1*(ALPHA / DIGIT / "." / "-") */
static bool is_binding(struct span s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!octet_is_alnum(s.p[i]) && s.p[i] != '.' && s.p[i] != '-') return false;
    return s.n > 0;
}

/* gs2-cbind-flag = ("p=" cb-name) / "n" / "y" */
static bool read_flag(struct span s, struct gs2_header *ret)
{
    if (s.n == 0) return false;
    ret->flag = s.p[0];
    ret->binding = span_skip(s, 2);
    if (ret->flag == 'p') return span_eq(span_head(s, 2), SPAN("p=")) && is_binding(ret->binding);
    return s.n == 1 && (ret->flag == 'n' || ret->flag == 'y');
}

bool gs2_read(struct span *rest, struct gs2_header *ret)
{
    struct buf name = buf_on(ret->memory, sizeof ret->memory);
    size_t first = span_find(*rest, ',');
    if (first == SPAN_NPOS || !read_flag(span_head(*rest, first), ret)) return false;
    struct span authzid = span_skip(*rest, first + 1);
    size_t second = span_find(authzid, ',');
    if (second == SPAN_NPOS) return false;
    *rest = span_skip(authzid, second + 1);
    authzid = span_head(authzid, second);
    ret->authzid = span_of(ret->memory, 0);
    if (authzid.n == 0) return true;
    if (!span_eq(span_head(authzid, 2), SPAN("a=")) || !gs2_unescape(span_skip(authzid, 2), &name))
        return false;
    ret->authzid = buf_span(&name);
    return authzid_is_name(ret->authzid);
}
