/* ntlm_proof: the computations of NTLMv2 (MS-NLMP 3.3.2, 3.4.5.1, 3.1.5.1.2). Cryptography is lent by the caller, as a pure room calls no
 * library. All keys and results have 16 octets. */
#ifndef SASL_NTLM_PROOF_H
#define SASL_NTLM_PROOF_H

#include "base/span.h"

struct ntlm_crypto {
    void *context;
    /* RFC 2104 with MD5 over the parts, one after the other; RFC 1321. False: the library failed */
    bool (*hmac_md5)(void *context, const uint8_t key[16], const struct span *parts, size_t n_parts,
                     uint8_t ret[16]);
    bool (*md5)(void *context, const struct span *parts, size_t n_parts, uint8_t ret[16]);
};

/* NTOWFv2 (3.3.2): the response key. user: UTF-16, in upper case already; domain: UTF-16 as the client wrote it. */
bool ntlm_proof_response_key(const struct ntlm_crypto *c, const uint8_t nt_hash[16], struct span user,
                             struct span domain, uint8_t ret[16]);
/* NTProofStr (3.3.2) of a response's blob. */
bool ntlm_proof_compute(const struct ntlm_crypto *c, const uint8_t response_key[16],
                        const uint8_t server_challenge[8], struct span blob, uint8_t ret[16]);
/* SessionBaseKey (3.3.2), which NTLMv2 takes as key exchange key (3.4.5.1). */
bool ntlm_proof_session_key(const struct ntlm_crypto *c, const uint8_t response_key[16],
                            const uint8_t proof[16], uint8_t ret[16]);
/* RC4K (6): of the one key of 16 octets that a client may send encrypted. Its own inverse. */
void ntlm_proof_rc4(const uint8_t key[16], const uint8_t in[16], uint8_t ret[16]);
/* MIC (3.1.5.1.2) over the three messages, the field of 16 octets at mic_at of the last one taken as zero. */
bool ntlm_proof_mic(const struct ntlm_crypto *c, const uint8_t exported_key[16], struct span negotiate,
                    struct span challenge, struct span authenticate, size_t mic_at, uint8_t ret[16]);
/* MsvAvChannelBindings (2.2.2.1): MD5 of a gss_channel_bindings_struct (RFC 4121 4.1.1.2) that holds only tls-server-end-point. */
bool ntlm_proof_channel_bindings(const struct ntlm_crypto *c, struct span end_point, uint8_t ret[16]);

#endif
