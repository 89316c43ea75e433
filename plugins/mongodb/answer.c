/* SPDX-License-Identifier: BSD-2-Clause */
/* answer.c - from documents to values. */
#include "answer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { deepest = 100 }; /* as MongoDB has it */

static void warn(const struct values *values, const char *field, const char *what) {
  values->host->log(values->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_NONE,
                    "table \"%s\": field \"%.100s\" is %s -- ignored", values->label, field, what);
}

static const char *kind_of(bson_type_t type) {
  switch (type) {
  case BSON_TYPE_DOUBLE:
    return "a double";
  case BSON_TYPE_DOCUMENT:
    return "a document";
  case BSON_TYPE_OID:
    return "an ObjectId";
  case BSON_TYPE_BOOL:
    return "a boolean";
  case BSON_TYPE_DATE_TIME:
    return "a date";
  case BSON_TYPE_NULL:
    return "null";
  default:
    return "neither text nor a whole number";
  }
}

static enum answer add(struct values *values, const char *bytes, size_t len) {
  switch (values_add(values, bytes, len)) {
  case DICTUM_OK:
    return ANSWER_OK;
  case DICTUM_RETRY:
    return ANSWER_TOO_MANY;
  default:
    return ANSWER_NOMEM;
  }
}

static enum answer add_number(struct values *values, int64_t number) {
  char text[24];
  int len = snprintf(text, sizeof text, "%" PRId64, number);
  return add(values, text, (size_t)len);
}

/* Texts end at a NUL byte. */
static enum answer add_text(struct values *values, const bson_iter_t *iter) {
  uint32_t len;
  const char *text = bson_iter_utf8(iter, &len);
  return add(values, text, strnlen(text, len));
}

static enum answer add_all(struct values *values, bson_iter_t *iter, const char *field,
                           unsigned depth);

static enum answer add_array(struct values *values, const bson_iter_t *iter, const char *field,
                             unsigned depth) {
  bson_iter_t inner;
  if (depth == deepest || !bson_iter_recurse(iter, &inner))
    return ANSWER_MALFORMED;
  return add_all(values, &inner, field, depth + 1);
}

static enum answer add_one(struct values *values, const bson_iter_t *iter, const char *field,
                           unsigned depth) {
  const bson_type_t type = bson_iter_type(iter);
  switch (type) {
  case BSON_TYPE_UTF8:
    return add_text(values, iter);
  case BSON_TYPE_INT32:
    return add_number(values, bson_iter_int32(iter));
  case BSON_TYPE_INT64:
    return add_number(values, bson_iter_int64(iter));
  case BSON_TYPE_ARRAY:
    return add_array(values, iter, field, depth);
  case BSON_TYPE_OID:
    if (depth == 0 && strcmp(field, "_id") == 0)
      return ANSWER_OK;
    /* fall through */
  default:
    warn(values, field, kind_of(type));
    return ANSWER_OK;
  }
}

/* @param field  what an array is called; NULL: each is a field by itself */
static enum answer add_all(struct values *values, bson_iter_t *iter, const char *field,
                           unsigned depth) {
  while (bson_iter_next(iter)) {
    enum answer answer = add_one(values, iter, field ? field : bson_iter_key(iter), depth);
    if (answer != ANSWER_OK)
      return answer;
  }
  return iter->err_off == 0 ? ANSWER_OK : ANSWER_MALFORMED;
}

enum answer mongo_answer_add(struct values *values, const bson_t *document) {
  bson_iter_t iter;
  return bson_iter_init(&iter, document) ? add_all(values, &iter, NULL, 0) : ANSWER_MALFORMED;
}
