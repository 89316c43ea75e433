/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw.c - the command line of the programs that use a client library alone.
 *
 *     raw KIND build SOURCE TABLE     a new table from "key value" or "key: value" lines
 *     raw KIND ask TABLE SEPARATOR    keys on standard input, prints what "postmap -q -" prints
 *     raw KIND get TABLE KEY          one key, as "postmap -q KEY"
 *     raw KIND call TABLE KEYS        prints the nanoseconds of one call, how many keys were found,
 *                                     how many were not, and 0
 *     raw KIND call-as-it-comes TABLE KEYS    the same with the memory that the library takes
 * itself
 *
 * Text is read in one piece and keys are folded in place: what must be done, and nothing else.
 * There are no continued lines or comments.
 */
#include "raw.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

enum { ROUNDS = 5 };

void die(const char *what, const char *why) {
  fprintf(stderr, "raw: %s: %s\n", what, why);
  exit(99);
}

static void *need(void *memory) {
  if (!memory)
    die("memory", "none left");
  return memory;
}

static char *read_all(int fd, size_t *len) {
  struct stat about;
  size_t room = fstat(fd, &about) == 0 && about.st_size > 0 ? (size_t)about.st_size + 2 : 1 << 20;
  char *text = need(malloc(room));
  ssize_t n;
  for (*len = 0; (n = read(fd, text + *len, room - *len - 1)) > 0; *len += (size_t)n)
    if (*len + (size_t)n + 1 == room)
      text = need(realloc(text, room *= 2));
  if (n < 0)
    die("read", "failed");
  text[*len] = '\0';
  return text;
}

static char *read_file(const char *path, size_t *len) {
  int fd = open(path, O_RDONLY);
  if (fd < 0)
    die(path, "cannot be opened");
  char *text = read_all(fd, len);
  close(fd);
  return text;
}

/* Folded text is no longer than @p len bytes for what generate.c makes. */
static void fold(char *key, size_t len) {
  unsigned char high = 0;
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)key[i];
    high |= c;
    key[i] = (char)(c + ((unsigned char)(c - 'A') < 26) * 32);
  }
  if (high < 0x80)
    return;
  utf8proc_uint8_t *folded;
  utf8proc_ssize_t n = utf8proc_map((utf8proc_uint8_t *)key, (utf8proc_ssize_t)len, &folded,
                                    UTF8PROC_CASEFOLD);
  if (n != (utf8proc_ssize_t)len)
    die(key, "cannot be folded in place");
  memcpy(key, folded, len);
  free(folded);
}

/* Cuts the line [@p line, @p end) into a record. */
static struct record cut(char *line, char *end) {
  char *key_end = line, *value;
  while (*key_end != ' ' && *key_end != '\t' && key_end < end)
    key_end++;
  for (value = key_end; *value == ' ' || *value == '\t';)
    value++;
  if (key_end[-1] == ':')
    key_end--;
  *key_end = *end = '\0';
  fold(line, (size_t)(key_end - line));
  return (struct record){.key = line,
                         .key_len = (uint32_t)(key_end - line),
                         .value = value,
                         .value_len = (uint32_t)(end - value)};
}

static struct record *read_records(const char *path, size_t *n) {
  size_t len, room = 1 << 16;
  char *text = read_file(path, &len), *end;
  struct record *records = need(malloc(room * sizeof *records));
  *n = 0;
  for (char *at = text; (end = memchr(at, '\n', len - (size_t)(at - text))); at = end + 1) {
    if (*n == room)
      records = need(realloc(records, (room *= 2) * sizeof *records));
    records[(*n)++] = cut(at, end);
  }
  return records;
}

/* ---- order ---------------------------------------------------------------------------------- */

static int compare(const void *left, const void *right) {
  const struct record *a = left, *b = right;
  if (a->order != b->order)
    return a->order < b->order ? -1 : 1;
  int order = memcmp(a->key, b->key, a->key_len < b->key_len ? a->key_len : b->key_len);
  if (order == 0 && a->key_len != b->key_len)
    return a->key_len < b->key_len ? -1 : 1;
  if (order == 0)
    return a->key < b->key ? -1 : 1; /* the first in the source */
  return order;
}

static size_t common_prefix(const struct record *records, size_t n) {
  size_t len = n > 0 ? records[0].key_len : 0;
  for (size_t i = 1; i < n; i++) {
    size_t same = 0;
    while (same < len && same < records[i].key_len && records[i].key[same] == records[0].key[same])
      same++;
    len = same;
  }
  return len;
}

/* The eight bytes after what all keys begin with decide nearly always. */
static void set_order(struct record *records, size_t n) {
  size_t skip = common_prefix(records, n);
  for (size_t i = 0; i < n; i++) {
    uint64_t order = 0;
    for (size_t at = skip; at < skip + 8; at++)
      order = order << 8 | (at < records[i].key_len ? (unsigned char)records[i].key[at] : 0);
    records[i].order = order;
  }
}

static int is_same(const struct record *a, const struct record *b) {
  return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

void sort_by_key(struct record *records, size_t *n) {
  set_order(records, *n);
  qsort(records, *n, sizeof *records, compare);
  size_t kept = 0;
  for (size_t i = 0; i < *n; i++)
    if (kept == 0 || !is_same(&records[kept - 1], &records[i]))
      records[kept++] = records[i];
  *n = kept;
}

static int compare_places(const void *left, const void *right) {
  const struct record *a = left, *b = right;
  return a->key < b->key ? -1 : a->key > b->key;
}

void drop_duplicates(struct record *records, size_t *n) {
  sort_by_key(records, n);
  qsort(records, *n, sizeof *records, compare_places);
}

/* ---- questions ------------------------------------------------------------------------------ */

static void ask(const char *separator) {
  size_t len, value_len;
  const char *value;
  char *text = read_all(STDIN_FILENO, &len), *end, *folded = need(malloc(len + 1));
  for (char *at = text; (end = memchr(at, '\n', len - (size_t)(at - text))); at = end + 1) {
    size_t key_len = (size_t)(end - at);
    memcpy(folded, at, key_len);
    folded[key_len] = '\0';
    fold(folded, key_len);
    if (!store_get(folded, key_len, &value, &value_len))
      continue;
    fwrite_unlocked(at, 1, key_len, stdout);
    fputs_unlocked(separator, stdout);
    fwrite_unlocked(value, 1, value_len, stdout);
    putchar_unlocked('\n');
  }
}

static int get(char *key) {
  size_t value_len;
  const char *value;
  fold(key, strlen(key));
  if (!store_get(key, strlen(key), &value, &value_len))
    return 1;
  printf("%.*s\n", (int)value_len, value);
  return 0;
}

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* @return how many were found. An answer counts when it was copied, as a caller must. */
static size_t call_all(const struct record *keys, size_t n) {
  static char copy[1 << 16];
  size_t found = 0, value_len;
  const char *value;
  for (size_t i = 0; i < n; i++)
    if (store_get(keys[i].key, keys[i].key_len, &value, &value_len)) {
      memcpy(copy, value, value_len < sizeof copy ? value_len : sizeof copy);
      found++;
    }
  return found;
}

static void call(const char *path) {
  size_t n;
  struct record *keys = read_records(path, &n);
  size_t found = call_all(keys, n); /* warms up */
  double began = now_ns();
  for (int round = 0; round < ROUNDS; round++)
    if (call_all(keys, n) != found)
      die("call", "answers change");
  printf("%.2f %zu %zu 0\n", (now_ns() - began) / (double)(ROUNDS * n), found, n - found);
}

static void build(const char *kind, const char *source, const char *table) {
  size_t n;
  struct record *records = read_records(source, &n);
  store_build(kind, table, records, n);
}

static enum purpose purpose_of(const char *what) {
  if (strcmp(what, "get") == 0)
    return ONE_KEY;
  return strcmp(what, "call-as-it-comes") == 0 ? MANY_KEYS_AS_IT_COMES : MANY_KEYS;
}

int main(int argc, char **argv) {
  if (argc != 5)
    die("usage", "raw KIND build SOURCE TABLE | ask TABLE SEPARATOR | get TABLE KEY | "
                 "call|call-as-it-comes TABLE KEYS");
  const char *kind = argv[1], *what = argv[2];
  if (strcmp(what, "build") == 0) {
    build(kind, argv[3], argv[4]);
    return 0;
  }
  const enum purpose purpose = purpose_of(what);
  store_open(kind, argv[3], purpose);
  if (purpose == ONE_KEY)
    return get(argv[4]);
  if (strcmp(what, "ask") == 0)
    ask(argv[4]);
  else
    call(argv[4]);
  return fflush(stdout) == 0 ? 0 : 74;
}
