/* SPDX-License-Identifier: BSD-2-Clause */
/* postmap.h - what the parts of postmap(1) and postalias(1) share. */
#ifndef DICTUM_CLI_POSTMAP_H
#define DICTUM_CLI_POSTMAP_H

#include <dictum.h>
#include <stdbool.h>

#include "settings.h"

/** What makes postalias another program than postmap. */
struct face {
  const char *options;    /**< for getopt() */
  const char *usage;      /**< its letters, for the usage line */
  const char *after_key;  /**< stands between key and value */
  uint32_t source_flags;  /**< DICTUM_SOURCE_* */
  bool errors_have_errno; /**< names an errno in lookup errors of every kind */
  /** Puts entries that no source has; NULL: none. As in struct build. */
  dictum_status (*extra)(void *rock, dictum_txn *txn, dictum_error *err);
};

/** One run. */
struct postmap {
  const struct face *face;
  const char *program;
  const char *config_dir;
  const char *query, *remove; /**< arguments of -q and -d, or NULL */
  bool dump, incremental, json;
  bool body, header, mime, utf8_in_messages;
  bool no_utf8, stay_root, plain_mode;
  bool verbose;
  uint32_t open_flags; /**< DICTUM_OPEN_* */
  dictum_dup dup;
  char **operands; /**< ended by NULL */
  struct settings *settings;
  dictum_ctx *ctx;
};

/** True with -b or -h: the keys are the headers and lines of a message. */
static inline bool postmap_reads_message(const struct postmap *run) {
  return run->body || run->header;
}

int postmap_main(int argc, char **argv);
int postalias_main(int argc, char **argv);
/** Parses the command line, does what it says, and returns the exit status. */
int postmap_run(const struct face *face, int argc, char **argv);

/* The things to do. Each returns the exit status. */
int postmap_build(struct postmap *run);
int postmap_query(struct postmap *run);
int postmap_query_batch(struct postmap *run);
int postmap_query_message(struct postmap *run);
int postmap_delete(struct postmap *run);
int postmap_dump(struct postmap *run);

/* ---- tables ------------------------------------------------------------- */

/** Makes "type:name" of an operand: puts a default type before it, and another type in place of
 * Berkeley DB's where main.cf says so.
 * @param moved  is set when it was Berkeley DB's
 * @return NULL after a fatal message; to be freed. */
char *postmap_spec(const struct postmap *run, const char *operand, bool *moved);
/** Makes the file of a table that has moved, from its source, when there is none yet and main.cf
 * asks for that. @return false after a fatal message. */
bool postmap_reindex(const struct postmap *run, const char *spec);
/** Opens the table that an operand names. @return NULL after a fatal message. */
dictum_table *postmap_open(const struct postmap *run, const char *operand, uint32_t flags);
/** Why a table is wanted. */
enum purpose { TO_READ, TO_BUILD, TO_CHANGE, TO_DELETE };
/** Says in Postfix's words why a table cannot be opened or built. @return 1. */
int postmap_refuse(const struct postmap *run, const char *spec, enum purpose purpose,
                   const dictum_error *err);

/** A table as messages name it: its type, and its file or name. */
struct label {
  const char *type, *name;
};
#define LABEL(label) (label).type, (label).name /**< for "%s:%s" */
struct label postmap_label(const dictum_table *table);
/** Says that an operation of @p table ("query", "delete", ...) went wrong. @return 1. */
int postmap_failed(const struct postmap *run, const dictum_table *table, const char *operation,
                   const dictum_error *err);

/** For dictum_ctx_opts.event. */
void postmap_event(void *rock, const dictum_event *event);
/** Warns of a key that no table can have. */
void postmap_warn_key(const dictum_table *table, const dictum_error *err);

/* ---- results ------------------------------------------------------------ */

/** Prints a key with its value; texts end at a NUL byte. */
void postmap_print(const struct postmap *run, const char *key, size_t keylen, const char *value,
                   size_t valuelen);
/** Warns of a key whose value is empty, which Postfix does not expect of a table. */
void postmap_check_value(const dictum_table *table, const char *key, size_t keylen,
                         size_t valuelen);
/** Hands all that was printed to its reader. @return @p status, or 1 after a message. */
int postmap_flush(int status);

#endif
