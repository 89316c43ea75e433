/* SPDX-License-Identifier: BSD-2-Clause */
/* heard.h - for tests: what was told through events, and files with a given content. */
#ifndef DICTUM_TESTS_HEARD_H
#define DICTUM_TESTS_HEARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"

/** All texts so far, each with a newline; code and line of the last. */
struct heard {
  char text[4096];
  dictum_code code;
  uint64_t line;
};

static inline void heard_event(void *rock, const dictum_event *event) {
  struct heard *heard = rock;
  size_t len = strlen(heard->text);
  snprintf(heard->text + len, sizeof heard->text - len, "%s\n", event->text);
  heard->code = event->code;
  heard->line = event->line;
}

/** Returns a descriptor of a nameless file that holds @p data, or -1. */
static inline int file_with(const char *data, size_t len) {
  char path[] = "/tmp/dictum-test-XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0)
    return -1;
  unlink(path);
  for (size_t done = 0; done < len;) {
    ssize_t n = write(fd, data + done, len - done);
    if (n <= 0) {
      close(fd);
      return -1;
    }
    done += (size_t)n;
  }
  lseek(fd, 0, SEEK_SET);
  return fd;
}

/** Makes the file @p path with @p text in it. */
static inline int write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (!file)
    return -1;
  fputs(text, file);
  return fclose(file);
}

#endif
