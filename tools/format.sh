#!/bin/sh
# Formats the tracked C++ files with clang-format 14 and the style of .clang-format.
#
#   tools/format.sh           formats them in place
#   tools/format.sh --check   changes nothing; lists the files that are not formatted and exits 1 if there are any
set -eu
cd "$(dirname "$0")/.."

case "$#:${1:-}" in
  0:) check=false ;;
  1:--check) check=true ;;
  *) echo "usage: tools/format.sh [--check]" >&2; exit 2 ;;
esac

# Other versions of clang-format break lines elsewhere.
for formatter in clang-format-14 clang-format ""; do
  if [ -z "$formatter" ] && [ "$check" = true ] && ! grep -q '^VERSION_ID="12"' /etc/os-release; then
    echo "tools/format.sh: no clang-format 14 here; the format is checked on Debian 12" >&2
    exit 0
  fi
  if [ -z "$formatter" ]; then
    echo "tools/format.sh: clang-format 14 is missing; run make setup" >&2
    exit 2
  fi
  case "$("$formatter" --version 2>/dev/null || true)" in
    *"version 14."*) break ;;
  esac
done

tracked=$(git ls-files -- 'src/*.cpp' 'src/*.h' 'tests/*.cpp' 'tests/*.h' 'bench/*.cpp' 'bench/*.h' 'fuzz/*.cpp' 'fuzz/*.h' \
  'examples/*.cpp')
if [ -z "$tracked" ]; then
  echo "tools/format.sh: git knows no C++ files here" >&2
  exit 2
fi

# Those that are tracked but deleted in the working tree are passed over.
sources() {
  printf '%s\n' "$tracked" | while IFS= read -r file; do
    if [ -f "$file" ]; then printf '%s\n' "$file"; fi
  done
}

if [ "$check" = false ]; then
  sources | tr '\n' '\0' | xargs -0 "$formatter" -i --style=file
  exit 0
fi

unformatted=$(sources | while IFS= read -r file; do
  "$formatter" --dry-run -Werror --style=file "$file" >/dev/null 2>&1 || printf '%s\n' "$file"
done)
if [ -n "$unformatted" ]; then
  printf '%s\n' "$unformatted"
  echo "not formatted; run tools/format.sh" >&2
  exit 1
fi
