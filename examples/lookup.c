/* SPDX-License-Identifier: BSD-2-Clause */
/* lookup.c - asks one table for one key. Build: cc lookup.c $(pkg-config --cflags --libs dictum) */
#include <dictum.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  dictum_ctx *ctx = NULL;
  dictum_table *table = NULL;
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_status status;

  if (argc != 3)
    return fprintf(stderr, "usage: lookup TYPE:NAME KEY\n"), 64;
  status = dictum_ctx_new(&ctx, NULL, &err);
  if (status == DICTUM_OK)
    status = dictum_open(ctx, argv[1], 0, &table, &err);
  if (status == DICTUM_OK)
    status = dictum_lookup(table, argv[2], strlen(argv[2]), &value, NULL, &err);

  switch (status) {
  case DICTUM_OK:
    printf("found: %s\n", value.data);
    break;
  case DICTUM_NOTFOUND:
    printf("there is no such key\n"); /* an answer, too */
    break;
  case DICTUM_RETRY:
    printf("ask again in %lu ms: %s: %s\n", (unsigned long)err.retry_after_ms, err.where, err.what);
    break;
  default:
    printf("wake the operator: %s: %s\n", err.where, err.what);
  }
  dictum_buf_free(&value);
  dictum_close(table);
  dictum_ctx_free(ctx);
  return status == DICTUM_OK ? 0 : status == DICTUM_NOTFOUND ? 1 : status == DICTUM_RETRY ? 75 : 78;
}
