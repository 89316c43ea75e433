/* SPDX-License-Identifier: BSD-2-Clause */
/* status.c - dictum status: the health of a table and of those that it is made of. */
#include "command.h"

#include <inttypes.h>
#include <string.h>

struct looking {
  struct app *app;
  uint32_t flags; /* DICTUM_INSPECT_* */
  int status;
};

static const char *state_name(dictum_state state) {
  switch (state) {
  case DICTUM_STATE_NONE:
    return NULL;
  case DICTUM_STATE_UP:
    return "up";
  case DICTUM_STATE_DOWN:
    return "down";
  case DICTUM_STATE_PROBING:
    return "probing";
  }
  return "unknown";
}

/* NULL for what is made of other tables. A table that just failed for the first time is not out of
 * service, but neither is it well. */
static const char *health(const dictum_node_info *node) {
  return node->state == DICTUM_STATE_UP && node->status != DICTUM_OK ? "failing"
                                                                     : state_name(node->state);
}

/* ---- for people -------------------------------------------------------- */

static void print_cache(const dictum_node_info *node, int indent) {
  printf("%*sin memory: %" PRIu64 " entries, %" PRIu64 " bytes\n", indent, "", node->entries,
         node->bytes);
  printf("%*shits %" PRIu64 ", not found %" PRIu64 ", misses %" PRIu64 ", stale %" PRIu64
         ", refreshed %" PRIu64 ", evicted %" PRIu64 "\n",
         indent, "", node->hits, node->negative_hits, node->misses, node->stale, node->refreshes,
         node->evictions);
}

static void print_node(const dictum_node_info *node) {
  int indent = (int)(2 * node->depth);
  const char *state = health(node);
  printf("%*s%s%s%s\n", indent, "", node->spec, state ? ": " : "", state ? state : "");
  if (node->reason[0] != '\0')
    printf("%*s%s\n", indent + 4, "", node->reason);
  if (node->retry_after_ms > 0)
    printf("%*snext attempt in %.1f s\n", indent + 4, "", node->retry_after_ms / 1000.0);
  if (node->is_cache)
    print_cache(node, indent + 4);
}

/* ---- JSON -------------------------------------------------------------- */

static void add_number(json_t *object, const char *name, uint64_t number) {
  json_object_set_new(object, name, json_integer((json_int_t)number));
}

static void add_cache(json_t *object, const dictum_node_info *node) {
  add_number(object, "entries", node->entries);
  add_number(object, "bytes", node->bytes);
  add_number(object, "hits", node->hits);
  add_number(object, "negative_hits", node->negative_hits);
  add_number(object, "misses", node->misses);
  add_number(object, "stale", node->stale);
  add_number(object, "refreshes", node->refreshes);
  add_number(object, "evictions", node->evictions);
}

static json_t *node_json(const dictum_node_info *node) {
  json_t *object = json_object();
  output_add_bytes(object, "table", node->spec, strlen(node->spec));
  add_number(object, "depth", node->depth);
  if (health(node))
    json_object_set_new(object, "state", json_string(health(node)));
  json_object_set_new(object, "status", json_string(dictum_status_name(node->status)));
  if (node->reason[0] != '\0')
    output_add_bytes(object, "error", node->reason, strlen(node->reason));
  if (node->retry_after_ms > 0)
    add_number(object, "retry_after_ms", node->retry_after_ms);
  if (node->is_cache)
    add_cache(object, node);
  return object;
}

/* ---- the command ------------------------------------------------------- */

static int each_node(void *rock, const dictum_node_info *node) {
  struct looking *looking = rock;
  struct output *out = &looking->app->out;
  looking->status = exit_worse(looking->status, exit_of_key(node->status));
  if (out->format == OUTPUT_JSON)
    output_json(out, node_json(node));
  else
    print_node(node);
  return output_ok(out) ? 0 : 1;
}

static int own_option(void *rock, int option, const char *arg) {
  struct looking *looking = rock;
  (void)option; /* there is just one */
  (void)arg;
  looking->flags = 0;
  return EXIT_DONE;
}

static int status(struct app *app, int argc, char **argv) {
  struct looking looking = {.app = app, .flags = DICTUM_INSPECT_PROBE};
  int status;
  if (!app_options(app, &argc, &argv, own_option, &looking, &status))
    return status;
  if (argc != 1)
    return app_usage(app, argc == 0 ? "which table?" : "one table at a time");
  status = app_start(app);
  dictum_table *table = NULL;
  if (status == EXIT_DONE)
    status = app_open(app, argv[0], DICTUM_OPEN_DEGRADE, &table);
  if (status != EXIT_DONE)
    return status;
  dictum_error err = DICTUM_ERROR_INIT;
  if (dictum_inspect(table, looking.flags, each_node, &looking, &err) != DICTUM_OK)
    looking.status = app_fail(app, &err);
  dictum_close(table);
  return looking.status;
}

const struct command status_command = {
    "status",
    "usage: dictum status [OPTION...] TABLE\n"
    "\n"
    "Tells whether TABLE, and each table that it is made of, is in service, after\n"
    "asking each for one key. For a cache, tells what it keeps and how it was used;\n"
    "with a store, by all processes.\n"
    "\n"
    "Options:\n"
    "      --no-probe      do not ask\n"
    "\n"
    "Exit status: 0 all are well, 75 one cannot tell now, 78 one cannot be used.\n",
    TAKES_TABLE | TAKES_JSON,
    (const struct option[]){{"no-probe", no_argument, NULL, OPTION_OWN}, {NULL, 0, NULL, 0}},
    status};
