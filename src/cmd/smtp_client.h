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
    SMTP_CLIENT_BROKEN    /* no connection, no TLS, not SMTP */
};

/* Sends. What went wrong, and the server's last word, are printed on standard error. */
enum smtp_client_outcome smtp_client_send(const struct smtp_client_job *job);

#endif
