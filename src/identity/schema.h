/* schema: the tables of the identity database, by version (PRAGMA user_version). */
#ifndef IDENTITY_SCHEMA_H
#define IDENTITY_SCHEMA_H

#include "identity/identity_private.h"

/* Makes or upgrades the tables, in one transaction. False: *why. */
bool schema_upgrade(struct identity *i, const char **why);
/* The file is ours and of a version that this program knows. False: *why. */
bool schema_fits(struct identity *i, const char **why);

#endif
