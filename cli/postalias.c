/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postalias.c - what postalias(1) has that postmap(1) has not: names that end in
 * a colon, and the entry "@" that tells a finished table from a half-made one.
 */
#include "postmap.h"

/* With -i, the one that is there already is as good. */
static dictum_status put_end_mark(void *rock, dictum_txn *txn, dictum_error *err) {
  (void)rock;
  static const dictum_entry mark = {"@", 1, "@", 1, 0};
  return dictum_txn_put(txn, &mark, DICTUM_DUP_REPLACE, err);
}

int postalias_main(int argc, char **argv) {
  static const struct face postalias = {
      .options = "+c:d:fijnNopq:rsuvw",
      .usage = "fijnNoprsuvw",
      .after_key = ":\t",
      .source_flags = DICTUM_SOURCE_ALIASES,
      .errors_have_errno = true,
      .extra = put_end_mark,
  };
  return postmap_run(&postalias, argc, argv);
}
