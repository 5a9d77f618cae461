// The worlds of experiments/basics/sync_batch_size.cpp.
#pragma once

#include "tests/experiments/directions.h"

namespace bnlab::testing {

/// Test errors in percent with 2 and with 32 images a rank.
struct SharedErrors {
  double few, many;
};

/// `apart`: by how much, relatively, the losses of synchronized ranks lie above those of one process.
inline Truth shared_truth(const SharedErrors& local, const SharedErrors& synchronized, double apart) {
  Truth it;
  const auto put = [&](const std::string& arm, double error) {
    it.world[arm] = MadeUp{.accuracy = 0.7, .values = {{"accuracy/test_accuracy", 1 - error / 100}}};
  };
  put("local, 2 a rank", local.few);
  put("local, 32 a rank", local.many);
  put("synchronized, 2 a rank", synchronized.few);
  put("synchronized, 32 a rank", synchronized.many);
  put("one process, 2 a rank", synchronized.few);
  const double alone = 2;
  it.world["one process, 2 a rank"].loss = alone;
  it.world["synchronized, 2 a rank"].loss = alone * (1 + apart);
  const double saved_few = local.few - synchronized.few, saved_many = local.many - synchronized.many;
  it.effects = {{"synchronizing-saves", saved_few},
                {"many-images-suffice", saved_many},
                {"as-one-process", apart},
                {"local-suffers-more", saved_few - saved_many},
                {"synchronized-still-suffers", synchronized.few - synchronized.many}};
  return it;
}

inline Case sync_batch_size_case() {
  return {"sync-batch-size",
          {shared_truth({45, 25}, {32, 24.5}, 1e-5), shared_truth({30, 39}, {33, 35}, 0.2)},
          stuck({"synchronized, 2 a rank", "local, 32 a rank", "synchronized, 32 a rank"}),
          {"as-one-process"}};
}

}  // namespace bnlab::testing
