/* chunk: a look at the content of BDAT chunks (RFC 3030), which are counted and never searched for an end. What DATA
 * content may not hold, chunk content that is not BINARYMIME may not hold either: the findings are those of smtp/dot. */
#ifndef ENGINE_CHUNK_H
#define ENGINE_CHUNK_H

#include "smtp/dot.h"

struct chunk {
    uint8_t last;      /* the octet before, 0 at the beginning */
    uint8_t found;     /* DOT_* */
    bool whole_line;   /* the content so far is empty or ends with CRLF */
    uint32_t line;     /* octets of the current line so far */
    uint32_t max_line; /* octets with CRLF */
};

void chunk_begin(struct chunk *c, uint32_t max_line);
void chunk_feed(struct chunk *c, struct span content); /* slices in order, over the borders of chunks */
/* What makes the last line whole when there is no more content: nothing, CRLF, or the LF that a final CR waits for. */
struct span chunk_completion(const struct chunk *c);

#endif
