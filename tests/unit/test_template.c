/* SPDX-License-Identifier: BSD-2-Clause */
/* test_template.c - texts with "%s" and its like, and the list of domains that guards them. */
#include "unit.h"

#include <string.h>

#include "../../plugins/common/domains.h"
#include "heard.h"
#include "host.h"
#include "options.h"
#include "slot.h"

static const struct {
  enum template_kind kind;
  const char *template, *key, *value, *wanted; /* NULL: suppressed */
} cases[] = {
    {TEMPLATE_QUERY, "x='%s' 100%%", "a@b.c", NULL, "x='a@b.c' 100%"},
    {TEMPLATE_QUERY, "%u|%d", "a@b@c.d", NULL, "a@b|c.d"},
    {TEMPLATE_QUERY, "%S %U %D", "a@b.c", NULL, "a@b.c a b.c"},
    {TEMPLATE_QUERY, "%u", "plain", NULL, "plain"},
    {TEMPLATE_QUERY, "%d", "plain", NULL, NULL},
    {TEMPLATE_QUERY, "%u", "@b.c", NULL, NULL},
    {TEMPLATE_QUERY, "%d", "@b.c", NULL, "b.c"},
    {TEMPLATE_QUERY, "%d", "a@", NULL, NULL},
    {TEMPLATE_QUERY, "%1-%2-%3", "a@x.y.z", NULL, "z-y-x"},
    {TEMPLATE_QUERY, "%3", "a@y.z", NULL, NULL},
    {TEMPLATE_QUERY, "%2.%1", "a@x..y.", NULL, "x.y"},
    {TEMPLATE_QUERY, "%1", "plain", NULL, NULL},
    {TEMPLATE_QUERY, "", "plain", NULL, ""},
    {TEMPLATE_RESULT, "%s/%u/%d", "k@l", "v@w", "v@w/v/w"},
    {TEMPLATE_RESULT, "%S/%U/%D/%1", "k@l.m", "v@w", "k@l.m/k/l.m/m"},
    {TEMPLATE_RESULT, "%d", "k@l", "v", NULL},
    {TEMPLATE_RESULT, "%D", "k", "v@w", NULL},
};

static void test_expansion(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct template template;
    struct text text = {0};
    assert_int_equal(
        template_parse(&host_services, cases[i].template, cases[i].kind, "x.cf", &template, NULL),
        DICTUM_OK);
    const struct address key = address_of(cases[i].key, strlen(cases[i].key));
    const char *value_text = cases[i].value ? cases[i].value : "";
    const struct address value = address_of(value_text, strlen(value_text));
    assert_true(text_append(&text, "<", 1));
    enum template_answer answer = template_expand(&template, &key, cases[i].value ? &value : NULL,
                                                  &text);
    assert_int_equal(answer, cases[i].wanted ? TEMPLATE_DONE : TEMPLATE_SUPPRESSED);
    assert_string_equal(cases[i].wanted ? text.data + 1 : "",
                        cases[i].wanted ? cases[i].wanted : "");
    assert_int_equal(text.len, 1 + strlen(cases[i].wanted ? cases[i].wanted : ""));
    text_free(&text);
    template_free(&template);
  }
}

static void test_unknown_letters(void **state) {
  (void)state;
  static const char *const bad[] = {"%", "%x", "a%0", "%s%", "%s %z"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct template template;
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(
        template_parse(&host_services, bad[i], TEMPLATE_RESULT, "x.cf", &template, &err),
        DICTUM_CONFIG);
    assert_non_null(strstr(err.what, "x.cf: Invalid result template: "));
    assert_non_null(strstr(err.what, bad[i]));
  }
}

/* ---- domains -------------------------------------------------------------------------------- */

struct fixture {
  dictum_ctx *ctx;
  struct dictum_slot slot;
  struct domains *domains;
};

static dictum_status open_list(struct fixture *f, const char *list, dictum_error *err) {
  assert_int_equal(dictum_ctx_new(&f->ctx, NULL, NULL), DICTUM_OK);
  f->slot = (struct dictum_slot){.ctx = f->ctx, .spec = "test:x"};
  static const dictum_opt option = {"domain", DICTUM_OPT_STR, "", 0, 0, ""};
  char text[8400], *given = text;
  snprintf(text, sizeof text, "domain=%s", list);
  dictum_cfg *cfg;
  assert_int_equal(options_parse(&option, 1, "", &given, 1, &cfg, NULL), DICTUM_OK);
  const dictum_open_args args = {.size = sizeof args, .slot = &f->slot, .name = "x.cf", .cfg = cfg};
  const struct settings settings = {&host_services, &args, err};
  dictum_status status = domains_open(&settings, &f->domains);
  options_free(cfg);
  return status;
}

static dictum_status ask(struct fixture *f, const char *key) {
  const dictum_call call = {.size = sizeof call};
  const struct address address = address_of(key, strlen(key));
  return domains_match(f->domains, &call, &address, NULL);
}

static void close_list(struct fixture *f) {
  domains_free(f->domains);
  dictum_ctx_free(f->ctx);
}

static void test_domains(void **state) {
  (void)state;
  struct fixture f = {0};
  assert_int_equal(
      write_file("domains.tmp", "file.example # no comment here\n,\n  other.example\n"), 0);
  char list[4200], *folder = realpath(".", NULL);
  snprintf(list, sizeof list,
           "one.example, !two.example inline:{three.example=x}\t!inline:{four.example=x} "
           "%s/domains.tmp, four.example",
           folder);
  free(folder);
  assert_int_equal(open_list(&f, list, NULL), DICTUM_OK);
  assert_int_equal(ask(&f, "a@one.example"), DICTUM_OK);
  assert_int_equal(ask(&f, "a@ONE.example"), DICTUM_OK);
  assert_int_equal(ask(&f, "a@two.example"), DICTUM_NOTFOUND);
  assert_int_equal(ask(&f, "a@three.example"), DICTUM_OK);
  assert_int_equal(ask(&f, "a@four.example"), DICTUM_NOTFOUND);
  assert_int_equal(ask(&f, "a@file.example"), DICTUM_OK);
  assert_int_equal(ask(&f, "a@other.example"), DICTUM_OK);
  assert_int_equal(ask(&f, "a@sub.one.example"), DICTUM_NOTFOUND);
  assert_int_equal(ask(&f, "@one.example"), DICTUM_NOTFOUND);
  assert_int_equal(ask(&f, "one.example"), DICTUM_NOTFOUND);
  assert_int_equal(ask(&f, "a@"), DICTUM_NOTFOUND);
  close_list(&f);
  remove("domains.tmp");
}

static void test_no_domains(void **state) {
  (void)state;
  struct fixture f = {0};
  assert_int_equal(open_list(&f, " , ", NULL), DICTUM_OK);
  assert_null(f.domains);
  assert_int_equal(ask(&f, "anything"), DICTUM_OK);
  close_list(&f);
}

static void test_domains_that_cannot_tell(void **state) {
  (void)state;
  struct fixture f = {0};
  assert_int_equal(open_list(&f, "good.example fail:x", NULL), DICTUM_OK);
  assert_int_equal(ask(&f, "a@good.example"), DICTUM_OK);
  assert_int_equal(ask(&f, "a@other.example"), DICTUM_RETRY);
  close_list(&f);
}

static void test_bad_domains(void **state) {
  (void)state;
  static const char *const bad[] = {"a.example !", "/nowhere/at/all", "!/etc/passwd", ":x"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct fixture f = {0};
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_not_equal(open_list(&f, bad[i], &err), DICTUM_OK);
    assert_string_not_equal(err.what, "");
    close_list(&f);
  }
}

/* There may be many tables with a list of the same name. */
static void test_messages_name_the_settings(void **state) {
  (void)state;
  static const struct {
    const char *list, *wanted;
  } bad_lists[] = {
      {"/nowhere/at/all", "x.cf: domain: open /nowhere/at/all: No such file or directory"},
      {"/", "x.cf: domain: "},
      {"!", "x.cf: domain: \"!\" needs a domain or a table"},
  };
  for (size_t i = 0; i < sizeof bad_lists / sizeof *bad_lists; i++) {
    struct fixture f = {0};
    dictum_error err = DICTUM_ERROR_INIT;
    assert_int_equal(open_list(&f, bad_lists[i].list, &err), DICTUM_CONFIG);
    assert_memory_equal(err.what, bad_lists[i].wanted, strlen(bad_lists[i].wanted));
    close_list(&f);
  }
}

static void test_domain_files_in_a_ring(void **state) {
  (void)state;
  struct fixture f = {0};
  char path[4200], *folder = realpath(".", NULL);
  snprintf(path, sizeof path, "%s/ring.tmp", folder);
  free(folder);
  assert_int_equal(write_file("ring.tmp", path), 0);
  dictum_error err = DICTUM_ERROR_INIT;
  assert_int_equal(open_list(&f, path, &err), DICTUM_CONFIG);
  assert_non_null(strstr(err.what, "nested too deeply"));
  close_list(&f);
  remove("ring.tmp");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expansion),
      cmocka_unit_test(test_unknown_letters),
      cmocka_unit_test(test_domains),
      cmocka_unit_test(test_no_domains),
      cmocka_unit_test(test_domains_that_cannot_tell),
      cmocka_unit_test(test_bad_domains),
      cmocka_unit_test(test_messages_name_the_settings),
      cmocka_unit_test(test_domain_files_in_a_ring),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
