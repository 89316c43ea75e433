/* SPDX-License-Identifier: BSD-2-Clause */
/* fuzz_params.c - feeds the reader of main.cf, and expands the settings a, b, c and x. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "include/dictum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t sum;

static void on_event(void *rock, const dictum_event *event) {
  (void)rock;
  sum += strlen(event->text);
}

static void evaluate(const dictum_params *params) {
  static const char *const names[] = {"a", "b", "c", "x"};
  dictum_buf value = {0};
  dictum_error err = DICTUM_ERROR_INIT;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (dictum_params_get(params, names[i], &value, &err) == DICTUM_OK)
      sum += strlen(value.data);
  dictum_buf_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0)
    return 0;
  if (write(fd, data, size) == (ssize_t)size) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    dictum_ctx_opts opts = DICTUM_CTX_OPTS_INIT;
    opts.event = on_event;
    dictum_params *params;
    if (dictum_params_read(path, &opts, &params, NULL) == DICTUM_OK) {
      evaluate(params);
      dictum_params_free(params);
    }
  }
  close(fd);
  return 0;
}
