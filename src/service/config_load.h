/* config_load: a configuration from its files: the main file and whatever it includes, read and parsed. */
#ifndef SERVICE_CONFIG_LOAD_H
#define SERVICE_CONFIG_LOAD_H

#include "config/config.h"

struct config_load {
    struct arena *arena;           /* holds everything below */
    struct config_source *sources; /* as config_bundle_put wants them; [0] is the main file */
    size_t n_sources;
    const struct config *config; /* null when there was an error */
    const struct config_problem *problems;
};

/* Reads path (relative to the working folder, or absolute). False only when there is no memory or the working folder is
 * unknown; a file that cannot be read is a problem like any other. */
MUST_USE bool config_load(struct config_load *l, const char *path);
/* The same with the text of one of its files, by its name among the sources, as it would be after an edit. */
MUST_USE bool config_load_edited(struct config_load *l, const char *path,
                                 const struct config_source *instead);
/* Text that is at hand (a candidate on standard input), under the name path. */
MUST_USE bool config_load_text(struct config_load *l, const char *path, struct span text);
void config_load_free(struct config_load *l);

/* One file that a configuration names, whole, into the arena. Null, or why it cannot be read (constant text). A file of more
 * than max octets is an error. */
MUST_USE const char *config_load_file(struct arena *arena, const char *path, size_t max, struct span *text);
/* Likewise of what is open: from where it stands to its end, and a pipe is waited for unless it is O_NONBLOCK. */
MUST_USE const char *config_load_descriptor(struct arena *arena, int fd, size_t max, struct span *text);

#endif
