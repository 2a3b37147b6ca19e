/* ntlm_message: the three messages of NTLM (MS-NLMP 2.2.1), octets to fields and fields to octets. Everything that comes is hostile; what
 * is read points into the message. */
#ifndef SASL_NTLM_MESSAGE_H
#define SASL_NTLM_MESSAGE_H

#include "base/limits.h"
#include "base/wire.h"

/* NEGOTIATE flags, MS-NLMP 2.2.2.5 */
#define NTLM_FLAG_UNICODE           UINT32_C(0x00000001)
#define NTLM_FLAG_OEM               UINT32_C(0x00000002)
#define NTLM_FLAG_REQUEST_TARGET    UINT32_C(0x00000004)
#define NTLM_FLAG_SIGN              UINT32_C(0x00000010)
#define NTLM_FLAG_SEAL              UINT32_C(0x00000020)
#define NTLM_FLAG_LM_KEY            UINT32_C(0x00000080)
#define NTLM_FLAG_NTLM              UINT32_C(0x00000200)
#define NTLM_FLAG_ANONYMOUS         UINT32_C(0x00000800)
#define NTLM_FLAG_ALWAYS_SIGN       UINT32_C(0x00008000)
#define NTLM_FLAG_TARGET_SERVER     UINT32_C(0x00020000)
#define NTLM_FLAG_EXTENDED_SECURITY UINT32_C(0x00080000)
#define NTLM_FLAG_TARGET_INFO       UINT32_C(0x00800000)
#define NTLM_FLAG_VERSION           UINT32_C(0x02000000)
#define NTLM_FLAG_128               UINT32_C(0x20000000)
#define NTLM_FLAG_KEY_EXCHANGE      UINT32_C(0x40000000)
#define NTLM_FLAG_56                UINT32_C(0x80000000)

/* NEGOTIATE, 2.2.1.1: the flags alone. The names of domain and workstation, and the version, which may be missing, are nothing that a
 * server needs. False: no NEGOTIATE, or neither Unicode nor OEM (3.2.5.1.1). */
MUST_USE bool ntlm_negotiate_read(struct span message, uint32_t *flags);

/* What the server calls itself. ASCII, as names of hosts are; an empty name is left out, but some clients cannot do without
 * netbios_computer. The first two at most LIMIT_NETBIOS_NAME_OCTETS, the others LIMIT_DOMAIN_OCTETS. */
struct ntlm_target {
    struct span netbios_computer, netbios_domain;
    struct span dns_computer, dns_domain;
};
/* CHALLENGE, 2.2.1.2, in answer to a client that offered such flags. The version is never told. */
void ntlm_challenge_put(struct buf *b, uint32_t offered, const struct ntlm_target *t,
                        const uint8_t server_challenge[8], uint64_t filetime);
#define NTLM_CHALLENGE_OCTETS                                                                                \
    (56 + 3 * 2 * LIMIT_NETBIOS_NAME_OCTETS + 2 * 2 * LIMIT_DOMAIN_OCTETS + 4 * 4 + 12 + 4)
_Static_assert(NTLM_CHALLENGE_OCTETS <= LIMIT_SASL_CHALLENGE_OCTETS, "a challenge fits into its reply");

struct ntlm_authenticate {
    struct span message;
    uint32_t flags;
    struct span lm, nt;                    /* responses; empty: none */
    struct span domain, user, workstation; /* as they came: UTF-16 or OEM, by NTLM_FLAG_UNICODE */
    struct span session_key;               /* encrypted: 16 octets, or empty */
    size_t payload;                        /* where the first field begins: the header's length */
};
/* AUTHENTICATE, 2.2.1.3, with a header of 64 octets (no version, no MIC), 72 or 88. False: no such message; a field that is not empty and
 * lies in the header, outside the message, or on another one; a session key of another length, or none where the flags need one. Where
 * an empty field would lie is not looked at, nor its MaxLen ("MUST be ignored on receipt"). */
MUST_USE bool ntlm_authenticate_read(struct span message, struct ntlm_authenticate *ret);
#define NTLM_MIC_AT 72 /* 16 octets, if the header has 88 */

struct ntlm_response { /* NTLMv2_RESPONSE and NTLMv2_CLIENT_CHALLENGE, 2.2.2.7, 2.2.2.8 */
    struct span proof; /* NTProofStr, 16 octets */
    struct span blob;  /* all that follows: what it proves, with the server's challenge */
    uint64_t filetime;
    struct span pairs; /* AV_PAIRs, and what lies behind them */
};
/* False: no NTLMv2 response. */
MUST_USE bool ntlm_response_read(struct span nt, struct ntlm_response *ret);

#endif
