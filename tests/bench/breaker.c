/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * breaker.c - what a closed breaker adds to a lookup: the three calls that core/leaf.c makes of it
 * while the table is up, timed by themselves. Prints nanoseconds, and what api.c prints after them.
 */
#include "../../core/breaker.h"

#include <stdio.h>
#include <time.h>

enum { CALLS = 20000000 };

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

int main(void) {
  struct breaker breaker;
  uint32_t wait_ms;
  size_t up = 0;
  breaker_init(&breaker, 1000, 1000);
  double began = now_ns();
  for (size_t i = 0; i < CALLS; i++) {
    if (!breaker_is_up(&breaker) && breaker_ask(&breaker, 0, &wait_ms) == BREAKER_WAIT)
      continue;
    up += breaker_is_up(&breaker);
    breaker_success(&breaker);
  }
  printf("%.2f %zu 0 0\n", (now_ns() - began) / CALLS, up);
  return up == CALLS ? 0 : 1;
}
