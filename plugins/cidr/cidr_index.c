/* SPDX-License-Identifier: BSD-2-Clause */
/* cidr_index.c - finds the networks that an address is in without trying each. */
#include "cidr_index.h"

#include <stdlib.h>
#include <string.h>

#include "rule.h"

/* More entries than these on one path are tried as if there were no index. */
enum { max_path = 256 };
static const uint32_t none = UINT32_MAX;
/* From so many borders on, a search begins with the first bits of the address. */
enum { many_borders = 4096, first_bits = 16 };

/* One entry of the list, before equal networks come together. */
struct item {
  struct network network;
  uint32_t entry;
};

/* A network that entries of the list name: one, or more in different blocks. */
struct node {
  const struct node *up; /* the next network around it, or NULL */
  uint32_t items, n;     /* its entries, in order, within `entries` of the family */
  uint32_t best;         /* the first entry on its path */
};

/* Where a stretch of addresses begins that have the same networks around them. What is asked
 * together lies together: most of a lookup is waiting for memory. */
struct border {
  uint64_t hi, lo;
  const void *what; /* the rule that answers, or the innermost `struct node`; NULL: neither */
};

/* All networks of IPv4, or of IPv6. The first border is the first address of all. */
struct family {
  struct border *borders;
  size_t nborders;
  uint32_t
      *starts; /* for each value of the first bits, and one more: the last border up to there */
  struct node *nodes;
  size_t nnodes;
  uint32_t *entries;
  uint32_t *negated;
  size_t nnegated;
};

struct cidr_index {
  bool plain; /* no IF, no "!": a border has the rule that answers */
  struct family families[2];
};

/* ---- making it ------------------------------------------------------------------------------ */

static int compare_numbers(uint64_t a, uint64_t b) {
  return a < b ? -1 : a > b;
}

/* What is around comes before what is in it. */
static int compare_networks(const struct network *a, const struct network *b) {
  int order = compare_numbers(a->first.hi, b->first.hi);
  if (order == 0)
    order = compare_numbers(a->first.lo, b->first.lo);
  return order ? order : compare_numbers(a->bits, b->bits);
}

static int compare_items(const void *a, const void *b) {
  const struct item *one = a, *other = b;
  int order = compare_networks(&one->network, &other->network);
  return order ? order : compare_numbers(one->entry, other->entry);
}

/* Sorts the family's entries into those that name a network and those that name its outside. */
static size_t collect(const struct rules *rules, bool v6, struct item *items,
                      struct family *family) {
  size_t n = 0;
  for (size_t i = 0; i < rules_count(rules); i++) {
    const struct rule *rule = rules_at(rules, i).rule;
    if (rule->network.first.v6 != v6)
      continue;
    if (rule->negated)
      family->negated[family->nnegated++] = (uint32_t)i;
    else
      items[n++] = (struct item){rule->network, (uint32_t)i};
  }
  qsort(items, n, sizeof *items, compare_items);
  return n;
}

/* Of rules in one block that name the same network, only the first can answer. */
static bool is_dead(const struct rules *rules, const struct family *family, const struct node *node,
                    uint32_t entry) {
  if (node->n == 0)
    return false;
  struct rules_entry before = rules_at(rules, family->entries[node->items + node->n - 1]);
  return !before.is_if && before.block == rules_at(rules, entry).block;
}

static void add_border(struct family *family, const struct address *at, const void *what) {
  struct border *last = &family->borders[family->nborders - 1];
  if (last->hi == at->hi && last->lo == at->lo)
    last->what = what;
  else if (last->what != what)
    family->borders[family->nborders++] = (struct border){at->hi, at->lo, what};
}

/* Returns false when there is no address behind @p last. */
static bool step_behind(struct address *last) {
  if (!last->v6) {
    last->hi = (last->hi | UINT32_MAX) + 1;
    last->lo = 0;
    return last->hi != 0;
  }
  last->lo++;
  if (last->lo == 0)
    last->hi++;
  return last->lo != 0 || last->hi != 0;
}

/* The networks that are open at some address, as a walk over all of them sees it. */
struct walk {
  struct family *family;
  const struct rules *rules;           /* of a plain table; else NULL */
  const struct network *networks[129]; /* each in the one before; one of each length at most */
  const struct node *nodes[129];
  size_t depth;
};

static const void *what_is(const struct walk *walk) {
  if (walk->depth == 0)
    return NULL;
  const struct node *node = walk->nodes[walk->depth - 1];
  return walk->rules ? rules_at(walk->rules, node->best).rule : node;
}

/* Leaves the networks that end before @p next; NULL: all. */
static void leave(struct walk *walk, const struct network *next) {
  while (walk->depth > 0) {
    const struct network *inner = walk->networks[walk->depth - 1];
    if (next && network_has(inner, &next->first))
      return;
    struct address behind = network_last(inner);
    walk->depth--;
    if (step_behind(&behind))
      add_border(walk->family, &behind, what_is(walk));
  }
}

static struct node *enter(struct walk *walk, const struct network *network, uint32_t items) {
  struct family *family = walk->family;
  struct node *node = &family->nodes[family->nnodes++];
  *node = (struct node){NULL, items, 0, none};
  if (walk->depth > 0) {
    node->up = walk->nodes[walk->depth - 1];
    node->best = node->up->best;
  }
  walk->networks[walk->depth] = network;
  walk->nodes[walk->depth++] = node;
  return node;
}

/* @p items are in order; they may go when this is done. */
static void cut(struct family *family, const struct rules *rules, bool plain,
                const struct item *items, size_t n) {
  struct walk walk = {.family = family, .rules = plain ? rules : NULL};
  uint32_t used = 0;
  family->borders[0] = (struct border){0, 0, NULL};
  family->nborders = 1;
  for (size_t i = 0; i < n;) {
    const struct network *network = &items[i].network;
    leave(&walk, network);
    struct node *node = enter(&walk, network, used);
    for (; i < n && compare_networks(network, &items[i].network) == 0; i++)
      if (!is_dead(rules, family, node, items[i].entry)) {
        family->entries[used++] = items[i].entry;
        node->n++;
        if (items[i].entry < node->best)
          node->best = items[i].entry;
      }
    add_border(family, &network->first, what_is(&walk));
  }
  leave(&walk, NULL);
}

static void release_family(struct family *family) {
  free(family->borders);
  free(family->starts);
  free(family->nodes);
  free(family->entries);
  free(family->negated);
}

/* Gives back what the estimate was too large by. */
static void shrink(struct family *family) {
  struct border *fewer = realloc(family->borders, family->nborders * sizeof *fewer);
  if (fewer)
    family->borders = fewer;
}

/* Memory may be out: then a search takes longer. */
static void make_starts(struct family *family) {
  const size_t values = (size_t)1 << first_bits;
  if (family->nborders < many_borders)
    return;
  family->starts = malloc((values + 1) * sizeof *family->starts);
  if (!family->starts)
    return;
  size_t border = 0;
  for (uint64_t value = 0; value < values; value++) {
    uint64_t hi = value << (64 - first_bits);
    while (border + 1 < family->nborders &&
           (family->borders[border + 1].hi < hi ||
            (family->borders[border + 1].hi == hi && family->borders[border + 1].lo == 0)))
      border++;
    family->starts[value] = (uint32_t)border;
  }
  family->starts[values] = (uint32_t)(family->nborders - 1);
}

/* @p count  entries of this family, negated or not */
static bool make_family(struct family *family, const struct rules *rules, bool plain, bool v6,
                        size_t count) {
  size_t borders = 2 * count + 1;
  struct item *items = calloc(count + 1, sizeof *items);
  family->borders = calloc(borders, sizeof *family->borders);
  family->nodes = calloc(count + 1, sizeof *family->nodes);
  family->entries = calloc(count + 1, sizeof *family->entries);
  family->negated = calloc(count + 1, sizeof *family->negated);
  bool good = items && family->borders && family->nodes && family->entries && family->negated;
  if (good) {
    size_t n = collect(rules, v6, items, family);
    cut(family, rules, plain, items, n);
    shrink(family);
    make_starts(family);
  }
  free(items);
  return good;
}

struct cidr_index *cidr_index_new(const struct rules *rules) {
  size_t count = rules_count(rules), counts[2] = {0, 0};
  struct cidr_index *index = count < none / 2 ? calloc(1, sizeof *index) : NULL;
  if (!index)
    return NULL;
  index->plain = true;
  for (size_t i = 0; i < count; i++) {
    struct rules_entry entry = rules_at(rules, i);
    const struct rule *rule = entry.rule;
    counts[rule->network.first.v6]++;
    index->plain = index->plain && !entry.is_if && !rule->negated;
  }
  for (int v6 = 0; v6 < 2; v6++)
    if (!make_family(&index->families[v6], rules, index->plain, v6, counts[v6])) {
      cidr_index_free(index);
      return NULL;
    }
  return index;
}

void cidr_index_free(struct cidr_index *index) {
  if (!index)
    return;
  release_family(&index->families[0]);
  release_family(&index->families[1]);
  free(index);
}

/* ---- asking it ------------------------------------------------------------------------------ */

static const void *what_at(const struct family *family, const struct address *address) {
  size_t base = 0, n = family->nborders;
  if (family->starts) {
    size_t value = address->hi >> (64 - first_bits);
    base = family->starts[value];
    n = family->starts[value + 1] - base + 1;
  }
  while (n > 1) {
    size_t half = n / 2;
    const struct border *at = &family->borders[base + half];
    bool above = at->hi > address->hi || (at->hi == address->hi && at->lo > address->lo);
    base = above ? base : base + half;
    n -= half;
  }
  return family->borders[base].what;
}

/* What may match: entries on the path, in order, and those that are negated. */
struct proposals {
  uint32_t path[max_path];
  size_t npath, path_at;
  const uint32_t *negated;
  size_t nnegated, negated_at;
};

static size_t propose(void *context, size_t from) {
  struct proposals *all = context;
  while (all->path_at < all->npath && all->path[all->path_at] < from)
    all->path_at++;
  while (all->negated_at < all->nnegated && all->negated[all->negated_at] < from)
    all->negated_at++;
  size_t next = all->path_at < all->npath ? all->path[all->path_at] : SIZE_MAX;
  if (all->negated_at < all->nnegated && all->negated[all->negated_at] < next)
    next = all->negated[all->negated_at];
  return next;
}

static void insert(struct proposals *all, uint32_t entry) {
  size_t i = all->npath++;
  for (; i > 0 && all->path[i - 1] > entry; i--)
    all->path[i] = all->path[i - 1];
  all->path[i] = entry;
}

/* @return false when they are too many */
static bool gather(const struct family *family, const struct node *node, struct proposals *all) {
  for (; node; node = node->up) {
    if (node->n > max_path - all->npath)
      return false;
    for (uint32_t i = 0; i < node->n; i++)
      insert(all, family->entries[node->items + i]);
  }
  return true;
}

dictum_status cidr_index_find(const struct cidr_index *index, const struct rules *rules,
                              rules_match *match, struct address *address, const void **rule) {
  const struct family *family = &index->families[address->v6];
  const void *what = what_at(family, address);
  if (index->plain) {
    *rule = what;
    return what ? DICTUM_OK : DICTUM_NOTFOUND;
  }
  struct proposals all UNINITIALIZED;
  all.npath = all.path_at = all.negated_at = 0;
  all.negated = family->negated;
  all.nnegated = family->nnegated;
  if (!gather(family, what, &all))
    return rules_find(rules, match, address, rule);
  return rules_find_proposed(rules, propose, &all, match, address, rule);
}
