/* ntlm_av: AV_PAIRs (MS-NLMP 2.2.2.1): what a server says of itself in its CHALLENGE, and a client hands back with its response, proven by
 * the same hash. Little-endian: id, length, value, up to MsvAvEOL. */
#ifndef SASL_NTLM_AV_H
#define SASL_NTLM_AV_H

#include "base/wire.h"

enum ntlm_av_id {
    NTLM_AV_EOL,
    NTLM_AV_NETBIOS_COMPUTER,
    NTLM_AV_NETBIOS_DOMAIN,
    NTLM_AV_DNS_COMPUTER,
    NTLM_AV_DNS_DOMAIN,
    NTLM_AV_DNS_TREE,
    NTLM_AV_FLAGS,
    NTLM_AV_TIMESTAMP,
    NTLM_AV_SINGLE_HOST,
    NTLM_AV_TARGET_NAME,
    NTLM_AV_CHANNEL_BINDINGS
};
#define NTLM_AV_FLAG_MIC UINT32_C(2) /* "there is message integrity in the MIC field" */

struct ntlm_av {
    uint32_t flags; /* 0: none */
    bool has_timestamp;
    uint64_t timestamp;   /* FILETIME: 100 ns since 1601 */
    struct span bindings; /* 16 octets, or empty: none came. All zero: the client has none (2.2.2.1) */
    struct span target;   /* MsvAvTargetName as it came, UTF-16 */
};

/* pairs: hostile; what follows MsvAvEOL is not looked at. False: no EOL, a pair longer than what is left, a fixed length that is wrong,
 * or one of those above twice. Points into pairs. */
MUST_USE bool ntlm_av_read(struct span pairs, struct ntlm_av *ret);

void ntlm_av_put_name(struct buf *b, enum ntlm_av_id id, struct span ascii); /* nothing when it is empty */
void ntlm_av_put_timestamp(struct buf *b, uint64_t filetime);
void ntlm_av_put_end(struct buf *b);

#endif
