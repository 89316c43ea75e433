/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cache.c - "cache:{ttl=5m, stale_ok=1d, type:name}": answers that are used again.
 *
 * A key walks through memory, then through the store if there is one, then to
 * the member. What the member cannot tell is answered from what is kept, beyond
 * its time if that is allowed, and is marked as stale. "There is no such key" is
 * kept as well, with a time of its own, and is stale only if that is allowed
 * separately: a stale one bounces mail.
 */
#include "cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_tally.h"
#include "error.h"
#include "options.h"

/* How often a process looks for the flushes of others and tells its counts. */
static const int64_t tick_ns = 1000000000;

static struct cache *self_of(struct node *node) {
  return (struct cache *)node;
}

/* A table of patterns below answers by the key as it was asked; for others the folded key will do,
 * which saves room. */
const dictum_key *cache_form(const struct cache *cache, const struct node_keys *keys) {
  bool raw = combinator_caps(&cache->base, 0) & NODE_CAP_SOME_PATTERN;
  return raw ? keys->raw : keys->folded;
}

/* ---- now and then --------------------------------------------------------------------------- */

static struct cache_counts counts_since(const struct cache_counts *now,
                                        const struct cache_counts *before) {
  return (struct cache_counts){.hits = now->hits - before->hits,
                               .negative_hits = now->negative_hits - before->negative_hits,
                               .misses = now->misses - before->misses,
                               .stale = now->stale - before->stale,
                               .refreshes = now->refreshes - before->refreshes,
                               .evictions = now->evictions - before->evictions};
}

static void tell_counts(struct cache *cache) {
  static const struct cache_counts none = {0};
  struct cache_counts now;
  uint64_t entries, bytes;
  cache_memory_count(cache->memory, &now, &entries, &bytes);
  const struct cache_counts more = counts_since(&now, &cache->told);
  if (memcmp(&more, &none, sizeof more) == 0 ||
      cache_tally_add(cache_store_tally(cache->store), &more))
    cache->told = now;
}

/* Forgets what another process has flushed. */
static void follow_flushes(struct cache *cache) {
  uint64_t epoch = cache_tally_read(cache_store_tally(cache->store), NULL);
  if (epoch != cache->epoch)
    cache_memory_drop(cache->memory, NULL);
  cache->epoch = epoch;
}

void cache_tick(struct cache *cache, int64_t now_ns) {
  int64_t due = atomic_load_explicit(&cache->next_tick_ns, memory_order_relaxed);
  if (!cache->store || now_ns < due ||
      !atomic_compare_exchange_strong(&cache->next_tick_ns, &due, now_ns + tick_ns))
    return;
  forklock_acquire(&cache->tick_lock);
  follow_flushes(cache);
  tell_counts(cache);
  forklock_release(&cache->tick_lock);
}

/* ---- dropping --------------------------------------------------------------------------- */

/* Of memory before the store, as lookups answer from it, and once more, as one may have taken the
 * old answer from the store meanwhile. */
dictum_status cache_drop(struct cache *cache, const dictum_key *key, dictum_error *err) {
  atomic_fetch_add(&cache->drops, 1);
  cache_memory_drop(cache->memory, key);
  if (!cache->store)
    return DICTUM_OK;
  dictum_status status = key ? cache_store_drop(cache->store, key, 1, err)
                             : cache_store_drop_all(cache->store, err);
  cache_memory_drop(cache->memory, key);
  return status;
}

/* An answer that was asked for before a drop would outlive it. */
void cache_put_in_store(struct cache *cache, const struct cache_record *records, size_t n,
                        uint64_t drops) {
  if (atomic_load(&cache->drops) != drops)
    return;
  cache_store_put(cache->store, records, n);
  if (atomic_load(&cache->drops) == drops)
    return;
  for (size_t i = 0; i < n; i++)
    cache_store_drop(cache->store, &records[i].key, 1, NULL);
}

bool cache_begin_epoch(struct cache *cache) {
  if (!cache->store)
    return true;
  forklock_acquire(&cache->tick_lock);
  const uint64_t epoch = cache_tally_flush(cache_store_tally(cache->store));
  if (epoch)
    cache->epoch = epoch;
  forklock_release(&cache->tick_lock);
  return epoch != 0;
}

static dictum_status cache_flush(struct node *node, const struct node_keys *key,
                                 dictum_error *err) {
  struct cache *cache = self_of(node);
  dictum_status status = cache_drop(cache, key ? cache_form(cache, key) : NULL, err);
  const bool told = cache_begin_epoch(cache);
  if (status == DICTUM_OK && !told)
    status = error_set(err, DICTUM_RETRY, 0,
                       "other processes could not be told: %s cannot be written",
                       cache_store_tally(cache->store));
  return status;
}

/* ---- life ----------------------------------------------------------------------------------- */

static uint32_t cache_caps(const struct node *node) {
  return combinator_caps((const struct combinator *)node,
                         DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE);
}

static void cache_inspect(struct node *node, dictum_node_info *info, char *reason, size_t size) {
  (void)reason;
  (void)size;
  struct cache *cache = self_of(node);
  struct cache_counts counts;
  info->is_cache = 1;
  cache_memory_count(cache->memory, &counts, &info->entries, &info->bytes);
  if (cache->store) {
    forklock_acquire(&cache->tick_lock);
    tell_counts(cache);
    cache_tally_read(cache_store_tally(cache->store), &counts);
    forklock_release(&cache->tick_lock);
  }
  info->hits = counts.hits;
  info->negative_hits = counts.negative_hits;
  info->misses = counts.misses;
  info->stale = counts.stale;
  info->refreshes = counts.refreshes;
  info->evictions = counts.evictions;
}

static void cache_close(struct node *node) {
  struct cache *cache = self_of(node);
  if (cache->memory && cache->store)
    tell_counts(cache);
  cache_store_close(cache->store);
  cache_memory_free(cache->memory);
  forklock_destroy(&cache->tick_lock);
  combinator_close(&cache->base);
}

static const dictum_opt cache_opts[] = {
    {"ttl", DICTUM_OPT_TIME, "5m", 0, 0, "how long an answer is good"},
    {"negative_ttl", DICTUM_OPT_TIME, "30s", 0, 0, "the same for \"there is no such key\""},
    {"stale_ok", DICTUM_OPT_TIME, "0", 0, 0,
     "how long beyond ttl it is used while the table cannot tell"},
    {"stale_negative", DICTUM_OPT_TIME, "0", 0, 0, "the same for \"there is no such key\""},
    {"refresh_ahead", DICTUM_OPT_TIME, "0", 0, 0,
     "how long before the end of ttl one caller asks again"},
    {"memory_bytes", DICTUM_OPT_BYTES, "67108864", 1024, 0, "bound on what is kept in memory"},
    {"store", DICTUM_OPT_STR, "", 0, 0, "a table on disk to keep answers in, type:/path"},
    {"store_bytes", DICTUM_OPT_BYTES, "268435456", 65536, 0, "bound on the size of the store"},
};

static int64_t option_ns(const dictum_cfg *cfg, const char *name) {
  int64_t ns;
  return __builtin_mul_overflow(options_int(cfg, name), 1000000, &ns) ? INT64_MAX / 4 : ns;
}

static dictum_status open_store(struct cache *cache, const dictum_cfg *cfg, uint32_t flags,
                                dictum_error *err) {
  const char *spec = options_str(cfg, "store");
  if (*spec == '\0')
    return DICTUM_OK;
  /* The same table asked in another way gives other answers. */
  const uint32_t telling = flags & (DICTUM_OPEN_NOFOLD | DICTUM_OPEN_UTF8 | DICTUM_OPEN_NUL |
                                    DICTUM_OPEN_NO_NUL);
  char *source;
  if (asprintf(&source, "%x %s", telling, cache_member(cache)->spec) < 0)
    return error_nomem(err);
  dictum_status status = cache_store_open(
      cache->base.ctx, spec, source, (uint64_t)options_int(cfg, "store_bytes"), &cache->store, err);
  free(source);
  if (status == DICTUM_OK)
    cache->epoch = cache_tally_read(cache_store_tally(cache->store), NULL);
  return status;
}

static dictum_status cache_init(struct combinator *base, const dictum_cfg *cfg, uint32_t flags,
                                dictum_error *err) {
  struct cache *cache = (struct cache *)base;
  forklock_init(&cache->tick_lock);
  cache->times = (struct cache_times){.ttl = option_ns(cfg, "ttl"),
                                      .negative_ttl = option_ns(cfg, "negative_ttl"),
                                      .stale_ok = option_ns(cfg, "stale_ok"),
                                      .stale_negative = option_ns(cfg, "stale_negative"),
                                      .refresh_ahead = option_ns(cfg, "refresh_ahead")};
  cache->memory = cache_memory_new(&cache->times, (size_t)options_int(cfg, "memory_bytes"));
  if (!cache->memory)
    return error_nomem(err);
  return open_store(cache, cfg, flags, err);
}

static const struct node_ops cache_ops = {
    .close = cache_close,
    .caps = cache_caps,
    .lookup = cache_lookup,
    .iter_open = pass_iter_open,
    .iter_next = pass_iter_next,
    .iter_close = pass_iter_close,
    .txn_begin = cache_txn_begin,
    .put = cache_put,
    .del = cache_del,
    .load_order = pass_load_order,
    .bucket = cache_bucket,
    .load = cache_load,
    .commit = cache_commit,
    .abort = cache_abort,
    .inspect = cache_inspect,
    .flush = cache_flush,
};

const struct combinator_kind cache_kind = {
    .name = "cache",
    .summary = "answers are kept and used again: {ttl=5m stale_ok=1d, type:name}",
    .opts = cache_opts,
    .nopts = sizeof cache_opts / sizeof *cache_opts,
    .min_members = 1,
    .max_members = 1,
    .member_flags = DICTUM_OPEN_DEGRADE,
    .writes = DICTUM_CAP_UPDATE | DICTUM_CAP_DELETE | DICTUM_CAP_REPLACE,
    .size = sizeof(struct cache),
    .ops = &cache_ops,
    .init = cache_init,
};
