/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postmap_batch.c - the keys on standard input, with -q -.
 *
 * Whatever keys have arrived form a batch. The first table is asked for all of
 * them, the next one for those that it did not have, and so on; then the answers
 * are printed in the order of the questions. What is seen from outside is
 * Postfix's one key after another, except that answers found before a failure
 * are still printed.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keyreader.h"
#include "messages.h"
#include "postmap.h"

enum { KEYS_AT_ONCE = 2048 };

/* One table, opened when it is first needed, and the values that it gave for this batch. */
struct map {
  const char *operand;
  dictum_table *table;
  dictum_buf values;
};

struct answer {
  const struct map *map; /* NULL: none has the key */
  size_t off, len;
  bool refused; /* no table can have such a key */
};

struct batch {
  struct postmap *run;
  struct map *maps;
  size_t nmaps;
  size_t n; /* keys in this batch that count: those before the first failure */
  dictum_req keys[KEYS_AT_ONCE];
  struct answer answers[KEYS_AT_ONCE];
  /* Keys for the table that is being asked, and their place in `keys`. */
  dictum_req open[KEYS_AT_ONCE];
  size_t place[KEYS_AT_ONCE];
  /* The first failure. */
  const struct map *failed; /* NULL: none, or `untold` */
  bool untold;              /* a table could not be opened, which has been said */
  dictum_error error;
  bool found; /* some key, in this batch or an earlier one */
};

static size_t collect_open(struct batch *batch) {
  size_t n = 0;
  for (size_t i = 0; i < batch->n; i++)
    if (!batch->answers[i].map) {
      batch->open[n] = batch->keys[i];
      batch->place[n++] = i;
    }
  return n;
}

/* The library tells the text of one failure only; that of another is to be had by asking again. */
static void explain(const struct map *map, const dictum_req *key, dictum_error *error) {
  dictum_buf value = {0};
  *error = (dictum_error)DICTUM_ERROR_INIT;
  error->status = key->status;
  dictum_lookup(map->table, key->key, key->keylen, &value, NULL, error);
  dictum_buf_free(&value);
}

static void fail_at(struct batch *batch, size_t place, const struct map *map,
                    const dictum_error *error) {
  batch->n = place;
  batch->failed = map;
  batch->error = *error;
}

static void take_answers(struct batch *batch, const struct map *map, size_t nopen,
                         dictum_error *error) {
  for (size_t i = 0; i < nopen; i++) {
    const dictum_req *key = &batch->open[i];
    size_t place = batch->place[i];
    if (key->status == DICTUM_OK) {
      batch->answers[place] = (struct answer){map, key->off, key->len, false};
    } else if (key->status == DICTUM_INVALID) {
      batch->answers[place].refused = true;
    } else if (key->status != DICTUM_NOTFOUND) {
      if (error->status != key->status)
        explain(map, key, error);
      fail_at(batch, place, map, error);
      return;
    }
  }
}

static void ask(struct batch *batch, struct map *map) {
  size_t nopen = collect_open(batch);
  if (nopen == 0)
    return;
  if (!map->table && !(map->table = postmap_open(batch->run, map->operand, 0))) {
    batch->n = batch->place[0];
    batch->failed = NULL;
    batch->untold = true;
    return;
  }
  dictum_error error = DICTUM_ERROR_INIT;
  if (dictum_lookup_many(map->table, batch->open, nopen, &map->values, &error) == DICTUM_OK)
    take_answers(batch, map, nopen, &error);
  else
    fail_at(batch, batch->place[0], map, &error);
}

/* Every table that was asked has its word about such a key. */
static void warn_refused(const struct batch *batch, const dictum_req *key) {
  const dictum_req again = {.key = key->key, .keylen = key->keylen, .status = DICTUM_INVALID};
  for (size_t i = 0; i < batch->nmaps && batch->maps[i].table; i++) {
    dictum_error error;
    explain(&batch->maps[i], &again, &error);
    if (error.status == DICTUM_INVALID)
      postmap_warn_key(batch->maps[i].table, &error);
  }
}

static void print(struct batch *batch) {
  for (size_t i = 0; i < batch->n; i++) {
    const struct answer *answer = &batch->answers[i];
    const dictum_req *key = &batch->keys[i];
    if (answer->refused)
      warn_refused(batch, key);
    if (!answer->map)
      continue;
    postmap_check_value(answer->map->table, key->key, key->keylen, answer->len);
    postmap_print(batch->run, key->key, key->keylen, answer->map->values.data + answer->off,
                  answer->len);
    batch->found = true;
  }
  /* What was said of the key before another table failed. */
  if ((batch->failed || batch->untold) && batch->answers[batch->n].refused)
    warn_refused(batch, &batch->keys[batch->n]);
}

static bool answer_keys(struct batch *batch) {
  for (size_t i = 0; i < batch->n; i++) {
    batch->keys[i].keylen = strnlen(batch->keys[i].key, batch->keys[i].keylen);
    batch->answers[i] = (struct answer){0};
  }
  for (size_t i = 0; i < batch->nmaps; i++)
    ask(batch, &batch->maps[i]);
  print(batch);
  if (batch->failed)
    postmap_failed(batch->run, batch->failed->table, "query", &batch->error);
  return !batch->failed && !batch->untold;
}

static int answer_input(struct batch *batch, struct keyreader *reader) {
  for (;;) {
    dictum_error err = DICTUM_ERROR_INIT;
    if (!keyreader_ready(reader) && postmap_flush(0) != 0)
      return 1;
    if (keyreader_next(reader, batch->keys, KEYS_AT_ONCE, &batch->n, &err) != DICTUM_OK) {
      message("fatal", "%s", err.what);
      return 1;
    }
    if (batch->n == 0)
      return batch->found ? 0 : 1;
    if (!answer_keys(batch))
      return 1;
  }
}

static struct batch *make_batch(struct postmap *run) {
  struct batch *batch = calloc(1, sizeof *batch);
  if (!batch)
    return NULL;
  batch->run = run;
  while (run->operands[batch->nmaps])
    batch->nmaps++;
  batch->maps = calloc(batch->nmaps, sizeof *batch->maps);
  if (!batch->maps) {
    free(batch);
    return NULL;
  }
  for (size_t i = 0; i < batch->nmaps; i++)
    batch->maps[i].operand = run->operands[i];
  return batch;
}

static void free_batch(struct batch *batch) {
  for (size_t i = 0; i < batch->nmaps; i++) {
    dictum_close(batch->maps[i].table);
    dictum_buf_free(&batch->maps[i].values);
  }
  free(batch->maps);
  free(batch);
}

int postmap_query_batch(struct postmap *run) {
  struct batch *batch = make_batch(run);
  struct keyreader *reader = keyreader_open(STDIN_FILENO, '\n');
  int status = 1;
  if (batch && reader)
    status = answer_input(batch, reader);
  else
    message("fatal", "out of memory");
  keyreader_close(reader);
  if (batch)
    free_batch(batch);
  return status;
}
