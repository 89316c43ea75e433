/* SPDX-License-Identifier: BSD-2-Clause */
/* test_spec.c - the name of a table, "type:name". */
#include "unit.h"

#include <stdlib.h>

#include "spec.h"

static void assert_split(const char *spec, const char *type, const char *name) {
  char *t, *n;
  assert_int_equal(spec_split(spec, &t, &n, NULL), DICTUM_OK);
  assert_string_equal(t, type);
  assert_string_equal(n, name);
  free(t);
  free(n);
}

static void splits_at_the_first_colon(void **state) {
  (void)state;
  assert_split("hash:/etc/aliases", "hash", "/etc/aliases");
  assert_split("a:b", "a", "b");
  assert_split("socketmap:inet:host:port:name", "socketmap", "inet:host:port:name");
  assert_split("static::", "static", ":");
  assert_split("inline:{ a = b }", "inline", "{ a = b }");
  assert_split("static: ", "static", " ");
}

static void refuses_what_lacks_a_part(void **state) {
  (void)state;
  static const char *const wrong[] = {"", ":", "hash", "hash:", ":name", "/etc/aliases"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    char *type = (char *)1, *name = (char *)1;
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(spec_split(wrong[i], &type, &name, &err), DICTUM_INVALID);
    assert_int_equal(err.status, DICTUM_INVALID);
    assert_string_not_equal(err.what, "");
    assert_null(type);
    assert_null(name);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(splits_at_the_first_colon),
      cmocka_unit_test(refuses_what_lacks_a_part),
  };
  return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
