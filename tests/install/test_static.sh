#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A program that was built with --disable-shared carries everything inside itself: it runs from any
# folder, with no plugin and no registry anywhere. $TOP_BUILDDIR is the build.
. "$(dirname "$0")/../lib.sh"

mkdir "$work/bin" "$work/etc"
cp "$TOP_BUILDDIR/cli/dictum" "$work/bin/dictum"
ln -s dictum "$work/bin/postmap"
ln -s dictum "$work/bin/postalias"
cd "$work" || exit 99
echo 'compatibility_level = 3.6' >etc/main.cf
export DICTUM_PLUGIN_DIR=/nonexistent DICTUM_DYNAMICMAPS=/nonexistent/dynamicmaps.cf
export MAIL_CONFIG="$work/etc"

check "it is a program, not a script" sh -c 'readelf -h bin/dictum'
check "it needs no libdictum" sh -c '! ldd bin/dictum | grep libdictum'
printf 'Info@example.org\tsomebody\n' >table
printf 'Info@example.org\tsomebody\n' >sorted
for type in hash cdb lmdb; do
  check "$type: build" bin/postmap "$type:table"
  check "$type: query" test "$(bin/postmap -q info@EXAMPLE.org "$type:table")" = somebody
done
check "btree: build" bin/dictum build btree:sorted
check "btree: query" test "$(bin/dictum get btree:sorted info@example.org)" = somebody
echo '/^info@/ matched' >rules
check "regexp: query" test "$(bin/dictum get regexp:rules info@example.org)" = matched
printf 'memcache = unix:/nonexistent\nbackup = lmdb:table\n' >memcache.cf
check "memcache: query" test "$(bin/dictum get memcache:./memcache.cf info@example.org)" = somebody
printf 'hosts = /nonexistent\ndbname = x\nquery = SELECT 1\n' >server.cf
check "pgsql: no server" sh -c "bin/dictum get pgsql:$work/server.cf key; test \$? -eq 75"
check "mysql: no server" sh -c "bin/dictum get mysql:$work/server.cf key; test \$? -eq 75"
printf 'uri = mongodb://127.0.0.1:1/\ndbname = x\ncollection = x\nquery_filter = {}\n' >mongodb.cf
check "mongodb: no server" sh -c "bin/dictum get mongodb:$work/mongodb.cf key; test \$? -eq 75"
check "pcre: query" test "$(bin/postmap -q info@example.org pcre:rules)" = matched
echo '192.0.2.0/24 matched' >networks
check "cidr: query" test "$(bin/postmap -q 192.0.2.1 cidr:networks)" = matched
check "proxy: query" test "$(bin/dictum get proxy:static:value info@example.org)" = value
: >empty.db
printf 'dbpath = empty.db\nquery = SELECT \047got %%s\047\n' >sqlite.cf
check "sqlite: query" test "$(bin/dictum get sqlite:./sqlite.cf x)" = 'got x'
echo 'postmaster: root' >aliases
check "postalias: build" bin/postalias hash:aliases
check "postalias: query" test "$(bin/postalias -q postmaster hash:aliases)" = root
bin/dictum types >listing
# Which type is in which plugin, without the comments.
sed 's/#.*//; s/[[:space:]].*//; /^$/d' "$TOP_SRCDIR"/plugins/*/*.cf >types
for type in environ fail inline static texthash $(cat types); do
  check "$type is listed, from no file" grep -q "^$type .*" listing
done
check "no type is unusable for want of a file" sh -c '! grep -E "^[a-z]+ .*(unusable|\.so)" listing'
finish
