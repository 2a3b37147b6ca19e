/* control_client: asks the running daemon over its control socket. */
#ifndef CMD_CONTROL_CLIENT_H
#define CMD_CONTROL_CLIENT_H

#include "service/control.h"

/* Called for each line of the answer, in order. */
typedef void control_client_line_fn(void *context, struct span line);

enum control_client_outcome {
    CONTROL_CLIENT_ANSWERED, /* *status and text were set */
    CONTROL_CLIENT_ABSENT,   /* nobody listens there: the daemon does not run, or you may not ask it */
    CONTROL_CLIENT_BROKEN    /* the answer broke off; said on standard error */
};

/* path: the control socket. text: at least LIMIT_CONTROL_TEXT_OCTETS + 1 octets, NUL-terminated here. An absent daemon is
 * reported in text only. */
enum control_client_outcome control_client_ask(const char *path, const struct control_request *request,
                                               control_client_line_fn *line, void *context,
                                               enum control_status *status,
                                               char text[LIMIT_CONTROL_TEXT_OCTETS + 1]);

#endif
