/* directory_login_files: files that were granted for logins, before the cage. What cannot be read is told to the log. */
#ifndef PROCESS_DIRECTORY_LOGIN_FILES_H
#define PROCESS_DIRECTORY_LOGIN_FILES_H

#include "service/kerberos.h"
#include "service/token_keys.h"
#include "system/tls_authorities.h"

/* All take fd. Null: it cannot be used. */
struct token_keys *login_files_token_keys(int fd);
struct tls_authorities *login_files_authorities(int fd);
/* Lists of what they have revoked. When these cannot be used, nobody vouches: *a is freed. *a may be null. */
void login_files_revocations(int fd, struct tls_authorities **a);
struct kerberos *login_files_kerberos(int fd, const struct config_kerberos *c);

#endif
