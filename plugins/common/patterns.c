/* SPDX-License-Identifier: BSD-2-Clause */
/* patterns.c - what tables of regular expressions share: all of a line that is not a pattern. */
#include "patterns.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *text) {
  return text + strspn(text, " \t\v\f\r\n");
}

dictum_status patterns_value(const struct rules_origin *from, uint64_t line, const char *text,
                             bool files, const char *zero, struct rules_template **out,
                             dictum_error *err) {
  text = skip_space(text);
  if (*text == '\0')
    rules_warn(from, line, "no replacement text: using empty string");
  if (!files)
    return rules_template_parse(from, line, text, zero, out, err);
  dictum_buf content;
  dictum_status status = rules_file_value(from, line, text, &content, err);
  if (status != DICTUM_OK)
    return status;
  status = rules_template_parse(from, line, content.data, zero, out, err);
  free(content.data);
  return status;
}

void patterns_endif(struct rules *rules, const struct rules_origin *from, uint64_t line,
                    const char *text) {
  if (!rules_add_endif(rules))
    rules_warn(from, line, "ignoring ENDIF without matching IF");
  else if (*text)
    rules_warn(from, line, "ignoring extra text after ENDIF");
}

void patterns_end_of_if(const struct rules_origin *from, uint64_t line, const char *text) {
  text = skip_space(text);
  if (*text == '\0')
    return;
  rules_warn(from, line, "ignoring extra text after IF statement: \"%s\"", text);
  rules_warn(from, line, "do not prepend whitespace to statements between IF and ENDIF");
}
