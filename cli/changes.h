/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * changes.h - puts or deletions, collected and then applied in one transaction.
 *
 * They are collected first so that the table's lock is never held while input
 * is awaited. A very long input makes several transactions, one after another.
 */
#ifndef DICTUM_CLI_CHANGES_H
#define DICTUM_CLI_CHANGES_H

#include "command.h"

enum change_kind { CHANGE_PUT, CHANGE_DEL };

/** Understands a value of --duplicates. @return false when it is none. */
bool duplicates_parse(const char *text, dictum_dup *out);

struct change;

struct changes {
  struct app *app;
  dictum_table *table;
  enum change_kind kind;
  dictum_dup duplicates;
  struct change *items;
  size_t count, capacity;
  char *bytes; /**< keys and values */
  size_t used, size;
  int status;  /**< the exit status so far */
  bool failed; /**< no further change will be tried */
};

/** Copies a change, and applies what is collected when that is much.
 * @return false when there is no point in going on. */
bool changes_add(struct changes *changes, const char *key, size_t keylen, const char *value,
                 size_t valuelen);
/** Applies what is collected and tells what came of it. @return as changes_add(). */
bool changes_apply(struct changes *changes);
void changes_free(struct changes *changes);

#endif
