/* SPDX-License-Identifier: BSD-2-Clause */
/* lines_service.c - logical lines as a service to plugins. */
#include "lines.h"

#include <string.h>

#include "ctx.h"
#include "error.h"
#include "slot.h"

/* Rules in the name itself have no file to be called by: "regexp map". */
static dictum_status open_text(const dictum_slot *slot, const char *text,
                               const struct lines_owner *owner, dictum_lines **out,
                               dictum_error *err) {
  char label[64];
  text_format(label, sizeof label, "%.*s map", (int)strcspn(slot->spec, ":"), slot->spec);
  return lines_open_text(text, label, owner, out, err);
}

dictum_status lines_service_open(dictum_slot *slot, const char *name, dictum_lines **out,
                                 dictum_error *err) {
  const struct lines_owner owner = {&slot_ctx(slot)->events, slot->spec};
  if (name[0] == '{')
    return open_text(slot, name, &owner, out, err);
  return lines_open_file(name, &owner, out, err);
}

dictum_status lines_service_next(dictum_lines *lines, char **text, size_t *len, uint64_t *line,
                                 dictum_error *err) {
  struct line next;
  dictum_status status = lines_next(lines, &next, err);
  if (status == DICTUM_OK)
    line_trim(&next);
  *text = next.text;
  *len = next.len;
  *line = next.number;
  return status;
}

void lines_service_close(dictum_lines *lines) {
  lines_close(lines);
}
