/* SPDX-License-Identifier: BSD-2-Clause */
/* rule.h - a rule of a cidr table, or the condition of an IF. */
#ifndef DICTUM_CIDR_RULE_H
#define DICTUM_CIDR_RULE_H

#include "network.h"

struct rule {
  struct network network;
  bool negated; /**< it is for the other addresses of the same family */
  size_t len;
  char value[]; /**< `len` bytes; none for an IF */
};

#endif
