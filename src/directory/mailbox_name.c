#include "directory/mailbox_name.h"

#include "base/limits.h"
#include "base/utf8.h"

static bool alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || (octet_lower(c) >= 'a' && octet_lower(c) <= 'z');
}

/* Parts of alphanumerics, `plain` octets or characters above 127, parted by single dots. */
static bool dotted(struct span s, const char *plain)
{
    bool part = false;
    while (s.n) {
        uint32_t code;
        size_t n = utf8_next(s, &code);
        if (n == 0 || utf8_is_control(code)) return false;
        if (code == '.') {
            if (!part) return false;
        } else if (n == 1 && !alphanumeric(s.p[0]) && !strchr(plain, s.p[0])) {
            return false;
        }
        part = code != '.';
        s = span_skip(s, n);
    }
    return part;
}

bool mailbox_name_local(struct span local)
{
    return local.n <= LIMIT_LOCAL_PART_OCTETS && dotted(local, "!#$%&'*+-=?^_`{|}~"); /* atext but '/' */
}

bool mailbox_name_domain(struct span domain)
{
    return domain.n <= LIMIT_DOMAIN_OCTETS && dotted(domain, "-");
}
