/* dial: a blocking connection of the operator's tool to one server, with or without TLS. Every call is bounded by a time. */
#ifndef CMD_DIAL_H
#define CMD_DIAL_H

#include "base/buf.h"
#include "base/limits.h"

struct dial;

/* "host:port", "[address]:port"; no default port. Copies into *host (NUL-terminated) and *port. False: malformed. */
bool dial_split(const char *where, char host[256], char port[8]);

/* Connects by TCP. Null: *why is set (static or libc text). seconds bound connecting and each later read and write. */
struct dial *dial_tcp(const char *host, const char *port, unsigned seconds, const char **why);
/* Connects to a UNIX stream socket. */
struct dial *dial_unix(const char *path, unsigned seconds, const char **why);
void dial_close(struct dial **d); /* accepts null; sends close_notify under TLS */

struct dial_tls {
    const char *name;    /* checked against the certificate and sent as SNI when it is no address */
    const char *ca_file; /* null: what the system trusts */
    bool insecure;       /* any certificate will do */
};
/* False: *why says what failed. Octets that arrived before the handshake are an error: they were not protected. */
bool dial_start_tls(struct dial *d, const struct dial_tls *tls, const char **why);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384"; empty without TLS. Valid until the next call. */
const char *dial_tls_text(const struct dial *d);

bool dial_write(struct dial *d, struct span octets, const char **why);
/* What has arrived and was not consumed; reads more from the network when `more`. An empty span with *why null is the end of the
 * stream; with *why set an error. At most LIMIT_DIAL_OCTETS are held: a full buffer with `more` is an error. */
struct span dial_read(struct dial *d, bool more, const char **why);
void dial_consume(struct dial *d, size_t octets);

#endif
