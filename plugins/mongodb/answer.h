/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.h - from documents to values: texts, whole numbers, and arrays of them.
 *
 * Fields of other kinds are passed over with a warning, and so is what is in a
 * document inside of one. An "_id" that the server made up is no value.
 */
#ifndef DICTUM_MONGODB_ANSWER_H
#define DICTUM_MONGODB_ANSWER_H

#include <mongoc/mongoc.h>

#include "values.h"

enum answer { ANSWER_OK, ANSWER_TOO_MANY, ANSWER_MALFORMED, ANSWER_NOMEM };
/** Adds the values of all fields, in the order in which they come. */
enum answer mongo_answer_add(struct values *values, const bson_t *document);

#endif
