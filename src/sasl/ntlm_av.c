#include "sasl/ntlm_av.h"

#include "sasl/utf16.h"

/* False: the pair cannot be what its id says. */
static bool take(struct ntlm_av *av, uint16_t id, struct span value)
{
    struct wire w = wire_on(value);
    switch (id) {
    case NTLM_AV_FLAGS: av->flags = wire_u32(&w); return wire_done(&w);
    case NTLM_AV_TIMESTAMP:
        av->has_timestamp = true;
        av->timestamp = wire_u64(&w);
        return wire_done(&w);
    case NTLM_AV_CHANNEL_BINDINGS: av->bindings = value; return value.n == 16;
    case NTLM_AV_TARGET_NAME: av->target = value; return value.n % 2 == 0;
    default: return true;
    }
}

bool ntlm_av_read(struct span pairs, struct ntlm_av *ret)
{
    struct ntlm_av av = {0};
    struct wire w = wire_on(pairs);
    uint32_t seen = 0;
    for (;;) {
        uint16_t id = wire_u16(&w), n = wire_u16(&w);
        struct span value = wire_raw(&w, n);
        if (w.bad) return false;
        if (id == NTLM_AV_EOL) break;
        if (id > NTLM_AV_CHANNEL_BINDINGS) continue; /* of a later version */
        if (seen & UINT32_C(1) << id || !take(&av, id, value)) return false;
        seen |= UINT32_C(1) << id;
    }
    *ret = av;
    return true;
}

void ntlm_av_put_name(struct buf *b, enum ntlm_av_id id, struct span ascii)
{
    if (ascii.n == 0) return;
    wire_put_u16(b, (uint16_t)id);
    wire_put_u16(b, (uint16_t)(2 * ascii.n));
    utf16_put_ascii(b, ascii);
}

void ntlm_av_put_timestamp(struct buf *b, uint64_t filetime)
{
    wire_put_u16(b, NTLM_AV_TIMESTAMP);
    wire_put_u16(b, 8);
    wire_put_u64(b, filetime);
}

void ntlm_av_put_end(struct buf *b)
{
    wire_put_u32(b, NTLM_AV_EOL);
}
