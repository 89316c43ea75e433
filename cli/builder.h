/* SPDX-License-Identifier: BSD-2-Clause */
/* builder.h - from a source text to a table: the one way for postmap, postalias and dictum. */
#ifndef DICTUM_CLI_BUILDER_H
#define DICTUM_CLI_BUILDER_H

#include <dictum.h>
#include <stdbool.h>

/** What to build from what. Zero what is not needed. */
struct build {
  dictum_ctx *ctx;
  const char *spec;      /**< the table, "type:name" */
  const char *source;    /**< path of the source text; NULL: standard input */
  dictum_txn_mode mode;  /**< REPLACE_ALL, or UPDATE to add to what is there */
  dictum_dup dup;        /**< what to do with a key that occurs twice */
  uint32_t source_flags; /**< DICTUM_SOURCE_* */
  uint32_t open_flags;   /**< DICTUM_OPEN_UTF8 and the like; WRITE, CREATE, REPLACE are added */
  bool stay_root;        /**< as root: do not become the owner of the source */
  bool plain_mode;       /**< a new file gets mode 0644, whatever the source has */
  uint32_t file_mode;    /**< a new file gets this mode; 0: one that follows from the source */
  bool folder_is_empty;  /**< a source that is a folder is an empty one, not a mistake */
  bool skip_unfit;       /**< an entry that the table cannot hold is warned of and left out */

  /** Puts entries that no source has, after those of the source. May be NULL. */
  dictum_status (*extra)(void *rock, dictum_txn *txn, dictum_error *err);
  /** Hears of what is doubtful but stops nothing. May be NULL. */
  void (*warning)(void *rock, const char *text);
  /** UPDATE: hears of an entry that DICTUM_DUP_REFUSE kept out; in a REPLACE_ALL those are events
   * of the library. NULL: `warning` hears of it. */
  void (*refused)(void *rock, const dictum_entry *entry, const dictum_error *err);
  /** Hears now and then how many bytes of @p total are read; @p total is 0 if unknown. May be
   * NULL. How far the commit has come is the business of dictum_ctx_opts.progress. */
  void (*progress)(void *rock, uint64_t done, uint64_t total);
  void *rock; /**< for all four */
};

/** What came of it. */
struct build_result {
  uint64_t entries; /**< read from the source and accepted, duplicates included */
  uint64_t refused; /**< UPDATE: kept out since their keys were there already */
};

/** Builds. SIGINT, SIGTERM and SIGHUP abandon the work tidily and then end the process as usual.
 * @param result  may be NULL
 * @param err     CONFIG with sys_errno and the text "open PATH: ..." when the source is at fault
 * @return OK; otherwise a REPLACE_ALL has changed nothing (UNCERTAIN: see dictum_txn_commit()). */
dictum_status build_run(const struct build *build, struct build_result *result, dictum_error *err);

#endif
