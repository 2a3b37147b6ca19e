/* What Kerberos lets a stranger say before and beside the library: first octet: first tokens, the choice of a layer, a principal, or a keytab (of the
 * operator, and yet). What is taken lies inside of what was read and means what it says. */
#include "sasl/gss_layer.h"
#include "sasl/gss_token.h"
#include "sasl/kerberos_name.h"
#include "sasl/keytab.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool b)
{
    if (!b) abort();
}

static bool inside(struct span part, struct span whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void token(struct span s)
{
    enum gss_token is = gss_token_of(s);
    if (is == GSS_TOKEN_KERBEROS)
        must(s.n >= 13 && s.p[0] == 0x60 && memmem(s.p, s.n, "\x2a\x86\x48\x86\xf7\x12\1\2\2", 9));
    if (is == GSS_TOKEN_SPNEGO) must(s.n >= 10 && s.p[0] == 0x60 && memmem(s.p, s.n, "\x2b\6\1\5\5\2", 6));
    if (is != GSS_TOKEN_MALFORMED && is != GSS_TOKEN_NTLM)
        must(gss_token_of(span_head(s, s.n - 1)) == GSS_TOKEN_MALFORMED);
}

static void layer(struct span s)
{
    struct span authzid;
    if (!gss_layer_read(s, &authzid)) return;
    must(s.p[0] == 1 && inside(authzid, s) && authzid.n == s.n - 4 && span_no_controls(authzid));
}

static void name(struct span s)
{
    struct kerberos_name n;
    enum kerberos_name_kind kind = kerberos_name_read(s, &n);
    must(kind == KERBEROS_NAME_USER || n.local.n + n.realm.n == 0);
    if (kind != KERBEROS_NAME_USER) return;
    must(n.local.n > 0 && n.realm.n > 0 && n.local.n + 1 + n.realm.n == s.n && inside(n.local, s) &&
         inside(n.realm, s));
    for (size_t i = 0; i < s.n; i++)
        must(s.p[i] != '\\' && s.p[i] != '/' && (s.p[i] != '@' || i == n.local.n));
    must(!span_eq(n.realm, SPAN("WELLKNOWN:ANONYMOUS")));
}

static void keytab(struct span s)
{
    struct keytab k;
    struct keytab_key key;
    size_t n = 0;
    if (!keytab_begin(&k, s)) return;
    for (; keytab_next(&k, &key) == KEYTAB_KEY; n++) {
        must(inside(key.realm, s) && inside(key.key, s));
        for (unsigned i = 0; i < KEYTAB_COMPONENTS; i++)
            must(inside(key.components[i], s) && (i < key.n_components || key.components[i].n == 0));
        if (keytab_key_is_strong(&key)) must(key.key.n == 16 || key.key.n == 32);
    }
    must(n <= s.n / 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    uint8_t *exact = malloc(size > 1 ? size - 1 : 1); /* so that a read behind the end is seen */
    must(exact != NULL);
    memcpy(exact, data + 1, size - 1);
    static void (*const reads[])(struct span s) = {token, layer, name, keytab};
    reads[data[0] % 4](span_of(exact, size - 1));
    free(exact);
    return 0;
}
