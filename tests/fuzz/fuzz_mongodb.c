/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_mongodb.c - puts any key into any filter, and reads any message of a server's.
 *
 * The input: a line with a filter, a line with a key, and a message. Whatever the
 * key is, what is asked has the same fields, of the same kinds, in the same
 * places. A message that the guard lets through can be walked.
 */
#include <mongoc/mongoc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/mongodb/answer.h"
#include "../../plugins/mongodb/filter.h"
#include "../../plugins/mongodb/guard.h"
#include "host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
  if (!holds)
    abort();
}

/* ---- filters -------------------------------------------------------------------------------- */

static void compare(bson_iter_t *one, bson_iter_t *other) {
  while (bson_iter_next(one)) {
    bson_iter_t inside_one, inside_other;
    require(bson_iter_next(other));
    require(bson_iter_type(one) == bson_iter_type(other));
    require(strcmp(bson_iter_key(one), bson_iter_key(other)) == 0);
    if (BSON_ITER_HOLDS_DOCUMENT(one) || BSON_ITER_HOLDS_ARRAY(one)) {
      require(bson_iter_recurse(one, &inside_one) && bson_iter_recurse(other, &inside_other));
      compare(&inside_one, &inside_other);
    }
  }
  require(!bson_iter_next(other));
}

static void try_filter(const char *text, const char *key, size_t len) {
  static const char harmless[] = "local@i.h.g.f.e.d.c.b.a";
  const struct address of_key = address_of(key, len);
  const struct address of_harmless = address_of(harmless, sizeof harmless - 1);
  struct filter *filter = NULL;
  bson_t one, other;
  bson_iter_t in_one, in_other;
  if (mongo_filter_parse(&host_services, text, "fuzz", &filter, NULL) != DICTUM_OK)
    return;
  require(mongo_filter_fill(filter, &of_harmless, &other) == FILTER_DONE);
  if (mongo_filter_fill(filter, &of_key, &one) == FILTER_DONE) {
    require(bson_iter_init(&in_one, &one) && bson_iter_init(&in_other, &other));
    compare(&in_one, &in_other);
  }
  bson_destroy(&one);
  bson_destroy(&other);
  mongo_filter_free(filter);
}

/* ---- messages ------------------------------------------------------------------------------- */

static void say_nothing(dictum_slot *slot, dictum_level level, dictum_code code, const char *fmt,
                        ...) {
  (void)slot;
  (void)level;
  (void)code;
  (void)fmt;
}

static void try_message(const uint8_t *bytes, size_t len) {
  enum { before_document = 21 };
  static const struct template plain = {0};
  const dictum_host host = {.log = say_nothing};
  const struct address key = address_of("key", 3);
  struct text value = {0};
  /* A limit lets an input be long, and what becomes of it not. */
  struct values values = {
      .host = &host, .label = "fuzz", .format = &plain, .limit = 100, .key = &key, .out = &value};
  bson_t document;
  if (!mongo_guard_is_sound(bytes, len) || bytes[12] != 0xdd)
    return;
  require(bson_init_static(&document, bytes + before_document, len - before_document));
  require(mongo_answer_add(&values, &document) != ANSWER_MALFORMED);
  text_free(&value);
}

/* A copy of its own, so that reading beyond its end is noticed. */
static char *copy_of(const uint8_t *bytes, size_t len) {
  char *copy = malloc(len + 1);
  if (!copy)
    abort();
  memcpy(copy, bytes, len);
  copy[len] = '\0';
  return copy;
}

static size_t line_length(const uint8_t *data, size_t size) {
  const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
  return end ? (size_t)(end - data) : size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const size_t filter_len = line_length(data, size);
  const uint8_t *rest = data + filter_len + (filter_len < size);
  size_t left = size - (size_t)(rest - data);
  const size_t key_len = line_length(rest, left);
  char *filter = copy_of(data, filter_len), *key = copy_of(rest, key_len);
  rest += key_len + (key_len < left);
  left = size - (size_t)(rest - data);
  uint8_t *message = malloc(left ? left : 1);
  if (!message)
    abort();
  memcpy(message, rest, left);
  try_filter(filter, key, key_len);
  try_message(message, left);
  free(message);
  free(key);
  free(filter);
  return 0;
}
