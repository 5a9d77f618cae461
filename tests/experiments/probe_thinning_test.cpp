// A probe budget never changes what is compared: whatever the thinning, a probe looks equally often in all of an
// experiment's runs.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bnlab/experiments/experiment_list.h"
#include "bnlab/probes/probe_list.h"
#include "tests/small_run.h"

namespace bnlab {
namespace {

class EveryExperimentsProbes : public ::testing::TestWithParam<size_t> {
 protected:
  static Plan plan(int64_t thinning) {
    return experiments()[GetParam()].plan({Scale::kSmoke, facts_of(testing::small_dataset()), {0, 1, 2}, thinning});
  }
};

TEST_P(EveryExperimentsProbes, AreThinnedAlikeInAllRuns) {
  const Plan full = plan(1), thinned = plan(3);
  ASSERT_EQ(full.runs().size(), thinned.runs().size());
  std::map<std::string, std::set<int64_t>> spacings, looks;  // by model and probe
  for (size_t i = 0; i < full.runs().size(); ++i) {
    const auto* one = std::get_if<TrainSpec>(&full.runs()[i].spec);
    const auto* other = std::get_if<TrainSpec>(&thinned.runs()[i].spec);
    ASSERT_EQ(one == nullptr, other == nullptr);
    if (!one) continue;
    EXPECT_FALSE(other->probe_budget.has_value());
    ASSERT_EQ(one->probes.size(), other->probes.size());
    for (size_t k = 0; k < one->probes.size(); ++k) {
      const bool thinnable = find_probe_kind(one->probes[k].name)->thinnable;
      EXPECT_EQ(other->probes[k].every, one->probes[k].every * (thinnable ? 3 : 1)) << full.runs()[i].title;
      const std::string probe = one->model.name + ", " + one->probes[k].name;
      spacings[probe].insert(other->probes[k].every);
      looks[probe].insert(other->steps / other->probes[k].every);
    }
  }
  for (const auto& [probe, every] : spacings) {  // or as often in all of them, where their lengths differ
    EXPECT_TRUE(every.size() == 1 || looks.at(probe).size() == 1) << probe << " looks more often in some runs";
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryExperimentsProbes, ::testing::Range<size_t>(0, experiments().size()),
                         [](const auto& info) {
                           std::string name = experiments()[info.param].name;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace bnlab
