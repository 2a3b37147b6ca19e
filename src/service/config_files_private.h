/* config_files_private: config_files.c (certificates, people), config_folders.c, config_credentials.c, config_authorities.c, config_tokens.c, config_dovecot.c ... share this. */
#ifndef SERVICE_CONFIG_FILES_PRIVATE_H
#define SERVICE_CONFIG_FILES_PRIVATE_H

#include <sys/stat.h>

#include "base/buf.h"
#include "service/config_files.h"
#include "service/host_networks.h"

struct config_files { /* one look */
    const struct config *config;
    const struct config_files_who *who;
    struct config_report *report;
    struct config_place whole;
};

/* What is said of a file is made of a few words; each text is used once and copied, and a suggestion beside it. */
#define CONFIG_FILES_SAY(...)    config_files_say(0, (const char *[]){__VA_ARGS__, NULL})
#define CONFIG_FILES_ADVISE(...) config_files_say(1, (const char *[]){__VA_ARGS__, NULL})
const char *config_files_say(unsigned which, const char **parts);
const char *config_files_text(struct span path); /* paths of a configuration have a NUL behind them */
void config_files_unreadable(const struct config_files *f, struct config_place place, const char *what,
                             struct span path, const char *why);

void config_files_folders(const struct config_files *f);
void config_files_users(const struct config_files *f); /* whose the folder and its files are */
void config_files_credentials(const struct config_files *f);
void config_files_authorities(const struct config_files *f);
void config_files_client_authorities(const struct config_files *f);
void config_files_tokens(const struct config_files *f);
void config_files_dovecot(
    const struct config_files *f); /* connects to it, and waits LIMIT_DOVECOT_CHECK_SECONDS at most */
/* Relay and proxy networks that hold an address from which strangers may come, where this host stands. */
void config_files_networks(const struct config_files *f, const struct host_networks *h);
void config_files_kerberos(const struct config_files *f);
struct identity;
/* A warning for each right line that nobody in the database has (config_grants.c). */
void config_files_grants(const struct config_files *f, struct identity *i);
/* A warning when others than owner and group may read the secret, or others than the owner may write it. */
void config_files_secret_mode(const struct config_files *f, struct config_place place, const char *what,
                              struct span file);
/* The account of that process may do this with it (4: read, 2: write, 1: enter), as far as the mode says. */
bool config_files_permitted(const char *path, const struct stat *st, const struct config_files_owner *o,
                            unsigned want);
void config_files_wipe(struct span secret); /* that config_load_file has read */

#endif
