#!/usr/bin/env bash
# Installs the Debian packages of the named sections of tools/apt-packages.txt, and Node.js where it is missing.
# Installs nothing where all is there. Usage: tools/setup.sh build [test]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

packages_of() {
  awk -v section="[$1]" '/^#/ || !NF { next } /^\[/ { inside = ($0 == section); next } inside' "$here/apt-packages.txt"
}

installed() {
  dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed
}

# The first of a|b|c that this Debian has; the last if it has none, which apt-get then names.
available() {
  for package in ${1//|/ }; do
    apt-cache show "$package" >/dev/null 2>&1 && break
  done
  echo "$package"
}

missing=()
for section in "$@"; do
  found=$(packages_of "$section")
  [ -n "$found" ] || { echo "setup.sh: tools/apt-packages.txt has no section [$section]" >&2; exit 2; }
  for names in $found; do
    for package in ${names//|/ }; do
      installed "$package" && continue 2
    done
    missing+=("$names")
  done
done
command -v node >/dev/null || command -v nodejs >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
[ ${#missing[@]} -eq 0 ] && exit 0

echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup.sh: to install them, run as root or install sudo: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
for names in "${missing[@]}"; do packages+=("$(available "$names")"); done
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
