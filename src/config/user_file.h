/* user_file: the files with credentials (user-file, token-file) that the routes of a configuration name. Supervisor and directory number them alike. */
#ifndef CONFIG_USER_FILE_H
#define CONFIG_USER_FILE_H

#include "config/config.h"

struct config_user_file {
    struct span path;                 /* as in next_hop.user; a NUL stands behind it */
    const struct config_place *place; /* of the first route that names it */
    struct config_secret secret;      /* as that route says it */
};

/* Different ones, in the order of the tables of routes. Returns how many; more than LIMIT_CREDENTIAL_FILES: too many, and only the
 * first LIMIT_CREDENTIAL_FILES are in ret. */
uint32_t config_user_files(const struct config *c, struct config_user_file ret[LIMIT_CREDENTIAL_FILES]);

#endif
