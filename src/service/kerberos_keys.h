/* kerberos_keys: the keys of a keytab that are of use here, as the library wants them: in a keytab of its kind MEMORY. */
#ifndef SERVICE_KERBEROS_KEYS_H
#define SERVICE_KERBEROS_KEYS_H

#include "config/config.h"

#define KERBEROS_KEYS_NAME "MEMORY:sallyport" /* one a process */

struct kerberos_keys;
/* As kerberos_create. */
struct kerberos_keys *kerberos_keys_create(struct span keytab, const struct config_kerberos *c,
                                           const char **why);
void kerberos_keys_free(struct kerberos_keys **k); /* accepts null */

#endif
