# A Debian root from nothing, for those who source this file.
#
# The mirror is the machine's own. Exit status 77: it cannot be done here; the last
# line says why.

say() { echo "$*" >&2; }
cannot() { say "skipped: $*"; exit 77; }

# need PACKAGE COMMAND installs what has a command, where it is missing.
need() {
  [ -x "$2" ] && return
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; } \
    >/dev/null 2>&1 || cannot "there is no $1"
}

# may WHAT says why this machine makes no roots: WHAT takes the rights of root.
may() {
  [ "$(id -u)" = 0 ] || cannot "$1 takes the rights of root"
  unshare --mount true 2>/dev/null || cannot "this machine allows no mounts"
}

# mirror prints the first Debian mirror of the machine's own apt, which knows them
# by their lists.
mirror() {
  list() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian'; }
  [ -n "$(list)" ] || apt-get update -qq >&2 || true
  list | sed -n 1p
}

# debian SUITE PACKAGES ROOT makes a root where there is none yet, and finish ROOT,
# if that is a function, completes it. What is half made is made again. Mounts live in
# a mount namespace of their own and end with it.
debian() {
  local mirror partial=$3.partial
  [ ! -e "$3" ] || return 0
  need debootstrap /usr/sbin/debootstrap
  mirror=$(mirror)
  wget -q --spider "${mirror}dists/$1/InRelease" || cannot "no Debian mirror with $1 can be reached"
  rm -rf "$partial"
  say "making a root of Debian $1"
  unshare --mount --propagation private \
    debootstrap --variant=minbase --include="${2// /,}" "$1" "$partial" "$mirror" sid >"$3.log" 2>&1 ||
    { tail -n 5 "$3.log" >&2; exit 1; }
  rm -rf "$partial"/var/cache/apt/archives "$partial"/var/lib/apt/lists
  if declare -F finish >/dev/null; then finish "$partial"; fi
  mv "$partial" "$3"
}
