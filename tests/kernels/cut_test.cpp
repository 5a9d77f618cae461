// What the kernels rely on in a cut of a batch, whatever its numbers are tuned to.
#include "bnlab/kernels/cut.h"

#include <gtest/gtest.h>

#include "tests/kernels/batch_case.h"
#include "tests/kernels/shapes.h"

namespace bnlab::kernels {
namespace {

std::vector<Shape> shapes() {
  std::vector<Shape> all = small_shapes();
  for (const auto& more : {large_shapes(), chosen_shapes()}) all.insert(all.end(), more.begin(), more.end());
  for (const Layout layout : kLayouts) {
    all.push_back({1, 1, 1, layout});
    all.push_back({513, 64, 1, layout});
    all.push_back({100000, 3, 1, layout});
    all.push_back({3, 1, 100000, layout});
    all.push_back({2, 5000, 3, layout});
  }
  return all;
}

// The channel of each element by the shape alone.
std::int64_t channel_of(const Shape& shape, std::int64_t element) {
  return shape.layout == Layout::kChannelsLast ? element % shape.c : element / shape.s % shape.c;
}

TEST(Cut, EveryElementAndItsMaskBitBelongToOneTaskAndItsChannel) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    const Cut parts = cut(shape, sizeof(float));
    std::vector<int> elements(static_cast<std::size_t>(shape.elements()));
    std::vector<int> bits(static_cast<std::size_t>(parts.mask_bytes()) * 8);
    std::vector<std::int64_t> owner(static_cast<std::size_t>(parts.mask_bytes()), -1);
    std::vector<int> partials(static_cast<std::size_t>(parts.partials()));
    for (std::int64_t task = 0; task < parts.tasks(); ++task) {
      const Place place = parts.place(task);
      const Patch& p = place.patch;
      ASSERT_GT(p.rows, 0);
      for (std::int64_t slot = 0; slot < p.slots; ++slot) {
        ++partials.at(static_cast<std::size_t>(place.partial + slot));
        for (std::int64_t row = 0; row < p.rows; ++row) {
          for (std::int64_t i = 0; i < p.run; ++i) {
            const std::int64_t element = place.element + row * p.row_stride + slot * p.run + i;
            ++elements.at(static_cast<std::size_t>(element));
            ASSERT_EQ(channel_of(shape, element), parts.channel(place.slot + slot));
            const std::int64_t bit = p.run == 1 ? slot : i;
            const std::int64_t byte = place.mask + row * p.mask_row + slot * p.mask_slot + bit / 8;
            ++bits.at(static_cast<std::size_t>(byte * 8 + bit % 8));
            std::int64_t& of_byte = owner.at(static_cast<std::size_t>(byte));
            ASSERT_TRUE(of_byte == -1 || of_byte == task) << "two tasks write one byte of the mask";
            of_byte = task;
          }
        }
      }
    }
    ASSERT_TRUE(std::all_of(elements.begin(), elements.end(), [](int times) { return times == 1; }));
    ASSERT_TRUE(std::all_of(bits.begin(), bits.end(), [](int times) { return times <= 1; }));
    ASSERT_TRUE(std::all_of(partials.begin(), partials.end(), [](int times) { return times == 1; }));
  }
}

TEST(Cut, ASlabHoldsWholeChannels) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    const Cut parts = cut(shape, sizeof(float));
    if (!parts.slabs) continue;
    ASSERT_EQ(parts.rest.rows, 0);
    for (std::int64_t task = 0; task < parts.tasks(); ++task) {
      const Place place = parts.place(task);
      ASSERT_EQ(place.patch.rows, parts.main.rows);
      ASSERT_EQ(place.slot % parts.slots_per_channel_run, 0);
      ASSERT_EQ(place.patch.slots % parts.slots_per_channel_run, 0);
    }
  }
}

// The bit of each element in a mask, as the tasks of `parts` have it.
void put_bits(const Cut& parts, std::vector<std::int64_t>& bits) {
  for (std::int64_t task = 0; task < parts.tasks(); ++task) {
    const Place place = parts.place(task);
    const Patch& p = place.patch;
    for (std::int64_t row = 0; row < p.rows; ++row) {
      for (std::int64_t slot = 0; slot < p.slots; ++slot) {
        for (std::int64_t i = 0; i < p.run; ++i) {
          const std::int64_t line = place.mask + row * p.mask_row + slot * p.mask_slot;
          bits.at(static_cast<std::size_t>(place.element + row * p.row_stride + slot * p.run + i)) =
              8 * line + (p.run == 1 ? slot : i);
        }
      }
    }
  }
}

// Evaluation goes through a batch in another order than training; a pass over slabs takes each for a batch.
TEST(Cut, AnElementHasTheSameMaskBitInEveryOrder) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    const Cut parts = cut(shape, sizeof(float));
    std::vector<std::int64_t> all(static_cast<std::size_t>(shape.elements()), -1), ordered = all, by_slab = all;
    put_bits(parts, all);
    put_bits(in_memory_order(parts, /*masks=*/true), ordered);
    ASSERT_EQ(ordered, all);
    if (!parts.slabs) continue;
    for (std::int64_t task = 0; task < parts.tasks(); ++task) put_bits(parts.slab(task), by_slab);
    ASSERT_EQ(by_slab, all);
  }
}

// The mask of a forward pass is read by a backward pass that may hold other elements.
TEST(Cut, DoesNotDependOnTheSizeOfElementsButForStreaming) {
  for (const Shape& shape : shapes()) {
    SCOPED_TRACE(name_of(shape));
    const Cut small = cut(shape, 1), wide = cut(shape, 1 << 20);
    ASSERT_FALSE(small.main.streams);
    ASSERT_TRUE(wide.main.streams || shape.elements() < 1000);
    ASSERT_EQ(small.tasks(), wide.tasks());
    ASSERT_EQ(small.mask_bytes(), wide.mask_bytes());
    for (std::int64_t task = 0; task < small.tasks(); ++task) {
      ASSERT_EQ(small.place(task).element, wide.place(task).element);
      ASSERT_EQ(small.place(task).mask, wide.place(task).mask);
    }
    ASSERT_EQ(relu_mask_bytes(shape), static_cast<std::size_t>(small.mask_bytes()) + 8);
  }
}

// Of seven slabs, one of two threads would have four.
TEST(Cut, FewSlabsAreSharedEvenly) {
  for (const Layout layout : {Layout::kChannelsFirst, Layout::kChannelsLast}) {
    for (const Shape& shape : {Shape{2, 2048, 49, layout},
                               {4, 2048, 49, layout},
                               {128, 512, 4, layout},
                               {2, 1024, 196, layout},
                               {128, 1000, 1, layout}}) {
      SCOPED_TRACE(name_of(shape));
      const Cut parts = cut(shape, sizeof(float));
      ASSERT_TRUE(parts.slabs);
      const std::int64_t first = parts.place(0).patch.slots, last = parts.place(parts.tasks() - 1).patch.slots;
      EXPECT_EQ(parts.tasks() % 2, 0);
      EXPECT_LE(first - last, 24 * parts.slots_per_channel_run);  // 1000 channels are no whole vectors
    }
  }
}

}  // namespace
}  // namespace bnlab::kernels
