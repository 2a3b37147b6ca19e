/* edit: a directive in the text of a configuration file, changed in its place. Everything else of the text stays octet by octet. The
 * text is one that config_parse took; a place is one that it gave. */
#ifndef CONFIG_EDIT_H
#define CONFIG_EDIT_H

#include "base/buf.h"
#include "config/config.h"

/* The arguments of the directive of a server { } that stands at that place, and the first of them, as they are written, inside text. False:
 * none stands there. */
MUST_USE bool config_edit_arguments(struct span text, const struct config_place *directive, struct span *all,
                                    struct span *first);

/* Each appends the changed text to out; out.over: no room. */

/* old: a part of text. */
void config_edit_replace(struct buf *out, struct span text, struct span old, struct span with);
/* One more statement before the directive at that place: on a line of its own, indented alike, where the directive begins its line, else
 * beside it. False: none stands there. */
MUST_USE bool config_edit_before(struct buf *out, struct span text, const struct config_place *directive,
                                 struct span statement);
/* One more statement at the beginning of the block that the directive at that place opens. False: it opens none. */
MUST_USE bool config_edit_inside(struct buf *out, struct span text, const struct config_place *directive,
                                 struct span statement);
/* Octets that before and inside need beside the statement. */
#define CONFIG_EDIT_ROOM(text) (2 * (text).n + 16)

#endif
