#!/usr/bin/env bash
# Usage: pip_torch.sh FOLDER [PYTEST ARGUMENT...]
#
# Installs bnlab, as `pip install .` does, beside a PyTorch that lies where pip puts one, and runs the package's tests
# there. That PyTorch is Debian's, changed to what pip's wheels are: all of it in site-packages/torch, headers and CMake
# package too; libraries without versions in their names; OpenMP's library under a name of its own.
# FOLDER is made, about 1 GB, and can be deleted afterwards; a second call goes on with what is there.
set -euo pipefail
folder=$(realpath -m "${1:?Usage: pip_torch.sh FOLDER [PYTEST ARGUMENT...]}")
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
debian=/usr/lib/python3/dist-packages
packages=(torch functorch torchvision)
libraries=$(dirname "$(realpath "$debian/torch/lib/libtorch.so")")
unset BNLAB_TORCH_LIBRARY BNLAB_BUILD_DIR PYTHONPATH
export PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1
python=$folder/venv/bin/python

fail() {
  echo "pip_torch.sh: $1" >&2
  exit 1
}

# Every library and extension of the packages: named without a version, and looking for the others beside it.
rename_libraries() {
  local file needed
  cp -L "$libraries/libgomp.so.1" torch/lib/libgomp-of-pip.so.1
  patchelf --set-soname libgomp-of-pip.so.1 torch/lib/libgomp-of-pip.so.1
  find "${packages[@]}" -name '*.so' | while read -r file; do
    case $file in torch/lib/*) patchelf --set-soname "$(basename "$file")" "$file" ;; esac
    patchelf --print-needed "$file" | while read -r needed; do
      case $needed in
        libgomp.so.1) patchelf --replace-needed "$needed" libgomp-of-pip.so.1 "$file" ;;
        libtorch*.so.* | libc10*.so.* | libshm*.so.*) patchelf --replace-needed "$needed" "${needed%%.so.*}.so" "$file" ;;
      esac
    done
    patchelf --force-rpath --set-rpath '$ORIGIN:$ORIGIN/lib:$ORIGIN/../lib:$ORIGIN/../torch/lib' "$file"
  done
}

make_torch() {
  /usr/bin/python3 -m venv --system-site-packages "$folder/venv"
  cd "$folder"/venv/lib/python3*/site-packages
  mkdir -p torch/share/cmake
  cp -rL "${packages[@]/#/$debian/}" . 2>/dev/null || true # some of Debian's links lead nowhere
  [ -e torch/include/ATen/ATen.h ] && [ -e torch/lib/libtorch_python.so ] || fail "PyTorch could not be copied"
  find "${packages[@]}" -name __pycache__ -prune -exec rm -r {} +
  rename_libraries
  cp -r "$libraries"/cmake/{ATen,Caffe2,Torch} torch/share/cmake/
  # In Debian, headers and libraries are three and four folders above these files; in a wheel, in torch/.
  sed -i -e 's|{CMAKE_CURRENT_LIST_DIR}/../../../../|{CMAKE_CURRENT_LIST_DIR}/../../../|' \
    -e 's|{_IMPORT_PREFIX}/../include|{_IMPORT_PREFIX}/include|g' \
    -e 's|{_IMPORT_PREFIX}\(/lib\)\?/x86_64-linux-gnu/\(lib[a-z0-9_]*\.so\)[.0-9]*|{_IMPORT_PREFIX}/lib/\2|g' \
    torch/share/cmake/*/*.cmake
  touch "$folder/made"
}

command -v patchelf >/dev/null || fail "install patchelf first (tools/setup.sh wheel)"
if [ ! -e "$folder/made" ]; then
  rm -rf "$folder/venv"
  mkdir -p "$folder"
  (make_torch)
fi
(cd "$root" && "$python" -m pip install --config-settings="build-dir=$folder/build" --force-reinstall .)

# The PyTorch that was built against, and that runs, is the one in the folder, alone; and its threads are bnlab's.
grep -q "^Torch_DIR:PATH=$folder/venv/" "$folder/build/CMakeCache.txt" || fail "built against another PyTorch"
! grep -F "$debian/torch" "$folder/build/compile_commands.json" || fail "compiled with another PyTorch's headers"
cd "$folder"
"$python" - <<'PYTHON' || fail "the installed package does not work"
import os

import torch

import bnlab


def threads():
    return len(os.listdir("/proc/self/task"))


torch.set_num_threads(3)
x = torch.randn(64, 64, 32, 32)
torch.add(x, x)
before = threads()
y = bnlab.BatchNorm2d(64)(x)
loaded = {line.split()[-1] for line in open("/proc/self/maps") if ".so" in line}
torch_libraries = {path for path in loaded if os.path.basename(path).startswith(("libtorch", "libc10"))}
print(f"PyTorch {torch.__version__} of {os.path.dirname(torch.__file__)}, {before} threads, then {threads()}")
assert len(torch_libraries) > 3 and all("/venv/" in path for path in torch_libraries), torch_libraries
assert any("libgomp-of-pip" in path for path in loaded), loaded
assert threads() == before, "bnlab has threads of its own beside PyTorch's"
torch.testing.assert_close(y, torch.nn.functional.batch_norm(x, None, None, training=True))
PYTHON
# What the tests start themselves imports the package of the clone.
export BNLAB_TORCH_LIBRARY=$folder/build/libbnlab_torch.so BNLAB_BUILD_DIR=$folder/build
[ $# -gt 0 ] || set -- "$root/tests/python" --ignore "$root/tests/python/test_wheel.py"
exec "$python" -B -m pytest -q -p no:cacheprovider "$@"
