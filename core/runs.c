/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runs.c - sorted runs of records in a temporary file, and their merge.
 *
 * One merge takes as many runs as there is memory for a buffer for each. When
 * as many of one level stand at the end of the list they become one of the next
 * level, so that each record is copied as often as there are levels: with usual
 * limits not at all before there are tens of gigabytes.
 */
#include "runs.h"

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "tempfile.h"

enum {
  least_fan_in = 4,
  most_fan_in = 256,
  least_buffer = 4096,
  most_buffer = 256 * 1024,
  alignment = 8,
  order_size = sizeof(uint64_t) /* the number of a record stands before it in the file */
};

struct run {
  off_t from, to;
  unsigned level;
};

/* A run that takes part in a merge. The stored record at `start` is there as a whole. */
struct reader {
  off_t at, to; /* what is still to be read into the buffer */
  char *buffer;
  size_t size, start, end;
};

struct runs {
  struct tempfile file;
  size_t memory;
  unsigned fan_in;
  struct run *list;
  size_t n, room;
  struct {
    char *buffer;
    size_t used;
    off_t from, at; /* at: where the buffer goes */
  } out;
  struct reader *readers; /* in the order of their runs */
  unsigned nreaders;
  unsigned *heap; /* the readers that have a record, the next one's first */
  unsigned nheap;
};

struct runs *runs_new(const char *folder, size_t memory) {
  struct runs *runs = calloc(1, sizeof *runs);
  if (!runs)
    return NULL;
  runs->file = (struct tempfile){-1, folder};
  runs->memory = memory;
  size_t fan_in = memory / least_buffer;
  runs->fan_in = fan_in < least_fan_in  ? least_fan_in
                 : fan_in > most_fan_in ? most_fan_in
                                        : (unsigned)fan_in;
  return runs;
}

static void end_merge(struct runs *runs) {
  for (unsigned i = 0; i < runs->nreaders; i++)
    free(runs->readers[i].buffer);
  free(runs->readers);
  free(runs->heap);
  runs->readers = NULL;
  runs->heap = NULL;
  runs->nreaders = runs->nheap = 0;
}

void runs_free(struct runs *runs) {
  if (!runs)
    return;
  end_merge(runs);
  tempfile_close(&runs->file);
  free(runs->out.buffer);
  free(runs->list);
  free(runs);
}

/* ---- writing -------------------------------------------------------------------------------- */

/* Rounded up, so that the next one is aligned. */
static size_t stored_size(const struct record *record) {
  size_t size = order_size + record_size(record);
  return (size + alignment - 1) & ~(size_t)(alignment - 1);
}

dictum_status runs_begin(struct runs *runs, dictum_error *err) {
  if (!runs->out.buffer && !(runs->out.buffer = malloc(most_buffer)))
    return error_nomem(err);
  runs->out.from = runs->out.at;
  return runs->file.fd < 0 ? tempfile_make(&runs->file, err) : DICTUM_OK;
}

static dictum_status flush(struct runs *runs, dictum_error *err) {
  dictum_status status = tempfile_write(&runs->file, runs->out.buffer, runs->out.used, runs->out.at,
                                        err);
  runs->out.at += (off_t)runs->out.used;
  runs->out.used = 0;
  return status;
}

static dictum_status append(struct runs *runs, const void *bytes, size_t n, dictum_error *err) {
  for (const char *from = bytes; n > 0;) {
    if (runs->out.used == most_buffer) {
      dictum_status status = flush(runs, err);
      if (status != DICTUM_OK)
        return status;
    }
    size_t room = most_buffer - runs->out.used, part = n < room ? n : room;
    memcpy(runs->out.buffer + runs->out.used, from, part);
    runs->out.used += part;
    from += part;
    n -= part;
  }
  return DICTUM_OK;
}

dictum_status runs_put(struct runs *runs, uint64_t order, const struct record *record,
                       dictum_error *err) {
  static const char padding[alignment];
  const size_t size = record_size(record);
  dictum_status status = append(runs, &order, sizeof order, err);
  if (status == DICTUM_OK)
    status = append(runs, record, size, err);
  return status == DICTUM_OK ? append(runs, padding, stored_size(record) - sizeof order - size, err)
                             : status;
}

static bool reserve(struct runs *runs) {
  if (runs->n < runs->room)
    return true;
  size_t room = runs->room ? runs->room * 2 : 16;
  struct run *list = reallocarray(runs->list, room, sizeof *list);
  if (!list)
    return false;
  runs->list = list;
  runs->room = room;
  return true;
}

static dictum_status end_run(struct runs *runs, unsigned level, dictum_error *err) {
  dictum_status status = flush(runs, err);
  if (status != DICTUM_OK)
    return status;
  if (!reserve(runs))
    return error_nomem(err);
  runs->list[runs->n++] = (struct run){runs->out.from, runs->out.at, level};
  return DICTUM_OK;
}

/* ---- reading -------------------------------------------------------------------------------- */

static uint64_t current_order(const struct reader *reader) {
  return *(const uint64_t *)(const void *)(reader->buffer + reader->start);
}

static const struct record *current(const struct reader *reader) {
  return (const void *)(reader->buffer + reader->start + order_size);
}

/* Sees to it that @p need bytes stand at `start`. */
static dictum_status fill(const struct runs *runs, struct reader *reader, size_t need,
                          dictum_error *err) {
  size_t have = reader->end - reader->start;
  if (have >= need)
    return DICTUM_OK;
  memmove(reader->buffer, reader->buffer + reader->start, have);
  reader->start = 0;
  reader->end = have;
  if (need > reader->size) {
    char *buffer = realloc(reader->buffer, need);
    if (!buffer)
      return error_nomem(err);
    reader->buffer = buffer;
    reader->size = need;
  }
  size_t n = reader->size - have;
  if ((off_t)n > reader->to - reader->at)
    n = (size_t)(reader->to - reader->at);
  dictum_status status = tempfile_read(&runs->file, reader->buffer + have, n, reader->at, err);
  reader->at += (off_t)n;
  reader->end += n;
  if (status == DICTUM_OK && reader->end < need)
    return error_set(err, DICTUM_CONFIG, 0, "temporary file in %s is damaged", runs->file.folder);
  return status;
}

/* Brings the record at `start` in as a whole. */
static dictum_status load(const struct runs *runs, struct reader *reader, dictum_error *err) {
  dictum_status status = fill(runs, reader, order_size + sizeof(struct record), err);
  return status == DICTUM_OK ? fill(runs, reader, stored_size(current(reader)), err) : status;
}

static bool at_end(const struct reader *reader) {
  return reader->start == reader->end && reader->at == reader->to;
}

/* ---- merging -------------------------------------------------------------------------------- */

static bool comes_before(const struct runs *runs, unsigned a, unsigned b) {
  const struct reader *x = &runs->readers[a], *y = &runs->readers[b];
  if (current_order(x) != current_order(y))
    return current_order(x) < current_order(y);
  const struct record *r = current(x), *s = current(y);
  int order = memcmp(r->bytes, s->bytes, r->keylen < s->keylen ? r->keylen : s->keylen);
  if (order != 0)
    return order < 0;
  return r->keylen != s->keylen ? r->keylen < s->keylen : a < b;
}

/* Lets the reader at @p place of the heap sink to where it belongs. */
static void sink(struct runs *runs, unsigned place) {
  const unsigned moving = runs->heap[place];
  for (unsigned child; (child = 2 * place + 1) < runs->nheap; place = child) {
    if (child + 1 < runs->nheap && comes_before(runs, runs->heap[child + 1], runs->heap[child]))
      child++;
    if (comes_before(runs, moving, runs->heap[child]))
      break;
    runs->heap[place] = runs->heap[child];
  }
  runs->heap[place] = moving;
}

static dictum_status open_readers(struct runs *runs, size_t first, dictum_error *err) {
  size_t size = runs->memory / runs->nreaders & ~(size_t)(alignment - 1);
  if (size > most_buffer)
    size = most_buffer;
  if (size < least_buffer)
    size = least_buffer;
  for (unsigned i = 0; i < runs->nreaders; i++) {
    struct reader *reader = &runs->readers[i];
    *reader = (struct reader){
        runs->list[first + i].from, runs->list[first + i].to, malloc(size), size, 0, 0};
    if (!reader->buffer)
      return error_nomem(err);
    dictum_status status = load(runs, reader, err);
    if (status != DICTUM_OK)
      return status;
    runs->heap[runs->nheap++] = i;
  }
  return DICTUM_OK;
}

/* Begins a merge of the runs from @p first on. */
static dictum_status begin_merge(struct runs *runs, size_t first, dictum_error *err) {
  end_merge(runs);
  size_t n = runs->n - first;
  if (n == 0)
    return DICTUM_OK;
  runs->readers = calloc(n, sizeof *runs->readers);
  runs->heap = calloc(n, sizeof *runs->heap);
  if (!runs->readers || !runs->heap)
    return error_nomem(err);
  runs->nreaders = (unsigned)n;
  dictum_status status = open_readers(runs, first, err);
  for (unsigned place = runs->nheap / 2; status == DICTUM_OK && place-- > 0;)
    sink(runs, place);
  return status;
}

const struct record *runs_peek(const struct runs *runs, uint64_t *order) {
  if (runs->nheap == 0)
    return NULL;
  const struct reader *next = &runs->readers[runs->heap[0]];
  *order = current_order(next);
  return current(next);
}

dictum_status runs_pop(struct runs *runs, dictum_error *err) {
  struct reader *reader = &runs->readers[runs->heap[0]];
  reader->start += stored_size(current(reader));
  if (at_end(reader)) {
    runs->heap[0] = runs->heap[--runs->nheap];
  } else {
    dictum_status status = load(runs, reader, err);
    if (status != DICTUM_OK)
      return status;
  }
  if (runs->nheap > 0)
    sink(runs, 0);
  return DICTUM_OK;
}

/* Makes one run of those from @p first on. */
static dictum_status join(struct runs *runs, size_t first, dictum_error *err) {
  const struct record *record;
  uint64_t order;
  dictum_status status = begin_merge(runs, first, err);
  if (status == DICTUM_OK)
    status = runs_begin(runs, err);
  while (status == DICTUM_OK && (record = runs_peek(runs, &order)) != NULL) {
    status = runs_put(runs, order, record, err);
    if (status == DICTUM_OK)
      status = runs_pop(runs, err);
  }
  end_merge(runs);
  if (status != DICTUM_OK)
    return status;
  const unsigned level = runs->list[first].level + 1;
  for (size_t i = first; i < runs->n; i++)
    tempfile_forget(&runs->file, runs->list[i].from, runs->list[i].to);
  runs->n = first;
  return end_run(runs, level, err);
}

/* How many runs at the end of the list are of one level. */
static size_t of_one_level(const struct runs *runs) {
  size_t n = 0;
  while (n < runs->n && runs->list[runs->n - 1 - n].level == runs->list[runs->n - 1].level)
    n++;
  return n;
}

dictum_status runs_end(struct runs *runs, dictum_error *err) {
  dictum_status status = end_run(runs, 0, err);
  while (status == DICTUM_OK && of_one_level(runs) >= runs->fan_in)
    status = join(runs, runs->n - runs->fan_in, err);
  return status;
}

dictum_status runs_rewind(struct runs *runs, dictum_error *err) {
  dictum_status status = DICTUM_OK;
  free(runs->out.buffer);
  runs->out.buffer = NULL;
  while (status == DICTUM_OK && runs->n > runs->fan_in)
    status = join(runs, runs->n - runs->fan_in, err);
  return status == DICTUM_OK ? begin_merge(runs, 0, err) : status;
}
