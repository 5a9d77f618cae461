#!/usr/bin/env bash
# Builds and tests bnlab on Debian 13 (PyTorch 2.6, oneDNN 3.7, Highway 1.2, Python 3.13) in a folder of its own, on any
# Debian: the committed tree, in a throw-away system made by debootstrap. As root.
#
# Usage: tools/debian13.sh [FOLDER [COMMAND...]]
#   FOLDER   where the system lies or is made, about 4 GB; build-debian13 by default. Delete it when done.
#   COMMAND  what runs in the clone; by default `make test-toolkit`: the kernels, the operators and the Python package.
#            `make test-release` runs all tests there, two hours on 2 cores; `make test-asan test-tsan fuzz` and
#            `make run` work too.
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$(realpath -m "${1:-build-debian13}")
shift || true
[ $# -gt 0 ] || set -- make test-toolkit
[ "$(id -u)" -eq 0 ] || { echo "debian13.sh: run it as root: chroot and mount need that." >&2; exit 1; }
command -v debootstrap >/dev/null || { apt-get update -qq; apt-get install -y -qq --no-install-recommends debootstrap >/dev/null; }

if [ ! -e "$folder/etc/debian_version" ]; then
  # The mirror that this system uses, where it is Debian's.
  mirror=$(awk '/^URIs:/ { print $2 } /^deb / { print $2 }' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -E '/debian/?$' | head -n 1 || true)
  debootstrap --variant=minbase --include=ca-certificates,git,make trixie "$folder" "${mirror:-http://deb.debian.org/debian}"
  cp -r /etc/apt/apt.conf.d/. "$folder/etc/apt/apt.conf.d/"
fi
cp /etc/resolv.conf "$folder/etc/resolv.conf"
# Where this system trusts more certificates than Debian's, so do apt and npm in there.
certificates=etc/ssl/certs/ca-certificates.crt
[ ! -e "/$certificates" ] || cp "/$certificates" "$folder/$certificates"

mounted=()
leave() {
  for place in "${mounted[@]}"; do umount -l "$place" || true; done
}
trap leave EXIT
for place in proc sys dev; do
  mountpoint -q "$folder/$place" && continue
  mount --rbind "/$place" "$folder/$place"
  mount --make-rslave "$folder/$place"
  mounted=("$folder/$place" "${mounted[@]}")
done

# What is built stays from one call to the next: files that have not changed keep their times.
clone=$folder/root/bnlab
if [ -d "$clone/.git" ]; then
  git -C "$clone" fetch -q "$PWD" HEAD
  git -C "$clone" checkout -q --detach FETCH_HEAD
else
  git clone -q --no-hardlinks "$PWD" "$clone"
fi
chroot "$folder" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  NODE_EXTRA_CA_CERTS="/$certificates" BNLAB_WERROR="${BNLAB_WERROR:-}" sh -c 'cd /root/bnlab && exec "$@"' sh "$@"
