/* listing_json: members of JSON objects, as the answers to questions are made of. */
#include "mail/received.h"
#include "spool/listing_private.h"
#include "spool/message_id.h"

void listing_put_key(struct buf *b, const char *key)
{
    if (b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[') buf_byte(b, ',');
    buf_byte(b, '"');
    buf_str(b, key);
    buf_str(b, "\":");
}

void listing_put_text(struct buf *b, const char *key, struct span value)
{
    listing_put_key(b, key);
    buf_byte(b, '"');
    buf_json(b, value, LIMIT_NEXT_HOP_OCTETS + 16);
    buf_byte(b, '"');
}

void listing_put_number(struct buf *b, const char *key, uint64_t value)
{
    listing_put_key(b, key);
    buf_u64(b, value);
}

void listing_put_time(struct buf *b, const char *key, uint64_t unix_ms)
{
    listing_put_key(b, key);
    buf_byte(b, '"');
    date_put_rfc3339(b, unix_ms);
    buf_byte(b, '"');
}

void listing_put_id(struct buf *b, uint64_t id)
{
    listing_put_key(b, "id");
    buf_byte(b, '"');
    message_id_put(b, id);
    buf_byte(b, '"');
}

const char *listing_state_name(uint8_t shown)
{
    return shown == QUESTION_HELD ? "held" : shown == QUESTION_DEFERRED ? "deferred" : "queued";
}
