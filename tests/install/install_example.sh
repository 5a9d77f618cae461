#!/bin/sh
# Usage: install_example.sh CMAKE BUILD_FOLDER CXX
#
# Installs the kernels of a build, moves them elsewhere, builds examples/kernels outside the source tree against them,
# runs it and compares what it prints.
set -eu
cmake=$1 build=$2 cxx=$3
source=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
  echo "install_example: $1" >&2
  exit 1
}

"$cmake" --install "$build" --component kernels --prefix "$folder/installed"
mv "$folder/installed" "$folder/moved"

(cd "$folder/moved" && find . -type f | LC_ALL=C sort) >"$folder/files"
diff - "$folder/files" <<'END' || fail "other files are installed than expected"
./include/bnlab/kernels/batch_norm.h
./include/bnlab/kernels/element.h
./include/bnlab/kernels/instruction_set.h
./include/bnlab/kernels/moments.h
./include/bnlab/kernels/shape.h
./include/bnlab/kernels/status.h
./include/bnlab/kernels/task_runner.h
./lib/cmake/bnlab/bnlab-config-version.cmake
./lib/cmake/bnlab/bnlab-config.cmake
./lib/cmake/bnlab/bnlab-targets-release.cmake
./lib/cmake/bnlab/bnlab-targets.cmake
./lib/libbnlab_kernels.a
END
for path in "$source" "$build" "$folder/installed"; do
  if grep -rF "$path" "$folder/moved"; then fail "what is installed names $path"; fi
done

cp -r "$source/examples/kernels" "$folder/example"
"$cmake" -S "$folder/example" -B "$folder/build" -DCMAKE_PREFIX_PATH="$folder/moved" -DCMAKE_CXX_COMPILER="$cxx" \
  -DCMAKE_CXX_FLAGS='-Wall -Wextra -Werror'
"$cmake" --build "$folder/build"

"$folder/build/normalize" >"$folder/printed"
cat "$folder/printed"
head -n 1 "$folder/printed" | grep -Eqx 'instruction set: (avx512|avx2|sse4|portable)' || fail "no instruction set"
tail -n +2 "$folder/printed" | diff - "$source/tests/install/expected.txt" || fail "other results than expected"

# A bad instruction set is reported, through the Status, as one sentence.
if BNLAB_FORCE_ISA=none "$folder/build/normalize" >/dev/null 2>"$folder/error"; then fail "an error was not noticed"; fi
grep -q '^batch normalization: no such instruction set' "$folder/error" || fail "an error without its sentence"
