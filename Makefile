# bnlab on Debian 12 and 13. `make run` and `make test` do everything, from the packages on.

JOBS ?= $(shell nproc)

.PHONY: run test build setup clean check test-release test-toolkit test-cluster test-debian13 test-wheel test-asan test-asan-all test-tsan fuzz

run: build
	build/bnlab reproduce

build: setup
	cmake --preset release
	cmake --build build -j $(JOBS) --target bnlab bnlab_torch bnlab_doctor_c

setup:
	tools/setup.sh build

# The checks that need no build, all tests, those of what works on raw memory and processes once more under ASan and UBSan,
# what has threads of its own under TSan, and a minute of fuzzing (models' files among it, under ASan). Says how long each
# took.
test:
	MAKE="$(MAKE)" tools/stages.sh check test-release test-asan test-tsan fuzz
	@echo "All tests passed."

check:
	tools/setup.sh build test
	tools/format.sh --check
	python3 tools/check_includes.py

test-release:
	cmake --preset test
	cmake --build build -j $(JOBS)
	ctest --test-dir build --output-on-failure -j $(JOBS)

# What other programs use: the kernels, the operators, the Python package and the installed library.
test-toolkit:
	tools/setup.sh build test
	cmake --preset test
	cmake --build build -j $(JOBS) --target kernels_test ops_test doctor_test bnlab_torch bnlab_doctor_c
	ctest --test-dir build --output-on-failure -R '^(kernels|ops|doctor|python|install_example)$$'

# On a throw-away Slurm of three nodes, all on this host, and on two hosts that are network namespaces; as root.
test-cluster:
	tools/setup.sh build cluster
	BNLAB_CLUSTER_TESTS=ON cmake --preset test
	cmake --build build -j $(JOBS) --target bnlab
	ctest --test-dir build --output-on-failure -R '^cluster_'

# The toolkit's tests on Debian 13, in a system of its own below build-debian13.
test-debian13:
	tools/debian13.sh

# The package built and tested beside a PyTorch that lies, and is named, as pip's are; in build-pip-torch.
test-wheel:
	tools/setup.sh build test wheel
	tests/install/pip_torch.sh build-pip-torch

# libtorch keeps what it allocates at start-up, and its libraries repeat each other's symbols.
ASAN = ASAN_OPTIONS=detect_leaks=0:detect_odr_violation=0
ASAN_TESTS = kernels_test ops_test record_test launch_test
# What asks for digits or statistics, or kills processes by the hundred: minutes, and no other memory than the rest.
ASAN_LEFT_OUT = *Exactness*:JudgeSimulation.*:TimesInARow/*

test-asan:
	cmake --preset asan
	cmake --build build-asan -j $(JOBS) --target $(ASAN_TESTS)
	for test in $(ASAN_TESTS); do $(ASAN) build-asan/$$test --gtest_brief=1 --gtest_filter='-$(ASAN_LEFT_OUT)' || exit 1; done

# Every test under ASan and UBSan: as long again as all the rest.
test-asan-all:
	cmake --preset asan
	cmake --build build-asan -j $(JOBS)
	ctest --test-dir build-asan --output-on-failure -j $(JOBS)

test-tsan:
	cmake --preset tsan
	cmake --build build-tsan -j $(JOBS) --target kernels_test launch_test
	build-tsan/kernels_test --gtest_brief=1 --gtest_filter='ChannelMoments*Thread*:BatchNormThreads.*'
	build-tsan/launch_test --gtest_brief=1

# The inputs that once failed, a hunt for inaccuracy, about a minute of random ones, then some seconds of broken models'
# files, from the same seed every time.
fuzz:
	tools/setup.sh build fuzz
	cmake -S fuzz -B build-fuzz -G Ninja -DCMAKE_CXX_COMPILER=$$(command -v clang++-14 || command -v clang++-19)
	cmake --build build-fuzz -j $(JOBS)
	build-fuzz/batch_norm_fuzz fuzz/regressions/*
	build-fuzz/accuracy_fuzz -seed=1 -runs=3000 -max_len=200 -len_control=0 -verbosity=0 -artifact_prefix=build-fuzz/
	build-fuzz/batch_norm_fuzz -seed=1 -runs=600 -max_len=256 -len_control=0 -print_final_stats=1 -artifact_prefix=build-fuzz/
	mkdir -p build-fuzz/corpus
	build-fuzz/model_file_fuzz -seed=1 -runs=6000 -max_len=2048 -verbosity=0 -print_final_stats=1 -artifact_prefix=build-fuzz/ build-fuzz/corpus fuzz/seeds/model_file

clean:
	rm -rf build build-asan build-tsan build-fuzz build-pip-torch web/node_modules
