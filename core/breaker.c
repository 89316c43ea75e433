/* SPDX-License-Identifier: BSD-2-Clause */
/* breaker.c - when to leave a table alone that does not answer. */
#include "breaker.h"

/* SETTLING: one thread, which got here by compare-exchange, sets the pause and then the state. */
enum { UP, DOWN, PROBING, SETTLING };
enum { failures_allowed = 3 };

void breaker_init(struct breaker *breaker, uint32_t min_ms, uint32_t max_ms) {
  atomic_init(&breaker->state, UP);
  atomic_init(&breaker->failures, 0);
  atomic_init(&breaker->until, 0);
  breaker->pause_ms = 0;
  breaker->min_ms = min_ms;
  breaker->max_ms = max_ms < min_ms ? min_ms : max_ms;
}

bool breaker_is_up(const struct breaker *breaker) {
  return atomic_load_explicit(&breaker->state, memory_order_relaxed) == UP;
}

enum breaker_state breaker_look(const struct breaker *breaker, uint32_t *failures) {
  const int state = atomic_load(&breaker->state);
  *failures = state == UP ? atomic_load(&breaker->failures) : 0;
  if (state == UP)
    return BREAKER_UP;
  return state == DOWN ? BREAKER_DOWN : BREAKER_PROBING;
}

uint32_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ns) {
  int64_t left = atomic_load(&breaker->until) - now_ns;
  /* Never 0 while down: 0 means "no estimate". */
  return left <= 1000000 ? 1 : (uint32_t)(left / 1000000);
}

enum breaker_leave breaker_ask(struct breaker *breaker, int64_t now_ns, uint32_t *wait_ms) {
  if (breaker_is_up(breaker))
    return BREAKER_GO;
  int down = DOWN;
  if (now_ns >= atomic_load(&breaker->until) &&
      atomic_compare_exchange_strong(&breaker->state, &down, PROBING))
    return BREAKER_PROBE;
  *wait_ms = breaker_wait_ms(breaker, now_ns);
  return BREAKER_WAIT;
}

bool breaker_success(struct breaker *breaker) {
  if (breaker_is_up(breaker)) {
    if (atomic_load_explicit(&breaker->failures, memory_order_relaxed) != 0)
      atomic_store(&breaker->failures, 0);
    return false;
  }
  int probing = PROBING;
  if (!atomic_compare_exchange_strong(&breaker->state, &probing, SETTLING))
    return false;
  breaker->pause_ms = 0;
  atomic_store(&breaker->failures, 0);
  atomic_store(&breaker->state, UP);
  return true;
}

static void set_pause(struct breaker *breaker, enum breaker_fault fault, int64_t now_ns) {
  uint64_t pause_ms = breaker->pause_ms ? (uint64_t)breaker->pause_ms * 2 : breaker->min_ms;
  if (pause_ms > breaker->max_ms || fault == BREAKER_LASTING)
    pause_ms = breaker->max_ms;
  breaker->pause_ms = (uint32_t)pause_ms;
  /* The low bits of the clock are chance enough to spread callers. */
  int64_t spread = (now_ns / 1000) % 401 - 200; /* -200 .. 200 thousandths */
  atomic_store(&breaker->until,
               now_ns + (int64_t)pause_ms * 1000000 + (int64_t)pause_ms * 1000 * spread);
}

bool breaker_failure(struct breaker *breaker, enum breaker_fault fault, int64_t now_ns) {
  int probing = PROBING;
  if (atomic_compare_exchange_strong(&breaker->state, &probing, SETTLING)) {
    set_pause(breaker, fault, now_ns);
    atomic_store(&breaker->state, DOWN);
    return false;
  }
  /* A call that was under way when another took the table down adds nothing. */
  if (!breaker_is_up(breaker))
    return false;
  if (atomic_fetch_add(&breaker->failures, 1) + 1 < failures_allowed && fault == BREAKER_COUNTED)
    return false;
  int up = UP;
  if (!atomic_compare_exchange_strong(&breaker->state, &up, SETTLING))
    return false;
  set_pause(breaker, fault, now_ns);
  atomic_store(&breaker->state, DOWN);
  return true;
}
