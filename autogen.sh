#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Makes ./configure in a fresh checkout; needs autoconf, automake, libtool and autoconf-archive.
set -eu
cd "$(dirname "$0")"
mkdir -p m4 build-aux
autoreconf --install --force --warnings=all,no-obsolete
# configure clears away core dumps, and would complain that our folder core is none.
sed 's/rm -f core \(\*\.core\|conftest\)/rm -f \1/' configure >configure.tmp
cat configure.tmp >configure
rm configure.tmp
