/* SPDX-License-Identifier: BSD-2-Clause */
/* rules_index.c - tells which regular expressions of a list a key may match. */
#include "rules_index.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t none = UINT32_MAX;
enum { gram = LITERAL_LEAST };            /* bytes that lead to a text */
enum { most_bits = 20, few_words = 256 }; /* of the table; of a set that fits on the stack */

/* A text that a rule needs, while the index is being made. */
struct needed {
  struct literal literal;
  uint32_t entry;
};

/* A text, and the entries that need it. */
struct text {
  uint32_t next;       /* the next one with the same hash, or none */
  uint32_t entries, n; /* within `entries` of the index */
  unsigned char len;
  unsigned char at; /* where its four bytes are */
  char bytes[LITERAL_MOST];
};

struct rules_index {
  size_t nwords;
  uint64_t *always; /* the set of entries that are always proposed */
  unsigned shift;
  uint32_t *heads; /* by hash: the first text */
  struct text *texts;
  uint32_t *entries;
  size_t ntexts, nentries;
};

static uint32_t hash(uint32_t four, unsigned shift) {
  return (uint32_t)(four * UINT32_C(0x9e3779b1)) >> shift;
}

static uint32_t gram_of(const char *text) {
  uint32_t four = 0;
  for (int i = 0; i < gram; i++)
    four = four << 8 | (unsigned char)text[i];
  return four;
}

/* ---- making it ------------------------------------------------------------------------------ */

static int compare_needed(const void *a, const void *b) {
  const struct needed *one = a, *other = b;
  if (one->literal.len != other->literal.len)
    return one->literal.len < other->literal.len ? -1 : 1;
  int order = memcmp(one->literal.text, other->literal.text, one->literal.len);
  if (order != 0)
    return order;
  return one->entry < other->entry ? -1 : one->entry > other->entry;
}

static bool same_text(const struct text *text, const struct literal *literal) {
  return text->len == literal->len && memcmp(text->bytes, literal->text, literal->len) == 0;
}

/* A growing list of what is needed. */
struct gathered {
  struct needed *list;
  size_t n, capacity;
};

static bool gather(struct gathered *all, const struct literals *literals, uint32_t entry) {
  if (all->capacity - all->n < literals->n) {
    size_t capacity = all->capacity ? 2 * all->capacity : 256;
    struct needed *list = reallocarray(all->list, capacity, sizeof *list);
    if (!list)
      return false;
    all->list = list;
    all->capacity = capacity;
  }
  for (size_t i = 0; i < literals->n; i++)
    all->list[all->n++] = (struct needed){literals->list[i], entry};
  return true;
}

static bool gather_all(struct rules_index *index, const struct rules *rules,
                       rules_literals *literals, struct gathered *all) {
  struct literals found;
  for (size_t i = 0; i < rules_count(rules); i++) {
    if (!literals(rules_at(rules, i).rule, &found))
      index->always[i / 64] |= UINT64_C(1) << i % 64;
    else if (!gather(all, &found, (uint32_t)i))
      return false;
  }
  return true;
}

/* Makes one text of equal ones, which are next to each other. */
static void unite(struct rules_index *index, const struct gathered *all) {
  for (size_t i = 0; i < all->n; i++) {
    const struct literal *literal = &all->list[i].literal;
    struct text *text = index->ntexts ? &index->texts[index->ntexts - 1] : NULL;
    if (!text || !same_text(text, literal)) {
      text = &index->texts[index->ntexts++];
      *text = (struct text){.next = none, .entries = (uint32_t)i, .len = literal->len};
      memcpy(text->bytes, literal->text, literal->len);
    }
    index->entries[text->entries + text->n++] = all->list[i].entry;
  }
}

/* Counts how often each hash occurs in all texts. */
static void count_grams(const struct rules_index *index, uint32_t *counts) {
  for (size_t i = 0; i < index->ntexts; i++)
    for (int at = 0; at + gram <= index->texts[i].len; at++)
      counts[hash(gram_of(index->texts[i].bytes + at), index->shift)]++;
}

static void enter_text(struct rules_index *index, uint32_t number, const uint32_t *counts) {
  struct text *text = &index->texts[number];
  uint32_t best = 0;
  for (unsigned char at = 0; at + gram <= text->len; at++) {
    uint32_t code = hash(gram_of(text->bytes + at), index->shift);
    if (at == 0 || counts[code] < counts[best]) {
      best = code;
      text->at = at;
    }
  }
  text->next = index->heads[best];
  index->heads[best] = number;
}

/* @p all is in order. */
static bool fill(struct rules_index *index, const struct gathered *all) {
  unsigned bits = 10;
  while (bits < most_bits && (size_t)1 << bits < 4 * all->n)
    bits++;
  size_t places = (size_t)1 << bits;
  index->shift = 32 - bits;
  index->nentries = all->n;
  index->heads = malloc(places * sizeof *index->heads);
  index->texts = calloc(all->n + 1, sizeof *index->texts);
  index->entries = calloc(all->n + 1, sizeof *index->entries);
  uint32_t *counts = calloc(places, sizeof *counts);
  bool good = index->heads && index->texts && index->entries && counts;
  if (good) {
    memset(index->heads, 0xff, places * sizeof *index->heads);
    unite(index, all);
    count_grams(index, counts);
    for (size_t i = 0; i < index->ntexts; i++)
      enter_text(index, (uint32_t)i, counts);
  }
  free(counts);
  return good;
}

struct rules_index *rules_index_new(const struct rules *rules, rules_literals *literals) {
  size_t count = rules_count(rules);
  struct rules_index *index = count < none / LITERALS_MOST ? calloc(1, sizeof *index) : NULL;
  if (!index)
    return NULL;
  struct gathered all = {0};
  index->nwords = count / 64 + 1;
  index->always = calloc(index->nwords, sizeof *index->always);
  bool good = index->always && gather_all(index, rules, literals, &all);
  if (good && all.n > 0)
    qsort(all.list, all.n, sizeof *all.list, compare_needed);
  good = good && fill(index, &all);
  free(all.list);
  if (good)
    return index;
  rules_index_free(index);
  return NULL;
}

void rules_index_free(struct rules_index *index) {
  if (!index)
    return;
  free(index->always);
  free(index->heads);
  free(index->texts);
  free(index->entries);
  free(index);
}

/* ---- asking it ------------------------------------------------------------------------------ */

/* Is @p text in @p key, with its four bytes before @p behind? */
static bool is_there(const struct text *text, dictum_key key, size_t behind) {
  size_t before = behind - gram;
  if (before < text->at || key.n - (before - text->at) < text->len)
    return false;
  const char *p = key.p + before - text->at;
  for (unsigned i = 0; i < text->len; i++)
    if (literal_fold(p[i]) != text->bytes[i])
      return false;
  return true;
}

static void add(const struct rules_index *index, const struct text *text, uint64_t *set) {
  const uint32_t *entries = &index->entries[text->entries];
  for (uint32_t i = 0; i < text->n; i++)
    set[entries[i] / 64] |= UINT64_C(1) << entries[i] % 64;
}

/* Adds the entries whose texts are in @p key. @return false when that takes longer than to try all:
 * many texts with the same four bytes, and a key that is full of these. */
static bool walk(const struct rules_index *index, dictum_key key, uint64_t *set) {
  uint32_t four = 0;
  size_t left = 4 * index->nentries + key.n;
  for (size_t i = 0; i < key.n; i++) {
    four = four << 8 | (unsigned char)literal_fold(key.p[i]);
    if (i + 1 < gram)
      continue;
    for (uint32_t n = index->heads[hash(four, index->shift)]; n != none;) {
      const struct text *text = &index->texts[n];
      bool there = is_there(text, key, i + 1);
      size_t cost = there ? text->n : 1;
      if (cost > left)
        return false;
      left -= cost;
      if (there)
        add(index, text, set);
      n = text->next;
    }
  }
  return true;
}

struct proposals {
  const uint64_t *set;
  size_t nwords;
};

static size_t propose(void *context, size_t from) {
  const struct proposals *all = context;
  size_t word = from / 64;
  if (word >= all->nwords)
    return SIZE_MAX;
  uint64_t bits = all->set[word] & UINT64_MAX << from % 64;
  while (bits == 0)
    if (++word == all->nwords)
      return SIZE_MAX;
    else
      bits = all->set[word];
  return word * 64 + (size_t)__builtin_ctzll(bits);
}

dictum_status rules_index_find(const struct rules_index *index, const struct rules *rules,
                               dictum_key key, rules_match *match, void *subject,
                               const void **rule) {
  uint64_t few[few_words] UNINITIALIZED;
  if (!index)
    return rules_find(rules, match, subject, rule);
  uint64_t *set = index->nwords <= few_words ? few : calloc(index->nwords, sizeof *set);
  if (!set)
    return rules_find(rules, match, subject, rule);
  memcpy(set, index->always, index->nwords * sizeof *set);
  struct proposals all = {set, index->nwords};
  dictum_status status = walk(index, key, set)
                             ? rules_find_proposed(rules, propose, &all, match, subject, rule)
                             : rules_find(rules, match, subject, rule);
  if (set != few)
    free(set);
  return status;
}
