/* sim_disk: a disk in memory that can lose power. What was written but not synced is, after a crash, there or lost or torn,
 * sector by sector in any order; names that were changed but whose directory was not synced are the old or the new ones. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "system/disk.h"

struct sim_disk;
struct sim_disk *sim_disk_create(uint64_t seed);
void sim_disk_destroy(struct sim_disk **d);
struct disk sim_disk_ops(struct sim_disk *d);

uint64_t sim_random(struct sim_disk *d);
/* Operations that change something are counted; from number `step` on (before it takes effect) nothing happens any more and
 * everything says EIO. 0: never. */
void sim_disk_stop_at(struct sim_disk *d, uint64_t step);
uint64_t sim_disk_steps(const struct sim_disk *d);
bool sim_disk_stopped(const struct sim_disk *d);
/* Power comes back: the disk is what survived, all files are closed, counting begins anew. */
void sim_disk_crash(struct sim_disk *d);

void sim_disk_fail_sync(struct sim_disk *d, unsigned after);  /* the sync after so many others fails, once */
void sim_disk_fail_write(struct sim_disk *d, unsigned after); /* the same for a write */
void sim_disk_capacity(struct sim_disk *d, uint64_t octets);  /* UINT64_MAX: endless */
uint64_t sim_disk_used(const struct sim_disk *d);
void sim_disk_read_only(struct sim_disk *d, bool on);
bool sim_disk_is_read_only(const struct sim_disk *d);
/* Turns bits of a file, durably: damage. False: no such file or offset. */
bool sim_disk_damage(struct sim_disk *d, const char *name, uint64_t offset, uint8_t bits);
/* Cuts or lengthens a file, durably. */
bool sim_disk_truncate(struct sim_disk *d, const char *name, uint64_t octets);
/* Another handle of an open file, as passing a descriptor on makes one; closed like any other. */
int sim_disk_duplicate(struct sim_disk *d, int file);
/* Name of the i-th file, or null. */
const char *sim_disk_name(const struct sim_disk *d, unsigned i);

#endif
