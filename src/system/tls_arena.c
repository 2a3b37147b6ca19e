#include "system/tls_arena.h"

#include <stdlib.h>
#include <sys/mman.h>

#define CHUNK       TLS_ARENA_CHUNK_OCTETS
#define SMALLEST    16
#define LARGEST     32768
#define CLASS_COUNT 40
#define NO_CHUNK    UINT32_MAX

enum chunk_state { CHUNK_FREE, CHUNK_CLASS, CHUNK_LARGE, CHUNK_LARGE_REST };

struct chunk {
    uint8_t state;
    uint8_t class;
    bool touched;  /* has resident pages */
    uint32_t used; /* objects handed out */
    uint32_t
        carved; /* objects that were ever handed out since the chunk was taken: those behind are untouched */
    uint32_t free;       /* first free object + 1, linked through the objects themselves; 0: none */
    uint32_t run;        /* CHUNK_LARGE: chunks of this request */
    uint32_t next, prev; /* among the chunks of the class that have room */
};

static struct {
    uint8_t *memory;
    struct chunk *chunks;
    uint32_t n, hint; /* hint: no free chunk lies below it */
    uint32_t with_room[CLASS_COUNT];
    struct tls_arena_count count;
} arena;

/* Classes: 16, 32, 48, 64, then four to a doubling: 80 96 112 128 160 ... 32768. */
static unsigned class_of(size_t n)
{
    if (n <= 64) return (unsigned)((n - 1) / 16);
    unsigned top = 63u - (unsigned)__builtin_clzll(n - 1); /* 2^top < n <= 2^(top+1) */
    unsigned quarter = (unsigned)(((n - 1) >> (top - 2)) & 3);
    return 4 + (top - 6) * 4 + quarter;
}

static size_t class_octets(unsigned class)
{
    if (class < 4) return (class + 1) * (size_t)16;
    unsigned top = 6 + (class - 4) / 4;
    return ((size_t)1 << top) + ((class - 4) % 4 + 1) * ((size_t)1 << (top - 2));
}

bool tls_arena_map(size_t max_octets)
{
    size_t n = max_octets / CHUNK;
    if (arena.memory || n == 0 || n >= NO_CHUNK) return false;
    size_t table = n * sizeof(struct chunk);
    void *chunks =
        mmap(NULL, table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (chunks == MAP_FAILED) return false;
    void *memory =
        mmap(NULL, n * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        munmap(chunks, table);
        return false;
    }
    arena.memory = memory;
    arena.chunks = chunks;
    arena.n = (uint32_t)n;
    arena.hint = 0;
    for (unsigned i = 0; i < CLASS_COUNT; i++)
        arena.with_room[i] = NO_CHUNK;
    arena.count = (struct tls_arena_count){.max = n * CHUNK};
    return true;
}

void tls_arena_unmap(void)
{
    if (!arena.memory) return;
    munmap(arena.memory, (size_t)arena.n * CHUNK);
    munmap(arena.chunks, arena.n * sizeof(struct chunk));
    arena.memory = NULL;
    arena.chunks = NULL;
    arena.n = 0;
}

static void room_link(uint32_t c)
{
    struct chunk *k = &arena.chunks[c];
    k->prev = NO_CHUNK;
    k->next = arena.with_room[k->class];
    if (k->next != NO_CHUNK) arena.chunks[k->next].prev = c;
    arena.with_room[k->class] = c;
}

static void room_unlink(uint32_t c)
{
    struct chunk *k = &arena.chunks[c];
    if (k->prev != NO_CHUNK)
        arena.chunks[k->prev].next = k->next;
    else
        arena.with_room[k->class] = k->next;
    if (k->next != NO_CHUNK) arena.chunks[k->next].prev = k->prev;
}

/* First fit: low chunks fill first, so that the top of the region stays untouched. */
static uint32_t chunks_find(uint32_t run)
{
    uint32_t length = 0;
    bool first = true;
    for (uint32_t c = arena.hint; c < arena.n; c++) {
        if (arena.chunks[c].state != CHUNK_FREE) {
            length = 0;
            continue;
        }
        if (first) {
            arena.hint = c;
            first = false;
        }
        if (++length == run) return c + 1 - run;
    }
    if (first) arena.hint = arena.n;
    return NO_CHUNK;
}

static void count_add(size_t octets)
{
    arena.count.used += octets;
    if (arena.count.used > arena.count.peak) arena.count.peak = arena.count.used;
}

static void *take_large(size_t n)
{
    if (n > (size_t)arena.n * CHUNK) return NULL;
    uint32_t run = (uint32_t)((n + CHUNK - 1) / CHUNK);
    uint32_t c = chunks_find(run);
    if (c == NO_CHUNK) return NULL;
    for (uint32_t i = 0; i < run; i++) {
        arena.chunks[c + i].state = i ? CHUNK_LARGE_REST : CHUNK_LARGE;
        arena.chunks[c + i].touched = true;
    }
    arena.chunks[c].run = run;
    arena.count.chunks += run;
    count_add((size_t)run * CHUNK);
    return arena.memory + (size_t)c * CHUNK;
}

static void give_large(uint32_t c)
{
    uint32_t run = arena.chunks[c].run;
    for (uint32_t i = 0; i < run; i++)
        arena.chunks[c + i].state = CHUNK_FREE;
    if (c < arena.hint) arena.hint = c;
    arena.count.chunks -= run;
    arena.count.used -= (size_t)run * CHUNK;
}

static uint32_t chunk_for(unsigned class)
{
    uint32_t c = arena.with_room[class];
    if (c != NO_CHUNK) return c;
    c = chunks_find(1);
    if (c == NO_CHUNK) return NO_CHUNK;
    arena.chunks[c] = (struct chunk){.state = CHUNK_CLASS, .class = (uint8_t) class, .touched = true};
    arena.count.chunks++;
    room_link(c);
    return c;
}

static void *take_small(size_t n)
{
    unsigned class = class_of(n);
    uint32_t c = chunk_for(class);
    if (c == NO_CHUNK) return NULL;
    struct chunk *k = &arena.chunks[c];
    size_t octets = class_octets(class);
    uint32_t object;
    if (k->free) {
        object = k->free - 1;
        memcpy(&k->free, arena.memory + (size_t)c * CHUNK + object * octets, sizeof k->free);
        if (k->free > k->carved) abort(); /* the link was overwritten after free: better dead than misled */
    } else {
        object = k->carved++;
    }
    k->used++;
    if (!k->free && k->carved == CHUNK / octets) room_unlink(c);
    count_add(octets);
    return arena.memory + (size_t)c * CHUNK + object * octets;
}

void *tls_arena_take(size_t n)
{
    if (n == 0 || !arena.memory) return NULL;
    void *p = n <= LARGEST ? take_small(n) : take_large(n);
    if (!p) arena.count.refused++;
    return p;
}

static uint32_t chunk_of(const void *p)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)arena.memory;
    if (!arena.memory || at >= (size_t)arena.n * CHUNK) abort();
    uint32_t c = (uint32_t)(at / CHUNK);
    const struct chunk *k = &arena.chunks[c];
    bool whole = k->state == CHUNK_LARGE && at % CHUNK == 0;
    bool object = k->state == CHUNK_CLASS && (at % CHUNK) % class_octets(k->class) == 0 &&
                  (at % CHUNK) / class_octets(k->class) < k->carved;
    if (!whole && !object) abort();
    return c;
}

void tls_arena_give(void *p)
{
    if (!p) return;
    uint32_t c = chunk_of(p);
    struct chunk *k = &arena.chunks[c];
    if (k->state == CHUNK_LARGE) {
        give_large(c);
        return;
    }
    size_t octets = class_octets(k->class);
    if (k->used == 0) abort();
    bool had_room = k->free || k->carved < CHUNK / octets;
    memcpy(p, &k->free, sizeof k->free);
    k->free = (uint32_t)(((uintptr_t)p - (uintptr_t)arena.memory) % CHUNK / octets) + 1;
    k->used--;
    arena.count.used -= octets;
    if (!had_room) room_link(c);
    if (k->used == 0) {
        room_unlink(c);
        k->state = CHUNK_FREE;
        if (c < arena.hint) arena.hint = c;
        arena.count.chunks--;
    }
}

static size_t octets_of(const void *p)
{
    const struct chunk *k = &arena.chunks[chunk_of(p)];
    return k->state == CHUNK_LARGE ? (size_t)k->run * CHUNK : class_octets(k->class);
}

void *tls_arena_resize(void *p, size_t n)
{
    if (!p) return tls_arena_take(n);
    if (n == 0) {
        tls_arena_give(p);
        return NULL;
    }
    size_t have = octets_of(p);
    if (n <= have && n > have / 2) return p;
    void *fresh = tls_arena_take(n);
    if (!fresh) return n <= have ? p : NULL;
    memcpy(fresh, p, n < have ? n : have);
    tls_arena_give(p);
    return fresh;
}

struct tls_arena_count tls_arena_count(void)
{
    return arena.count;
}

size_t tls_arena_trim(void)
{
    size_t given = 0;
    for (uint32_t c = 0; c < arena.n; c++) {
        struct chunk *k = &arena.chunks[c];
        if (k->state != CHUNK_FREE || !k->touched) continue;
        if (madvise(arena.memory + (size_t)c * CHUNK, CHUNK, MADV_DONTNEED) != 0) break;
        k->touched = false;
        given += CHUNK;
    }
    return given;
}
