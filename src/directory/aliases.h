/* aliases: the aliases file in the format of sendmail and Postfix, aliases(5):
 *
 *     name: target, target        name      a local part, for every served domain; or local@domain, for that domain alone;
 *         more targets                      quoted where it needs quotes
 *     # comment                   target    a local part, an address, \local (a mailbox, not expanded again),
 *                                           :include:/absolute/path (a list, one or more targets a line)
 *     owner-name: target                    the sender of what goes to the list `name`
 *
 * `|command` and `/file` targets are refused: nothing here executes or writes elsewhere. An alias with a target that is
 * refused is broken as a whole: mail for it waits (4.3.0) until the file is mended, and nobody gets it twice. */
#ifndef DIRECTORY_ALIASES_H
#define DIRECTORY_ALIASES_H

#include "base/buf.h"
#include "directory/problem.h"

struct aliases_source { /* a file by content: the parser opens nothing */
    struct span name, text;
    const char *unreadable; /* null, or why a list could not be read: what includes it is broken */
};

/* The canonical key of "local@domain" as written (smtp/path is not in reach of this room): false when it is no address.
 * Local part and domain are folded to lower case, quotes that are not needed are gone. */
typedef bool aliases_canonical_fn(struct span address, struct buf *key);

enum alias_target_kind { ALIAS_LOCAL, ALIAS_ADDRESS, ALIAS_INCLUDE };
struct alias_target {
    enum alias_target_kind kind;
    bool final; /* \name */
    struct span
        text; /* ALIAS_LOCAL: canonical local part; ALIAS_ADDRESS: canonical key; ALIAS_INCLUDE: path */
    struct span written;   /* ALIAS_ADDRESS: as it stands in the file */
    uint32_t line, column; /* of the file, or of the list, that it stands in */
    struct alias_target *next;
};
struct alias_entry {
    struct span key; /* "local@" for every domain, or "local@domain"; of a list its path */
    struct alias_target *targets;
    struct problem_place place; /* of a list: where it was named first */
    uint32_t number;            /* among the names, or among the lists, from 0 */
    bool broken;
    struct alias_entry *next; /* in the order of the file; lists are a chain of their own */
};

struct aliases {
    struct alias_entry *names, *lists;
    uint32_t n_names, n_lists;
    const struct alias_entry **table; /* names by hash */
    uint32_t slots;
    struct span missing; /* a list that is not among the sources: add it and parse again; empty: none */
};

/* sources[0] is the aliases file, the others are lists. Texts stay referenced. Null: no memory. */
struct aliases *aliases_parse(struct arena *a, const struct aliases_source *sources, size_t n_sources,
                              aliases_canonical_fn *canonical, struct problems *problems);
/* The entry of local@domain itself, else that of the local part in every domain; null when there is none. */
const struct alias_entry *aliases_find(const struct aliases *a, struct span local, struct span domain);
const struct alias_entry *aliases_list(const struct aliases *a, struct span path);
/* As it is shown: a name of every domain without its '@'. */
struct span aliases_name(const struct alias_entry *e);

#endif
