/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dictum.h - the public interface of libdictum: lookup tables named "type:name".
 *
 *     dictum_ctx *ctx;
 *     dictum_table *table;
 *     dictum_buf value = {0};
 *     dictum_error err = DICTUM_ERROR_INIT;
 *
 *     dictum_ctx_new(&ctx, NULL, &err);
 *     dictum_open(ctx, "lmdb:/etc/mail/virtual", 0, &table, &err);
 *     switch (dictum_lookup(table, "info@example.org", 16, &value, NULL, &err)) {
 *     case DICTUM_OK:       ... value.data, value.len ...
 *     case DICTUM_NOTFOUND: ... an answer: there is no such key ...
 *     default:              ... err.where, err.what: defer, do not bounce ...
 *     }
 *
 * Glossary: ctx = context; spec = "type:name"; txn = transaction; iter =
 * iterator; cap = capability; opts = options; err = error; key, value = bytes.
 *
 * THREADS. A context and every table may be used by many threads at once. An
 * iterator, a transaction and a source belong to one thread at a time.
 *
 * FORK. Tables and contexts survive fork(): the child reopens what cannot be
 * shared the first time that it uses it. Iterators and transactions that were
 * open across a fork may only be closed in the child.
 *
 * PROCESS STATE. No call prints, exits, aborts, changes signals, locale, umask,
 * environment or identity, or installs an exit handler. libltdl, which loads
 * plugins, is not thread-safe: a program that uses libltdl itself must do so
 * before it starts threads that use Dictum, or guard both with one lock.
 *
 * MEMORY. Who allocates frees. Every *out is NULL after a failure. Every
 * allocation may fail, and then the call answers DICTUM_NOMEM.
 */
#ifndef DICTUM_H
#define DICTUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define DICTUM_API __attribute__((visibility("default")))
#else
#define DICTUM_API
#endif

/** One embedding program: registry of types, policy and event sink. */
typedef struct dictum_ctx dictum_ctx;
/** One open table. */
typedef struct dictum_table dictum_table;
/** A walk over all entries of a table. One thread at a time. */
typedef struct dictum_iter dictum_iter;
/** A set of changes that is applied whole or not at all. One thread at a time. */
typedef struct dictum_txn dictum_txn;
/** A text file of entries in the format of postmap(1) or aliases(5). One thread at a time. */
typedef struct dictum_source dictum_source;
/** "name = value" settings in the format of postconf(5). Immutable once read. */
typedef struct dictum_params dictum_params;

/** What a call answers. The numbers are ABI; gaps leave room to grow. */
typedef enum dictum_status {
  DICTUM_OK = 0,           /**< done, or found */
  DICTUM_NOTFOUND = 10,    /**< a definite answer: there is no such key */
  DICTUM_END = 11,         /**< the walk is over */
  DICTUM_RETRY = 20,       /**< cannot tell now: defer and ask again later */
  DICTUM_UNCERTAIN = 21,   /**< a commit may or may not have happened */
  DICTUM_CONFIG = 30,      /**< will not work until an operator mends something */
  DICTUM_INVALID = 40,     /**< this argument, key or line is not acceptable */
  DICTUM_UNSUPPORTED = 41, /**< this type of table cannot do that */
  DICTUM_EXISTS = 42,      /**< the key is there already */
  DICTUM_NOMEM = 50        /**< out of memory */
} dictum_status;

/** Stable codes of events and errors; texts may change, these do not. */
typedef enum dictum_code {
  DICTUM_CODE_NONE = 0,
  DICTUM_CODE_TYPE_UNKNOWN = 100,      /**< no registry lists this type */
  DICTUM_CODE_PLUGIN_MISSING = 101,    /**< listed, but the file is not there */
  DICTUM_CODE_PLUGIN_UNSAFE = 102,     /**< owner or mode of the file is not trustworthy */
  DICTUM_CODE_PLUGIN_BROKEN = 103,     /**< the loader refuses the file */
  DICTUM_CODE_PLUGIN_ABI = 104,        /**< made for another version of Dictum */
  DICTUM_CODE_REGISTRY = 105,          /**< a line or file of dynamicmaps.cf is wrong */
  DICTUM_CODE_TABLE_DOWN = 200,        /**< a table went out of service */
  DICTUM_CODE_TABLE_UP = 201,          /**< it is back */
  DICTUM_CODE_STALE_SERVED = 202,      /**< a cache answers beyond its time, as its table is down */
  DICTUM_CODE_SOURCE_LINE = 300,       /**< a line of a source file was skipped or is doubtful */
  DICTUM_CODE_RULE = 301,              /**< a rule of a pattern table was skipped or is doubtful */
  DICTUM_CODE_OLDER_THAN_SOURCE = 302, /**< the table file is older than its source */
  DICTUM_CODE_DUPLICATE = 303,         /**< a key occurs twice */
  DICTUM_CODE_NON_UTF8 = 304,          /**< a key or value is not UTF-8 though it must be */
  DICTUM_CODE_BASE64 = 305,            /**< a value is not base64 though it must be */
  DICTUM_CODE_PARAM = 306,             /**< a setting of main.cf is wrong */
  DICTUM_CODE_FILE = 307,              /**< something about a table file worth knowing */
  DICTUM_CODE_ACCESS = 308             /**< a table under "debug:" was used */
} dictum_code;

/** What went wrong, in storage of the caller's. Filled whenever the answer is
 * other than OK, NOTFOUND or END; untouched otherwise. Both texts are one line,
 * cut to fit, with unprintable bytes replaced by '?'. */
typedef struct dictum_error {
  uint32_t size;           /**< set by DICTUM_ERROR_INIT; lets the struct grow */
  dictum_status status;    /**< the same as the call's answer */
  dictum_code code;        /**< more exactly what, or DICTUM_CODE_NONE */
  int sys_errno;           /**< 0 when no system call failed */
  uint32_t retry_after_ms; /**< RETRY: estimate of when to ask again, or 0 */
  uint32_t flags;          /**< DICTUM_ERROR_* */
  uint64_t line;           /**< the line of the entry or source at fault, or 0 */
  char where[160];         /**< "lmdb:/etc/mail/virtual" */
  char what[512];          /**< "open database /etc/mail/virtual.lmdb: No such file or directory" */
} dictum_error;
#define DICTUM_ERROR_INIT                                                                          \
  { sizeof(dictum_error), DICTUM_OK, DICTUM_CODE_NONE, 0, 0, 0, 0, "", "" }
/** Other keys of the same table may well be answered. */
#define DICTUM_ERROR_THIS_KEY 0x1u

/** A growing buffer that the caller owns, starts as {0}, reuses, and releases
 * with dictum_buf_free(). After a successful call data[len] is a NUL byte that
 * is not counted in len. */
typedef struct dictum_buf {
  char *data;
  size_t len;
  size_t cap;
} dictum_buf;

/** Releases the memory of @p buf and makes it {0}. NULL is fine. */
DICTUM_API void dictum_buf_free(dictum_buf *buf);

/** Returns the constant name of a status: "ok", "notfound", "retry", ... Never NULL. */
DICTUM_API const char *dictum_status_name(dictum_status status);
/** Returns the constant name of a code: "plugin_missing", ...; "none" for 0. Never NULL. */
DICTUM_API const char *dictum_code_name(dictum_code code);
/** Returns the version of the library, "0.1.0". Never NULL. */
DICTUM_API const char *dictum_version(void);

/* ---- events ------------------------------------------------------------ */

typedef enum dictum_level {
  DICTUM_LEVEL_DEBUG = 10,
  DICTUM_LEVEL_INFO = 20,
  DICTUM_LEVEL_WARNING = 30,
  DICTUM_LEVEL_ERROR = 40
} dictum_level;

/** Something the host may want to log. Pointers live until the callback returns. */
typedef struct dictum_event {
  uint32_t size; /**< of this struct, as the library knows it */
  dictum_level level;
  dictum_code code;
  const char *table;   /**< spec of the table, or "" */
  const char *text;    /**< one line, no newline, unprintable bytes replaced by '?' */
  uint64_t line;       /**< SOURCE_LINE, RULE, DUPLICATE: the line in question, or 0 */
  uint64_t first_line; /**< DUPLICATE: where the key stood first, or 0 */
} dictum_event;

/* ---- context ----------------------------------------------------------- */

/** A registry maps table types to plugin files, as dynamicmaps.cf(5) does. */
typedef struct dictum_registry {
  const char *maps_file;  /**< path of dynamicmaps.cf; "<maps_file>.d/" is read after it */
  const char *plugin_dir; /**< absolute folder for plugin files given without a slash */
  uint32_t flags;         /**< DICTUM_REGISTRY_* */
} dictum_registry;
/** The file is Postfix's: three or four columns, and mistakes are errors. */
#define DICTUM_REGISTRY_POSTFIX 1u

/** Policy of a context. Set size, zero the rest, then fill in what is wanted. */
typedef struct dictum_ctx_opts {
  uint32_t size;
  /** Receives events, on the thread that caused them, possibly several at once.
   * It may call no function of this library but dictum_*_name(). NULL: none. */
  void (*event)(void *rock, const dictum_event *event);
  void *event_rock;
  /** Resolves a setting that a table type declares (for example "lmdb_map_size").
   * Returns text that lives as long as the context, or NULL for the default. NULL: none. */
  const char *(*param)(void *rock, const char *name);
  void *param_rock;
  /** Where types are looked up, in this order; NULL and 0: the one compiled in. */
  const dictum_registry *registries;
  size_t nregistries;
  uint32_t timeout_ms;   /**< limit of one call on one table; 0: 5000; DICTUM_NO_TIMEOUT: none */
  uint32_t retry_min_ms; /**< first pause of a table that is down; 0: 500 */
  uint32_t retry_max_ms; /**< longest pause; 0: 60000 */
  /** Monotonic clock in nanoseconds, for tests. NULL: CLOCK_MONOTONIC. */
  int64_t (*clock)(void *rock);
  void *clock_rock;
  /** Hears now and then how far the commit of a REPLACE_ALL has come, on its thread: @p done of
   * @p total entries are stored. The same limits as for `event`. NULL: none. */
  void (*progress)(void *rock, uint64_t done, uint64_t total);
  void *progress_rock;
  /** Bytes of memory that a REPLACE_ALL may take, about, the rest of its entries going to files
   * without a name in the table's folder, or in that of the process's temporary files ($TMPDIR,
   * else /var/tmp) for a table without one. The largest entry comes on top of it. 0: 256 MiB. */
  uint64_t build_memory;
} dictum_ctx_opts;
#define DICTUM_CTX_OPTS_INIT                                                                       \
  { sizeof(dictum_ctx_opts), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL, 0 }
#define DICTUM_NO_TIMEOUT UINT32_MAX

/** Returns the registry that is compiled in, to be listed beside others. Never NULL. */
DICTUM_API const dictum_registry *dictum_default_registry(void);

/** Makes a context. Touches no file: registries are read when first needed.
 * @param out   receives the context, to be released with dictum_ctx_free()
 * @param opts  copied, strings included; NULL for all defaults
 * @param err   may be NULL
 * @return OK; NOMEM; INVALID for a path that is not absolute. */
DICTUM_API dictum_status dictum_ctx_new(dictum_ctx **out, const dictum_ctx_opts *opts,
                                        dictum_error *err);

/** Releases a context. All its tables, sources and settings must be closed. NULL is fine.
 * Plugins stay loaded until the process ends. */
DICTUM_API void dictum_ctx_free(dictum_ctx *ctx);

/** Loads a plugin file that no registry lists, under the same safety checks.
 * Its types come before those of the registries, after those in the library.
 * @param path  absolute path of the module
 * @return OK; CONFIG with a PLUGIN_* code; NOMEM. */
DICTUM_API dictum_status dictum_load_plugin(dictum_ctx *ctx, const char *path, dictum_error *err);

/** Checks the registries now instead of at the first table that needs them.
 * @return OK; CONFIG with code REGISTRY; NOMEM. */
DICTUM_API dictum_status dictum_check_registries(dictum_ctx *ctx, dictum_error *err);

/* ---- types ------------------------------------------------------------- */

/* What a table can do. */
#define DICTUM_CAP_ITERATE 0x0001u /**< dictum_iter_open() works */
#define DICTUM_CAP_UPDATE 0x0002u  /**< single entries can be put */
#define DICTUM_CAP_DELETE 0x0004u  /**< single entries can be deleted */
#define DICTUM_CAP_REPLACE 0x0008u /**< can be built whole from a source */
#define DICTUM_CAP_PATTERN                                                                         \
  0x0010u /**< matches patterns: keys are not folded, never ask with parts */
#define DICTUM_CAP_NETWORK 0x0020u  /**< answers come from a server */
#define DICTUM_CAP_FILE 0x0040u     /**< the name is a file's */
#define DICTUM_CAP_MAY_WAIT 0x0080u /**< may wait for a lock or a server: calls get a deadline */
#define DICTUM_CAP_SETTINGS                                                                        \
  0x0100u /**< the name is that of a settings file or of a group of settings in main.cf */

/** One setting that a type understands. */
typedef struct dictum_opt_info {
  const char *name;
  const char *kind;     /**< "int", "bool", "str", "time", "bytes" */
  const char *fallback; /**< default as text */
  const char *help;
} dictum_opt_info;

/** One type of table as this context knows it. Pointers live until the callback returns. */
typedef struct dictum_type_info {
  uint32_t size;
  const char *name;
  const char *summary;
  const char *suffix;  /**< of its files, ".db", or NULL */
  const char *module;  /**< plugin file, or NULL when inside the library or program */
  const char *package; /**< the plugin's own name and version, or NULL */
  const char *version;
  uint32_t caps;
  const dictum_opt_info *opts;
  size_t nopts;
  dictum_status status; /**< OK, or why the plugin cannot be used */
  const char *reason;   /**< text of that, or NULL */
} dictum_type_info;

/** Calls @p each for every known type, sorted by name, loading every plugin.
 * @param each  returns 0 to go on, other to stop; it must not call the library
 * @return OK also when plugins are refused; CONFIG when a registry cannot be read; NOMEM. */
DICTUM_API dictum_status dictum_types(dictum_ctx *ctx,
                                      int (*each)(void *rock, const dictum_type_info *type),
                                      void *rock, dictum_error *err);

/* ---- tables ------------------------------------------------------------ */

#define DICTUM_OPEN_DEGRADE                                                                        \
  0x0001u                          /**< a table that cannot be opened yet answers RETRY and heals */
#define DICTUM_OPEN_NOFOLD 0x0002u /**< do not fold the case of keys */
#define DICTUM_OPEN_UTF8 0x0004u   /**< keys and values must be UTF-8; fold by Unicode's rules */
#define DICTUM_OPEN_NUL 0x0008u    /**< file records end in a NUL byte, always */
#define DICTUM_OPEN_NO_NUL 0x0010u /**< they never do; without either, both are tried */
#define DICTUM_OPEN_FILES 0x0020u  /**< values are base64 of file contents (postmap -F) */
#define DICTUM_OPEN_WRITE 0x0040u  /**< changes are intended */
#define DICTUM_OPEN_CREATE 0x0080u /**< with WRITE: make the table if it is not there */
#define DICTUM_OPEN_REPLACE 0x0100u /**< with WRITE: only REPLACE_ALL follows; nothing is read */
#define DICTUM_OPEN_DUP_REPLACE 0x0200u /**< texthash: the last of equal keys wins, silently */
#define DICTUM_OPEN_DUP_IGNORE 0x0400u  /**< texthash: the first of equal keys wins, silently */
#define DICTUM_OPEN_NOSYNC                                                                         \
  0x0800u /**< changes need not survive a crash of the machine, and cost less */

/** Opens the table "type:name", or several in one such as "failover:{type:name, type:name}": see
 * dictum-combinators(7).
 * @param spec   split at the first colon; both parts must be non-empty
 * @param flags  DICTUM_OPEN_*
 * @param out    receives the table, to be released with dictum_close()
 * @param err    may be NULL
 * @return OK; INVALID for a spec without type or name; CONFIG for a missing plugin, file or
 *   permission or a bad setting, with the plugin's code; UNSUPPORTED when WRITE is asked of a
 *   read-only type; RETRY when a lock or server is busy; NOMEM. With DEGRADE, what could heal
 *   by itself (all but INVALID, UNSUPPORTED and NOMEM) is OK, and the reason is an event
 *   TABLE_DOWN and the error of later calls. */
DICTUM_API dictum_status dictum_open(dictum_ctx *ctx, const char *spec, uint32_t flags,
                                     dictum_table **out, dictum_error *err);

/** Closes a table. No call on it, nor an iterator or transaction, may be left. NULL is fine. */
DICTUM_API void dictum_close(dictum_table *table);

/** Returns DICTUM_CAP_*; 0 as long as a degraded table's plugin is missing. Any thread. */
DICTUM_API uint32_t dictum_caps(const dictum_table *table);

/** A table's particulars. Strings live as long as the table. */
typedef struct dictum_table_info {
  uint32_t size; /**< set by the caller */
  const char *type;
  const char *name;
  const char *file; /**< the file that holds it, suffix included, or NULL */
  uint32_t caps;
  int up;                  /**< 0 while the table is out of service */
  uint32_t retry_after_ms; /**< when not up: until the next attempt */
} dictum_table_info;

/** Fills @p info up to the size that its caller set. Any thread. */
DICTUM_API void dictum_table_describe(const dictum_table *table, dictum_table_info *info);

/** Limits each later call on @p table to @p timeout_ms milliseconds; 0 for the
 * context's own limit; DICTUM_NO_TIMEOUT for none. Any thread. */
DICTUM_API void dictum_set_timeout(dictum_table *table, uint32_t timeout_ms);

/* ---- lookup ------------------------------------------------------------ */

#define DICTUM_F_STALE 0x1u  /**< answered from a cache after its time, as the source is down */
#define DICTUM_F_CACHED 0x2u /**< answered from a cache */

/** Looks one key up.
 * @param key, keylen  any bytes; folded here unless the type matches patterns
 * @param value  overwritten; holds the value after OK, is empty otherwise
 * @param flags  receives DICTUM_F_*; may be NULL
 * @param err    may be NULL
 * @return OK; NOTFOUND; RETRY; CONFIG (also for a value that is not UTF-8 or base64 though the
 *   flags say so); INVALID for a key that is not UTF-8 though it must be; NOMEM. Any thread. */
DICTUM_API dictum_status dictum_lookup(dictum_table *table, const char *key, size_t keylen,
                                       dictum_buf *value, uint32_t *flags, dictum_error *err);

/** One key of a batch. The value is arena->data + off: offsets, as the arena may move. */
typedef struct dictum_req {
  const char *key;      /**< in */
  size_t keylen;        /**< in */
  dictum_status status; /**< out: as dictum_lookup() answers */
  uint32_t flags;       /**< out: DICTUM_F_* */
  size_t off, len;      /**< out, after OK; a NUL byte follows */
} dictum_req;

/** Looks many keys up in one go. Each gets its own status.
 * @param arena  emptied, then receives all values
 * @param err    text of the first key whose status is neither OK nor NOTFOUND; may be NULL
 * @return OK when every key has a status; else the reason why none has. Any thread. */
DICTUM_API dictum_status dictum_lookup_many(dictum_table *table, dictum_req *reqs, size_t n,
                                            dictum_buf *arena, dictum_error *err);

/* ---- health ------------------------------------------------------------ */

typedef enum dictum_state {
  DICTUM_STATE_NONE = 0, /**< made of other tables, and as well as these are */
  DICTUM_STATE_UP = 1,
  DICTUM_STATE_DOWN = 2,   /**< answers RETRY at once until retry_after_ms have passed */
  DICTUM_STATE_PROBING = 3 /**< one caller is trying it, others get RETRY at once */
} dictum_state;

/** One of the tables in a spec. Pointers live until the callback returns. */
typedef struct dictum_node_info {
  uint32_t size;
  uint32_t depth;   /**< 0 for the table itself, 1 for its members, and so on */
  const char *spec; /**< "type:name" */
  dictum_state state;
  uint32_t failures;       /**< in a row, while it is still up */
  uint32_t retry_after_ms; /**< not up: until the next attempt */
  dictum_status status;    /**< OK; why it is not up; with DICTUM_INSPECT_PROBE, what it answered */
  const char *reason;      /**< the text of that, or "" */
  int is_cache;            /**< the rest counts only then */
  uint64_t entries, bytes; /**< in this process's memory, now */
  /** Since the cache was made. With a store: of all processes that use it. */
  uint64_t hits, negative_hits, misses, stale, refreshes, evictions;
} dictum_node_info;

/** First ask each table that is not a combinator one key, "dictum-probe", whatever it answers. */
#define DICTUM_INSPECT_PROBE 0x1u

/** Tells of a table and of those that it is made of, each before its members.
 * @param flags  DICTUM_INSPECT_*
 * @param each   returns 0 to go on, other to stop; it must not call the library
 * @return OK; NOMEM. Any thread. */
DICTUM_API dictum_status dictum_inspect(dictum_table *table, uint32_t flags,
                                        int (*each)(void *rock, const dictum_node_info *node),
                                        void *rock, dictum_error *err);

/** Drops what caches keep of a key, in memory and in their stores. Other processes that use the
 * same store follow within a second or so.
 * @param key  NULL: of all keys
 * @return OK; UNSUPPORTED when there is no cache in it; INVALID for a key that is not UTF-8 though
 *   it must be; RETRY or CONFIG when a store may still have it; NOMEM. Any thread. */
DICTUM_API dictum_status dictum_flush(dictum_table *table, const char *key, size_t keylen,
                                      dictum_error *err);

/* ---- entries, iteration ------------------------------------------------ */

/** A key with its value: from a source or an iterator, or for a transaction. */
typedef struct dictum_entry {
  const char *key;
  size_t keylen;
  const char *value;
  size_t valuelen;
  uint64_t line; /**< where it starts in its source, from 1; 0: unknown */
} dictum_entry;

/** Starts a walk over all entries, in the table's own order.
 * @return OK; UNSUPPORTED; RETRY; CONFIG; NOMEM. */
DICTUM_API dictum_status dictum_iter_open(dictum_table *table, dictum_iter **out,
                                          dictum_error *err);
/** Gives the next entry; its pointers live until the next call on @p iter.
 * @return OK; END; RETRY; CONFIG; NOMEM; after other than OK, only close. With
 *   DICTUM_OPEN_FILES a value that is not base64 is skipped, with an event. */
DICTUM_API dictum_status dictum_iter_next(dictum_iter *iter, dictum_entry *entry,
                                          dictum_error *err);
/** Ends a walk. NULL is fine. */
DICTUM_API void dictum_iter_close(dictum_iter *iter);

/* ---- transactions ------------------------------------------------------ */

typedef enum dictum_txn_mode {
  DICTUM_TXN_UPDATE = 1,     /**< change single entries in place */
  DICTUM_TXN_REPLACE_ALL = 2 /**< the new content is what is put, and nothing else */
} dictum_txn_mode;

/** What to do with a key that is there already. */
typedef enum dictum_dup {
  DICTUM_DUP_REFUSE = 0,  /**< keep the first, answer EXISTS; in a REPLACE_ALL: tell by event */
  DICTUM_DUP_REPLACE = 1, /**< the last one wins */
  DICTUM_DUP_IGNORE = 2,  /**< keep the first, answer OK */
  DICTUM_DUP_ERROR = 3    /**< as REFUSE; and the commit of a REPLACE_ALL answers EXISTS */
} dictum_dup;

/** Begins a transaction. Until commit, readers see the old content.
 * @param table      opened with DICTUM_OPEN_WRITE
 * @param file_mode  permission bits for a file that is made new; 0: 0644. An existing file
 *                   keeps its owner, group and mode.
 * @return OK; UNSUPPORTED; RETRY when another writer holds the lock past the deadline or the host
 *   catches a signal meanwhile (without SA_RESTART); CONFIG; NOMEM. An UPDATE holds the table's
 *   write lock until it ends, and on types without transactions of their own its changes may be
 *   visible before commit. */
DICTUM_API dictum_status dictum_txn_begin(dictum_table *table, dictum_txn_mode mode,
                                          uint32_t file_mode, dictum_txn **out, dictum_error *err);
/** Adds or changes one entry. The entry is copied. Its key is folded as the table's flags say.
 * In a REPLACE_ALL, equal keys are found at commit: for each that DICTUM_DUP_REFUSE or
 * DICTUM_DUP_ERROR drops there is an event DUPLICATE with both lines, in the order of the lines.
 * @return OK; EXISTS (UPDATE only; see @p dup); INVALID for a key or value that the type cannot
 *   hold or that is not UTF-8 though it must be; UNSUPPORTED; RETRY; CONFIG; NOMEM. */
DICTUM_API dictum_status dictum_txn_put(dictum_txn *txn, const dictum_entry *entry, dictum_dup dup,
                                        dictum_error *err);
/** Removes one entry.
 * @return OK; NOTFOUND; INVALID; UNSUPPORTED; RETRY; CONFIG; NOMEM. */
DICTUM_API dictum_status dictum_txn_del(dictum_txn *txn, const char *key, size_t keylen,
                                        dictum_error *err);
/** Ends a transaction and makes it visible. @p txn is gone afterwards, whatever the answer.
 * @return OK; UNCERTAIN; EXISTS (see DICTUM_DUP_ERROR); INVALID; RETRY; CONFIG; NOMEM. After all
 *   but OK and UNCERTAIN a REPLACE_ALL has changed nothing. */
DICTUM_API dictum_status dictum_txn_commit(dictum_txn *txn, dictum_error *err);
/** Ends a transaction without applying it. A REPLACE_ALL leaves nothing behind. NULL is fine. */
DICTUM_API void dictum_txn_abort(dictum_txn *txn);

/* ---- sources ----------------------------------------------------------- */

#define DICTUM_SOURCE_ALIASES 0x1u /**< "name: value" as in aliases(5), not "key value" */
#define DICTUM_SOURCE_UTF8 0x2u    /**< skip lines that are not UTF-8 */
#define DICTUM_SOURCE_FILES 0x4u   /**< values name files; their content arrives as base64 */

/** Reads the text that postmap(1) and postalias(1) read. Mistakes are events of code
 * SOURCE_LINE that name file and line; the line is skipped.
 * @param fd     open for reading; not closed; its offset moves
 * @param label  what messages call it ("/etc/mail/virtual", "stdin")
 * @return OK; NOMEM. */
DICTUM_API dictum_status dictum_source_open(dictum_ctx *ctx, int fd, const char *label,
                                            uint32_t flags, dictum_source **out, dictum_error *err);
/** Gives the next entry; its pointers live until the next call on @p source.
 * @return OK; END; CONFIG when reading fails; NOMEM. */
DICTUM_API dictum_status dictum_source_next(dictum_source *source, dictum_entry *entry,
                                            dictum_error *err);
/** Returns how many bytes have been consumed, for progress. */
DICTUM_API uint64_t dictum_source_offset(const dictum_source *source);
/** Ends reading. NULL is fine. */
DICTUM_API void dictum_source_close(dictum_source *source);

/* ---- settings ---------------------------------------------------------- */

/** Reads a file in the format of main.cf, postconf(5).
 * @param path  absolute; NULL for no file, that is, defaults only
 * @param opts  only its event callback is used, for doubtful lines; may be NULL
 * @return OK; CONFIG when it cannot be opened or a line is wrong; NOMEM. */
DICTUM_API dictum_status dictum_params_read(const char *path, const dictum_ctx_opts *opts,
                                            dictum_params **out, dictum_error *err);
/** Adds settings that hold where the file has none, before any dictum_params_get(). */
DICTUM_API dictum_status dictum_params_default(dictum_params *params, const char *name,
                                               const char *value, dictum_error *err);
/** Evaluates a setting: $name, ${name?text}, ${{a} == {b} ? {x} : {y}} and so on are expanded.
 * @param value  overwritten; empty for a setting that nothing defines
 * @return OK; NOTFOUND when nothing defines it; CONFIG for a mistake in it; NOMEM. */
DICTUM_API dictum_status dictum_params_get(const dictum_params *params, const char *name,
                                           dictum_buf *value, dictum_error *err);
/** Expands @p text with these settings, as dictum_params_get() does with a value. */
DICTUM_API dictum_status dictum_params_expand(const dictum_params *params, const char *text,
                                              dictum_buf *value, dictum_error *err);
/** Releases settings. NULL is fine. */
DICTUM_API void dictum_params_free(dictum_params *params);

#ifdef __cplusplus
}
#endif
#endif
