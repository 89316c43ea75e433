/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * breaker.h - when to leave a table alone that does not answer.
 *
 *   UP --(3 failures in a row, or 1 to open)--> DOWN --(pause over)--> one PROBE
 *   ^------------------------(probe succeeds)----------------------------'
 *
 * The pause doubles from retry_min_ms to retry_max_ms, spread by a fifth, so
 * that many processes do not come back in the same instant.
 */
#ifndef DICTUM_CORE_BREAKER_H
#define DICTUM_CORE_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct breaker {
  atomic_int state;
  atomic_uint failures;              /**< in a row, while up */
  atomic_int_least64_t until;        /**< while down: no attempt before this time, in ns */
  uint32_t pause_ms, min_ms, max_ms; /**< pause_ms: only the prober changes it */
};

enum breaker_leave { BREAKER_GO, BREAKER_PROBE, BREAKER_WAIT };

enum breaker_fault {
  BREAKER_COUNTED, /**< no answer: enough of these in a row take the table down */
  BREAKER_AT_ONCE, /**< it could not even be opened */
  BREAKER_LASTING  /**< will not mend by itself soon: down at once, for the longest pause */
};

void breaker_init(struct breaker *breaker, uint32_t min_ms, uint32_t max_ms);
/** May this caller try? WAIT sets @p wait_ms to the time until the next attempt. Whoever is given
 * PROBE must report with breaker_success() or breaker_failure(). */
enum breaker_leave breaker_ask(struct breaker *breaker, int64_t now_ns, uint32_t *wait_ms);
/** @return true when this brought the table back. */
bool breaker_success(struct breaker *breaker);
/** @return true when this took the table down. */
bool breaker_failure(struct breaker *breaker, enum breaker_fault fault, int64_t now_ns);
bool breaker_is_up(const struct breaker *breaker);
/** For those who look on: the state, and the failures in a row while it is up. */
enum breaker_state { BREAKER_UP, BREAKER_DOWN, BREAKER_PROBING };
enum breaker_state breaker_look(const struct breaker *breaker, uint32_t *failures);
uint32_t breaker_wait_ms(const struct breaker *breaker, int64_t now_ns);

#endif
