#include "directory/recipients.h"

#include "base/wire.h"
#include "directory/mailbox_name.h"

/* Layout: head, table of slots, text. A slot is the offset of an entry in the text plus one, zero for an empty slot. An
 * entry is its kind, its length (u16) and its key. A domain's key is "@domain". */
#define MAGIC        0x3150434552594c53u /* "SLYRECP1" */
#define HEAD_OCTETS  24
#define ENTRY_OCTETS 3
#define KEY_OCTETS   1024

enum kind { KIND_MAILBOX = 1, KIND_DOMAIN = 2, KIND_DOMAIN_ANY = 3, KIND_NOBODY = 4 };

/* FNV-1a, finished by a multiplication so that its upper bits select the slot. Strangers choose what is looked up, not what
 * is in the table: clusters are as long as our own names make them. */
static uint32_t key_hash(struct span domain_mark, struct span key)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < domain_mark.n; i++)
        h = (h ^ domain_mark.p[i]) * 0x100000001b3u;
    for (size_t i = 0; i < key.n; i++)
        h = (h ^ key.p[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}

static uint32_t load_u32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* At least twice the entries, so that probes stay short and always meet an empty slot. */
static uint32_t slots_for(uint32_t entries)
{
    uint32_t slots = 16;
    while (slots < 2 * (uint64_t)entries && slots < (uint32_t)1 << 30)
        slots *= 2;
    return slots;
}

void recipients_begin(struct recipients_builder *b, void *memory, size_t octets)
{
    if (!memory) {
        *b = (struct recipients_builder){.memory = NULL};
        return;
    }
    b->memory = memory;
    b->octets = octets;
    b->slots = slots_for(b->entries);
    b->used = 0;
    b->over = b->over || octets != recipients_needed(b);
}

size_t recipients_needed(const struct recipients_builder *b)
{
    return HEAD_OCTETS + (size_t)slots_for(b->entries) * sizeof(uint32_t) + b->text;
}

/* The entry of an offset: false when it does not lie in the text. */
static bool entry_at(struct span text, uint32_t offset, uint8_t *kind, struct span *key)
{
    struct wire w = wire_on(span_skip(text, offset));
    *kind = wire_u8(&w);
    *key = wire_span(&w, KEY_OCTETS);
    return !w.bad;
}

static bool key_is(struct span entry, struct span mark, struct span key)
{
    return entry.n == mark.n + key.n && span_eq(span_head(entry, mark.n), mark) &&
           span_eq(span_skip(entry, mark.n), key);
}

/* Where the key is, or the empty slot where it would be. False when the table is broken. kind 0: absent. */
static bool probe(struct span table, struct span text, struct span mark, struct span key, uint32_t *slot,
                  uint8_t *kind)
{
    uint32_t slots = (uint32_t)(table.n / sizeof(uint32_t));
    uint32_t at = key_hash(mark, key) & (slots - 1);
    for (uint32_t i = 0; i < slots; i++, at = (at + 1) & (slots - 1)) {
        uint32_t offset = load_u32(table.p + at * sizeof offset);
        struct span entry;
        *slot = at;
        *kind = 0;
        if (offset == 0) return true;
        if (!entry_at(text, offset - 1, kind, &entry)) return false;
        if (key_is(entry, mark, key)) return true;
    }
    return false;
}

static void add(struct recipients_builder *b, enum kind kind, struct span mark, struct span key)
{
    size_t octets = ENTRY_OCTETS + mark.n + key.n;
    if (mark.n + key.n > KEY_OCTETS || b->over) {
        b->over = true;
        return;
    }
    if (!b->memory) {
        b->text += octets;
        b->over = b->entries == (uint32_t)1 << 28 || b->text > UINT32_MAX / 2;
        b->entries += !b->over;
        return;
    }
    uint8_t *table = b->memory + HEAD_OCTETS, *text = table + (size_t)b->slots * sizeof(uint32_t);
    uint32_t slot;
    uint8_t old;
    if (!probe(span_of(table, b->slots * sizeof(uint32_t)), span_of(text, b->used), mark, key, &slot, &old) ||
        (old == 0 && octets > b->text - b->used)) {
        b->over = true;
        return;
    }
    uint8_t *p = table + (size_t)slot * sizeof(uint32_t);
    if (old) {
        if (kind == KIND_DOMAIN_ANY || kind == KIND_NOBODY) text[load_u32(p) - 1] = (uint8_t)kind;
        return;
    }
    struct buf out = buf_on(text + b->used, octets);
    uint32_t offset = (uint32_t)b->used + 1;
    wire_put_u8(&out, (uint8_t)kind);
    wire_put_u16(&out, (uint16_t)(mark.n + key.n));
    buf_put(&out, mark);
    buf_put(&out, key);
    memcpy(p, &offset, sizeof offset);
    b->used += octets;
}

void recipients_add_domain(struct recipients_builder *b, struct span domain, bool any)
{
    add(b, any ? KIND_DOMAIN_ANY : KIND_DOMAIN, SPAN("@"), domain);
}

static void add_name(struct recipients_builder *b, enum kind kind, struct span key)
{
    if (key.n == 0 || key.p[0] == '@') b->over = true; /* a name without local part would pass for a domain */
    add(b, kind, SPAN(""), key);
}

void recipients_add_mailbox(struct recipients_builder *b, struct span key)
{
    add_name(b, KIND_MAILBOX, key);
}

void recipients_add_nobody(struct recipients_builder *b, struct span key)
{
    add_name(b, KIND_NOBODY, key);
}

bool recipients_finish(struct recipients_builder *b)
{
    if (b->over || !b->memory) return false;
    struct buf head = buf_on(b->memory, HEAD_OCTETS);
    wire_put_u64(&head, MAGIC);
    wire_put_u32(&head, b->slots);
    wire_put_u32(&head, 0);
    wire_put_u64(&head, b->text);
    return !head.over;
}

bool recipients_open(struct recipients *r, const void *memory, size_t octets)
{
    struct wire w = wire_on(span_of(memory, memory ? octets : 0));
    uint64_t magic = wire_u64(&w);
    uint32_t slots = wire_u32(&w), zero = wire_u32(&w);
    uint64_t text = wire_u64(&w);
    if (w.bad || magic != MAGIC || zero || slots < 16 || (slots & (slots - 1)) || slots > (uint32_t)1 << 30)
        return false;
    if (text > UINT32_MAX || octets != HEAD_OCTETS + (size_t)slots * sizeof(uint32_t) + text) return false;
    *r = (struct recipients){memory, octets, slots};
    return true;
}

static uint8_t find(const struct recipients *r, struct span mark, struct span key)
{
    struct span all = span_skip(span_of(r->memory, r->octets), HEAD_OCTETS);
    size_t table = (size_t)r->slots * sizeof(uint32_t);
    uint32_t slot;
    uint8_t kind;
    /* A broken map knows nobody: mail is refused, never misdirected. */
    return probe(span_head(all, table), span_skip(all, table), mark, key, &slot, &kind) ? kind : 0;
}

bool recipients_split(struct span key, struct span *local, struct span *domain)
{
    size_t at = span_rfind(key, '@');
    if (at == SPAN_NPOS) return false;
    *local = span_head(key, at);
    *domain = span_skip(key, at + 1);
    return true;
}

struct span recipients_base(struct span local)
{
    size_t plus = span_find(local, '+');
    if (plus == SPAN_NPOS || plus == 0 || local.p[0] == '"') return local;
    return span_head(local, plus);
}

bool recipients_role_name(struct span local)
{
    return span_eq_nocase(local, SPAN("postmaster")) || span_eq_nocase(local, SPAN("abuse"));
}

enum recipients_answer recipients_domain(const struct recipients *r, struct span domain)
{
    uint8_t kind = find(r, SPAN("@"), domain);
    if (kind == KIND_DOMAIN_ANY) return RECIPIENTS_KNOWN;
    return kind == KIND_DOMAIN ? RECIPIENTS_UNKNOWN : RECIPIENTS_NOT_SERVED;
}

bool recipients_listed(const struct recipients *r, struct span key)
{
    return find(r, SPAN(""), key) == KIND_MAILBOX;
}

/* What is said of the name in this domain, else in every domain; 0: nothing. */
static uint8_t named(const struct recipients *r, struct span local, struct span domain)
{
    uint8_t memory[KEY_OCTETS];
    struct buf b = buf_on(memory, sizeof memory);
    buf_put(&b, local);
    buf_byte(&b, '@');
    struct span everywhere = buf_span(&b);
    buf_put(&b, domain);
    if (b.over) return 0;
    uint8_t kind = find(r, SPAN(""), buf_span(&b));
    return kind ? kind : find(r, SPAN(""), everywhere);
}

enum recipients_answer recipients_find(const struct recipients *r, struct span key)
{
    struct span local, domain;
    if (!recipients_split(key, &local, &domain)) return RECIPIENTS_NOT_SERVED;
    struct span base = recipients_base(local);
    enum recipients_answer whole = recipients_domain(r, domain);
    if (whole == RECIPIENTS_NOT_SERVED) return whole;
    if (local.n == 0) return RECIPIENTS_UNKNOWN;
    if (recipients_role_name(base)) return RECIPIENTS_KNOWN;
    uint8_t kind = named(r, local, domain);
    if (!kind && base.n != local.n) kind = named(r, base, domain);
    if (kind) return kind == KIND_MAILBOX ? RECIPIENTS_KNOWN : RECIPIENTS_UNKNOWN;
    return whole == RECIPIENTS_KNOWN && mailbox_name_local(base) ? RECIPIENTS_KNOWN : RECIPIENTS_UNKNOWN;
}
