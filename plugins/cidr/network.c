/* SPDX-License-Identifier: BSD-2-Clause */
/* network.c - addresses of IPv4 and IPv6, and networks of them, as numbers. */
#include "network.h"

#include <arpa/inet.h>
#include <string.h>

static uint64_t read_bytes(const unsigned char *bytes, unsigned n) {
  uint64_t value = 0;
  for (unsigned i = 0; i < n; i++)
    value = value << 8 | bytes[i];
  return value;
}

static void write_bytes(uint64_t value, unsigned char *bytes) {
  for (unsigned i = 8; i-- > 0; value >>= 8)
    bytes[i] = (unsigned char)value;
}

bool address_parse(const char *text, size_t len, struct address *out) {
  char copy[ADDRESS_SIZE];
  unsigned char bytes[16];
  if (len == 0 || len >= sizeof copy)
    return false;
  memcpy(copy, text, len);
  copy[len] = '\0';
  bool v6 = memchr(copy, ':', len) != NULL;
  if (strlen(copy) != len || inet_pton(v6 ? AF_INET6 : AF_INET, copy, bytes) != 1)
    return false;
  *out = v6 ? (struct address){read_bytes(bytes, 8), read_bytes(bytes + 8, 8), true}
            : (struct address){read_bytes(bytes, 4) << 32, 0, false};
  return true;
}

void address_text(const struct address *address, char text[ADDRESS_SIZE]) {
  unsigned char bytes[16];
  write_bytes(address->hi, bytes);
  write_bytes(address->lo, bytes + 8);
  if (!inet_ntop(address->v6 ? AF_INET6 : AF_INET, bytes, text, ADDRESS_SIZE))
    text[0] = '\0';
}

/* All ones behind the first @p bits, of 64. */
static uint64_t behind(unsigned bits) {
  return bits >= 64 ? 0 : UINT64_MAX >> bits;
}

static uint64_t behind_lo(unsigned bits) {
  return behind(bits > 64 ? bits - 64 : 0);
}

struct address network_first(const struct address *address, unsigned bits) {
  return (struct address){address->hi & ~behind(bits), address->lo & ~behind_lo(bits), address->v6};
}

struct address network_last(const struct network *network) {
  const struct address *first = &network->first;
  return (struct address){first->hi | behind(network->bits), first->lo | behind_lo(network->bits),
                          first->v6};
}

bool network_has(const struct network *network, const struct address *address) {
  const struct address *first = &network->first;
  return address->v6 == first->v6 && ((address->hi ^ first->hi) & ~behind(network->bits)) == 0 &&
         ((address->lo ^ first->lo) & ~behind_lo(network->bits)) == 0;
}
