/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inline.c - tables whose entries stand in their name: "inline:{ key=value, {key = text} }".
 *
 * A key ends at the first '=' outside of quotes; quotes and backslashes are
 * part of the key, as in a source file. Of equal keys the last wins. With
 * DICTUM_OPEN_FILES values name files, and all of them must be readable.
 * Threads: any number.
 */
#include "builtin.h"

#include <string.h>

#include "braces.h"
#include "error.h"
#include "lines.h"
#include "memtable.h"

/* A table that is being read. */
struct reading {
  const dictum_host *host;
  const dictum_open_args *args;
  struct memtable *table;
  dictum_buf content; /* of files */
};

static dictum_status refuse(const struct reading *reading, dictum_status status, const char *what,
                            dictum_error *err) {
  return error_set(err, status, 0, "%s: \"inline:%.200s\"; need \"inline:{name=%s...}\"", what,
                   reading->args->name,
                   reading->args->flags & DICTUM_OPEN_FILES ? "filename" : "value");
}

/* Returns where the key ends: at '=' or white space, outside of quotes. @p open: one is missing. */
static size_t key_len(struct piece pair, bool *open) {
  bool quoted = false;
  size_t i = 0;
  for (; i < pair.len; i++) {
    if (pair.text[i] == '\\')
      i++;
    else if (pair.text[i] == '"')
      quoted = !quoted;
    else if (!quoted && (pair.text[i] == '=' || is_space(pair.text[i])))
      break;
  }
  *open = quoted;
  return i < pair.len ? i : pair.len;
}

/* @return NULL, or what is wrong, a constant. */
static const char *split_pair(struct piece pair, dictum_key *key, dictum_key *value) {
  if (pair.len == 0)
    return "no key found; expected format: key = value";
  bool open;
  size_t keylen = key_len(pair, &open);
  if (open)
    return "unbalanced '\"'";
  struct piece rest = piece_trim((struct piece){pair.text + keylen, pair.len - keylen});
  if (rest.len == 0 || rest.text[0] != '=')
    return "missing '=' after attribute name";
  rest = piece_trim((struct piece){rest.text + 1, rest.len - 1});
  *key = (dictum_key){pair.text, keylen};
  *value = (dictum_key){rest.text, rest.len};
  return NULL;
}

static dictum_status read_files(struct reading *reading, dictum_key *value, dictum_error *err) {
  dictum_error why = DICTUM_ERROR_INIT;
  dictum_status status = reading->host->file_value(value->p, value->n, &reading->content, &why);
  if (status != DICTUM_OK)
    return refuse(reading, status, why.what, err);
  *value = (dictum_key){reading->content.data, reading->content.len};
  return DICTUM_OK;
}

/* @p word is "key=value" or "{ key = value }". */
static dictum_status read_word(struct reading *reading, struct piece word, dictum_error *err) {
  struct piece pair = word;
  dictum_key key, value;
  const char *mistake = word.text[0] == '{' ? braces_strip(word, &pair) : NULL;
  if (mistake) {
    char what[256];
    text_format(what, sizeof what, "%s in \"%.*s\"", mistake,
                (int)(word.len < 200 ? word.len : 200), word.text);
    return refuse(reading, DICTUM_INVALID, what, err);
  }
  mistake = split_pair(piece_trim(pair), &key, &value);
  if (mistake)
    return refuse(reading, DICTUM_INVALID, mistake, err);
  if (reading->args->flags & DICTUM_OPEN_FILES) {
    dictum_status status = read_files(reading, &value, err);
    if (status != DICTUM_OK)
      return status;
  }
  const dictum_entry entry = {key.p, key.n, value.p, value.n, 0};
  if (memtable_put(reading->table, &entry, DICTUM_DUP_REPLACE, NULL) != DICTUM_OK)
    return error_nomem(err);
  return DICTUM_OK;
}

static dictum_status read_name(struct reading *reading, dictum_error *err) {
  const char *name = reading->args->name;
  struct piece rest, word;
  if (strcmp(name, "{}") == 0 || braces_strip(piece_of(name), &rest))
    return refuse(reading, DICTUM_INVALID, "bad syntax", err);
  while (braces_next_word(&rest, &word)) {
    dictum_status status = read_word(reading, word, err);
    if (status != DICTUM_OK)
      return status;
  }
  if (memtable_count(reading->table) == 0)
    return refuse(reading, DICTUM_INVALID, "empty table", err);
  return DICTUM_OK;
}

static dictum_status inline_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                 dictum_error *err) {
  struct reading reading = {host, args, memtable_new(host, memtable_flags(host, args)), {0}};
  if (!reading.table)
    return error_nomem(err);
  dictum_status status = read_name(&reading, err);
  dictum_buf_free(&reading.content);
  if (status != DICTUM_OK) {
    memtable_free(reading.table);
    return status;
  }
  *self = reading.table;
  return DICTUM_OK;
}

static const dictum_opt inline_opts[] = {MEMTABLE_UTF8_OPT};

const dictum_type inline_type = {
    .name = "inline",
    .summary = "entries that stand in the name: {key=value, {key = text}}",
    .caps = DICTUM_CAP_ITERATE,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = inline_opts,
    .nopts = sizeof inline_opts / sizeof inline_opts[0],
    .open = inline_open,
    .close = memtable_close,
    .forget = memtable_close,
    .lookup = memtable_lookup,
    .lookup_many = memtable_lookup_many,
    .iter_open = memtable_iter_open,
    .iter_next = memtable_iter_next,
    .iter_close = memtable_iter_close,
};
