/* schema: every directive of the configuration in one table: what it is called, where it may stand, what it takes, its range,
 * its default, and one sentence about it. The reader, the messages of `check`, the man page and the fuzz dictionary are made
 * from it. */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include "base/buf.h"

enum schema_block { /* a set */
                    SCHEMA_TOP = 1,
                    SCHEMA_SERVER = 2,
                    SCHEMA_LIMITS = 4,
                    SCHEMA_QUEUE = 8,
                    SCHEMA_POOL = 16,
                    SCHEMA_DESTINATION = 32,
                    SCHEMA_MX_GROUP = 64,
                    SCHEMA_TOKENS = 128,
                    SCHEMA_DOVECOT = 256,
                    SCHEMA_KERBEROS = 512,
                    SCHEMA_ANY = 0xffff,
};

enum schema_type {
    SCHEMA_NUMBER,
    SCHEMA_OCTETS,   /* a size: octets, or with K, M, G (powers of 1024) */
    SCHEMA_DURATION, /* with s, m, h, d */
    SCHEMA_CHOICE,   /* one word of `choices`; the value is its index, or min + index */
    SCHEMA_PATH,     /* of a file, relative to the folder of the file it stands in */
    SCHEMA_NAME,     /* a domain name */
    SCHEMA_BLOCK,    /* { ... } */
    SCHEMA_OWN,      /* of another form: read by a function of its own */
};

struct reader;
struct token;

struct schema_row {
    const char *name;
    uint16_t where; /* SCHEMA_TOP ... */
    uint16_t opens; /* BLOCK: the block it opens */
    uint8_t type;   /* enum schema_type */
    uint8_t octets; /* width of the member that takes the value: 1, 4, 8; 0 for a span or OWN */
    bool repeat;    /* may be said more than once in a block */
    size_t offset;  /* of that member in the struct of the block */
    uint64_t min, max, fallback;
    const char *arguments;     /* for people: "ADDRESS:PORT ... [tls MODE]" */
    const char *choices;       /* "debug info warning" */
    const char *fallback_text; /* the default, for people; null: made from fallback */
    const char *since;         /* version */
    const char *doc;           /* one sentence or two */
    /* Null: as its type says. */
    void (*read)(struct reader *r, const struct schema_row *row, const struct token *name);
};

extern const struct schema_row schema_table[];
extern const size_t schema_rows;

/* The row of a name in a block, or null. */
const struct schema_row *schema_find(struct span name, unsigned block);
/* Any row of that name, wherever it may stand, or null. */
const struct schema_row *schema_find_anywhere(struct span name);
/* The best-looking name in that block by edit distance, or null when nothing is near. */
const char *schema_nearest(struct span name, unsigned block);
const char *schema_block_name(unsigned block); /* "server { }" */

/* Edit distance (insert, delete, replace, swap) of at most max, else max + 1. Case does not count. */
unsigned suggest_distance(struct span a, struct span b, unsigned max);
/* The word of a blank-separated list that is nearest to s; empty when none is near. */
struct span suggest_word(struct span s, const char *words);

/* A value of that type as it would be written, exact in its largest unit: 50M, 1h. */
void schema_amount(struct buf *b, unsigned type, uint64_t v);

/* The reference for a terminal; sallyport.conf.5 in mdoc; the words of the grammar, one quoted string a line (a libFuzzer
 * dictionary). */
void schema_text(struct buf *out);
void schema_man(struct buf *out);
void schema_dictionary(struct buf *out);

#endif
