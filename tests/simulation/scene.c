#include "scene.h"

#include <stdarg.h>
#include <stdio.h>

void scene_wrong(struct scene *s, const char *format, ...)
{
    if (s->error[0]) return;
    va_list a;
    va_start(a, format);
    vsnprintf(s->error, sizeof s->error, format, a);
    va_end(a);
}

static void mix(struct scene *s, uint64_t v)
{
    s->hash = (s->hash ^ v) * 0x9e3779b97f4a7c15U;
    s->hash ^= s->hash >> 29;
}

void scene_note(struct scene *s, const char *what, uint64_t a, uint64_t b)
{
    scene_octets(s, span_str(what));
    mix(s, a);
    mix(s, b);
    if (s->talk)
        printf("  %llu %s %llx %llu\n", (unsigned long long)s->mono_ms, what, (unsigned long long)a,
               (unsigned long long)b);
}

void scene_octets(struct scene *s, struct span octets)
{
    uint64_t word = octets.n;
    mix(s, word);
    while (octets.n) {
        size_t n = octets.n < sizeof word ? octets.n : sizeof word;
        word = 0;
        memcpy(&word, octets.p, n);
        mix(s, word);
        octets = span_skip(octets, n);
    }
}

struct letter *scene_new_letter(struct scene *s, uint32_t session)
{
    if (s->n_letters == LETTERS) return NULL;
    struct letter *l = &s->letters[s->n_letters];
    letter_write(l, s->dice, s->n_letters++);
    l->session = session;
    memset(l->now, RECIPIENT_QUEUED, sizeof l->now);
    memset(l->durable, RECIPIENT_QUEUED, sizeof l->durable);
    return l;
}

struct letter *scene_letter(struct scene *s, uint64_t serial)
{
    return serial < s->n_letters ? &s->letters[serial] : NULL;
}
