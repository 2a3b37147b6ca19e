/* smtp_client: one message to one server, blocking: what `sallyport send` does. RFC 5321, with PIPELINING, SIZE, 8BITMIME,
 * SMTPUTF8, CHUNKING and STARTTLS where the server offers them. */
#ifndef CMD_SMTP_CLIENT_H
#define CMD_SMTP_CLIENT_H

#include "cmd/dial.h"

enum smtp_client_tls { SMTP_CLIENT_CLEAR, SMTP_CLIENT_STARTTLS, SMTP_CLIENT_IMPLICIT };

struct smtp_client_job {
    const char *host, *port;
    enum smtp_client_tls mode;
    struct dial_tls tls;
    const char *helo;
    const char *from;      /* without brackets; "" is the null reverse-path */
    const char *const *to; /* without brackets */
    unsigned n_to;
    struct span message; /* with CRLF line ends */
    bool chunking;       /* BDAT instead of DATA: an error where it is not offered */
    bool verbose;        /* the dialogue on standard error, hostile text escaped */
};

enum smtp_client_outcome {
    SMTP_CLIENT_SENT,     /* accepted for every recipient */
    SMTP_CLIENT_PARTLY,   /* accepted, but not for every recipient */
    SMTP_CLIENT_REFUSED,  /* 5xx */
    SMTP_CLIENT_DEFERRED, /* 4xx */
    SMTP_CLIENT_ABSENT,   /* no connection, or it broke off */
    SMTP_CLIENT_FOREIGN   /* no TLS (its certificate, too), not SMTP, or not what was asked for */
};

struct smtp_client_result {
    enum smtp_client_outcome outcome;
    unsigned code;                        /* of the last reply to count; 0: none */
    char reply[1025];                     /* its last line, escaped */
    const char *why;                      /* ABSENT and FOREIGN: what happened; constant or libc's text */
    unsigned accepted, refused, deferred; /* recipients */
};

/* Sends. What the server refuses, and what breaks, is complained of on the way. */
void smtp_client_send(const struct smtp_client_job *job, struct smtp_client_result *result);
const char *smtp_client_outcome_name(enum smtp_client_outcome outcome); /* "sent", ... */

#endif
