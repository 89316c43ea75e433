/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memtable.h - a table in memory: filled once, then only read, by any number of threads.
 *
 * Keys and values are any bytes. The second half of this header are methods of
 * a dictum_type whose handle is a memtable.
 */
#ifndef DICTUM_CORE_MEMTABLE_H
#define DICTUM_CORE_MEMTABLE_H

#include <stdbool.h>
#include "include/dictum_plugin.h"

struct memtable;

/** The setting of types that are such tables, "texthash_utf8". */
#define MEMTABLE_UTF8_OPT                                                                          \
  {                                                                                                \
    "texthash_utf8", DICTUM_OPT_BOOL, "yes", 0, 0,                                                 \
        "entries of texthash and inline are read as UTF-8 where keys are; no: as in Postfix 3.12"  \
  }
/** The flags with which the entries of a table are to be read. */
uint32_t memtable_flags(const dictum_host *host, const dictum_open_args *args);

/** Makes an empty table. NULL when memory is out.
 * @param host   for the methods below; else NULL
 * @param flags  DICTUM_OPEN_NOFOLD and _UTF8 say how keys are folded on their way in */
struct memtable *memtable_new(const dictum_host *host, uint32_t flags);
/** NULL is fine. */
void memtable_free(struct memtable *table);

/** Adds a copy of @p entry, its key folded; of equal keys the one that @p dup says stays, in the
 * place of the first.
 * @param first_line  with EXISTS receives the line of the entry that stays; may be NULL
 * @return OK; EXISTS with DUP_REFUSE; NOMEM. */
dictum_status memtable_put(struct memtable *table, const dictum_entry *entry, dictum_dup dup,
                           uint64_t *first_line);
/** Finds the value of a key, which must be folded already; it lives as long as the table. */
bool memtable_find(const struct memtable *table, dictum_key key, dictum_key *value);
size_t memtable_count(const struct memtable *table);
/** Gives entry @p i, in the order in which keys were first added. @p i is below the count. */
dictum_rec memtable_at(const struct memtable *table, size_t i);

void memtable_close(void *self);
dictum_status memtable_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                              dictum_sink *sink, dictum_error *err);
dictum_status memtable_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                   size_t n, dictum_sink *sink, dictum_error *err);
dictum_status memtable_iter_open(void *self, const dictum_call *call, void **iter,
                                 dictum_error *err);
dictum_status memtable_iter_next(void *iter, dictum_rec *rec, dictum_error *err);
void memtable_iter_close(void *iter);

#endif
