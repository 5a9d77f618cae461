#include "bnlab/kernels/moments.h"

#include <algorithm>

#include "bnlab/kernels/cut.h"
#include "bnlab/kernels/loops.h"
#include "bnlab/kernels/scratch.h"

namespace bnlab::kernels {
namespace {

// Joins the partial moments of a panel's row chunks, in order, into those of its first chunk.
void join_chunks(const Panel& panel, double* mean, double* m2) noexcept {
  double* all_mean = mean + panel.partial;
  double* all_m2 = m2 + panel.partial;
  for (std::int64_t chunk = 1; chunk < panel.row_chunks(); ++chunk) {
    const auto before = static_cast<double>(chunk * panel.row_step);
    const auto here = static_cast<double>(panel.rows_in_chunk(chunk));
    const double weight = here / (before + here);
    const double product = before * weight * static_cast<double>(panel.run);
    for (std::int64_t j = 0; j < panel.slots; ++j) {
      const std::int64_t next = chunk * panel.slots + j;
      const double delta = all_mean[next] - all_mean[j];
      all_mean[j] += delta * weight;
      all_m2[j] += all_m2[next] + delta * delta * product;
    }
  }
}

void join_slots(const Cut& cut, const Panel& panel, const double* mean, const double* m2, Moments* moments) noexcept {
  if (panel.rows == 0) return;
  for (std::int64_t j = 0; j < panel.slots; ++j) {
    Moments& channel = moments[cut.channel(j)];
    channel = merge(channel, {panel.rows * panel.run, mean[panel.partial + j], m2[panel.partial + j]});
  }
}

}  // namespace

template <class T>
Status channel_moments(const Shape& shape, const T* x, Moments* moments, TaskRunner& runner) noexcept {
  if (!shape.valid()) return Status::kBadShape;
  std::fill_n(moments, shape.c, Moments{});
  if (shape.elements() == 0) return Status::kOk;

  const Cut parts = cut(shape);
  const Scratch<double> mean(parts.partials());
  const Scratch<double> m2(parts.partials());
  if (!mean || !m2) return Status::kOutOfMemory;

  const Loops<T>& inner = loops<T>();
  runner.run(parts.tasks(), [&](std::int64_t task) {
    const Place place = parts.place(task);
    inner.moments(place.patch, x + place.element, mean.data() + place.partial, m2.data() + place.partial);
  });
  for (const Panel* panel : {&parts.main, &parts.rest}) {
    join_chunks(*panel, mean.data(), m2.data());
    join_slots(parts, *panel, mean.data(), m2.data(), moments);
  }
  return Status::kOk;
}

template Status channel_moments(const Shape&, const float*, Moments*, TaskRunner&) noexcept;
template Status channel_moments(const Shape&, const double*, Moments*, TaskRunner&) noexcept;

}  // namespace bnlab::kernels
