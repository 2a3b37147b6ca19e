/* login_domain: who somebody is in a domain of Active Directory: an NTLM response is shown to its domain controller, by way of the process
 * winbind. What only the front can know (MIC, channel bindings, time) the caller checks with the session key that comes back. */
#ifndef SERVICE_LOGIN_DOMAIN_H
#define SERVICE_LOGIN_DOMAIN_H

#include "directory/domain_message.h"
#include "sasl/ntlm.h"
#include "service/login_private.h"

/* The domain whose controller is to be asked, by what the client says of itself: the suffix of user@domain, else the domain's field. Null:
 * an account of ours. */
const struct config_winbind *login_domain_of(const struct config *c, const struct ntlm_login *claimed);
/* Waits for the answer. LOGIN_SUCCESS: the domain controller takes the response; *name is account@domain here, *ret whose
 * session key and groups. Else a refusal, or LOGIN_LATER, with its reason reported. Everything lies in l's arena. */
enum login_kind login_domain(struct login *l, const struct config_winbind *w, const struct ntlm *n,
                             const struct ntlm_login *claimed, struct domain_answer *ret, struct span *name);

#endif
