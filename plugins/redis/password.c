/* SPDX-License-Identifier: BSD-2-Clause */
/* password.c - a password that lies in a file of its own. */
#include "password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { longest = 4096 };

static void warn(const dictum_host *host, dictum_slot *slot, const char *path) {
  struct stat st;
  if (stat(path, &st) == 0 && (st.st_mode & S_IRWXO))
    host->log(slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_FILE,
              "password_file: %s may be used by anybody (mode %04o)", path,
              (unsigned)(st.st_mode & 07777));
}

dictum_status redis_password_locate(const dictum_host *host, const dictum_open_args *args,
                                    const char *name, char **out, dictum_error *err) {
  const char *folder = strchr(name, '/') ? "" : secure_getenv("CREDENTIALS_DIRECTORY");
  *out = NULL;
  if (*name == '\0')
    return DICTUM_OK;
  if (!folder)
    return host->fail(err, DICTUM_CONFIG, 0,
                      "%s: password_file: %s has no slash, and there is no CREDENTIALS_DIRECTORY",
                      args->name, name);
  if (asprintf(out, "%s%s%s", folder, *folder ? "/" : "", name) < 0) {
    *out = NULL;
    return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
  }
  warn(host, args->slot, *out);
  return DICTUM_OK;
}

static bool refuse(struct fault *fault, const char *path, int sys_errno, const char *why) {
  char text[200], words[128];
  snprintf(text, sizeof text, "password_file: %.100s: %s", path,
           why ? why : strerror_r(sys_errno, words, sizeof words));
  return fault_set(fault, FAULT_DENIED, sys_errno, text);
}

bool redis_password_read(const char *path, struct text *out, struct fault *fault) {
  if (!text_reserve(out, longest + 1))
    return fault_set(fault, FAULT_NOMEM, ENOMEM, "out of memory");
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  ssize_t len = fd < 0 ? -1 : read(fd, out->data, longest + 1);
  int error = errno;
  if (fd >= 0)
    close(fd);
  if (len < 0)
    return refuse(fault, path, error, NULL);
  out->data[len] = '\0';
  out->len = strcspn(out->data, "\r\n");
  out->data[out->len] = '\0';
  if (len > longest || out->len == 0)
    return refuse(fault, path, 0, out->len ? "it is too long" : "its first line is empty");
  return true;
}

void redis_password_free(struct text *password) {
  if (password->data)
    explicit_bzero(password->data, password->room);
  text_free(password);
}
