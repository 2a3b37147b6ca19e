/* tls: the server side of TLS 1.2 and 1.3 (and, for old devices alone, 1.0 and 1.1) for the edge (the client side: system/tls_client.h). Sessions own no private key: each signature is a question to the
 * keyring, and the handshake is paused until the answer is there (RFC 8446; RFC 5246 with ECDHE only; RFC 3207 for STARTTLS).
 *
 * One thread. All memory of OpenSSL comes from one capped arena (invariant I4): when it is full the operation that needed
 * memory fails, and nothing else. System calls made by a session: read, write, getrandom, getpid (the random generator looks
 * whether it was forked), and rt_sigprocmask (first use of a paused handshake's stack); the clock by vDSO.
 *
 * Order of life in an edge:
 *   tls_memory_init                                first of all, before any other use of OpenSSL in this process
 *   tls_context_create, tls_context_add ...        before the cage; one context a virtual server
 *   tls_ticket_load (system/tls_ticket.h)          before the cage, and again with each fresh grant
 *   tls_keyring                                    who carries the questions
 *   tls_warm_up                                    last thing before the cage
 *   tls_create, tls_handshake, tls_read, tls_write, tls_shutdown, tls_free      in the cage
 *
 * STARTTLS (RFC 3207 4.2, invariant I9, CVE-2011-0411 and its kin). What the edge has to do, in this order:
 *   1. The client's STARTTLS line is executed only when it is the last thing in the receive buffer. Whatever was read
 *      behind it in the same read() is plaintext that a man in the middle could have put there: drop it. It is neither run as
 *      commands nor given to the handshake. (A client that speaks RFC 3207 waits for the 220; one that does not fails its
 *      handshake, because its first octets are gone.)
 *   2. Ask tls_can_start(). If false, answer 454 4.7.0 and stay in plaintext.
 *   3. Write the whole 220 to the socket. Until it has left, read nothing.
 *   4. tls_create(context, fd, no preread, owner), then tls_handshake. After TLS_DONE the SMTP session starts anew: no EHLO, no
 *      envelope, no early octets.
 *   Octets that the kernel received behind the STARTTLS line, but which nobody has read yet, reach the handshake, where only
 *   a ClientHello record is accepted; anything else fails it. So no plaintext ever becomes a command of the protected session.
 * Implicit TLS: tls_create with the octets that were read behind a PROXY header as preread (or none), then tls_handshake.
 *
 * SIGPIPE must be ignored by the process. The descriptor must be non-blocking and stays the caller's: it is closed after
 * tls_free, never before. */
#ifndef SYSTEM_TLS_H
#define SYSTEM_TLS_H

#include "base/buf.h"
#include "base/limits.h"
#include "system/tls_sign.h"

struct tls_context; /* one virtual server: its certificates and rules */
struct tls;         /* one session */

enum tls_result {
    TLS_DONE,       /* handshake finished, or octets were moved */
    TLS_WANT_READ,  /* call again when the socket is readable */
    TLS_WANT_WRITE, /* call again when the socket is writable */
    TLS_WANT_KEY, /* tls_handshake only: the keyring was asked; call again when tls_key_answer returned this session */
    TLS_AGAIN, /* its share of this turn is used up: call again in the next turn, no event will announce it */
    TLS_EOF_CLEAN, /* tls_read only: close_notify. Final: nothing behind it is read */
    TLS_EOF_TRUNCATED, /* tls_read only: the stream ended without close_notify: what is incomplete must be thrown away (I9) */
    TLS_FAILED, /* alert, protocol error, no memory, key refused: final. tls_reason() says why */
};

/* --- the process --- */

/* Maps the arena (its address space only; resident memory follows use) and gives it to OpenSSL. False: the map failed, or
 * OpenSSL was used before. Counts against RLIMIT_DATA. */
MUST_USE bool tls_memory_init(size_t max_octets);
/* Octets handed out now / at most so far / that may be handed out. */
struct tls_memory {
    size_t used, peak, max;
    uint64_t refused; /* requests answered with null */
};
struct tls_memory tls_memory(void);
/* Gives pages of empty chunks back to the kernel (madvise; call it only where the cage allows that). Returns octets given back. */
size_t tls_memory_trim(void);

/* Carries one question to the keyring: MSG_SIGN_QUESTION with that payload (ipc_send). False: it cannot be asked now, the
 * handshake fails. May call tls_key_answer at once (a signer in the same process). */
typedef bool tls_ask_fn(void *context, struct span question);
void tls_keyring(tls_ask_fn *ask, void *context);

/* How many handshakes may be in progress at once (1..LIMIT_TLS_HANDSHAKES_MAX); LIMIT_TLS_HANDSHAKES_DEFAULT if never called.
 * Call it before tls_warm_up. */
void tls_handshakes_limit(unsigned n);
/* True if one more handshake may begin: below the limit above and an eighth of the arena is free. */
bool tls_can_start(void);

/* Runs whole handshakes in memory, TLS 1.2 and 1.3, complete ones with a throw-away key and interrupted ones with every
 * certificate of these contexts, through the paused path too, so that everything OpenSSL loads late is loaded: last step
 * before the cage. False: *error says what (constant text). */
MUST_USE bool tls_warm_up(struct tls_context *const *contexts, size_t n, const char **error);

/* --- a virtual server --- */

/* name: of the virtual server; tickets of one name are good for that name only, in every edge. Null: no memory. */
struct tls_context *tls_context_create(struct span name);
void tls_context_free(struct tls_context **c); /* sessions of it may live on */
/* The oldest version that is spoken, by its number on the wire: 3 is TLS 1.2 (as it is at first), 4 is TLS 1.3; 1 and 2 after
 * tls_context_old only. False: the library will not. */
MUST_USE bool tls_context_minimum(struct tls_context *c, unsigned minor);
/* For old devices, before a certificate is added: TLS from 1.0 on, SHA-1 in signatures, AES in CBC mode, finite-field key exchange. Still
 * nothing without forward secrecy (the keyring decrypts nothing), no RC4, no 3DES, nothing anonymous. False: the library will not. */
MUST_USE bool tls_context_old(struct tls_context *c);
/* Adds a certificate: chain is PEM, leaf first (the content of the granted descriptor); file is its name for messages; key
 * names the private key in the keyring. The first one is the default; others are chosen by SNI, exact names before
 * wildcards; for one name an ECDSA and an RSA certificate stand side by side and the client's abilities decide.
 * False: refused, and a text for people with the file name is appended to *problem. RSA 2048..4096 and EC P-256/P-384 keys only. */
MUST_USE bool tls_context_add(struct tls_context *c, struct span chain, const char *file,
                              struct tls_key_id key, struct buf *problem);
/* Does the private key in the keyring fit? fingerprint: answer of the keyring to MSG_KEY_QUESTION (SHA-256 of the
 * SubjectPublicKeyInfo). False: it does not (or there is no such certificate); a text is appended to *problem. */
MUST_USE bool tls_context_key_fits(const struct tls_context *c, struct tls_key_id key,
                                   const uint8_t fingerprint[32], struct buf *problem);
/* Takes a certificate out of use after a mismatch. False: it was the last one; the server must not offer TLS. */
bool tls_context_remove(struct tls_context *c, struct tls_key_id key);
size_t tls_context_certificates(const struct tls_context *c);
/* Clients are asked for a certificate from now on. They may have none; any is accepted, by whomever it was made and whenever it ends, as
 * a mere key that the client proves to have. Such sessions are not resumed: the proof is fresh. */
void tls_context_ask(struct tls_context *c);
/* They are told the subjects of these certificates (PEM) when they are asked: of whom a certificate had best be (RFC 8446 4.2.4, RFC 5246
 * 7.4.4). False: one is broken, or tls_subjects_fit is not true of them. */
MUST_USE bool tls_context_name(struct tls_context *c, struct span pem);

/* --- a session --- */

/* preread: octets of the TLS stream that were already read (behind a PROXY header only; copied; at most
 * LIMIT_TLS_PREREAD_OCTETS); empty for STARTTLS. owner: the caller's, see tls_owner. Null: too many handshakes or no memory. */
struct tls *tls_create(struct tls_context *c, int fd, struct span preread, void *owner);
void *tls_owner(const struct tls *t);
/* Accepts null. Before close(fd). No octet is sent; for an orderly end call tls_shutdown first. */
void tls_free(struct tls **t);

/* TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_WANT_KEY, TLS_AGAIN or TLS_FAILED. While the keyring is being asked, further
 * calls do nothing and say TLS_WANT_KEY. The caller limits its time: LIMIT_TLS_HANDSHAKE_SECONDS. */
enum tls_result tls_handshake(struct tls *t);

/* TLS_DONE: *n octets (at least 1) are in p. Call until it says TLS_WANT_READ (edge-triggered readiness), or remember to
 * call again: octets may wait inside. TLS_WANT_WRITE is possible (a key update waits for the socket). */
enum tls_result tls_read(struct tls *t, void *p, size_t max, size_t *n);
/* TLS_DONE: *n octets of s (at least 1, maybe not all) were taken. After TLS_WANT_WRITE repeat with the same octets (at
 * another address, or with more behind them, if you like). Empty s: TLS_DONE, 0. */
enum tls_result tls_write(struct tls *t, struct span s, size_t *n);
/* Sends close_notify: TLS_DONE or TLS_WANT_WRITE or TLS_FAILED; does not wait for the peer's. */
enum tls_result tls_shutdown(struct tls *t);

/* Payload of a MSG_SIGN_ANSWER from the keyring. Returns the session that can go on: call tls_handshake on it (a refusal
 * makes that fail). Null: malformed (*bad is set: the channel is broken) or the session is gone (quite normal). */
struct tls *tls_key_answer(struct span answer, bool *bad);
/* The keyring died: returns one session after the other whose question will never be answered; call tls_handshake on each
 * (it fails cleanly), until null. */
struct tls *tls_key_lost(void);

/* Facts for log and Received (RFC 8314 4.3): "TLSv1.3", "TLS_AES_256_GCM_SHA384", "ECDSA" / "RSA". "" before TLS_DONE. */
const char *tls_version(const struct tls *t);
const char *tls_cipher(const struct tls *t);
bool tls_resumed(const struct tls *t);
/* Server name the client asked for (hostile text); empty when none. Valid while t lives. */
struct span tls_server_name(const struct tls *t);
/* Channel bindings, once the handshake is done. tls-exporter (RFC 9266); false: this session has none. tls-server-end-point (RFC 5929 4),
 * at most LIMIT_END_POINT_OCTETS are appended; false: not known, nothing was appended. */
bool tls_exporter(const struct tls *t, uint8_t ret[LIMIT_EXPORTER_OCTETS]);
bool tls_end_point(const struct tls *t, struct buf *ret);
/* Appends the certificate that the client showed, DER, at most LIMIT_CLIENT_CERTIFICATE_OCTETS: it has the key, nothing else of it is proven. False:
 * none was asked for or shown, or it is too long; nothing was appended. */
bool tls_client_certificate(const struct tls *t, struct buf *ret);
/* Why TLS_FAILED: short constant or OpenSSL text, printable ASCII, never null. Valid until the next call for t. */
const char *tls_reason(const struct tls *t);

#endif
