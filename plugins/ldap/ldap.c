/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap.c - the type ldap: questions to an LDAP directory, described as in Postfix's ldap_table(5).
 *
 * A key's way: the domain filter; search_base and query_filter, with the key
 * escaped as RFC 4514 and RFC 4515 tell; a connection and a search
 * (directory.c); the attributes of what is found (expand.c).
 *
 * THREADS: any number; each takes one of a few connections.
 *
 * FORK: libldap cannot be used or freed in a child. Its memory is left behind;
 * the child's copy of the socket is closed.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "ldap_table.h"

static const dictum_opt ldap_opts[] = {
    {"server_host", DICTUM_OPT_STR, "localhost", 1, 0, "servers: hosts, host:port, LDAP URLs"},
    {"server_port", DICTUM_OPT_INT, "389", 1, 65535, "port of hosts without one"},
    {"version", DICTUM_OPT_INT, "2", 2, 3, "of the protocol; with URLs or TLS it is 3"},
    {"search_base", DICTUM_OPT_STR, "", 0, 0, "where to search; with %s and so on for the key"},
    {"scope", DICTUM_OPT_STR, "sub", 1, 0, "sub, one or base"},
    {"timeout", DICTUM_OPT_INT, "10", 1, 86400, "most seconds that a search may take"},
    {"query_filter", DICTUM_OPT_STR, "(mailacceptinggeneralid=%s)", 1, 0, "what to search for"},
    {"result_format", DICTUM_OPT_STR, "", 0, 0, "what is made of each value [%s]"},
    {"result_filter", DICTUM_OPT_STR, "", 0, 0, "old name of result_format"},
    {"result_attribute", DICTUM_OPT_STR, "maildrop", 0, 0, "attributes with values"},
    {"special_result_attribute", DICTUM_OPT_STR, "", 0, 0, "attributes with DNs or LDAP URLs"},
    {"terminal_result_attribute", DICTUM_OPT_STR, "", 0, 0, "attributes that leave all others out"},
    {"leaf_result_attribute", DICTUM_OPT_STR, "", 0, 0,
     "attributes of entries without special ones"},
    {"bind", DICTUM_OPT_STR, "yes", 1, 0, "yes or simple, no or none, sasl"},
    {"bind_dn", DICTUM_OPT_STR, "", 0, 0, "who asks"},
    {"bind_pw", DICTUM_OPT_STR, "", 0, 0, "the password of bind_dn"},
    {"sasl_mechs", DICTUM_OPT_STR, "EXTERNAL", 0, 0, "EXTERNAL or PLAIN"},
    {"sasl_realm", DICTUM_OPT_STR, "", 0, 0, "not used"},
    {"sasl_authz_id", DICTUM_OPT_STR, "", 0, 0, "whom to act as"},
    {"sasl_minssf", DICTUM_OPT_INT, "0", 0, INT_MAX, "not used"},
    {"start_tls", DICTUM_OPT_BOOL, "no", 0, 0, "encrypt before binding"},
    {"tls_require_cert", DICTUM_OPT_BOOL, "no", 0, 0, "the server's certificate must be good"},
    {"tls_ca_cert_file", DICTUM_OPT_STR, "", 0, 0, "certificates of authorities that are trusted"},
    {"tls_ca_cert_dir", DICTUM_OPT_STR, "", 0, 0, "a folder of them"},
    {"tls_cert", DICTUM_OPT_STR, "", 0, 0, "our certificate"},
    {"tls_key", DICTUM_OPT_STR, "", 0, 0, "the key of our certificate"},
    {"tls_random_file", DICTUM_OPT_STR, "", 0, 0, "not used"},
    {"tls_cipher_suite", DICTUM_OPT_STR, "", 0, 0, "ciphers, as the TLS library calls them"},
    {"recursion_limit", DICTUM_OPT_INT, "1000", 1, 10000, "most levels of DNs and URLs"},
    {"expansion_limit", DICTUM_OPT_INT, "0", INT_MIN, INT_MAX, "most values for a key; 0: any"},
    {"size_limit", DICTUM_OPT_INT, "-1", INT_MIN, INT_MAX,
     "most entries of a search [expansion_limit]"},
    {"dereference", DICTUM_OPT_INT, "0", 0, 3,
     "aliases: 0 never, 1 searching, 2 finding, 3 always"},
    {"chase_referrals", DICTUM_OPT_BOOL, "no", 0, 0, "follow what servers refer to"},
    {"domain", DICTUM_OPT_STR, "", 0, 0, "only ask for user@domain with one of these domains"},
    {"debuglevel", DICTUM_OPT_INT, "0", 0, 0, "not used"},
};

static dictum_status nomem(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, ENOMEM, "out of memory");
}

static dictum_status bad_value(const dictum_open_args *args, const dictum_host *host,
                               const char *setting, dictum_error *err) {
  return host->fail(err, DICTUM_CONFIG, 0, "%s: unsupported parameter value: %s = %s", args->name,
                    setting, host->opt_str(args->cfg, setting));
}

/* ---- settings ------------------------------------------------------------------------------- */

static const char between[] = ", \t\r\n";

/* One of a list's words at a time. */
static bool next_word(const char **at, dictum_key *word) {
  *at += strspn(*at, between);
  word->p = *at;
  word->n = strcspn(*at, between);
  *at += word->n;
  return word->n > 0;
}

static bool is_url(const dictum_key *word) {
  return memmem(word->p, word->n, "://", 3) != NULL;
}

static bool has_port(const dictum_key *word) {
  const char *colon = memrchr(word->p, ':', word->n);
  return colon && colon + 1 < word->p + word->n && colon[1] >= '0' && colon[1] <= '9' &&
         (word->p[0] != '[' || colon[-1] == ']');
}

static bool append_server(struct text *uris, const dictum_key *word, int64_t port) {
  char more[16] = "";
  if (!is_url(word) && !has_port(word))
    snprintf(more, sizeof more, ":%d", (int)port);
  return (uris->len == 0 || text_append(uris, " ", 1)) &&
         (is_url(word) || text_append(uris, "ldap://", 7)) && text_append(uris, word->p, word->n) &&
         text_append(uris, more, strlen(more));
}

static dictum_status read_servers(struct table *table, dictum_error *err) {
  const dictum_host *host = table->host;
  const char *at = host->opt_str(table->cfg, "server_host");
  struct text uris = {0};
  dictum_key word;
  table->version = (int)host->opt_int(table->cfg, "version");
  table->start_tls = host->opt_int(table->cfg, "start_tls") != 0;
  while (next_word(&at, &word)) {
    if (!append_server(&uris, &word, host->opt_int(table->cfg, "server_port"))) {
      text_free(&uris);
      return nomem(host, err);
    }
    table->nuris++;
    if (is_url(&word) && strncasecmp(word.p, "ldap://", 7) != 0)
      table->version = 3;
  }
  if (table->start_tls)
    table->version = 3;
  table->uris = uris.data;
  return table->nuris > 0
             ? DICTUM_OK
             : host->fail(err, DICTUM_CONFIG, 0, "%s: there is no server_host", table->label);
}

static bool one_of(const char *text, const char *a, const char *b) {
  return strcasecmp(text, a) == 0 || strcasecmp(text, b) == 0;
}

static dictum_status read_bind(struct table *table, const dictum_open_args *args,
                               dictum_error *err) {
  const dictum_host *host = table->host;
  const char *bind = host->opt_str(args->cfg, "bind");
  const char *mechanism = host->opt_str(args->cfg, "sasl_mechs");
  if (one_of(bind, "yes", "simple"))
    table->bind = BIND_SIMPLE;
  else if (one_of(bind, "no", "none"))
    table->bind = BIND_NOT;
  else if (strcasecmp(bind, "sasl") == 0)
    table->bind = BIND_SASL;
  else
    return bad_value(args, host, "bind", err);
  if (table->bind != BIND_SASL)
    return DICTUM_OK;
  table->version = 3;
  return one_of(mechanism, "EXTERNAL", "PLAIN") ? DICTUM_OK
                                                : bad_value(args, host, "sasl_mechs", err);
}

static dictum_status read_scope(struct table *table, const dictum_open_args *args,
                                dictum_error *err) {
  const char *scope = table->host->opt_str(args->cfg, "scope");
  table->scope = LDAP_SCOPE_SUBTREE;
  if (strcasecmp(scope, "one") == 0)
    table->scope = LDAP_SCOPE_ONELEVEL;
  else if (strcasecmp(scope, "base") == 0)
    table->scope = LDAP_SCOPE_BASE;
  else if (strcasecmp(scope, "sub") != 0)
    return bad_value(args, table->host, "scope", err);
  return DICTUM_OK;
}

static size_t count_words(const char *list) {
  size_t n = 0;
  dictum_key word;
  while (next_word(&list, &word))
    n++;
  return n;
}

static bool read_attributes(struct table *table) {
  static const char *const settings[] = {"result_attribute", "special_result_attribute",
                                         "terminal_result_attribute", "leaf_result_attribute"};
  size_t *const counts[] = {&table->nresult, &table->nspecial, &table->nterminal, &table->nleaf};
  const char *lists[4];
  size_t n = 0;
  for (size_t i = 0; i < 4; i++) {
    lists[i] = table->host->opt_str(table->cfg, settings[i]);
    n += *counts[i] = count_words(lists[i]);
  }
  table->attributes = calloc(n + 1, sizeof *table->attributes);
  n = 0;
  dictum_key word;
  for (size_t i = 0; i < 4 && table->attributes; i++)
    while (next_word(&lists[i], &word))
      if (!(table->attributes[n++] = strndup(word.p, word.n)))
        return false;
  return table->attributes != NULL;
}

static dictum_status read_templates(struct table *table, const struct settings *settings) {
  const char *format = settings_text(settings, "result_format");
  if (!*format)
    format = settings_text(settings, "result_filter");
  dictum_status status = settings_template(settings, "search_base", TEMPLATE_QUERY, &table->base);
  if (status == DICTUM_OK)
    status = settings_template(settings, "query_filter", TEMPLATE_QUERY, &table->filter);
  if (status == DICTUM_OK)
    status = template_parse(table->host, *format ? format : "%s", TEMPLATE_RESULT,
                            settings->args->name, &table->result, settings->err);
  for (size_t i = 0; status == DICTUM_OK && i < table->base.n; i++)
    table->base_has_key |= table->base.pieces[i].part != PIECE_LITERAL;
  return status;
}

static dictum_status read_settings(struct table *table, const dictum_open_args *args,
                                   dictum_error *err) {
  const dictum_host *host = table->host;
  const struct settings settings = {host, args, err};
  if (asprintf(&table->label, "%s:%s", args->type, args->name) < 0)
    table->label = NULL;
  if (!table->label || !read_attributes(table))
    return nomem(host, err);
  table->timeout_ns = host->opt_int(args->cfg, "timeout") * 1000000000;
  table->dereference = (int)host->opt_int(args->cfg, "dereference");
  table->chase_referrals = host->opt_int(args->cfg, "chase_referrals") != 0;
  table->recursion_limit = host->opt_int(args->cfg, "recursion_limit");
  table->expansion_limit = host->opt_int(args->cfg, "expansion_limit");
  int64_t size_limit = host->opt_int(args->cfg, "size_limit");
  table->size_limit = (int)(size_limit < 0 ? table->expansion_limit : size_limit);
  dictum_status status = read_servers(table, err);
  if (status == DICTUM_OK)
    status = read_bind(table, args, err);
  if (status == DICTUM_OK)
    status = read_scope(table, args, err);
  if (status == DICTUM_OK)
    status = read_templates(table, &settings);
  if (status == DICTUM_OK)
    status = domains_open(&settings, &table->domains);
  return status;
}

/* ---- life ----------------------------------------------------------------------------------- */

static void free_settings(struct table *table) {
  domains_free(table->domains);
  template_free(&table->base);
  template_free(&table->filter);
  template_free(&table->result);
  for (char **name = table->attributes; name && *name; name++)
    free(*name);
  free(table->attributes);
  free(table->label);
  free(table->uris);
  free(table);
}

static void close_table(void *self) {
  struct table *table = self;
  for (size_t i = 0; i < connections; i++)
    directory_close(&table->connections[i]);
  turns_destroy(&table->turns);
  free_settings(table);
}

static void forget_table(void *self) {
  struct table *table = self;
  for (size_t i = 0; i < connections; i++)
    if (!(table->turns.taken & UINT32_C(1) << i) && table->connections[i].fd >= 0)
      close(table->connections[i].fd);
  free_settings(table);
}

/* The first question makes the first connection. */
static dictum_status open_table(const dictum_host *host, const dictum_open_args *args, void **self,
                                dictum_error *err) {
  struct table *table = calloc(1, sizeof *table);
  if (!table || !turns_init(&table->turns, connections)) {
    free(table);
    return nomem(host, err);
  }
  table->host = host;
  table->cfg = args->cfg;
  table->slot = args->slot;
  for (size_t i = 0; i < connections; i++)
    table->connections[i].fd = -1;
  dictum_status status = read_settings(table, args, err);
  if (status != DICTUM_OK) {
    close_table(table);
    return status;
  }
  *self = table;
  return DICTUM_OK;
}

/* ---- keys in filters and names -------------------------------------------------------------- */

/* RFC 4515, section 3. */
static bool is_special_in_filter(unsigned char c) {
  return c == '\0' || strchr("*()\\", c);
}

/* RFC 4514, section 2.4: any of these may be written in hexadecimal. */
static bool is_special_in_name(unsigned char c) {
  return c == '\0' || strchr(",+\"\\<>;=# ", c);
}

static bool append_escaped(struct text *out, const dictum_key *text,
                           bool (*is_special)(unsigned char c)) {
  for (size_t i = 0; i < text->n; i++) {
    const unsigned char c = (unsigned char)text->p[i];
    char hex[4];
    bool special = is_special(c);
    if (special)
      snprintf(hex, sizeof hex, "\\%02x", c);
    if (!text_append(out, special ? hex : &text->p[i], special ? 3 : 1))
      return false;
  }
  return true;
}

/* @return OK; NOTFOUND when the key lacks a part; NOMEM */
static dictum_status fill_in(const struct template *template, const struct address *key,
                             bool (*is_special)(unsigned char c), struct text *out) {
  for (size_t i = 0; i < template->n; i++) {
    const struct template_piece *piece = &template->pieces[i];
    dictum_key text = piece->text;
    if (piece->part != PIECE_LITERAL && !template_piece_text(piece, key, NULL, &text))
      return DICTUM_NOTFOUND;
    bool done = piece->part == PIECE_LITERAL ? text_append(out, text.p, text.n)
                                             : append_escaped(out, &text, is_special);
    if (!done)
      return DICTUM_NOMEM;
  }
  return DICTUM_OK;
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* A base that depends on the key and is not there means that the key is not. */
static dictum_status judge_missing_base(const struct expansion *expansion, const char *base,
                                        int code) {
  const struct table *table = expansion->table;
  if (table->base_has_key)
    return DICTUM_NOTFOUND;
  return table->host->fail(expansion->err, DICTUM_CONFIG, 0, "%s: Search base '%s' not found: %s",
                           table->label, base, ldap_err2string(code));
}

static dictum_status ask(struct expansion *expansion, const struct search *search) {
  LDAPMessage *entries = NULL;
  int code;
  dictum_status status = directory_search(expansion->table, expansion->connection, search,
                                          expansion->deadline_ns, &code, &entries, expansion->err);
  if (status == DICTUM_OK && code != LDAP_SUCCESS)
    status = judge_missing_base(expansion, search->base, code);
  else if (status == DICTUM_OK)
    status = expand_entries(expansion, entries, expansion->table->attributes);
  ldap_msgfree(entries);
  return status == DICTUM_OK && expansion->answer.len == 0 ? DICTUM_NOTFOUND : status;
}

/* What this key is asked for with, if it is. */
static dictum_status prepare(const struct table *table, const dictum_call *call,
                             const struct address *key, struct text *base, struct text *filter,
                             dictum_error *err) {
  dictum_status status = domains_match(table->domains, call, key, err);
  if (status == DICTUM_OK)
    status = fill_in(&table->base, key, is_special_in_name, base);
  if (status == DICTUM_OK)
    status = fill_in(&table->filter, key, is_special_in_filter, filter);
  return status == DICTUM_NOMEM ? nomem(table->host, err) : status;
}

static dictum_status look_up(void *self, const dictum_call *call, const char *key, size_t len,
                             dictum_sink *sink, dictum_error *err) {
  struct table *table = self;
  const struct address address = address_of(key, len);
  struct text base = {0}, filter = {0};
  int number = -1;
  struct expansion expansion = {.table = table,
                                .deadline_ns = call->deadline_ns,
                                .values = {.host = table->host,
                                           .slot = table->slot,
                                           .label = table->label,
                                           .format = &table->result,
                                           .limit = (uint64_t)table->expansion_limit,
                                           .key = &address,
                                           .out = &expansion.answer},
                                .err = err};
  dictum_status status = prepare(table, call, &address, &base, &filter, err);
  if (status == DICTUM_OK) {
    number = turns_take(&table->turns, call->deadline_ns);
    if (number < 0)
      status = table->host->fail(err, DICTUM_RETRY, ETIMEDOUT, "%s: timed out", table->label);
  }
  if (status == DICTUM_OK) {
    const struct search search = {base.data ? base.data : "", filter.data ? filter.data : "",
                                  table->scope, table->attributes};
    expansion.connection = &table->connections[number];
    status = ask(&expansion, &search);
    turns_give_back(&table->turns, number);
  }
  if (status == DICTUM_OK)
    status = table->host->emit(sink, expansion.answer.data, expansion.answer.len);
  text_free(&base);
  text_free(&filter);
  text_free(&expansion.answer);
  return status;
}

/* ---- the type ------------------------------------------------------------------------------- */

static const dictum_type ldap_types[] = {{
    .name = "ldap",
    .summary = "LDAP directory, asked as a settings file says",
    .caps = DICTUM_CAP_NETWORK | DICTUM_CAP_SETTINGS | DICTUM_CAP_MAY_WAIT,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = ldap_opts,
    .nopts = sizeof ldap_opts / sizeof ldap_opts[0],
    .open = open_table,
    .close = close_table,
    .forget = forget_table,
    .lookup = look_up,
}};

DICTUM_PLUGIN_DEFINE(dictum_ldap, "dictum-ldap", PACKAGE_VERSION, ldap_types);
