#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the built files offer and what they call. $PREFIX holds an installed copy.
. "$(dirname "$0")/../lib.sh"

library=$PREFIX/lib/libdictum.so
symbols() { # nm's option, FILE
  nm -D "$1" "$2" | awk '{ print $NF }' | sed 's/@.*//' | sort
}

symbols --defined-only "$library" >"$work/exported"
sort "$TOP_SRCDIR/core/dictum.sym" >"$work/committed"
check "libdictum exports what core/dictum.sym lists" diff "$work/committed" "$work/exported"
grep -ho '\bdictum_[a-z0-9_]*(' "$TOP_SRCDIR/core/include/dictum.h" | tr -d '(' | sort -u \
  >"$work/declared"
comm -23 "$work/exported" "$work/declared" >"$work/log"
[ ! -s "$work/log" ]
result $? "each of them is declared in dictum.h"

# A library in somebody else's process must not print, end it, or change what belongs to all of it.
forbidden='^(_?_?exit|_Exit|quick_exit|abort|__assert_fail|atexit|on_exit|__cxa_atexit|printf|vprintf
|fprintf|vfprintf|__printf_chk|__fprintf_chk|__vprintf_chk|__vfprintf_chk|puts|fputs|putchar|perror
|psignal|syslog|vsyslog|stdout|stderr|signal|sigaction|sigprocmask|pthread_sigmask|alarm|setlocale
|umask|chdir|fchdir|setenv|unsetenv|putenv|clearenv|setuid|seteuid|setreuid|setresuid|setgid
|setegid|setgroups|setrlimit|chroot|fork|vfork|system|popen|execve|sleep|usleep)$'
forbidden=$(printf %s "$forbidden" | tr -d '\n')
# libmariadb ignores SIGPIPE for the whole process, and its TLS may raise one: the plugin takes back
# the first, and keeps the second from the thread that asks.
allowed() {
  case $1 in
  */dictum_mysql.so) echo '^(sigaction|pthread_sigmask)$' ;;
  *) echo '^$' ;;
  esac
}
calls_nothing_forbidden() {
  ! symbols --undefined-only "$1" | grep -vE "$(allowed "$1")" | grep -E "$forbidden"
}
check "libdictum calls nothing that it must not" calls_nothing_forbidden "$library"
for plugin in "$PREFIX"/lib/dictum/dictum_*.so; do
  name=${plugin##*/}
  module=${name%.so}
  symbols --defined-only "$plugin" >"$work/exported"
  echo "${module}_LTX_dictum_plugin" >"$work/expected"
  check "$name exports its descriptor and nothing else" diff "$work/expected" "$work/exported"
  check "$name calls nothing that it must not" calls_nothing_forbidden "$plugin"
  symbols --undefined-only "$plugin" | grep '^dictum_' >"$work/log"
  [ ! -s "$work/log" ]
  result $? "$name links nothing of ours"
done

bound_at_once() {
  readelf -dW "$1" | grep -qE 'BIND_NOW|Flags:.*NOW' && readelf -lW "$1" | grep -q GNU_RELRO
}
for file in "$PREFIX/bin/dictum" "$library" "$PREFIX"/lib/dictum/dictum_*.so; do
  check "${file##*/} is bound at once, then read-only" bound_at_once "$file"
done
finish
