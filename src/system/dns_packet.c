#include "system/dns_packet.h"

enum { HEADER_OCTETS = 12, ALIASES_MAX = 16, POINTERS_MAX = 16, NEGATIVE_TTL_SECONDS = 60 };
enum { TYPE_CNAME = 5, TYPE_SOA = 6, CLASS_IN = 1, RCODE_NAME = 3 };

struct reader {
    struct span packet;
    size_t at;
    bool bad;
};

static uint8_t octet(struct reader *r)
{
    if (r->bad || r->at >= r->packet.n) {
        r->bad = true;
        return 0;
    }
    return r->packet.p[r->at++];
}

static uint16_t number16(struct reader *r)
{
    unsigned high = octet(r);
    return (uint16_t)(high << 8 | octet(r));
}

static uint32_t number32(struct reader *r)
{
    uint32_t high = number16(r);
    return high << 16 | number16(r);
}

struct name {
    uint8_t text[LIMIT_DOMAIN_OCTETS + 1];
    size_t n;
    bool odd; /* octets that no host's name has, or too long as text: it equals nothing */
};

static void name_label(struct reader *r, unsigned octets, struct name *name)
{
    if (name->n + octets + 1 > LIMIT_DOMAIN_OCTETS) name->odd = true;
    if (name->n && !name->odd) name->text[name->n++] = '.';
    for (unsigned i = 0; i < octets; i++) {
        uint8_t c = octet_lower(octet(r));
        if (!octet_is_alnum(c) && c != '-' && c != '_') name->odd = true;
        if (!name->odd) name->text[name->n++] = c;
    }
}

/* RFC 1035 4.1.4: labels, or a pointer to labels that stand before it. */
static void read_name(struct reader *r, struct name *name)
{
    size_t resume = 0, before = r->at;
    unsigned pointers = 0;
    name->n = 0;
    name->odd = false;
    for (;;) {
        uint8_t c = octet(r);
        if (r->bad || c == 0) break;
        if (c < 64) {
            name_label(r, c, name);
            continue;
        }
        size_t target = (size_t)(c & 63) << 8 | octet(r);
        if (c < 192 || target >= before || ++pointers > POINTERS_MAX) {
            r->bad = true;
            break;
        }
        if (pointers == 1) resume = r->at;
        r->at = before = target;
    }
    if (pointers && !r->bad) r->at = resume;
}

/* Only to its end: most names of a packet are nobody's business. */
static void skip_name(struct reader *r)
{
    for (;;) {
        uint8_t c = octet(r);
        if (r->bad || c == 0) return;
        if (c >= 64) {
            r->bad |= c < 192;
            (void)octet(r);
            return;
        }
        if (c > r->packet.n - r->at) r->bad = true;
        if (!r->bad) r->at += c;
    }
}

struct record {
    size_t owner; /* where its name stands */
    uint16_t type, class;
    uint32_t ttl;
    size_t data, octets; /* where its data stand */
};

static bool read_record(struct reader *r, struct record *ret)
{
    ret->owner = r->at;
    skip_name(r);
    ret->type = number16(r);
    ret->class = number16(r);
    ret->ttl = number32(r);
    ret->octets = number16(r);
    ret->data = r->at;
    if (r->bad || ret->octets > r->packet.n - r->at) return false;
    r->at += ret->octets;
    return true;
}

static struct span data_of(const struct reader *r, const struct record *record)
{
    return span_head(span_skip(r->packet, record->data), record->octets);
}

/* A name inside the data of a record, which must end with it. */
static bool data_name(const struct reader *r, const struct record *record, size_t skip, struct name *ret)
{
    struct reader inner = {r->packet, record->data + skip, skip > record->octets};
    if (inner.bad) return false;
    read_name(&inner, ret);
    return !inner.bad && inner.at == record->data + record->octets;
}

static bool is_owner(const struct reader *r, const struct record *record, const struct name *name)
{
    struct reader inner = {r->packet, record->owner, false};
    struct name owner;
    read_name(&inner, &owner);
    return !inner.bad && !owner.odd && !name->odd &&
           span_eq(span_of(owner.text, owner.n), span_of(name->text, name->n));
}

/* RFC 1035 3.3.14: <character-string>s; they are joined (RFC 7208 3.3 and others want that). */
static bool join_strings(struct span data, uint8_t *memory, size_t *n)
{
    *n = 0;
    while (data.n > 0) {
        size_t octets = data.p[0];
        if (octets >= data.n) return false;
        memcpy(memory + *n, data.p + 1, octets);
        *n += octets;
        data = span_skip(data, octets + 1);
    }
    return true;
}

/* Appends one record of the type that was asked for. False: the packet is malformed. */
static bool take_record(const struct reader *r, const struct record *record, struct buf *b, uint16_t *count)
{
    static uint8_t joined[UINT16_MAX];
    struct dns_record out = {.data = data_of(r, record)};
    struct name name = {.n = 0};
    switch (record->type) {
    case DNS_A:
        if (record->octets != 4) return false;
        break;
    case DNS_AAAA:
        if (record->octets != 16) return false;
        break;
    case DNS_TLSA:
        if (record->octets < 4) return false;
        break;
    case DNS_TXT: {
        size_t n;
        if (!join_strings(out.data, joined, &n)) return false;
        out.data = span_of(joined, n);
        break;
    }
    default: { /* MX, PTR */
        size_t skip = record->type == DNS_MX ? 2 : 0;
        if (!data_name(r, record, skip, &name)) return false;
        if (name.odd) return true;
        if (skip) out.preference = (uint16_t)(out.data.p[0] << 8 | out.data.p[1]);
        out.data = span_of(name.text, name.n);
        break;
    }
    }
    struct buf before = *b;
    dns_record_put(b, &out);
    if (b->over)
        *b = before; /* what is beyond is left out */
    else
        ++*count;
    return true;
}

/* The alias of *name among n records at *r, if it has one. 1: found, 0: none, -1: malformed. */
static int follow_alias(struct reader r, unsigned n, struct name *name, uint32_t *ttl)
{
    struct record record;
    for (unsigned i = 0; i < n; i++) {
        if (!read_record(&r, &record)) return -1;
        if (record.type != TYPE_CNAME || record.class != CLASS_IN || !is_owner(&r, &record, name)) continue;
        struct name target;
        if (!data_name(&r, &record, 0, &target)) return -1;
        *name = target;
        if (record.ttl < *ttl) *ttl = record.ttl;
        return 1;
    }
    return 0;
}

/* Appends the records of *name; *there: whether there was one at all, also of those that cannot be used. */
static bool collect(struct reader *r, unsigned n, uint16_t type, const struct name *name, struct buf *b,
                    struct dns_answer *a, bool *there)
{
    struct record record;
    for (unsigned i = 0; i < n; i++) {
        if (!read_record(r, &record)) return false;
        if (record.type != type || record.class != CLASS_IN || !is_owner(r, &record, name)) continue;
        *there = true;
        if (record.ttl < a->ttl) a->ttl = record.ttl;
        if (a->count < LIMIT_DNS_RECORDS && !take_record(r, &record, b, &a->count)) return false;
    }
    return true;
}

/* RFC 2308 5: the absence is known as long as the SOA says. */
static uint32_t negative_ttl(struct reader r, unsigned n)
{
    struct record record;
    for (unsigned i = 0; i < n; i++) {
        if (!read_record(&r, &record)) break;
        if (record.type != TYPE_SOA || record.octets < 20) continue;
        struct reader minimum = {r.packet, record.data + record.octets - 4, false};
        uint32_t least = number32(&minimum);
        return record.ttl < least ? record.ttl : least;
    }
    return NEGATIVE_TTL_SECONDS;
}

static const char *rcode_text(unsigned rcode)
{
    switch (rcode) {
    case 1: return "FORMERR";
    case 2: return "SERVFAIL";
    case 4: return "NOTIMP";
    case 5: return "REFUSED";
    default: return "an unknown response code";
    }
}

static const char *read_answers(struct reader *r, unsigned n, unsigned authorities,
                                const struct dns_question *q, struct name *name, struct buf *b,
                                struct dns_answer *a)
{
    int alias = 1;
    for (unsigned i = 0; alias == 1 && i < ALIASES_MAX; i++)
        alias = follow_alias(*r, n, name, &a->ttl);
    if (alias == 1) return "too many aliases";
    bool there = false;
    if (alias < 0 || !collect(r, n, q->type, name, b, a, &there)) return "malformed response";
    if (name->odd || name->n == 0) return "an alias that is no host name";
    if (a->status == DNS_NO_NAME) a->count = 0;
    if (a->count > 0) {
        a->status = DNS_OK;
        return NULL;
    }
    if (there && a->status != DNS_NO_NAME) return "none of its records can be used";
    uint32_t ttl = negative_ttl(*r, authorities);
    if (ttl < a->ttl) a->ttl = ttl;
    return NULL;
}

static const char *read_packet(struct span packet, const struct dns_question *q, struct name *name,
                               struct buf *b, struct dns_answer *a)
{
    struct reader r = {packet, 2, false};
    unsigned flags = number16(&r), questions = number16(&r), answers = number16(&r),
             authorities = number16(&r);
    r.at = HEADER_OCTETS;
    for (unsigned i = 0; i < questions && !r.bad; i++) {
        skip_name(&r);
        r.at += 4;
    }
    if (r.bad || r.at > packet.n) return "malformed response";
    unsigned rcode = flags & 15;
    if (rcode != 0 && rcode != RCODE_NAME) return rcode_text(rcode);
    a->status = rcode == RCODE_NAME ? DNS_NO_NAME : DNS_NO_DATA;
    name->odd = q->name.n > LIMIT_DOMAIN_OCTETS;
    for (name->n = 0; name->n < q->name.n && !name->odd; name->n++)
        name->text[name->n] = octet_lower(q->name.p[name->n]);
    return read_answers(&r, answers, authorities, q, name, b, a);
}

void dns_packet_answer(struct span packet, const struct dns_question *q, struct dns_packet_memory *memory,
                       struct dns_answer *ret)
{
    struct buf b = buf_on(memory->records, sizeof memory->records);
    struct name name;
    *ret = (struct dns_answer){.ttl = LIMIT_DNS_TTL_SECONDS};
    const char *why = read_packet(packet, q, &name, &b, ret);
    if (why) {
        *ret = (struct dns_answer){.status = DNS_FAILED, .why = span_str(why)};
        return;
    }
    memcpy(memory->canonical, name.text, name.n);
    ret->canonical = span_of(memory->canonical, name.n);
    if (ret->status == DNS_OK) ret->records = buf_span(&b);
}
