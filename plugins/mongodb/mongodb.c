/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mongodb.c - the type mongodb: questions to MongoDB, described as in Postfix's mongodb_table(5).
 *
 * A key's way: the domain filter; one of the table's links (link.c), each a client
 * of libmongoc's; the filter with the key put in (filter.c); its documents through
 * result_format (answer.c). Keys of a batch go one after the other over one link.
 *
 * WAITING ends at the deadline of the call, as the sockets are ours (wire.c). What
 * cannot be bounded: the DNS questions of "mongodb+srv", and whether a certificate
 * was withdrawn, which the library asks elsewhere.
 *
 * ERRORS by number: errors.c.
 *
 * THREADS: any number. An open table does not change, but for its links.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

static const dictum_opt table_opts[] = {
    {"uri", DICTUM_OPT_STR, "", 1, 0, "servers and how to reach them: mongodb://..."},
    {"dbname", DICTUM_OPT_STR, "", 1, 0, "the database"},
    {"collection", DICTUM_OPT_STR, "", 1, 0, "the collection"},
    {"query_filter", DICTUM_OPT_STR, "", 1, 0, "JSON with %s, %u, %d, %1 .. %9 for the key"},
    {"projection", DICTUM_OPT_STR, "", 0, 0, "JSON: what is made of a document"},
    {"result_attribute", DICTUM_OPT_STR, "", 0, 0, "the fields whose values are the answer"},
    {"result_format", DICTUM_OPT_STR, "%s", 1, 0, "what is made of each value"},
    {"expansion_limit", DICTUM_OPT_INT, "10", 0, 100, "most values for a key; 0: any"},
    {"domain", DICTUM_OPT_STR, "", 0, 0, "only ask for user@domain with one of these domains"},
    {"password_file", DICTUM_OPT_STR, "", 0, 0,
     "file with the password of the user in uri; without a slash: a credential of systemd's"},
    {"connections", DICTUM_OPT_INT, "4", 1, links_most, "most connections of this table"},
};

/* ---- life ----------------------------------------------------------------------------------- */

/* What does not change, and so can be freed whatever other threads were doing at a fork. */
static void free_settings(struct table *table) {
  domains_free(table->domains);
  mongo_filter_free(table->filter);
  mongo_server_free(&table->server);
  template_free(&table->result);
  if (table->options)
    bson_destroy(table->options);
  free(table->label);
  free(table);
}

static void table_close(void *self) {
  struct table *table = self;
  mongo_library_hush();
  for (size_t i = 0; i < links_most; i++)
    mongo_link_end(&table->links[i]);
  mongo_library_unhush();
  turns_destroy(&table->turns);
  free_settings(table);
}

/* The library's own memory stays, as a thread of the parent may have been at it. */
static void table_forget(void *self) {
  struct table *table = self;
  for (size_t i = 0; i < links_most; i++)
    mongo_link_forget(&table->links[i]);
  free_settings(table);
}

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

/* ---- settings ------------------------------------------------------------------------------- */

/* Asks for a field. */
static dictum_status add_attribute(const struct settings *settings, void *rock, const char *word) {
  bson_t *wanted = rock;
  (void)settings;
  if (!bson_has_field(wanted, word))
    BSON_APPEND_INT32(wanted, word, 1);
  return DICTUM_OK;
}

static dictum_status read_projection(struct table *table, const struct settings *settings) {
  const char *projection = settings_text(settings, "projection");
  const char *attributes = settings_text(settings, "result_attribute");
  bson_t *wanted;
  dictum_status status;
  table->options = bson_new();
  if (*projection && *attributes)
    return settings_refuse(settings, "projection and result_attribute cannot both be set");
  if (*projection) {
    status = mongo_json_read(table->host, settings->args->name, "projection", projection,
                             strlen(projection), &wanted, settings->err);
  } else if (*attributes) {
    wanted = bson_new();
    status = settings_words(settings, attributes, add_attribute, wanted);
  } else {
    return DICTUM_OK;
  }
  if (!wanted)
    return status;
  if (!bson_has_field(wanted, "_id"))
    BSON_APPEND_INT32(wanted, "_id", 0);
  BSON_APPEND_DOCUMENT(table->options, "projection", wanted);
  bson_destroy(wanted);
  return status;
}

static dictum_status read_settings(struct table *table, const struct settings *settings) {
  dictum_status status = mongo_filter_parse(table->host, settings_text(settings, "query_filter"),
                                            settings->args->name, &table->filter, settings->err);
  if (status == DICTUM_OK)
    status = read_projection(table, settings);
  if (status == DICTUM_OK)
    status = settings_template(settings, "result_format", TEMPLATE_RESULT, &table->result);
  if (status == DICTUM_OK)
    status = domains_open(settings, &table->domains);
  if (status == DICTUM_OK)
    status = mongo_server_init(settings, &table->server);
  table->expansion_limit = (uint64_t)settings_number(settings, "expansion_limit");
  return status;
}

/* The first question makes the first connection. */
static dictum_status table_open(const dictum_host *host, const dictum_open_args *args, void **self,
                                dictum_error *err) {
  const struct settings settings = {host, args, err};
  struct table *table = calloc(1, sizeof *table);
  if (!table || !turns_init(&table->turns, (unsigned)settings_number(&settings, "connections"))) {
    free(table);
    return nomem(host, err);
  }
  table->host = host;
  table->slot = args->slot;
  for (size_t i = 0; i < links_most; i++)
    mongo_link_init(&table->links[i], host, &table->server);
  if (asprintf(&table->label, "%s:%s", args->type, args->name) < 0)
    table->label = NULL;
  mongo_library_start();
  mongo_library_hush();
  dictum_status status = table->label ? read_settings(table, &settings) : nomem(host, err);
  mongo_library_unhush();
  if (status != DICTUM_OK) {
    table_close(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* The server is asked for what is open; the other keys have their answer before. */
static dictum_status answer(struct table *table, struct asking asking) {
  struct inquiry inquiry = {.table = table, .asking = asking};
  size_t *open = reallocarray(NULL, asking.n, sizeof *open), n = 0;
  if (!open)
    return nomem(table->host, asking.err);
  for (size_t i = 0; i < asking.n; i++)
    if (asking_admits(&inquiry.asking, i, table->domains))
      open[n++] = i;
  dictum_status status = n > 0 ? mongo_ask_server(&inquiry, open, n) : DICTUM_OK;
  free(open);
  text_free(&inquiry.value);
  return status == DICTUM_OK ? asking_status(&inquiry.asking) : status;
}

static dictum_status table_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                  dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  const dictum_key one = {key, len};
  return answer(table, asking_one(table->host, call, &one, sink, err));
}

static dictum_status table_lookup_many(void *self, const dictum_call *call, const dictum_key *keys,
                                       size_t n, dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  return answer(table, asking_many(table->host, call, keys, n, sink, err));
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type table_types[] = {{
    .name = "mongodb",
    .summary = "MongoDB, asked as a settings file says",
    .caps = DICTUM_CAP_NETWORK | DICTUM_CAP_SETTINGS | DICTUM_CAP_MAY_WAIT,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = table_opts,
    .nopts = sizeof table_opts / sizeof table_opts[0],
    .open = table_open,
    .close = table_close,
    .forget = table_forget,
    .lookup = table_lookup,
    .lookup_many = table_lookup_many,
}};

DICTUM_PLUGIN_DEFINE(dictum_mongodb, "dictum-mongodb", PACKAGE_VERSION, table_types);
