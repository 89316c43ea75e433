/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cdb_map.c - reading cdb files through a map, with every number in them in doubt.
 *
 * The format has no checksums. What can be told is told: a hash table or a
 * record that does not lie where it may, a slot in the wrong table, a record
 * whose key does not have its slot's hash. A hash table ends the file, so a file
 * that was cut off is refused when it is opened.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cdb_table.h"

/* ---- numbers -------------------------------------------------------------------------------- */

struct pair {
  uint32_t first, second;
};

static struct pair read_pair(const unsigned char *at) {
  struct pair pair;
  memcpy(&pair, at, sizeof pair);
  return (struct pair){le32toh(pair.first), le32toh(pair.second)};
}

/** The hash table that a hash belongs to. */
struct slots {
  const unsigned char *at;
  uint32_t n;
};

/* @return false when it is not within the file. */
static bool find_slots(const struct cdb_map *map, uint32_t number, struct slots *out) {
  struct pair pointer = read_pair(map->at + number * cdb_pair);
  *out = (struct slots){map->at + pointer.first, pointer.second};
  return pointer.second == 0 || (pointer.first >= cdb_header && pointer.first <= map->size &&
                                 pointer.second <= (map->size - pointer.first) / cdb_pair);
}

/* ---- files ---------------------------------------------------------------------------------- */

dictum_status cdb_fail_damaged(const struct tablefile *file, dictum_error *err) {
  return file->host->fail(err, DICTUM_CONFIG, 0, "database %s is damaged: build it again",
                          file->path);
}

/* Records end where the first table begins. */
bool cdb_map_check(struct cdb_map *map) {
  if (map->size < cdb_header || map->size > UINT32_MAX)
    return false;
  map->records_end = map->size;
  bool any = false;
  for (uint32_t i = 0; i < cdb_tables; i++) {
    struct slots slots;
    if (!find_slots(map, i, &slots))
      return false;
    size_t begin = (size_t)(slots.at - map->at);
    if (slots.n > 0 && begin < map->records_end)
      map->records_end = begin;
    any |= slots.n > 0;
  }
  if (!any)
    map->records_end = cdb_header;
  return true;
}

static dictum_status map_file(struct cdb_map *map, const struct tablefile *file,
                              dictum_error *err) {
  if (map->seen.st_size < cdb_header) /* there may be nothing to map */
    return cdb_fail_damaged(file, err);
  map->size = (size_t)map->seen.st_size;
  void *at = mmap(NULL, map->size, PROT_READ, MAP_SHARED, map->fd, 0);
  if (at == MAP_FAILED)
    return tablefile_fail(file, err, errno, "open database");
  map->at = at;
  return cdb_map_check(map) ? DICTUM_OK : cdb_fail_damaged(file, err);
}

dictum_status cdb_map_open(const struct tablefile *file, struct cdb_map **out, dictum_error *err) {
  struct cdb_map *map = calloc(1, sizeof *map);
  if (!map)
    return tablefile_nomem(file, err);
  atomic_init(&map->holders, 1);
  dictum_status status = tablefile_open(file, &map->fd, &map->seen, err);
  if (status == DICTUM_OK)
    status = map_file(map, file, err);
  if (status != DICTUM_OK) {
    cdb_map_release(map);
    return status;
  }
  *out = map;
  return DICTUM_OK;
}

void cdb_map_release(struct cdb_map *map) {
  if (!map || atomic_fetch_sub_explicit(&map->holders, 1, memory_order_acq_rel) != 1)
    return;
  if (map->at)
    munmap((void *)(uintptr_t)map->at, map->size);
  if (map->fd >= 0)
    close(map->fd);
  free(map);
}

bool cdb_map_is_current(const struct cdb_map *map, const struct tablefile *file) {
  struct stat now;
  return tablefile_is_current(file, map->fd, &map->seen, &now) &&
         now.st_size == map->seen.st_size && now.st_mtim.tv_sec == map->seen.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == map->seen.st_mtim.tv_nsec;
}

/* ---- records -------------------------------------------------------------------------------- */

static bool read_record(const struct cdb_map *map, size_t at, dictum_rec *rec) {
  if (at < cdb_header || at > map->records_end || map->records_end - at < cdb_pair)
    return false;
  struct pair len = read_pair(map->at + at);
  size_t room = map->records_end - at - cdb_pair;
  if (len.first > room || len.second > room - len.first)
    return false;
  const char *key = (const char *)map->at + at + cdb_pair;
  *rec = (dictum_rec){{key, len.first}, {key + len.first, len.second}};
  return true;
}

static bool is_asked_for(const struct cdb_question *question, const dictum_key *key) {
  size_t n = question->key.n;
  return key->n == n + question->nul && (n == 0 || memcmp(key->p, question->key.p, n) == 0) &&
         (!question->nul || key->p[n] == '\0');
}

static enum cdb_answer check_record(const struct cdb_map *map, size_t at,
                                    const struct cdb_question *question, dictum_key *value) {
  dictum_rec rec;
  if (!read_record(map, at, &rec))
    return CDB_DAMAGED;
  if (is_asked_for(question, &rec.key)) {
    *value = rec.value;
    return CDB_FOUND;
  }
  return cdb_hash(cdb_hash_seed, rec.key.p, rec.key.n) == question->hash ? CDB_ABSENT : CDB_DAMAGED;
}

enum cdb_answer cdb_map_next(const struct cdb_map *map, size_t *at, dictum_rec *rec) {
  if (*at == map->records_end)
    return CDB_ABSENT;
  if (!read_record(map, *at, rec))
    return CDB_DAMAGED;
  *at += cdb_pair + rec->key.n + rec->value.n;
  return CDB_FOUND;
}

/* ---- search --------------------------------------------------------------------------------- */

/* Can a slot be in the table of @p hash? In one that is damaged a search soon comes to a slot that
 * cannot, and does not go through all of it. */
static bool is_slot_of(const struct cdb_map *map, struct pair slot, uint32_t hash) {
  return (slot.first - hash) % cdb_tables == 0 && slot.second >= cdb_header &&
         slot.second < map->records_end;
}

enum cdb_answer cdb_map_find(const struct cdb_map *map, const struct cdb_question *question,
                             dictum_key *value) {
  const uint32_t hash = question->hash;
  struct slots slots;
  if (!find_slots(map, hash % cdb_tables, &slots))
    return CDB_DAMAGED;
  uint32_t at = slots.n ? hash / cdb_tables % slots.n : 0;
  for (uint32_t left = slots.n; left > 0; left--) {
    struct pair slot = read_pair(slots.at + (size_t)at * cdb_pair);
    if (slot.second == 0)
      return CDB_ABSENT;
    if (!is_slot_of(map, slot, hash))
      return CDB_DAMAGED;
    if (slot.first == hash) {
      enum cdb_answer answer = check_record(map, slot.second, question, value);
      if (answer != CDB_ABSENT)
        return answer;
    }
    at = at + 1 == slots.n ? 0 : at + 1;
  }
  return CDB_ABSENT;
}

static const unsigned char *first_slot(const struct cdb_map *map, uint32_t hash) {
  struct slots slots;
  if (!find_slots(map, hash % cdb_tables, &slots) || slots.n == 0)
    return NULL;
  return slots.at + (size_t)(hash / cdb_tables % slots.n) * cdb_pair;
}

void cdb_map_prefetch_slot(const struct cdb_map *map, uint32_t hash) {
  __builtin_prefetch(first_slot(map, hash));
}

void cdb_map_prefetch_record(const struct cdb_map *map, uint32_t hash) {
  const unsigned char *at = first_slot(map, hash);
  if (!at)
    return;
  struct pair slot = read_pair(at);
  if (slot.first == hash && slot.second < map->size)
    __builtin_prefetch(map->at + slot.second);
}
