/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * output.h - results of dictum(1) on standard output: for people, as JSON
 * lines, or as NUL-terminated records.
 *
 * A failed write is remembered and told once, by output_finish(); callers that
 * loop ask output_ok() now and then.
 */
#ifndef DICTUM_CLI_OUTPUT_H
#define DICTUM_CLI_OUTPUT_H

#include <dictum.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum output_format {
  OUTPUT_TEXT, /**< KEY<TAB>VALUE lines; failures go to standard error */
  OUTPUT_NUL,  /**< key NUL value NUL; failures go to standard error */
  OUTPUT_JSON  /**< one object a line for every outcome, failures included */
};

struct output {
  FILE *stream;
  enum output_format format;
  bool value_only; /**< there is just one key, so OUTPUT_TEXT need not name it */
  int error;       /**< errno of the first failed write, or 0 */
};

void output_init(struct output *out);

/** Tells a key that was found; @p flags are DICTUM_F_*. */
void output_found(struct output *out, const char *key, size_t keylen, const char *value,
                  size_t valuelen, uint32_t flags);
/** Tells how it went with a key when there is neither a value nor an error. Silent but in JSON. */
void output_status(struct output *out, const char *key, size_t keylen, dictum_status status);
/** Tells a failure; @p key is NULL when it is not about one key. */
void output_error(struct output *out, const char *key, size_t keylen, const dictum_error *err);

/** Prints @p object as a line and releases it; NULL stands for a failed allocation. */
void output_json(struct output *out, json_t *object);
/** Adds @p name, or "<name>_base64" when the bytes are not UTF-8, to @p object. */
void output_add_bytes(json_t *object, const char *name, const char *data, size_t len);

/** Hands what was printed to its reader. */
void output_flush(struct output *out);
/** False once a write has failed: there is nobody to go on for. */
bool output_ok(struct output *out);
/** Ends all output. @return 0, or EX_IOERR after a message. */
int output_finish(struct output *out);

#endif
