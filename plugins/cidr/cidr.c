/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cidr.c - tables of networks, in the format of Postfix's cidr_table(5).
 *
 * The whole text is read at open and stays as it is. A key is an address of
 * IPv4 or IPv6; anything else is in no network, and not found.
 *
 * A table that is asked often gets an index (cidr_index.h), which gives the
 * same answers sooner. Threads: any number.
 *
 * Errors: a rule with a mistake is skipped with a warning (event RULE), and so
 * is, with DICTUM_OPEN_FILES, a rule whose files cannot be read. Text that
 * cannot be read, or an inline text that is not "{ {rule} ... }": CONFIG.
 */
#include <dictum_plugin.h>

#include <stdlib.h>
#include <string.h>

#include "cidr_index.h"
#include "lazy.h"
#include "rule.h"
#include "rules.h"

struct table {
  const dictum_host *host;
  struct rules *rules;
  struct lazy index;
};

/* A table that is being read. */
struct reading {
  struct table *table;
  struct rules_origin from;
  bool files; /* values name files */
};

/* A network as it is written. */
struct written {
  const char *address;
  const char *bits; /* NULL when there is no slash */
};

static dictum_status out_of_memory(const dictum_host *host, dictum_error *err) {
  return host->fail(err, DICTUM_NOMEM, 0, "out of memory");
}

/* ---- reading a network ---------------------------------------------------------------------- */

/* A function below that answers false, or INVALID, has sent the warning: the line is skipped. */

/* Takes brackets away and cuts at the slash. */
static bool split(const struct reading *reading, uint64_t line, char *pattern,
                  struct written *out) {
  *out = (struct written){pattern, NULL};
  char *slash;
  if (*pattern == '[') {
    size_t len = strcspn(pattern, "]");
    if (pattern[len] == '\0') {
      rules_warn(&reading->from, line, "missing ']' character after \"%s\": skipping this rule",
                 pattern);
      return false;
    }
    slash = pattern + len + 1;
    if (*slash && *slash != '/') {
      *slash = '\0';
      rules_warn(&reading->from, line, "garbage after \"%s\": skipping this rule", pattern);
      return false;
    }
    pattern[len] = '\0';
    out->address = ++pattern;
    if (*slash == '\0')
      slash = strchr(pattern, '/');
  } else {
    slash = strchr(pattern, '/');
  }
  if (slash) {
    *slash = '\0';
    out->bits = slash + 1;
  }
  return true;
}

static void warn_of_bits(const struct reading *reading, uint64_t line, const char *mistake,
                         const struct written *written) {
  rules_warn(&reading->from, line, "bad %s \"%s/%s\": skipping this rule", mistake,
             written->address, written->bits);
}

static bool read_bits(const struct reading *reading, uint64_t line, const struct written *written,
                      unsigned most, unsigned *bits) {
  const char *p = written->bits;
  if (*p == '\0' || p[strspn(p, "0123456789")] != '\0') {
    warn_of_bits(reading, line, "mask value in", written);
    return false;
  }
  for (*bits = 0; *p && *bits <= most; p++)
    *bits = *bits * 10 + (unsigned)(*p - '0');
  if (*bits > most) {
    warn_of_bits(reading, line, "mask length in", written);
    return false;
  }
  return true;
}

static bool has_host_bits(const struct reading *reading, uint64_t line,
                          const struct written *written, const struct network *network) {
  const struct address first = network_first(&network->first, network->bits);
  if (first.hi == network->first.hi && first.lo == network->first.lo)
    return false;
  char text[ADDRESS_SIZE];
  address_text(&first, text);
  rules_warn(&reading->from, line,
             "non-null host address bits in \"%s/%s\", perhaps you should use \"%s/%u\" instead: "
             "skipping this rule",
             written->address, written->bits, text, network->bits);
  return true;
}

static bool read_network(const struct reading *reading, uint64_t line, char *pattern,
                         struct network *out) {
  struct written written;
  if (*pattern == '\0') {
    rules_warn(&reading->from, line, "no address pattern: skipping this rule");
    return false;
  }
  if (!split(reading, line, pattern, &written))
    return false;
  size_t len = strlen(written.address);
  out->bits = address_bits(memchr(written.address, ':', len) != NULL);
  if (written.bits && !read_bits(reading, line, &written, out->bits, &out->bits))
    return false;
  bool good = address_parse(written.address, len, &out->first);
  if (!good && written.bits)
    warn_of_bits(reading, line, "network value in", &written);
  else if (!good)
    rules_warn(&reading->from, line, "bad address pattern: \"%s\": skipping this rule",
               written.address);
  return good && !(written.bits && has_host_bits(reading, line, &written, out));
}

/* ---- reading a line ------------------------------------------------------------------------- */

static dictum_status new_rule(const struct reading *reading, const struct network *network,
                              bool negated, const char *value, size_t len, struct rule **out,
                              dictum_error *err) {
  struct rule *rule = malloc(sizeof *rule + len);
  if (!rule)
    return out_of_memory(reading->table->host, err);
  rule->network = *network;
  rule->negated = negated;
  rule->len = len;
  if (len > 0)
    memcpy(rule->value, value, len);
  *out = rule;
  return DICTUM_OK;
}

static dictum_status read_if(struct reading *reading, char *text, uint64_t line,
                             dictum_error *err) {
  struct network network;
  struct rule *rule;
  bool negated = rules_negation(&text);
  if (!read_network(reading, line, text, &network))
    return DICTUM_INVALID;
  dictum_status status = new_rule(reading, &network, negated, NULL, 0, &rule, err);
  return status == DICTUM_OK ? rules_add_if(reading->table->rules, rule, line, err) : status;
}

static void read_endif(struct reading *reading, const char *text, uint64_t line) {
  if (*text)
    rules_warn(&reading->from, line, "garbage after ENDIF: skipping this rule");
  else if (!rules_add_endif(reading->table->rules))
    rules_warn(&reading->from, line, "ENDIF without IF: skipping this rule");
}

static dictum_status add_rule(struct reading *reading, uint64_t line, const struct network *network,
                              bool negated, const char *value, dictum_error *err) {
  dictum_buf content = {0};
  size_t len = strlen(value);
  dictum_status status = DICTUM_OK;
  if (reading->files) {
    status = rules_file_value(&reading->from, line, value, &content, err);
    value = content.data;
    len = content.len;
  }
  if (status != DICTUM_OK)
    return status;
  struct rule *rule;
  status = new_rule(reading, network, negated, value, len, &rule, err);
  free(content.data);
  return status == DICTUM_OK ? rules_add(reading->table->rules, rule, err) : status;
}

static dictum_status read_rule(struct reading *reading, char *text, uint64_t line,
                               dictum_error *err) {
  static const char space[] = " \t\v\f\r\n";
  struct network network;
  bool negated = rules_negation(&text);
  char *value = text + strcspn(text, space);
  if (*value) {
    *value++ = '\0';
    value += strspn(value, space);
  }
  if (!read_network(reading, line, text, &network))
    return DICTUM_INVALID;
  if (*value == '\0') {
    rules_warn(&reading->from, line, "no lookup result: skipping this rule");
    return DICTUM_INVALID;
  }
  return add_rule(reading, line, &network, negated, value, err);
}

static dictum_status read_line(void *context, char *text, uint64_t line, dictum_error *err) {
  struct reading *reading = context;
  dictum_status status = DICTUM_OK;
  switch (rules_word(&text)) {
  case RULES_IF:
    status = read_if(reading, text, line, err);
    break;
  case RULES_ENDIF:
    read_endif(reading, text, line);
    break;
  case RULES_LETTERS: /* addresses begin so */
  case RULES_OTHER:
    status = read_rule(reading, text, line, err);
    break;
  }
  return status == DICTUM_INVALID ? DICTUM_OK : status;
}

/* ---- open, close ---------------------------------------------------------------------------- */

static void cidr_close(void *self) {
  struct table *table = self;
  cidr_index_free(table->index.made);
  rules_free(table->rules);
  free(table);
}

static struct table *new_table(const dictum_host *host) {
  struct table *table = calloc(1, sizeof *table);
  if (!table)
    return NULL;
  table->host = host;
  table->rules = rules_new(host, free);
  if (table->rules)
    return table;
  cidr_close(table);
  return NULL;
}

static dictum_status cidr_open(const dictum_host *host, const dictum_open_args *args, void **self,
                               dictum_error *err) {
  struct table *table = new_table(host);
  if (!table)
    return out_of_memory(host, err);
  struct reading reading = {
      table, {host, args->slot, args->type, args->name}, (args->flags & DICTUM_OPEN_FILES) != 0};
  dictum_status status = rules_read(&reading.from, read_line, &reading, err);
  if (status != DICTUM_OK) {
    cidr_close(table);
    return status;
  }
  rules_finish(table->rules, &reading.from);
  table->index.after = rules_index_after(table->rules, host, args->cfg);
  if (args->name[0] != '{')
    host->note_file(args->slot, args->name);
  *self = table;
  return DICTUM_OK;
}

/* ---- lookup --------------------------------------------------------------------------------- */

static dictum_status rule_matches(const void *tried, void *key) {
  const struct rule *rule = tried;
  const struct address *address = key;
  if (rule->network.first.v6 != address->v6)
    return DICTUM_NOTFOUND;
  return network_has(&rule->network, address) != rule->negated ? DICTUM_OK : DICTUM_NOTFOUND;
}

static void *make_index(const void *rules) {
  return cidr_index_new(rules);
}

static dictum_status cidr_lookup(void *self, const dictum_call *call, const char *key, size_t len,
                                 dictum_sink *sink, dictum_error *err) {
  (void)call;
  (void)err;
  struct table *table = self;
  struct address address;
  if (!address_parse(key, len, &address))
    return DICTUM_NOTFOUND;
  const struct cidr_index *index = lazy_get(&table->index, make_index, table->rules);
  const void *found;
  dictum_status status = index
                             ? cidr_index_find(index, table->rules, rule_matches, &address, &found)
                             : rules_find(table->rules, rule_matches, &address, &found);
  if (status != DICTUM_OK)
    return status;
  const struct rule *rule = found;
  return table->host->emit(sink, rule->value, rule->len);
}

static const dictum_opt cidr_opts[] = {RULES_INDEX_OPT("16")};

static const dictum_type cidr_types[] = {{
    .name = "cidr",
    .summary = "networks of IPv4 and IPv6 in order; the first with the address answers",
    .caps = DICTUM_CAP_PATTERN,
    .threads = DICTUM_THREADS_PARALLEL,
    .opts = cidr_opts,
    .nopts = sizeof cidr_opts / sizeof cidr_opts[0],
    .open = cidr_open,
    .close = cidr_close,
    .forget = cidr_close,
    .lookup = cidr_lookup,
}};

DICTUM_PLUGIN_DEFINE(dictum_cidr, "dictum-cidr", "0.1.0", cidr_types);
