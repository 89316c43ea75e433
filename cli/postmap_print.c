/* SPDX-License-Identifier: BSD-2-Clause */
/* postmap_print.c - what was found, on standard output: as lines, or as JSON with -j. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "messages.h"
#include "postmap.h"

static void put(const char *text, size_t len) {
  fwrite_unlocked(text, 1, len, stdout);
}

/* Postfix copies all but the control characters, also what is not UTF-8. */
static void put_json_string(const char *text, size_t len) {
  static const char short_form[256] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                       ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
  putc_unlocked('"', stdout);
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (short_form[c])
      putc_unlocked('\\', stdout), putc_unlocked(short_form[c], stdout);
    else if (c < 0x20 || c == 0x7f)
      fprintf(stdout, "\\u%04X", c);
    else
      putc_unlocked(c, stdout);
  }
  putc_unlocked('"', stdout);
}

void postmap_print(const struct postmap *run, const char *key, size_t keylen, const char *value,
                   size_t valuelen) {
  keylen = strnlen(key, keylen);
  valuelen = strnlen(value, valuelen);
  if (run->json) {
    putc_unlocked('{', stdout);
    put_json_string(key, keylen);
    put(": ", 2);
    put_json_string(value, valuelen);
    put("}\n", 2);
    return;
  }
  bool value_only = run->query && strcmp(run->query, "-") != 0;
  if (!value_only) {
    put(key, keylen);
    put(run->face->after_key, strlen(run->face->after_key));
  }
  put(value, valuelen);
  putc_unlocked('\n', stdout);
}

void postmap_check_value(const dictum_table *table, const char *key, size_t keylen,
                         size_t valuelen) {
  if (valuelen > 0)
    return;
  struct label label = postmap_label(table);
  message("warning", "table %s:%s: key %.*s: empty string result is not allowed", LABEL(label),
          (int)keylen, key);
  message("warning", "table %s:%s should return NO RESULT in case of NOT FOUND", LABEL(label));
}

int postmap_flush(int status) {
  if (fflush(stdout) == 0 && !ferror(stdout))
    return status;
  static bool told;
  if (!told)
    message("fatal", "write standard output: %s", strerror(errno));
  told = true;
  return 1;
}
