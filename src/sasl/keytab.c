#include "sasl/keytab.h"

/* Numbers in it are big-endian. */
static uint16_t take_u16(struct wire *w)
{
    return __builtin_bswap16(wire_u16(w));
}

static uint32_t take_u32(struct wire *w)
{
    return __builtin_bswap32(wire_u32(w));
}

static struct span take_text(struct wire *w)
{
    uint16_t n = take_u16(w);
    return wire_raw(w, n);
}

bool keytab_begin(struct keytab *k, struct span text)
{
    k->w = wire_on(span_skip(text, 2));
    return text.n >= 2 && text.p[0] == 5 && text.p[1] == 2; /* version 1 has the order of who wrote it */
}

static bool read_key(struct wire *w, struct keytab_key *ret)
{
    *ret = (struct keytab_key){.n_components = take_u16(w)};
    ret->realm = take_text(w);
    for (unsigned i = 0; i < ret->n_components && !w->bad; i++) {
        struct span component = take_text(w);
        if (i < KEYTAB_COMPONENTS) ret->components[i] = component;
    }
    ret->name_type = take_u32(w);
    ret->timestamp = take_u32(w);
    ret->version = wire_u8(w);
    ret->encryption = take_u16(w);
    ret->key = take_text(w);
    if (!w->bad &&
        w->rest.n >= 4) { /* a longer number of the version, since 1.14; what is behind it nobody defined */
        uint32_t version = take_u32(w);
        if (version) ret->version = version;
    }
    return !w->bad;
}

enum keytab_found keytab_next(struct keytab *k, struct keytab_key *ret)
{
    while (k->w.rest.n > 0) {
        int32_t size = (int32_t)take_u32(&k->w);
        if (k->w.bad || size == INT32_MIN) return KEYTAB_BROKEN;
        if (size == 0) return KEYTAB_END;
        struct wire w = wire_on(wire_raw(&k->w, (size_t)(size < 0 ? -size : size)));
        if (k->w.bad) return KEYTAB_BROKEN;
        if (size < 0) continue; /* one that was deleted */
        return read_key(&w, ret) ? KEYTAB_KEY : KEYTAB_BROKEN;
    }
    return KEYTAB_END;
}

static const struct {
    int32_t number;
    size_t octets;
} strong[] = {{20, 32}, {18, 32}, {26, 32}, {19, 16}, {17, 16}, {25, 16}};

const int32_t keytab_encryptions[] = {20, 18, 26, 19, 17, 25, 0};

bool keytab_key_is_strong(const struct keytab_key *k)
{
    for (size_t i = 0; i < sizeof strong / sizeof strong[0]; i++)
        if (strong[i].number == k->encryption) return strong[i].octets == k->key.n;
    return false;
}
