/* bundle: all files of a configuration in one span: u32 count, then name and text of each with u32 lengths. */
#include "base/crc32c.h"
#include "base/wire.h"
#include "config/config.h"

enum { BUNDLE_SOURCES_MAX = 4096 };

size_t config_bundle_octets(const struct config_source *sources, size_t n)
{
    size_t octets = 4;

    for (size_t i = 0; i < n; i++)
        octets += 8 + sources[i].name.n + sources[i].text.n;
    return octets;
}

static void put(struct buf *b, struct span s)
{
    if (s.n > UINT32_MAX) {
        b->over = true;
        return;
    }
    wire_put_u32(b, (uint32_t)s.n);
    buf_put(b, s);
}

void config_bundle_put(struct buf *b, const struct config_source *sources, size_t n)
{
    if (n > BUNDLE_SOURCES_MAX) {
        b->over = true;
        return;
    }
    wire_put_u32(b, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        put(b, sources[i].name);
        put(b, sources[i].text);
    }
}

uint32_t config_bundle_digest(const struct config_source *sources, size_t n)
{
    uint32_t digest = 0;

    for (size_t i = 0; i < n; i++) {
        const uint64_t octets[] = {sources[i].name.n, sources[i].text.n};
        digest = crc32c(digest, octets, sizeof octets);
        digest = crc32c(digest, sources[i].name.p, sources[i].name.n);
        digest = crc32c(digest, sources[i].text.p, sources[i].text.n);
    }
    return digest;
}

bool config_bundle_read(struct arena *arena, struct span bundle, struct config_source **sources, size_t *n)
{
    struct wire w = wire_on(bundle);
    uint32_t count = wire_u32(&w);

    if (w.bad || count > BUNDLE_SOURCES_MAX || count > w.rest.n / 8) return false;
    struct config_source *read = arena_take_array(arena, count ? count : 1, sizeof *read);
    if (!read) return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t octets = wire_u32(&w);
        read[i].name = wire_raw(&w, octets);
        octets = wire_u32(&w);
        read[i].text = wire_raw(&w, octets);
    }
    if (!wire_done(&w)) return false;
    *sources = read;
    *n = count;
    return true;
}
