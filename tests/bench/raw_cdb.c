/* SPDX-License-Identifier: BSD-2-Clause */
/* raw_cdb.c - cdb tables by TinyCDB alone. Equal keys are found in memory, never read back. */
#include "raw.h"

#include <cdb.h>
#include <fcntl.h>
#include <unistd.h>

static struct cdb table;

void store_build(const char *kind, const char *path, struct record *records, size_t n) {
  (void)kind;
  struct cdb_make make;
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
  drop_duplicates(records, &n);
  if (fd < 0 || cdb_make_start(&make, fd) != 0)
    die(path, "cannot be made");
  for (size_t i = 0; i < n; i++)
    if (cdb_make_add(&make, records[i].key, records[i].key_len, records[i].value,
                     records[i].value_len) != 0)
      die(path, "cannot be added to");
  if (cdb_make_finish(&make) != 0 || fsync(fd) != 0 || close(fd) != 0)
    die(path, "cannot be finished");
}

void store_open(const char *kind, const char *path, enum purpose purpose) {
  (void)kind, (void)purpose;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || cdb_init(&table, fd) != 0)
    die(path, "cannot be opened");
}

int store_get(const char *key, size_t len, const char **value, size_t *value_len) {
  if (cdb_find(&table, key, (unsigned)len) <= 0)
    return 0;
  *value = cdb_getdata(&table);
  *value_len = cdb_datalen(&table);
  if (!*value)
    die("cdb", "cannot be read");
  return 1;
}
