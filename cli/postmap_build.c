/* SPDX-License-Identifier: BSD-2-Clause */
/* postmap_build.c - building tables from their sources, and adding to them with -i. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder.h"
#include "messages.h"
#include "postmap.h"

static void warn(void *rock, const char *text) {
  (void)rock;
  message("warning", "%s", text);
}

/* The same words as for a duplicate within a source. */
static void tell_refused(void *rock, const dictum_entry *entry, const dictum_error *err) {
  const char *spec = rock;
  postmap_event(NULL, &(dictum_event){sizeof(dictum_event), DICTUM_LEVEL_WARNING,
                                      DICTUM_CODE_DUPLICATE, spec, err->what, entry->line, 0});
}

/* Reads the entries for a table that forgets them when this process ends. */
static int forget_entries(struct postmap *run, const struct build *build) {
  dictum_error err = DICTUM_ERROR_INIT;
  dictum_source *source;
  dictum_entry entry;
  dictum_status status = dictum_source_open(run->ctx, STDIN_FILENO, "stdin", build->source_flags,
                                            &source, &err);
  while (status == DICTUM_OK)
    status = dictum_source_next(source, &entry, &err);
  dictum_source_close(source);
  if (status == DICTUM_END)
    return 0;
  message("fatal", "%s", err.what);
  return 1;
}

/* A cache takes what it can, and what was there before is no concern. */
static bool is_cache(const char *spec) {
  return strncmp(spec, "memcache:", 9) == 0;
}

static int tell_failure(const struct postmap *run, const struct build *build,
                        const dictum_error *err) {
  if (strncmp(build->spec, "fail:", 5) == 0 && err->status == DICTUM_RETRY)
    message("fatal", "table %s: write error: Application error", build->spec);
  else
    return postmap_refuse(run, build->spec, run->incremental ? TO_CHANGE : TO_BUILD, err);
  return 1;
}

static int build_one(struct postmap *run, const char *operand) {
  const char *colon = strchr(operand, ':');
  if (strncmp(operand, "proxy:", 6) == 0 && !run->incremental) {
    message("fatal", "can't create maps via the proxy service");
    return 1;
  }
  bool moved;
  char *spec = postmap_spec(run, operand, &moved);
  /* What is added to a table that is still to be made must not hide what the old one has. */
  if (!spec || (moved && run->incremental && !postmap_reindex(run, spec))) {
    free(spec);
    return 1;
  }
  struct build build = {
      .ctx = run->ctx,
      .spec = spec,
      .source = run->incremental ? NULL
                : colon          ? colon + 1
                                 : operand,
      .mode = run->incremental ? DICTUM_TXN_UPDATE : DICTUM_TXN_REPLACE_ALL,
      .dup = is_cache(spec) ? DICTUM_DUP_REPLACE : run->dup,
      .source_flags = run->face->source_flags,
      .open_flags = run->open_flags,
      .stay_root = run->stay_root,
      .plain_mode = run->plain_mode,
      .folder_is_empty = true,
      .skip_unfit = is_cache(spec),
      .extra = run->face->extra,
      .warning = warn,
      .refused = tell_refused,
      .rock = spec,
  };
  if (run->open_flags & DICTUM_OPEN_UTF8)
    build.source_flags |= DICTUM_SOURCE_UTF8;
  if (run->open_flags & DICTUM_OPEN_FILES)
    build.source_flags |= DICTUM_SOURCE_FILES;
  int status = 0;
  if (run->incremental && strncmp(spec, "environ:", 8) == 0) {
    status = forget_entries(run, &build);
  } else {
    dictum_error err = DICTUM_ERROR_INIT;
    if (!run->incremental) /* then duplicates are told at once */
      messages_hold();
    dictum_status built = build_run(&build, NULL, &err);
    messages_release();
    if (built != DICTUM_OK)
      status = tell_failure(run, &build, &err);
  }
  free(spec);
  return status;
}

int postmap_build(struct postmap *run) {
  int status = 0;
  for (char **operand = run->operands; *operand && status == 0; operand++)
    status = build_one(run, *operand);
  return status;
}
