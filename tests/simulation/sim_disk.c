#include "sim_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SECTOR  512
#define FILES   512
#define HANDLES 2048

enum sector_state { CLEAN, DIRTY, LOST /* a sync failed: in memory, but no later sync writes it */ };

struct inode {
    uint8_t *now, *durable, *state; /* state: one a sector */
    uint64_t size, durable_size, room;
    unsigned names, durable_names, handles;
};

struct name {
    char text[DISK_NAME_OCTETS];
    struct inode *inode; /* null: no such name */
};

struct sim_disk {
    uint64_t random, step, stop_at, capacity;
    bool stopped, read_only;
    unsigned fail_sync, fail_write; /* 0: never; counts down to 1 */
    struct name now[FILES], durable[FILES];
    struct inode *handle[HANDLES];
    bool direct[HANDLES]; /* not by DISK_READ: reads go past the page cache, as those of the real disk do */
};

uint64_t sim_random(struct sim_disk *d)
{
    uint64_t v = d->random += 0x9e3779b97f4a7c15U;
    v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9U;
    v = (v ^ (v >> 27)) * 0x94d049bb133111ebU;
    return v ^ (v >> 31);
}

static bool step(struct sim_disk *d) /* false: the power is off */
{
    if (d->stopped) return false;
    d->step++;
    if (d->stop_at && d->step >= d->stop_at) d->stopped = true;
    return !d->stopped;
}

static struct name *find(struct name *names, const char *text)
{
    for (int i = 0; i < FILES; i++)
        if (names[i].inode && strcmp(names[i].text, text) == 0) return &names[i];
    return NULL;
}

static void unref(struct inode *f)
{
    if (f->names || f->durable_names || f->handles) return;
    free(f->now);
    free(f->durable);
    free(f->state);
    free(f);
}

static void put(struct name *names, const char *text, struct inode *f, bool durable)
{
    struct name *old = find(names, text), *to = old;
    for (int i = 0; !to && i < FILES; i++)
        if (!names[i].inode) to = &names[i];
    if (!to) abort();
    struct inode *gone = to->inode;
    snprintf(to->text, sizeof to->text, "%s", text);
    to->inode = f;
    if (f) {
        if (durable)
            f->durable_names++;
        else
            f->names++;
    }
    if (!gone) return;
    if (durable)
        gone->durable_names--;
    else
        gone->names--;
    unref(gone);
}

static void reserve(struct inode *f, uint64_t n)
{
    if (n <= f->room) return;
    uint64_t room = (n + 65535) & ~UINT64_C(65535);
    f->now = realloc(f->now, room);
    f->durable = realloc(f->durable, room);
    f->state = realloc(f->state, room / SECTOR);
    if (!f->now || !f->durable || !f->state) abort();
    memset(f->now + f->room, 0, room - f->room);
    memset(f->durable + f->room, 0, room - f->room);
    memset(f->state + f->room / SECTOR, CLEAN, (room - f->room) / SECTOR);
    f->room = room;
}

uint64_t sim_disk_used(const struct sim_disk *d)
{
    uint64_t used = 0;
    for (int i = 0; i < FILES; i++)
        if (d->now[i].inode) used += d->now[i].inode->size;
    return used;
}

static int op_list(void *context, disk_name_fn *fn, void *to)
{
    struct sim_disk *d = context;
    if (d->stopped) return -EIO;
    for (int i = 0; i < FILES; i++)
        if (d->now[i].inode) fn(to, d->now[i].text);
    return 0;
}

static int handle(struct sim_disk *d, struct inode *f, bool direct)
{
    for (int i = 0; i < HANDLES; i++)
        if (!d->handle[i]) {
            d->handle[i] = f;
            d->direct[i] = direct;
            f->handles++;
            return i;
        }
    return -EMFILE;
}

static int op_open(void *context, const char *name, enum disk_open how)
{
    struct sim_disk *d = context;
    struct name *n = find(d->now, name);
    if (d->stopped) return -EIO;
    if (d->read_only && (how == DISK_WRITE || how == DISK_CREATE)) return -EROFS;
    if (how == DISK_CREATE) {
        if (n) return -EEXIST;
        if (!step(d)) return -EIO;
        struct inode *f = calloc(1, sizeof *f);
        if (!f) abort();
        put(d->now, name, f, false);
        n = find(d->now, name);
    }
    if (!n) return -ENOENT;
    return handle(d, n->inode, how != DISK_READ);
}

int sim_disk_duplicate(struct sim_disk *d, int file)
{
    return handle(d, d->handle[file], d->direct[file]);
}

static void op_close(void *context, int file)
{
    struct sim_disk *d = context;
    struct inode *f = d->handle[file];
    if (!f) abort();
    d->handle[file] = NULL;
    f->handles--;
    unref(f);
}

static int64_t op_size(void *context, int file)
{
    struct sim_disk *d = context;
    return d->stopped ? -EIO : (int64_t)d->handle[file]->size;
}

static void store_sectors(struct inode *f, const uint8_t *p, size_t n, uint64_t offset)
{
    memcpy(f->now + offset, p, n);
    for (uint64_t s = offset / SECTOR; n && s <= (offset + n - 1) / SECTOR; s++)
        f->state[s] = DIRTY;
}

static int op_write(void *context, int file, const struct iovec *iov, int n, uint64_t offset)
{
    struct sim_disk *d = context;
    struct inode *f = d->handle[file];
    uint64_t end = offset;
    for (int i = 0; i < n; i++)
        end += iov[i].iov_len;
    if (d->stopped) return -EIO;
    if (d->read_only) return -EROFS;
    if (end > f->size && sim_disk_used(d) + (end - f->size) > d->capacity) return -ENOSPC;
    bool power = step(d), fail = power && d->fail_write && --d->fail_write == 0;
    reserve(f, end);
    for (int i = 0; i < n; i++) { /* without power it is on its way: torn by sim_disk_crash */
        if (!fail || sim_random(d) % 2) store_sectors(f, iov[i].iov_base, iov[i].iov_len, offset);
        offset += iov[i].iov_len;
    }
    if (end > f->size) f->size = end;
    return power && !fail ? 0 : -EIO;
}

static int64_t op_read(void *context, int file, void *to, size_t n, uint64_t offset)
{
    struct sim_disk *d = context;
    struct inode *f = d->handle[file];
    if (d->stopped) return -EIO;
    if (offset >= f->size) return 0;
    if (n > f->size - offset) n = (size_t)(f->size - offset);
    memcpy(to, f->now + offset, n);
    for (uint64_t s = offset / SECTOR; d->direct[file] && n && s <= (offset + n - 1) / SECTOR; s++) {
        uint64_t from = s * SECTOR < offset ? offset : s * SECTOR;
        uint64_t end = (s + 1) * SECTOR < offset + n ? (s + 1) * SECTOR : offset + n;
        if (f->state[s] == LOST) memcpy((uint8_t *)to + (from - offset), f->durable + from, end - from);
    }
    return (int64_t)n;
}

static int op_allocate(void *context, int file, uint64_t octets)
{
    struct sim_disk *d = context;
    struct inode *f = d->handle[file];
    if (d->stopped) return -EIO;
    if (d->read_only) return -EROFS;
    if (octets > f->size && sim_disk_used(d) + (octets - f->size) > d->capacity) return -ENOSPC;
    if (!step(d)) return -EIO;
    reserve(f, octets);
    if (octets > f->size) f->size = octets;
    return 0;
}

static void make_durable(struct inode *f, uint64_t sector)
{
    memcpy(f->durable + sector * SECTOR, f->now + sector * SECTOR, SECTOR);
    f->state[sector] = CLEAN;
}

static int op_sync(void *context, int file)
{
    struct sim_disk *d = context;
    struct inode *f = d->handle[file];
    if (!step(d)) return -EIO;
    if (d->read_only) return -EROFS;
    bool fail = d->fail_sync && --d->fail_sync == 0;
    for (uint64_t s = 0; s < f->room / SECTOR; s++) {
        if (f->state[s] != DIRTY) continue;
        if (fail && sim_random(d) % 2)
            f->state[s] = LOST;
        else
            make_durable(f, s);
    }
    f->durable_size = f->size;
    return fail ? -EIO : 0;
}

static int op_sync_directory(void *context)
{
    struct sim_disk *d = context;
    if (!step(d)) return -EIO;
    if (d->fail_sync && --d->fail_sync == 0) return -EIO;
    for (int i = 0; i < FILES; i++)
        if (d->durable[i].inode && !find(d->now, d->durable[i].text))
            put(d->durable, d->durable[i].text, NULL, true);
    for (int i = 0; i < FILES; i++)
        if (d->now[i].inode) put(d->durable, d->now[i].text, d->now[i].inode, true);
    return 0;
}

static int op_rename(void *context, const char *from, const char *to)
{
    struct sim_disk *d = context;
    struct name *n = find(d->now, from);
    if (d->stopped) return -EIO;
    if (d->read_only) return -EROFS;
    if (!n) return -ENOENT;
    if (!step(d)) return -EIO;
    struct inode *f = n->inode;
    put(d->now, to, f, false);
    put(d->now, from, NULL, false);
    return 0;
}

static int op_unlink(void *context, const char *name)
{
    struct sim_disk *d = context;
    if (d->stopped) return -EIO;
    if (d->read_only) return -EROFS;
    if (!find(d->now, name)) return -ENOENT;
    if (!step(d)) return -EIO;
    put(d->now, name, NULL, false);
    return 0;
}

static const struct disk_ops ops = {op_list,     op_open, op_close,          op_size,   op_write, op_read,
                                    op_allocate, op_sync, op_sync_directory, op_rename, op_unlink};

struct sim_disk *sim_disk_create(uint64_t seed)
{
    struct sim_disk *d = calloc(1, sizeof *d);
    if (!d) abort();
    d->random = seed;
    d->capacity = UINT64_MAX;
    return d;
}

static void close_all(struct sim_disk *d)
{
    for (int i = 0; i < HANDLES; i++)
        if (d->handle[i]) op_close(d, i);
}

void sim_disk_destroy(struct sim_disk **dp)
{
    struct sim_disk *d = *dp;
    close_all(d);
    for (int i = 0; i < FILES; i++) {
        if (d->now[i].inode) put(d->now, d->now[i].text, NULL, false);
        if (d->durable[i].inode) put(d->durable, d->durable[i].text, NULL, true);
    }
    free(d);
    *dp = NULL;
}

struct disk sim_disk_ops(struct sim_disk *d)
{
    return (struct disk){&ops, d};
}

static void tear(struct sim_disk *d, struct inode *f)
{
    uint64_t flavour = sim_random(d) % 4; /* nothing, everything, or any mixture survives */
    for (uint64_t s = 0; s < f->room / SECTOR; s++) {
        uint8_t *now = f->now + s * SECTOR, *durable = f->durable + s * SECTOR;
        bool keep = f->state[s] == DIRTY && flavour != 0 && (flavour == 1 || sim_random(d) % 2);
        if (keep && flavour == 3 && sim_random(d) % 8 == 0)
            memcpy(durable, now, sim_random(d) % SECTOR); /* torn inside */
        else if (keep)
            memcpy(durable, now, SECTOR);
        memcpy(now, durable, SECTOR);
        f->state[s] = CLEAN;
    }
    if (f->size != f->durable_size && sim_random(d) % 2) f->durable_size = f->size;
    f->size = f->durable_size;
}

/* For every name: the old or the new meaning; a rename that came half way through leaves one of its names at least. */
static void settle_names(struct sim_disk *d)
{
    for (int i = 0; i < FILES; i++) {
        struct inode *f = d->now[i].inode;
        if (!f || f->durable_names) continue;
        if (sim_random(d) % 2) put(d->durable, d->now[i].text, f, true); /* a new file survives */
    }
    for (int i = 0; i < FILES; i++) { /* renamed files: old or new name; removed ones: there or not */
        struct inode *f = d->durable[i].inode;
        if (!f || find(d->now, d->durable[i].text)) continue;
        if (sim_random(d) % 2) continue;
        for (int k = 0; k < FILES; k++)
            if (d->now[k].inode == f && !find(d->durable, d->now[k].text)) {
                char old[DISK_NAME_OCTETS];
                snprintf(old, sizeof old, "%s", d->durable[i].text);
                put(d->durable, d->now[k].text, f, true);
                put(d->durable, old, NULL, true);
                f = NULL;
                break;
            }
        if (f && f->names == 0) put(d->durable, d->durable[i].text, NULL, true);
    }
    for (int i = 0; i < FILES; i++)
        if (d->now[i].inode && !find(d->durable, d->now[i].text)) put(d->now, d->now[i].text, NULL, false);
    for (int i = 0; i < FILES; i++)
        if (d->durable[i].inode) put(d->now, d->durable[i].text, d->durable[i].inode, false);
}

void sim_disk_crash(struct sim_disk *d)
{
    close_all(d);
    settle_names(d);
    for (int i = 0; i < FILES; i++)
        if (d->now[i].inode) tear(d, d->now[i].inode);
    d->stopped = false;
    d->step = d->stop_at = 0;
    d->fail_sync = d->fail_write = 0;
}

void sim_disk_stop_at(struct sim_disk *d, uint64_t at)
{
    d->stop_at = at;
}

uint64_t sim_disk_steps(const struct sim_disk *d)
{
    return d->step;
}

bool sim_disk_stopped(const struct sim_disk *d)
{
    return d->stopped;
}

void sim_disk_fail_sync(struct sim_disk *d, unsigned after)
{
    d->fail_sync = after + 1;
}

void sim_disk_fail_write(struct sim_disk *d, unsigned after)
{
    d->fail_write = after + 1;
}

void sim_disk_capacity(struct sim_disk *d, uint64_t octets)
{
    d->capacity = octets;
}

void sim_disk_read_only(struct sim_disk *d, bool on)
{
    d->read_only = on;
}

bool sim_disk_is_read_only(const struct sim_disk *d)
{
    return d->read_only;
}

bool sim_disk_damage(struct sim_disk *d, const char *name, uint64_t offset, uint8_t bits)
{
    struct name *n = find(d->now, name);
    if (!n || offset >= n->inode->size) return false;
    n->inode->now[offset] ^= bits;
    n->inode->durable[offset] ^= bits;
    return true;
}

bool sim_disk_truncate(struct sim_disk *d, const char *name, uint64_t octets)
{
    struct name *n = find(d->now, name);
    if (!n || octets > n->inode->room) return false;
    memset(n->inode->now + octets, 0, n->inode->room - octets);
    memset(n->inode->durable + octets, 0, n->inode->room - octets);
    n->inode->size = n->inode->durable_size = octets;
    return true;
}

const char *sim_disk_name(const struct sim_disk *d, unsigned i)
{
    for (int k = 0; k < FILES; k++)
        if (d->now[k].inode && i-- == 0) return d->now[k].text;
    return NULL;
}
