/* SPDX-License-Identifier: BSD-2-Clause */
/* test_breaker.c - when a table is left alone, and who may try it again. */
#include "unit.h"

#include <pthread.h>

#include "breaker.h"

static const int64_t ms = 1000000;
enum { min_ms = 100, max_ms = 1000, nthreads = 8 };

static struct breaker new_breaker(void) {
  struct breaker breaker;
  breaker_init(&breaker, min_ms, max_ms);
  return breaker;
}

/* The pause that begins at @p now, in milliseconds; must be @p expected, give or take a fifth. */
static void assert_pause(const struct breaker *breaker, int64_t now, uint32_t expected) {
  uint32_t wait_ms = breaker_wait_ms(breaker, now);
  assert_in_range(wait_ms, expected * 8 / 10 - 1, expected * 12 / 10);
}

static void is_up_at_first(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  uint32_t wait_ms = 77;
  assert_true(breaker_is_up(&breaker));
  assert_int_equal(breaker_ask(&breaker, 0, &wait_ms), BREAKER_GO);
  assert_int_equal(wait_ms, 77);
}

static void goes_down_after_three_failures(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  assert_false(breaker_failure(&breaker, BREAKER_COUNTED, 0));
  assert_false(breaker_failure(&breaker, BREAKER_COUNTED, 0));
  assert_true(breaker_is_up(&breaker));
  assert_true(breaker_failure(&breaker, BREAKER_COUNTED, 0));
  assert_false(breaker_is_up(&breaker));
  assert_false(breaker_failure(&breaker, BREAKER_COUNTED, 0)); /* told once */
}

static void success_begins_the_count_anew(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  for (int i = 0; i < 10; i++) {
    assert_false(breaker_failure(&breaker, BREAKER_COUNTED, 0));
    assert_false(breaker_failure(&breaker, BREAKER_COUNTED, 0));
    assert_false(breaker_success(&breaker));
  }
  assert_true(breaker_is_up(&breaker));
}

static void open_failure_counts_at_once(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  assert_true(breaker_failure(&breaker, BREAKER_AT_ONCE, 0));
  assert_pause(&breaker, 0, min_ms);
}

static void lasting_failure_waits_longest(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  assert_true(breaker_failure(&breaker, BREAKER_LASTING, 5 * ms));
  assert_pause(&breaker, 5 * ms, max_ms);
}

static void one_probe_after_the_pause(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  uint32_t wait_ms = 0;
  breaker_failure(&breaker, BREAKER_AT_ONCE, 0);
  assert_int_equal(breaker_ask(&breaker, 1 * ms, &wait_ms), BREAKER_WAIT);
  assert_in_range(wait_ms, 1, 120);
  assert_int_equal(breaker_ask(&breaker, 121 * ms, &wait_ms), BREAKER_PROBE);
  wait_ms = 0;
  assert_int_equal(breaker_ask(&breaker, 121 * ms, &wait_ms), BREAKER_WAIT);
  assert_int_not_equal(wait_ms, 0); /* 0 would mean that nobody knows */
}

static void pause_doubles_up_to_the_longest(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  int64_t now = 0;
  uint32_t wait_ms;
  assert_true(breaker_failure(&breaker, BREAKER_AT_ONCE, now));
  static const uint32_t pauses[] = {100, 200, 400, 800, 1000, 1000};
  for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
    assert_pause(&breaker, now, pauses[i]);
    now += 2 * (int64_t)max_ms * ms;
    assert_int_equal(breaker_ask(&breaker, now, &wait_ms), BREAKER_PROBE);
    assert_false(breaker_failure(&breaker, BREAKER_AT_ONCE, now));
  }
}

static void success_of_the_probe_brings_it_back(void **state) {
  (void)state;
  struct breaker breaker = new_breaker();
  uint32_t wait_ms;
  int64_t now = 0;
  for (int i = 0; i < 3; i++) {
    assert_true(breaker_failure(&breaker, BREAKER_AT_ONCE, now));
    assert_pause(&breaker, now, min_ms); /* not longer than the last time */
    now += 2 * (int64_t)max_ms * ms;
    assert_int_equal(breaker_ask(&breaker, now, &wait_ms), BREAKER_PROBE);
    assert_true(breaker_success(&breaker));
    assert_true(breaker_is_up(&breaker));
    assert_false(breaker_success(&breaker)); /* told once */
  }
}

static void longest_pause_is_never_below_the_first(void **state) {
  (void)state;
  struct breaker breaker;
  breaker_init(&breaker, 500, 100);
  breaker_failure(&breaker, BREAKER_LASTING, 0);
  assert_pause(&breaker, 0, 500);
}

static void longest_pause_of_all_does_not_overflow(void **state) {
  (void)state;
  struct breaker breaker;
  uint32_t wait_ms;
  int64_t now = 0;
  breaker_init(&breaker, UINT32_MAX - 1, UINT32_MAX - 1);
  breaker_failure(&breaker, BREAKER_AT_ONCE, now);
  assert_int_equal(breaker_ask(&breaker, now, &wait_ms), BREAKER_WAIT);
  assert_true(wait_ms > UINT32_MAX / 2);
}

/* ---- several threads --------------------------------------------------------------------------
 */

struct crowd {
  struct breaker breaker;
  pthread_barrier_t gate;
  atomic_int yes;
};

static void run_crowd(struct crowd *crowd, void *(*each)(void *crowd)) {
  pthread_t threads[nthreads];
  assert_int_equal(pthread_barrier_init(&crowd->gate, NULL, nthreads), 0);
  for (int i = 0; i < nthreads; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, each, crowd), 0);
  for (int i = 0; i < nthreads; i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  pthread_barrier_destroy(&crowd->gate);
}

static void *ask_after_the_pause(void *rock) {
  struct crowd *crowd = rock;
  uint32_t wait_ms;
  pthread_barrier_wait(&crowd->gate);
  if (breaker_ask(&crowd->breaker, 10000 * ms, &wait_ms) == BREAKER_PROBE)
    atomic_fetch_add(&crowd->yes, 1);
  return NULL;
}

static void one_thread_probes(void **state) {
  (void)state;
  for (int round = 0; round < 200; round++) {
    struct crowd crowd = {.breaker = new_breaker()};
    breaker_failure(&crowd.breaker, BREAKER_AT_ONCE, 0);
    run_crowd(&crowd, ask_after_the_pause);
    assert_int_equal(atomic_load(&crowd.yes), 1);
  }
}

static void *fail_thrice(void *rock) {
  struct crowd *crowd = rock;
  pthread_barrier_wait(&crowd->gate);
  for (int i = 0; i < 3; i++)
    if (breaker_failure(&crowd->breaker, BREAKER_COUNTED, 0))
      atomic_fetch_add(&crowd->yes, 1);
  return NULL;
}

/* All calls that were under way fail at once: that is one outage, with the first pause. */
static void one_thread_tells_that_it_is_down(void **state) {
  (void)state;
  for (int round = 0; round < 200; round++) {
    struct crowd crowd = {.breaker = new_breaker()};
    run_crowd(&crowd, fail_thrice);
    assert_int_equal(atomic_load(&crowd.yes), 1);
    assert_false(breaker_is_up(&crowd.breaker));
    assert_pause(&crowd.breaker, 0, min_ms);
  }
}

static void *live(void *rock) {
  struct crowd *crowd = rock;
  pthread_barrier_wait(&crowd->gate);
  for (int64_t now = 0; now < 3000; now++) {
    uint32_t wait_ms;
    if (breaker_ask(&crowd->breaker, now * ms, &wait_ms) == BREAKER_WAIT)
      continue;
    if (now % 7 < 4) {
      if (breaker_failure(&crowd->breaker, BREAKER_COUNTED, now * ms))
        atomic_fetch_add(&crowd->yes, 1);
    } else if (breaker_success(&crowd->breaker)) {
      atomic_fetch_sub(&crowd->yes, 1);
    }
  }
  return NULL;
}

/* Each way down is told once, each way up once, in turn, whoever asks, fails and succeeds. */
static void ups_and_downs_are_told_in_turn(void **state) {
  (void)state;
  for (int round = 0; round < 50; round++) {
    struct crowd crowd = {.breaker = new_breaker()};
    run_crowd(&crowd, live);
    assert_int_equal(atomic_load(&crowd.yes), breaker_is_up(&crowd.breaker) ? 0 : 1);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(is_up_at_first),
      cmocka_unit_test(goes_down_after_three_failures),
      cmocka_unit_test(success_begins_the_count_anew),
      cmocka_unit_test(open_failure_counts_at_once),
      cmocka_unit_test(lasting_failure_waits_longest),
      cmocka_unit_test(one_probe_after_the_pause),
      cmocka_unit_test(pause_doubles_up_to_the_longest),
      cmocka_unit_test(success_of_the_probe_brings_it_back),
      cmocka_unit_test(longest_pause_is_never_below_the_first),
      cmocka_unit_test(longest_pause_of_all_does_not_overflow),
      cmocka_unit_test(one_thread_probes),
      cmocka_unit_test(one_thread_tells_that_it_is_down),
      cmocka_unit_test(ups_and_downs_are_told_in_turn),
  };
  return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
