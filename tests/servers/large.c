/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * large.c - one question, and then a batch that is larger than what the system keeps for a server
 * that does not read.
 *
 *     large PLUGIN TABLE
 *
 * Prints "ready" after the question and waits for a line on standard input, so that somebody can
 * stop the server; then prints how many keys of the batch had which status.
 */
#include <dictum.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { keys = 20000, key_bytes = 250, call_ms = 1000 };

static char texts[keys][key_bytes + 1];
static dictum_req reqs[keys];

static void print_statuses(void) {
  size_t counts[DICTUM_NOMEM + 1] = {0};
  for (size_t i = 0; i < keys; i++)
    counts[reqs[i].status]++;
  for (size_t i = 0; i <= DICTUM_NOMEM; i++)
    if (counts[i])
      printf("%s %zu\n", dictum_status_name((dictum_status)i), counts[i]);
}

int main(int argc, char **argv) {
  dictum_ctx *ctx;
  dictum_table *table;
  dictum_buf arena = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
  opts.timeout_ms = call_ms;
  if (argc != 3 || dictum_ctx_new(&ctx, &opts, &err) != DICTUM_OK ||
      dictum_load_plugin(ctx, argv[1], &err) != DICTUM_OK ||
      dictum_open(ctx, argv[2], 0, &table, &err) != DICTUM_OK)
    return fprintf(stderr, "large: %s\n", err.what), 78;
  for (unsigned i = 0; i < keys; i++) {
    snprintf(texts[i], sizeof texts[i], "%0*u", key_bytes, i);
    reqs[i] = (dictum_req){.key = texts[i], .keylen = key_bytes};
  }
  dictum_lookup(table, texts[0], key_bytes, &arena, NULL, NULL);
  puts("ready");
  fflush(stdout);
  getchar();
  if (dictum_lookup_many(table, reqs, keys, &arena, &err) == DICTUM_OK)
    print_statuses();
  dictum_buf_free(&arena);
  dictum_close(table);
  dictum_ctx_free(ctx);
  return 0;
}
