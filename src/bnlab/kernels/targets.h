// The instruction sets that the loops are compiled for: AVX-512, AVX2 with FMA, SSE4, and Highway's portable code.
// Included before all of Highway.
//
// Highway's others would differ from these in name, not in the loops' speed, which memory sets: SSSE3, and since 1.1
// AVX3_ZEN4 (1 << 6, bfloat16 conversions of its own) and AVX3_SPR (1 << 4). With BNLAB_FEW_SETS, for instrumented
// code, which takes long to compile, only the portable code and what this processor runs best.
#pragma once

#if defined(BNLAB_FEW_SETS) && defined(BNLAB_WITHOUT_AVX512)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | (1LL << 6) | (1LL << 4) | HWY_SSE4 | HWY_AVX3)
#elif defined(BNLAB_FEW_SETS)
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | (1LL << 6) | (1LL << 4) | HWY_SSE4)
#else
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | (1LL << 6) | (1LL << 4))
#endif
