// The shapes of the grid: around vectors, blocks and tasks, in every way of cutting.
#pragma once

#include <cstdint>
#include <vector>

#include "bnlab/kernels/shape.h"

namespace bnlab::kernels {

/// Lengths around vectors, odd channels, few and many rows.
inline std::vector<Shape> small_shapes() {
  std::vector<Shape> all;
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    for (const std::int64_t c : {1, 3, 15, 16, 17, 64, 65, 300}) {
      for (const std::int64_t s : {1, 2, 7, 16, 17, 63, 64, 65}) {
        all.push_back({2, c, s, layout});
        if (s < 20) all.push_back({9, c, s, layout});
      }
    }
    for (const std::int64_t n : {127, 128, 129, 255, 257}) all.push_back({n, 5, 3, layout});
    for (const std::int64_t s : {4095, 4096, 4097, 9000}) all.push_back({3, 3, s, layout});
    all.push_back({1, 2, 2, layout});
    all.push_back({16, 9, 49, layout});
    all.push_back({9, 70, 49, layout});
  }
  return all;
}

/// Enough elements for several tasks, and rows for several blocks.
inline std::vector<Shape> large_shapes() {
  std::vector<Shape> all;
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    all.push_back({520, 64, 17, layout});
    all.push_back({3000, 65, 1, layout});
    all.push_back({40, 3, 1024, layout});
    all.push_back({300, 600, 1, layout});
    all.push_back({600, 40, 9, layout});
    all.push_back({33, 20, 400, layout});
  }
  return all;
}

/// One shape for each way that a batch is cut and walked over, small enough for every instruction set and thread count.
inline std::vector<Shape> chosen_shapes() {
  std::vector<Shape> all;
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    all.push_back({2, 3, 7, layout});
    all.push_back({35, 3, 1030, layout});
    all.push_back({9, 65, 70, layout});
    all.push_back({1100, 65, 1, layout});
    all.push_back({600, 10, 9, layout});
    all.push_back({64, 17, 49, layout});
    all.push_back({150, 130, 1, layout});
  }
  return all;
}

}  // namespace bnlab::kernels
