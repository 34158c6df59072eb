#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Install those of the named Debian packages that are missing; nothing is asked when none is.
set -u
missing=
for p in "$@"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
as=
[ "$(id -u)" -eq 0 ] || as=sudo
export DEBIAN_FRONTEND=noninteractive
# A fresh machine may have no package lists, or old ones.
# shellcheck disable=SC2086
$as apt-get install -y --no-install-recommends $missing ||
  { $as apt-get update && $as apt-get install -y --no-install-recommends $missing; }
