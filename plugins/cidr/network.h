/* SPDX-License-Identifier: BSD-2-Clause */
/* network.h - addresses of IPv4 and IPv6, and networks of them, as numbers. */
#ifndef DICTUM_CIDR_NETWORK_H
#define DICTUM_CIDR_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The first bit of an address is the highest of `hi`; what IPv4 does not use is zero. */
struct address {
  uint64_t hi, lo;
  bool v6;
};

struct network {
  struct address first;
  unsigned bits; /**< how many at the beginning are common to all of it */
};

/** Text of an address that network_text() or address_parse() deals with, and its NUL. */
enum { ADDRESS_SIZE = 46 };

/** Reads an address as inet_pton(3) does, of IPv6 when there is a colon in it.
 * @return false when it is none. */
bool address_parse(const char *text, size_t len, struct address *out);
/** Writes @p address as inet_ntop(3) does. */
void address_text(const struct address *address, char text[ADDRESS_SIZE]);

/** Returns how many bits an address has. */
static inline unsigned address_bits(bool v6) {
  return v6 ? 128 : 32;
}

/** Returns the first address of the network of @p bits bits that has @p address in it. */
struct address network_first(const struct address *address, unsigned bits);
/** Returns its last address. Beyond the address's own bits it is all ones. */
struct address network_last(const struct network *network);
/** Is @p address in it? Never, for one of the other family. */
bool network_has(const struct network *network, const struct address *address);

#endif
