/* json: reading JSON text that the daemon wrote, one object at a time, without building a tree: values stay raw spans. And lists that the
 * commands write. */
#ifndef CMD_JSON_H
#define CMD_JSON_H

#include "base/buf.h"

struct json { /* inside an object or an array */
    struct span rest;
    bool object, bad; /* bad: not JSON */
    bool later;       /* a comma comes before the next one */
};

/* Goes into the object or array that raw begins with. */
struct json json_enter(struct span raw);
/* The next member (key raw, with its quotes) or element (key may be null then). False at the end, or when bad. */
bool json_next(struct json *j, struct span *key, struct span *value);
/* The value of a member of an object; n 0 when there is none. Keys with escapes are not found: the daemon writes none. */
struct span json_member(struct span object, const char *key);

/* A string's content, escapes undone; an octet that is no text stays a '?'. False when raw is no string. Numbers: span_u64. */
bool json_string(struct span raw, struct buf *out);

/* ["a","b"] of names with one octet between them; of each at most max_in octets. */
void json_put_names(struct buf *b, struct span names, uint8_t between, size_t max_in);

#endif
