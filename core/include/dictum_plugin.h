/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dictum_plugin.h - what a plugin offers to Dictum, and what it is given.
 *
 * A plugin is a module whose one exported symbol is constant data: a descriptor
 * that lists table types. It links nothing of Dictum's: the services that it
 * may call arrive in `struct dictum_host` with open(). Errors are returned, in
 * words, through host->fail(); a plugin never prints, exits, sleeps or logs a
 * failure that it also returns. Waiting, counting and trying again are core's.
 *
 * Growth: new methods and fields go to the end, for ever. Core reads as much of
 * a struct as both sides know and takes the rest as zero. See dictum-plugin(7).
 *
 * Status of each method:
 *   OK           found or done (found: after host->emit())
 *   NOTFOUND     a definite "no such key"
 *   RETRY        server away, time-out, lock busy
 *   CONFIG       bad query, wrong file format, no permission, no such column
 *   INVALID      a key or value that this table cannot hold
 */
#ifndef DICTUM_PLUGIN_H
#define DICTUM_PLUGIN_H

#include "dictum.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Version of this contract; 0 until it is frozen as 1. */
#define DICTUM_ABI 0u

typedef struct dictum_cfg dictum_cfg;     /**< the settings of one table */
typedef struct dictum_sink dictum_sink;   /**< where the answers of one call go */
typedef struct dictum_slot dictum_slot;   /**< one table, as core knows it */
typedef struct dictum_lines dictum_lines; /**< logical lines of a rule file */

/** Some bytes. Frozen for ever, since arrays of it cross the boundary. */
typedef struct dictum_key {
  const char *p;
  size_t n;
} dictum_key;

/** A key and its value, in the order in which a bulk load wants them. Frozen for ever. */
typedef struct dictum_rec {
  dictum_key key, value;
} dictum_rec;

/** Circumstances of one call. */
typedef struct dictum_call {
  uint32_t size;
  uint32_t flags;      /**< none yet */
  int64_t deadline_ns; /**< on CLOCK_MONOTONIC; 0: none */
} dictum_call;

/** What open() is given. Pointers live until close(). */
typedef struct dictum_open_args {
  uint32_t size;
  uint32_t flags;        /**< DICTUM_OPEN_* */
  const char *type;      /**< which of the plugin's types */
  const char *name;      /**< behind the colon; never empty */
  const dictum_cfg *cfg; /**< for host->opt_*() */
  dictum_slot *slot;     /**< for host services */
} dictum_open_args;

/** What txn_begin() is given. */
typedef struct dictum_txn_args {
  uint32_t size;
  uint32_t mode;       /**< DICTUM_TXN_UPDATE or DICTUM_TXN_REPLACE_ALL */
  uint32_t file_mode;  /**< for a file that is made new; never 0 */
  int64_t deadline_ns; /**< for the lock; on CLOCK_MONOTONIC; 0: none */
} dictum_txn_args;

/** The whole new content of a table, to be pulled by load(): each key once, in load_order. */
typedef struct dictum_bulk {
  uint32_t size;
  uint64_t nrecs;  /**< how many records there are */
  uint64_t nbytes; /**< their keys and values together */
  /** Gives the next records; they live until the next call. END after the last. */
  dictum_status (*next)(struct dictum_bulk *bulk, const dictum_rec **recs, size_t *n,
                        dictum_error *err);
  const uint64_t *buckets; /**< ORDER_BUCKET: what bucket() said of those records */
} dictum_bulk;

/** Calls on another table that a plugin uses for itself: a list of domains, a backup. They are the
 * public functions of these names; open() takes the context of @p slot, and the lookups end at the
 * deadline of @p call. Close such tables in close() and forget(). */
typedef struct dictum_tables {
  uint32_t size;
  dictum_status (*open)(dictum_slot *slot, const char *spec, uint32_t flags, dictum_table **out,
                        dictum_error *err);
  void (*close)(dictum_table *table);
  uint32_t (*caps)(const dictum_table *table);
  dictum_status (*lookup)(dictum_table *table, const dictum_call *call, const char *key, size_t len,
                          dictum_buf *value, dictum_error *err);
  dictum_status (*lookup_many)(dictum_table *table, const dictum_call *call, dictum_req *reqs,
                               size_t n, dictum_buf *arena, dictum_error *err);
  void (*buf_free)(dictum_buf *buf);
  dictum_status (*iter_open)(dictum_table *table, dictum_iter **out, dictum_error *err);
  dictum_status (*iter_next)(dictum_iter *iter, dictum_entry *entry, dictum_error *err);
  void (*iter_close)(dictum_iter *iter);
  dictum_status (*txn_begin)(dictum_table *table, dictum_txn_mode mode, uint32_t file_mode,
                             dictum_txn **out, dictum_error *err);
  dictum_status (*txn_put)(dictum_txn *txn, const dictum_entry *entry, dictum_dup dup,
                           dictum_error *err);
  dictum_status (*txn_del)(dictum_txn *txn, const char *key, size_t len, dictum_error *err);
  dictum_status (*txn_commit)(dictum_txn *txn, dictum_error *err);
  void (*txn_abort)(dictum_txn *txn);
} dictum_tables;

/** Services of core's. All may be called from any thread. */
typedef struct dictum_host {
  uint32_t size, abi;
  /** Hands over the value of the key asked for; core copies it. At most once a lookup. */
  dictum_status (*emit)(dictum_sink *sink, const char *value, size_t len);
  /** Answers key @p i of a batch. @p value counts only with OK. */
  dictum_status (*emit_at)(dictum_sink *sink, size_t i, dictum_status status, const char *value,
                           size_t len);
  /** Fills @p err with a text of printf's kind and returns @p status. @p err may be NULL. */
  dictum_status (*fail)(dictum_error *err, dictum_status status, int sys_errno, const char *fmt,
                        ...)
#if defined(__GNUC__)
      __attribute__((format(printf, 4, 5)))
#endif
      ;
  /** Sends an event about something that is not a failure of this call. */
  void (*log)(dictum_slot *slot, dictum_level level, dictum_code code, const char *fmt, ...)
#if defined(__GNUC__)
      __attribute__((format(printf, 4, 5)))
#endif
      ;
  /** Tells which file holds the table, for dictum_table_describe(). @p path is copied. */
  void (*note_file)(dictum_slot *slot, const char *path);
  /** A declared setting: from the host's main.cf, or from the table's own settings when the type
   * has DICTUM_CAP_SETTINGS, or the default; typed and checked. */
  const char *(*opt_str)(const dictum_cfg *cfg, const char *name);
  /** The same as a number: plain, yes = 1, milliseconds, or bytes, as declared. */
  int64_t (*opt_int)(const dictum_cfg *cfg, const char *name);
  /** Reads logical lines (postmap(1)) of the file @p name, or of the text "{ {line}, {line} }".
   * A file that changes while it is read is read again. To be closed with lines_close(). */
  dictum_status (*lines_open)(dictum_slot *slot, const char *name, dictum_lines **out,
                              dictum_error *err);
  /** Gives the next line, NUL-terminated and with neither leading white space nor trailing.
   * The text is the plugin's to change until the next call. END after the last. */
  dictum_status (*lines_next)(dictum_lines *lines, char **text, size_t *len, uint64_t *line,
                              dictum_error *err);
  void (*lines_close)(dictum_lines *lines);
  /** With DICTUM_OPEN_FILES: @p names are file names; @p out receives their content as base64.
   * CONFIG when one cannot be read; @p err has the text. */
  dictum_status (*file_value)(const char *names, size_t len, dictum_buf *out, dictum_error *err);
  const dictum_tables *tables;
  /** Tells, within open(), what this one table can do where that is not what its type can: a table
   * that stands for another one. DICTUM_CAP_*; its methods must be there. */
  void (*note_caps)(dictum_slot *slot, uint32_t caps);
  /** As fail(), for a failure that is a matter of the key: a result that is too large, one server
   * of several. It does not count against the table, which may go out of service by other failures.
   */
  dictum_status (*fail_key)(dictum_error *err, dictum_status status, int sys_errno, const char *fmt,
                            ...)
#if defined(__GNUC__)
      __attribute__((format(printf, 4, 5)))
#endif
      ;
  /** As log(), about line @p line of the text that the table is read from, for the event's line. */
  void (*log_line)(dictum_slot *slot, dictum_level level, dictum_code code, uint64_t line,
                   const char *fmt, ...)
#if defined(__GNUC__)
      __attribute__((format(printf, 5, 6)))
#endif
      ;
} dictum_host;

/** How a setting's text is understood. */
typedef enum dictum_opt_kind {
  DICTUM_OPT_STR = 1,
  DICTUM_OPT_INT = 2,  /**< decimal */
  DICTUM_OPT_BOOL = 3, /**< yes, no */
  DICTUM_OPT_TIME = 4, /**< 5s, 2m, 1h, 1d, 1w; bare numbers are seconds; opt_int() gives ms */
  DICTUM_OPT_BYTES = 5 /**< decimal; opt_int() gives bytes */
} dictum_opt_kind;

/** A setting that a type understands, by its name in main.cf. For a type with DICTUM_CAP_SETTINGS,
 * by its name in the file that is the table's name when that starts with '/' or '.', and otherwise
 * in main.cf with the table's name and '_' before it. Frozen for ever, since arrays of it
 * cross the boundary. */
typedef struct dictum_opt {
  const char *name;
  dictum_opt_kind kind;
  const char *fallback; /**< default as text, not NULL */
  int64_t min, max;     /**< for numbers; 0, 0: any. For STR, min is the least length */
  const char *help;     /**< one line */
} dictum_opt;

/* How many threads may be inside one type at once. Most restrictive last read wins. */
#define DICTUM_THREADS_SERIAL 100u     /**< one in the whole type */
#define DICTUM_THREADS_PER_HANDLE 200u /**< one in each open table */
#define DICTUM_THREADS_PARALLEL 300u   /**< any number; iterators and transactions are serial */

/* In which order a bulk load wants its records. */
#define DICTUM_ORDER_ANY 0u    /**< whatever is cheapest */
#define DICTUM_ORDER_BYTES 1u  /**< by bytes of the key, as memcmp() */
#define DICTUM_ORDER_BUCKET 2u /**< by bucket(), then by bytes */
#define DICTUM_ORDER_SOURCE 3u /**< by line, unknown ones last, then by bytes */

/** One type of table. name, open, close and lookup are required, the rest may be NULL. */
typedef struct dictum_type {
  const char *name;    /**< [a-z][a-z0-9_]* */
  const char *summary; /**< one line */
  const char *suffix;  /**< of its files, with the dot, or NULL */
  uint32_t caps;       /**< DICTUM_CAP_* */
  uint32_t threads;    /**< DICTUM_THREADS_* */
  uint32_t load_order; /**< DICTUM_ORDER_* */
  const dictum_opt *opts;
  size_t nopts;

  /** Opens a table. With DICTUM_OPEN_REPLACE nothing is read and the file may be missing. */
  dictum_status (*open)(const dictum_host *host, const dictum_open_args *args, void **self,
                        dictum_error *err);
  void (*close)(void *self);
  /** After fork(), in the child: free memory, touch no socket, lock or shared state. A PARALLEL
   * type must expect that another thread of the parent was in the middle of a call; for others,
   * core then leaks the handle instead. NULL: it always does. */
  void (*forget)(void *self);

  dictum_status (*lookup)(void *self, const dictum_call *call, const char *key, size_t len,
                          dictum_sink *sink, dictum_error *err);
  /** Answers every key with host->emit_at(), in any order; a key left out is NOTFOUND.
   * Other than OK: keys without an answer get that status. NULL: core calls lookup() for each. */
  dictum_status (*lookup_many)(void *self, const dictum_call *call, const dictum_key *keys,
                               size_t n, dictum_sink *sink, dictum_error *err);

  dictum_status (*iter_open)(void *self, const dictum_call *call, void **iter, dictum_error *err);
  /** Pointers live until the next call on @p iter. */
  dictum_status (*iter_next)(void *iter, dictum_rec *rec, dictum_error *err);
  void (*iter_close)(void *iter);

  /** Begins a change and takes the write lock. UPDATE: put() and del() follow. REPLACE_ALL: one
   * load() follows, or put() for each record in load_order, with no key twice. */
  dictum_status (*txn_begin)(void *self, const dictum_txn_args *args, void **txn,
                             dictum_error *err);
  /** Stores one record; @p dup as in dictum_txn_put(). */
  dictum_status (*put)(void *txn, const dictum_rec *rec, uint32_t dup, dictum_error *err);
  dictum_status (*del)(void *txn, const char *key, size_t len, dictum_error *err);
  /** REPLACE_ALL: stores all of @p bulk. NULL: core calls put() for each record. */
  dictum_status (*load)(void *txn, dictum_bulk *bulk, dictum_error *err);
  /** Frees @p txn, whatever the answer. */
  dictum_status (*commit)(void *txn, dictum_error *err);
  void (*abort)(void *txn);
  /** ORDER_BUCKET: a number that sorts keys by the place where they go. Asked for each key as it
   * comes, when nobody knows how many records there will be. */
  uint64_t (*bucket)(void *txn, const char *key, size_t len);
} dictum_type;

/** The descriptor. Constant data; no code runs before open(). */
typedef struct dictum_plugin {
  uint32_t abi;       /**< DICTUM_ABI */
  uint32_t size;      /**< sizeof(dictum_plugin) */
  uint32_t type_size; /**< sizeof(dictum_type): the distance between types */
  uint32_t ntypes;
  const char *package; /**< "dictum-lmdb" */
  const char *version;
  const dictum_type *types;
} dictum_plugin;

#if defined(__GNUC__)
#define DICTUM_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define DICTUM_PLUGIN_EXPORT
#endif

/** Defines the descriptor of the module @p module (the file's name without ".so"), last in the
 * file: DICTUM_PLUGIN_DEFINE(dictum_lmdb, "dictum-lmdb", "0.1.0", lmdb_types) */
#define DICTUM_PLUGIN_DEFINE(module, package_, version_, types_)                                   \
  extern const dictum_plugin module##_LTX_dictum_plugin;                                           \
  DICTUM_PLUGIN_EXPORT const dictum_plugin module##_LTX_dictum_plugin = {DICTUM_ABI,               \
                                                                         sizeof(dictum_plugin),    \
                                                                         sizeof(dictum_type),      \
                                                                         sizeof(types_) /          \
                                                                             sizeof((types_)[0]),  \
                                                                         package_,                 \
                                                                         version_,                 \
                                                                         types_}

#ifdef __cplusplus
}
#endif
#endif
