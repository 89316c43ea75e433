/* SPDX-License-Identifier: BSD-2-Clause */
/* params_compare.c - how values of settings compare. */
#include "params_compare.h"

#include <string.h>

enum { max_minor = 1023 };

enum relation relation_find(const char *word, size_t len) {
  static const char *const names[] = {"==", "!=", "<", "<=", ">", ">="};
  for (size_t i = 0; i < NO_RELATION; i++)
    if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0)
      return (enum relation)i;
  return NO_RELATION;
}

bool relation_holds(enum relation relation, int order) {
  switch (relation) {
  case EQUAL:
    return order == 0;
  case NOT_EQUAL:
    return order != 0;
  case LESS:
    return order < 0;
  case LESS_OR_EQUAL:
    return order <= 0;
  case GREATER:
    return order > 0;
  case GREATER_OR_EQUAL:
    return order >= 0;
  case NO_RELATION:
    break;
  }
  return false;
}

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool all_digits(const dictum_buf *text) {
  for (size_t i = 0; i < text->len; i++)
    if (!is_digit(text->data[i]))
      return false;
  return text->len > 0;
}

static int compare_numbers(const dictum_buf *a, const dictum_buf *b) {
  size_t a_zeros = strspn(a->data, "0"), b_zeros = strspn(b->data, "0");
  size_t a_len = a->len - a_zeros, b_len = b->len - b_zeros;
  if (a_len != b_len)
    return a_len > b_len ? 1 : -1;
  return memcmp(a->data + a_zeros, b->data + b_zeros, a_len);
}

int values_compare(const dictum_buf *a, const dictum_buf *b) {
  if (all_digits(a) && all_digits(b))
    return compare_numbers(a, b);
  int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
  return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

/* Stops growing long before it would wrap around. */
static const char *parse_number(const char *text, uint64_t *number) {
  for (*number = 0; is_digit(*text); text++)
    if (*number < UINT64_MAX / 16)
      *number = *number * 10 + (uint64_t)(*text - '0');
  return text;
}

bool level_parse(const char *text, struct level *level) {
  *level = (struct level){{0}};
  text += strspn(text, " ");
  for (int i = 0; i < 3; i++, text++) {
    if (!is_digit(*text))
      return false;
    text = parse_number(text, &level->part[i]);
    if (i > 0 && level->part[i] > max_minor)
      return false;
    if (*text == '\0')
      return true;
    if (*text != '.')
      return false;
  }
  return false;
}

int levels_compare(const struct level *a, const struct level *b) {
  for (int i = 0; i < 3; i++)
    if (a->part[i] != b->part[i])
      return a->part[i] > b->part[i] ? 1 : -1;
  return 0;
}
