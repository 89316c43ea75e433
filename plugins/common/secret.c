/* SPDX-License-Identifier: BSD-2-Clause */
/* secret.c - files that hold secrets: where they are, who may read them, what is in them. */
#include "secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { longest_secret = 4096 };

dictum_status secret_locate(const struct settings *settings, const char *option, char **out) {
  const char *name = settings_text(settings, option);
  const char *folder = secure_getenv("CREDENTIALS_DIRECTORY");
  *out = NULL;
  if (!*name)
    return DICTUM_OK;
  if (strchr(name, '/')) {
    *out = strdup(name);
    return *out ? DICTUM_OK : settings_nomem(settings);
  }
  if (!folder)
    return settings->host->fail(settings->err, DICTUM_CONFIG, 0,
                                "%s: %s has no slash, and there is no CREDENTIALS_DIRECTORY",
                                option, name);
  if (asprintf(out, "%s/%s", folder, name) >= 0)
    return DICTUM_OK;
  *out = NULL;
  return settings_nomem(settings);
}

void secret_warn(const struct settings *settings, const char *option, const char *name,
                 const char *path) {
  struct stat st;
  const mode_t others = strchr(name, '/') ? S_IRWXG | S_IRWXO : S_IWGRP | S_IRWXO;
  if (stat(path, &st) == 0 && (st.st_mode & others))
    settings->host->log(settings->args->slot, DICTUM_LEVEL_WARNING, DICTUM_CODE_FILE,
                        "%s: %s holds a secret, and others than its owner may use it (mode %04o)",
                        option, path, (unsigned)(st.st_mode & 07777));
}

bool secret_is_private(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISREG(st.st_mode) && !(st.st_mode & (S_IRWXG | S_IRWXO));
}

static ssize_t read_all(int fd, char *data, size_t size) {
  size_t len = 0;
  while (len < size) {
    ssize_t n = read(fd, data + len, size - len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    if (n == 0)
      break;
    len += (size_t)n;
  }
  return (ssize_t)len;
}

dictum_status secret_read(const dictum_host *host, const char *option, const char *path,
                          struct text *out, dictum_error *err) {
  if (!text_reserve(out, longest_secret + 1))
    return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  ssize_t len = fd < 0 ? -1 : read_all(fd, out->data, longest_secret + 1);
  int error = errno;
  char reason[128];
  if (fd >= 0)
    close(fd);
  if (len < 0)
    return host->fail(err, DICTUM_CONFIG, error, "%s: %s: %s", option, path,
                      strerror_r(error, reason, sizeof reason));
  out->data[len] = '\0';
  out->len = strcspn(out->data, "\r\n");
  out->data[out->len] = '\0';
  if (out->len == 0 || len > longest_secret)
    return host->fail(err, DICTUM_CONFIG, 0, "%s: %s: %s", option, path,
                      out->len ? "it is too long" : "its first line is empty");
  return DICTUM_OK;
}

void secret_free(struct text *secret) {
  if (secret->data)
    explicit_bzero(secret->data, secret->room);
  text_free(secret);
}
