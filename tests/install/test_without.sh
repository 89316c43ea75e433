#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# test_without.sh PLUGIN... - a build that was configured --without each PLUGIN lacks their types,
# says so, and has all others. $TOP_BUILDDIR is the build.
left_out=" $* "
. "$(dirname "$0")/../lib.sh"

mkdir "$work/etc"
echo 'compatibility_level = 3.6' >"$work/etc/main.cf"
export MAIL_CONFIG="$work/etc"
cd "$work" || exit 99
echo 'key value' >table
echo '/key/ value' >rules
echo '192.0.2.0/24 value' >networks

try_type() { # PLUGIN TYPE NAME [KEY]
  "$DICTUM" get "$2:$3" "${4:-key}" >out 2>log
  status=$?
  cat out >>log
  case $left_out in
  *" $1 "*)
    [ "$status" -eq 78 ] && grep -q "unsupported dictionary type: $2" log && grep -q 'install' log
    result $? "$2 is missing, and that is said with the cure"
    "$DICTUM" types | grep -q "^$2 "
    [ $? -eq 1 ]
    result $? "$2 is not listed"
    ;;
  *)
    [ "$status" -eq 0 ] && [ "$(cat out)" = value ]
    result $? "$2 is there"
    ;;
  esac
}

# A type of a server that is not here: what is outside of its "domain" is no key of it.
try_absence() { # PLUGIN TYPE NAME
  case $left_out in
  *" $1 "*) try_type "$@" ;;
  *)
    "$DICTUM" get "$2:$3" key >out 2>log
    [ $? -eq 1 ] && ! [ -s out ] && ! [ -s log ]
    result $? "$2 is there"
    ;;
  esac
}

has() {
  case $left_out in
  *" $1 "*) false ;;
  esac
}
if has bdb; then "$DICTUM" build hash:table; fi
try_type bdb hash table
if has bdb; then "$DICTUM" build btree:table; fi
try_type bdb btree table
if has cdb; then "$DICTUM" build cdb:table; fi
try_type cdb cdb table
if has lmdb; then "$DICTUM" build lmdb:table; fi
try_type lmdb lmdb table
printf 'memcache = unix:/nonexistent\nbackup = static:value\n' >memcache.cf
try_type memcache memcache ./memcache.cf
printf 'hosts = /nonexistent\ndbname = x\nquery = SELECT 1\ndomain = example.org\n' >pgsql.cf
try_absence pgsql pgsql ./pgsql.cf
printf 'hosts = /nonexistent\ndbname = x\nquery = SELECT 1\ndomain = example.org\n' >mysql.cf
try_absence mysql mysql ./mysql.cf
printf 'uri = mongodb://127.0.0.1:1/\ndbname = x\ncollection = x\nquery_filter = {}\ndomain = example.org\n' \
  >mongodb.cf
try_absence mongodb mongodb ./mongodb.cf
printf 'server_host = ldapi://%%2Fnonexistent\ndomain = example.org\n' >ldap.cf
try_absence ldap ldap ./ldap.cf
try_type net proxy static:value
printf 'domain = example.org\n' >redis.cf
try_absence redis redis ./redis.cf
try_type regexp regexp rules
try_type pcre pcre rules
try_type cidr cidr networks 192.0.2.1
: >empty.db
printf 'dbpath = empty.db\nquery = SELECT \047value\047\n' >sqlite.cf
try_type sqlite sqlite ./sqlite.cf
check "static is always there" test "$("$DICTUM" get static:value key)" = value
finish
