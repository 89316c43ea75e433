/* SPDX-License-Identifier: BSD-2-Clause */
/* output.c - results of dictum(1) on standard output. */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "messages.h"

void output_init(struct output *out) {
  *out = (struct output){stdout, OUTPUT_TEXT, false, 0};
  static char buffer[64 * 1024];
  if (isatty(STDOUT_FILENO) != 1)
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
}

static void note_failure(struct output *out) {
  if (out->error == 0)
    out->error = errno ? errno : EIO;
}

static void put(struct output *out, const char *data, size_t len) {
  if (len > 0 && fwrite_unlocked(data, 1, len, out->stream) != len)
    note_failure(out);
}

static void put_char(struct output *out, char c) {
  if (putc_unlocked(c, out->stream) == EOF)
    note_failure(out);
}

/* ---- JSON -------------------------------------------------------------- */

/* RFC 4648, section 4. NULL when memory is out. */
static json_t *base64(const char *data, size_t len) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t size;
  if (__builtin_mul_overflow(len / 3 + 1, 4, &size))
    return NULL;
  char *text = malloc(size);
  if (!text)
    return NULL;
  size_t used = 0;
  for (size_t i = 0; i < len; i += 3) {
    unsigned bits = (unsigned)(unsigned char)data[i] << 16;
    if (i + 1 < len)
      bits |= (unsigned)(unsigned char)data[i + 1] << 8;
    if (i + 2 < len)
      bits |= (unsigned char)data[i + 2];
    text[used++] = digits[bits >> 18];
    text[used++] = digits[bits >> 12 & 63];
    text[used++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
    text[used++] = i + 2 < len ? digits[bits & 63] : '=';
  }
  json_t *string = json_stringn_nocheck(text, used);
  free(text);
  return string;
}

void output_add_bytes(json_t *object, const char *name, const char *data, size_t len) {
  json_t *string = json_stringn(len > 0 ? data : "", len);
  if (string) {
    json_object_set_new_nocheck(object, name, string);
    return;
  }
  char other[64];
  snprintf(other, sizeof other, "%s_base64", name);
  json_object_set_new_nocheck(object, other, base64(data, len));
}

static int write_json(const char *data, size_t len, void *rock) {
  struct output *out = rock;
  put(out, data, len);
  return 0;
}

void output_json(struct output *out, json_t *object) {
  if (!object || json_dump_callback(object, write_json, out, JSON_COMPACT) != 0) {
    errno = ENOMEM;
    note_failure(out);
  }
  put_char(out, '\n');
  json_decref(object);
}

static void add_text(json_t *object, const char *name, const char *text) {
  json_object_set_new_nocheck(object, name, json_string(text));
}

static json_t *outcome(const char *key, size_t keylen, dictum_status status) {
  json_t *object = json_object();
  if (key)
    output_add_bytes(object, "key", key, keylen);
  add_text(object, "status", dictum_status_name(status));
  return object;
}

static void add_flags(json_t *object, uint32_t flags) {
  json_t *names = json_array();
  if (flags & DICTUM_F_STALE)
    json_array_append_new(names, json_string("stale"));
  if (flags & DICTUM_F_CACHED)
    json_array_append_new(names, json_string("cached"));
  json_object_set_new_nocheck(object, "flags", names);
}

static void json_found(struct output *out, const char *key, size_t keylen, const char *value,
                       size_t valuelen, uint32_t flags) {
  json_t *object = outcome(key, keylen, DICTUM_OK);
  output_add_bytes(object, "value", value, valuelen);
  if (flags)
    add_flags(object, flags);
  output_json(out, object);
}

static void json_error(struct output *out, const char *key, size_t keylen,
                       const dictum_error *err) {
  json_t *object = outcome(key, keylen, err->status);
  if (err->where[0] != '\0')
    add_text(object, "where", err->where);
  add_text(object, "error", err->what);
  add_text(object, "code", dictum_code_name(err->code));
  if (err->status == DICTUM_RETRY)
    json_object_set_new_nocheck(object, "retry_after_ms", json_integer(err->retry_after_ms));
  if (err->line > 0)
    json_object_set_new_nocheck(object, "line", json_integer((json_int_t)err->line));
  output_json(out, object);
}

/* ---- outcomes ---------------------------------------------------------- */

void output_found(struct output *out, const char *key, size_t keylen, const char *value,
                  size_t valuelen, uint32_t flags) {
  if (out->format == OUTPUT_JSON) {
    json_found(out, key, keylen, value, valuelen, flags);
    return;
  }
  bool records = out->format == OUTPUT_NUL;
  if (records || !out->value_only) {
    put(out, key, keylen);
    put_char(out, records ? '\0' : '\t');
  }
  put(out, value, valuelen);
  put_char(out, records ? '\0' : '\n');
}

void output_status(struct output *out, const char *key, size_t keylen, dictum_status status) {
  if (out->format == OUTPUT_JSON)
    output_json(out, outcome(key, keylen, status));
}

/* More of a key than this tells nobody more. */
enum { shown_key_size = 80 };

static void print_error(const dictum_error *err, const char *key, size_t keylen) {
  const char *colon = err->where[0] != '\0' ? ": " : "";
  if (!key) {
    message(NULL, "%s%s%s", err->where, colon, err->what);
    return;
  }
  bool cut = keylen > shown_key_size;
  message(NULL, "%s%s%s (key \"%.*s%s\")", err->where, colon, err->what,
          (int)(cut ? shown_key_size : keylen), key, cut ? "..." : "");
}

void output_error(struct output *out, const char *key, size_t keylen, const dictum_error *err) {
  if (out->format == OUTPUT_JSON)
    json_error(out, key, keylen, err);
  else
    print_error(err, out->value_only ? NULL : key, keylen);
}

/* ---- the stream -------------------------------------------------------- */

void output_flush(struct output *out) {
  if (fflush(out->stream) != 0)
    note_failure(out);
}

bool output_ok(struct output *out) {
  return out->error == 0;
}

int output_finish(struct output *out) {
  output_flush(out);
  if (out->error == 0)
    return 0;
  message(NULL, "write standard output: %s", strerror(out->error));
  return EX_IOERR;
}
