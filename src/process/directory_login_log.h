/* directory_login_log: what became of logins, for the log. */
#ifndef PROCESS_DIRECTORY_LOGIN_LOG_H
#define PROCESS_DIRECTORY_LOGIN_LOG_H

#include "service/login.h"

/* Why it was refused, a security event; nothing when login_report has none. */
void logins_log_refused(const struct config *c, const struct login *l);
/* Its network has too many at once: it was told to come later. */
void logins_log_deferred(uint64_t session, const struct address *client);

#endif
