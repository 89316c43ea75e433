/* SPDX-License-Identifier: BSD-2-Clause */
/* suggest.c - "did you mean build?" */
#include "command.h"

#include <string.h>

enum { longest_word = 31, largest_distance = 2 };

static unsigned smaller(unsigned a, unsigned b) {
  return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours that make one word of the other. */
static unsigned distance(const char *a, const char *b) {
  unsigned cost[longest_word + 1][longest_word + 1];
  size_t na = strlen(a), nb = strlen(b);
  for (size_t i = 0; i <= na; i++)
    cost[i][0] = (unsigned)i;
  for (size_t j = 0; j <= nb; j++)
    cost[0][j] = (unsigned)j;
  for (size_t i = 1; i <= na; i++)
    for (size_t j = 1; j <= nb; j++) {
      unsigned change = cost[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      cost[i][j] = smaller(change, smaller(cost[i - 1][j], cost[i][j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        cost[i][j] = smaller(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[na][nb];
}

const char *suggest(const char *word, const char *const *names) {
  const char *best = NULL;
  unsigned least = largest_distance + 1;
  if (strlen(word) > longest_word)
    return NULL;
  for (; *names; names++) {
    unsigned far = strlen(*names) <= longest_word ? distance(word, *names) : least;
    /* Of a short word, two changes leave nothing. */
    if (far < least && far < strlen(word)) {
      least = far;
      best = *names;
    }
  }
  return best;
}
