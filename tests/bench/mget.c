/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mget.c - what libmemcached by itself takes: keys on standard input, a thousand in one command.
 *
 *     mget HOST PORT
 *
 * Prints "key TAB value" for each that is found, as postmap -q - does. Replies come in the order of
 * the keys.
 */
#include <libmemcached/memcached.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { at_once = 1024 };

static void die(const char *what) {
  fprintf(stderr, "mget: %s\n", what);
  exit(99);
}

static void ask(memcached_st *memc, const char *const *keys, const size_t *lens, size_t n) {
  memcached_result_st result;
  memcached_return_t code = memcached_mget(memc, keys, lens, n);
  if (code != MEMCACHED_SUCCESS || !memcached_result_create(memc, &result))
    die(memcached_strerror(memc, code));
  while (memcached_fetch_result(memc, &result, &code)) {
    fwrite(memcached_result_key_value(&result), 1, memcached_result_key_length(&result), stdout);
    putchar('\t');
    fwrite(memcached_result_value(&result), 1, memcached_result_length(&result), stdout);
    putchar('\n');
  }
  if (code != MEMCACHED_END && code != MEMCACHED_NOTFOUND)
    die(memcached_strerror(memc, code));
  memcached_result_free(&result);
}

static char *read_all(size_t *len) {
  size_t room = 1 << 20;
  char *text = malloc(room);
  for (*len = 0; text;) {
    size_t n = fread(text + *len, 1, room - *len, stdin);
    *len += n;
    if (n == 0)
      return text;
    if (*len == room)
      text = realloc(text, room *= 2);
  }
  die("out of memory");
  return NULL;
}

int main(int argc, char **argv) {
  static const char *keys[at_once];
  static size_t lens[at_once];
  if (argc != 3)
    die("usage: mget HOST PORT");
  memcached_st *memc = memcached_create(NULL);
  if (!memc || memcached_server_add(memc, argv[1], (in_port_t)atoi(argv[2])) != MEMCACHED_SUCCESS)
    die("no server");
  memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
  size_t len, n = 0;
  char *text = read_all(&len), *end;
  for (char *at = text; (end = memchr(at, '\n', len - (size_t)(at - text))); at = end + 1) {
    keys[n] = at;
    lens[n++] = (size_t)(end - at);
    if (n == at_once) {
      ask(memc, keys, lens, n);
      n = 0;
    }
  }
  if (n > 0)
    ask(memc, keys, lens, n);
  memcached_free(memc);
  free(text);
  return 0;
}
