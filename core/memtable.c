/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memtable.c - a table in memory: filled once, then only read, by any number of threads.
 *
 * An index of eight bytes a slot (open addressing) leads to an array of entries
 * in the order of their source; keys and values lie one behind the other in
 * large blocks. A lookup touches one line of memory in each of the three, and a
 * batch has the memory fetch many of them at once.
 */
#include "memtable.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "error.h"
#include "fold.h"
#include "keyhash.h"

enum { first_block = 4096, largest_block = 1 << 20, first_slots = 16, batch = 32 };

struct item {
  const char *key; /* the value follows the key */
  size_t keylen, valuelen;
  uint64_t line;
};

struct index_slot {
  uint32_t hash; /* of the key; its lower bits say where the search begins */
  uint32_t item; /* its number + 1; 0: free */
};

struct block {
  struct block *next;
  size_t used, size;
  char bytes[];
};

struct memtable {
  const dictum_host *host;
  uint32_t flags;
  uint64_t seed;
  struct index_slot *slots;
  size_t nslots; /* a power of two; a quarter or more of them are free */
  struct item *items;
  size_t n, capacity;
  struct block *blocks; /* the first is the one that is being filled */
  dictum_buf folded;    /* the key that is being put */
};

/* ---- hashing -------------------------------------------------------------------------------- */

static uint32_t hash_key(const struct memtable *table, dictum_key key) {
  return (uint32_t)keyhash(key.p, key.n, table->seed);
}

/* ---- life ----------------------------------------------------------------------------------- */

uint32_t memtable_flags(const dictum_host *host, const dictum_open_args *args) {
  bool utf8 = host->opt_int(args->cfg, "texthash_utf8") != 0;
  return utf8 ? args->flags : args->flags & ~DICTUM_OPEN_UTF8;
}

struct memtable *memtable_new(const dictum_host *host, uint32_t flags) {
  struct memtable *table = calloc(1, sizeof *table);
  if (!table)
    return NULL;
  table->host = host;
  table->flags = flags;
  table->nslots = first_slots;
  table->slots = calloc(first_slots, sizeof *table->slots);
  if (!table->slots) {
    free(table);
    return NULL;
  }
  table->seed = keyhash_seed();
  return table;
}

void memtable_free(struct memtable *table) {
  if (!table)
    return;
  while (table->blocks) {
    struct block *next = table->blocks->next;
    free(table->blocks);
    table->blocks = next;
  }
  dictum_buf_free(&table->folded);
  free(table->slots);
  free(table->items);
  free(table);
}

/* ---- filling -------------------------------------------------------------------------------- */

static bool fold_key(struct memtable *table, dictum_key *key) {
  if (table->flags & DICTUM_OPEN_NOFOLD)
    return true;
  buf_clear(&table->folded);
  bool utf8 = table->flags & DICTUM_OPEN_UTF8;
  /* One byte more, so that there is a buffer for an empty key as well. */
  if (!buf_reserve(&table->folded, key->n) ||
      !(utf8 ? fold_utf8 : fold_ascii)(key->p, key->n, &table->folded))
    return false;
  *key = (dictum_key){table->folded.data, table->folded.len};
  return true;
}

/* Blocks double in size, so that a small table stays small. */
static struct block *add_block(struct memtable *table, size_t len) {
  size_t size = table->blocks ? table->blocks->size * 2 : first_block, total;
  if (size > largest_block)
    size = largest_block;
  if (size < len)
    size = len;
  if (__builtin_add_overflow(size, sizeof(struct block), &total))
    return NULL;
  struct block *block = malloc(total);
  if (!block)
    return NULL;
  *block = (struct block){table->blocks, 0, size};
  table->blocks = block;
  return block;
}

static char *allocate(struct memtable *table, size_t len) {
  struct block *block = table->blocks;
  if ((!block || block->size - block->used < len) && !(block = add_block(table, len)))
    return NULL;
  char *bytes = block->bytes + block->used;
  block->used += len;
  return bytes;
}

/* Copies key and value into @p item. */
static bool fill_item(struct memtable *table, struct item *item, dictum_key key,
                      const dictum_entry *entry) {
  size_t len;
  char *bytes;
  if (__builtin_add_overflow(key.n, entry->valuelen, &len) || !(bytes = allocate(table, len)))
    return false;
  if (key.n > 0)
    memcpy(bytes, key.p, key.n);
  if (entry->valuelen > 0)
    memcpy(bytes + key.n, entry->value, entry->valuelen);
  *item = (struct item){bytes, key.n, entry->valuelen, entry->line};
  return true;
}

static bool is_key(const struct memtable *table, const struct index_slot *slot, uint32_t hash,
                   dictum_key key) {
  if (slot->hash != hash)
    return false;
  const struct item *item = &table->items[slot->item - 1];
  return item->keylen == key.n && (key.n == 0 || memcmp(item->key, key.p, key.n) == 0);
}

/* Returns the slot that holds @p key, or the free one where it would go. */
static struct index_slot *find_slot(const struct memtable *table, uint32_t hash, dictum_key key) {
  size_t mask = table->nslots - 1;
  size_t i = hash & mask;
  while (table->slots[i].item != 0 && !is_key(table, &table->slots[i], hash, key))
    i = (i + 1) & mask;
  return &table->slots[i];
}

static bool grow_index(struct memtable *table) {
  size_t nslots = table->nslots * 2;
  struct index_slot *slots = calloc(nslots, sizeof *slots);
  if (!slots)
    return false;
  for (size_t i = 0; i < table->nslots; i++) {
    if (table->slots[i].item == 0)
      continue;
    size_t to = table->slots[i].hash & (nslots - 1);
    while (slots[to].item != 0)
      to = (to + 1) & (nslots - 1);
    slots[to] = table->slots[i];
  }
  free(table->slots);
  table->slots = slots;
  table->nslots = nslots;
  return true;
}

static bool make_room(struct memtable *table) {
  if (table->n == table->capacity) {
    size_t capacity = table->capacity ? table->capacity * 2 : first_slots;
    struct item *items = reallocarray(table->items, capacity, sizeof *items);
    if (!items)
      return false;
    table->items = items;
    table->capacity = capacity;
  }
  if (table->n >= UINT32_MAX / 2) /* beyond, hashes would not reach all slots */
    return false;
  return table->n < table->nslots / 4 * 3 || grow_index(table);
}

dictum_status memtable_put(struct memtable *table, const dictum_entry *entry, dictum_dup dup,
                           uint64_t *first_line) {
  dictum_key key = {entry->key, entry->keylen};
  if (!fold_key(table, &key) || !make_room(table))
    return DICTUM_NOMEM;
  uint32_t hash = hash_key(table, key);
  struct index_slot *slot = find_slot(table, hash, key);
  if (slot->item == 0) {
    if (!fill_item(table, &table->items[table->n], key, entry))
      return DICTUM_NOMEM;
    *slot = (struct index_slot){hash, (uint32_t)++table->n};
    return DICTUM_OK;
  }
  struct item *earlier = &table->items[slot->item - 1];
  if (dup == DICTUM_DUP_IGNORE)
    return DICTUM_OK;
  if (dup == DICTUM_DUP_REPLACE)
    return fill_item(table, earlier, key, entry) ? DICTUM_OK : DICTUM_NOMEM;
  if (first_line)
    *first_line = earlier->line;
  return DICTUM_EXISTS;
}

/* ---- reading -------------------------------------------------------------------------------- */

static dictum_key value_of(const struct item *item) {
  return (dictum_key){item->key + item->keylen, item->valuelen};
}

static bool find(const struct memtable *table, uint32_t hash, dictum_key key, dictum_key *value) {
  const struct index_slot *slot = find_slot(table, hash, key);
  if (slot->item == 0)
    return false;
  *value = value_of(&table->items[slot->item - 1]);
  return true;
}

bool memtable_find(const struct memtable *table, dictum_key key, dictum_key *value) {
  return find(table, hash_key(table, key), key, value);
}

size_t memtable_count(const struct memtable *table) {
  return table->n;
}

dictum_rec memtable_at(const struct memtable *table, size_t i) {
  const struct item *item = &table->items[i];
  return (dictum_rec){{item->key, item->keylen}, value_of(item)};
}

/* ---- methods of a type ---------------------------------------------------------------------- */

void memtable_close(void *self) {
  memtable_free(self);
}

dictum_status memtable_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                              dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)err;
  const struct memtable *table = self;
  dictum_key value;
  if (!memtable_find(table, (dictum_key){key, len}, &value))
    return DICTUM_NOTFOUND;
  return table->host->emit(sink, value.p, value.n);
}

static const struct index_slot *first_slot(const struct memtable *table, uint32_t hash) {
  return &table->slots[hash & (table->nslots - 1)];
}

/* Asks the memory for what searches will look at, one step at a time: when a step has gone over
 * all of the batch, the first of it has arrived. */
static void prefetch(const struct memtable *table, const uint32_t *hashes, size_t n) {
  for (size_t i = 0; i < n; i++)
    __builtin_prefetch(first_slot(table, hashes[i]));
  for (size_t i = 0; i < n; i++) {
    const struct index_slot *slot = first_slot(table, hashes[i]);
    if (slot->item != 0)
      __builtin_prefetch(&table->items[slot->item - 1]);
  }
  for (size_t i = 0; i < n; i++) {
    const struct index_slot *slot = first_slot(table, hashes[i]);
    if (slot->item != 0 && slot->hash == hashes[i])
      __builtin_prefetch(table->items[slot->item - 1].key);
  }
}

dictum_status memtable_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                   size_t n, dictum_sink *sink, dictum_error *err) {
  (void)call;
  const struct memtable *table = self;
  uint32_t hashes[batch];
  for (size_t start = 0; start < n; start += batch) {
    size_t count = n - start < batch ? n - start : batch;
    for (size_t i = 0; i < count; i++)
      hashes[i] = hash_key(table, keys[start + i]);
    prefetch(table, hashes, count);
    for (size_t i = 0; i < count; i++) {
      dictum_key value;
      if (find(table, hashes[i], keys[start + i], &value) &&
          table->host->emit_at(sink, start + i, DICTUM_OK, value.p, value.n) != DICTUM_OK)
        return error_nomem(err);
    }
  }
  return DICTUM_OK;
}

struct walk {
  const struct memtable *table;
  size_t next;
};

dictum_status memtable_iter_open(void *self, const dictum_call *call, void **iter,
                                 dictum_error *err) {
  (void)call;
  struct walk *walk = malloc(sizeof *walk);
  if (!walk)
    return error_nomem(err);
  *walk = (struct walk){self, 0};
  *iter = walk;
  return DICTUM_OK;
}

dictum_status memtable_iter_next(void *iter, dictum_rec *rec, dictum_error *err) {
  (void)err;
  struct walk *walk = iter;
  if (walk->next == walk->table->n)
    return DICTUM_END;
  *rec = memtable_at(walk->table, walk->next++);
  return DICTUM_OK;
}

void memtable_iter_close(void *iter) {
  free(iter);
}
