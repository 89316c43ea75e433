/* SPDX-License-Identifier: BSD-2-Clause */
/* damage.h - files damaged as a number says. */
#ifndef DICTUM_TESTS_DAMAGE_H
#define DICTUM_TESTS_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct damage_file {
  unsigned char *bytes; /* a NUL follows */
  size_t n;
};

bool damage_read(const char *path, struct damage_file *file);

/* What damage.c says of these begins with "WHAT IS DEMANDED". */
struct damage {
  uint64_t seed;
  struct damage_file file; /* the damaged one, to be freed */
  bool exact;              /* only the structure is damaged */
  bool hides;              /* of a kind that hides records from a lookup */
  bool other_state;        /* of a kind that makes a table sound, but another */
  bool unrecognizable;     /* nothing tells that this was a table */
};

/* @return false when memory is out */
bool damage_make(struct damage *damage, const struct damage_file *pristine, const char *type,
                 uint64_t seed);

/* Tells on standard output what is damaged. */
void damage_print(const struct damage_file *pristine, const char *type, uint64_t seed);

#endif
