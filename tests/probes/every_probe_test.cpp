// What holds for every probe of the list: it leaves no trace, looks when its schedule says so, refuses what it does not
// know, and goes on after a resumption as if nothing had been.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <set>

#include "bnlab/data/linear_task.h"
#include "bnlab/record/sqlite.h"
#include "bnlab/train/loss_closure.h"
#include "tests/probed_run.h"
#include "tests/small_run.h"
#include "tests/temp_folder.h"

namespace bnlab {
namespace {

using testing::small_dataset;
using testing::small_spec;

/// Parameters with which each probe can run on all networks below; a new probe that has required ones adds its line.
Json example_parameters(const std::string& name) {
  const Json both = {"linear", "activation-input"}, all = {"linear", "activation-input", "output"};
  if (name == "activations") return {{"layers", {1, 2}}, {"images", 16}, {"samples", 64}, {"places", both}};
  if (name == "moment-changes") return {{"layers", {1, 3}}, {"images", 16}, {"places", all}};
  if (name == "shape") return {{"layers", {1, 3}}, {"images", 16}, {"places", all}};
  if (name == "unit-percentiles") return {{"layers", {1, 3}}, {"images", 16}, {"places", all}};
  if (name == "moments-by-depth") return {{"layers", {1, 3}}, {"images", 16}, {"places", all}};
  if (name == "activation-rank") return {{"layers", {1, 3}}, {"images", 16}, {"places", all}};
  if (name == "landscape") return {{"points", 2}, {"random", true}};
  if (name == "population-statistics") return {{"measure_every", 1}};
  if (name == "relative-loss") return {{"points", 3}};
  if (name == "update-fractions") return {{"layers", {1, 3}}, {"points", 2}};
  if (name == "bn-theory") return {{"layers", {2}}};
  if (name == "bn-curvature") return {{"layers", {2}}, {"channels", 1}};
  if (name == "sgd-noise") return {{"images", 16}, {"batches", {2, 16}}, {"draws", 2}, {"seen", 16}};
  if (name == "curvature") return {{"images", 16}, {"count", 1}, {"products", 3}, {"probes", 2}, {"steps", 2}};
  return Json::object();
}

/// A normalization that draws random numbers, for every probe that can look at a network with it.
std::string norm_for(const std::string& probe) {
  return probe == "population-statistics" || probe == "sgd-noise" ? "batch" : "noisy-batch";
}

struct Task {
  Dataset data;
  TrainSpec spec;
};

Task task(const std::string& model, const std::string& norm) {
  if (model == "dln") return {make_linear_task({}), testing::small_linear_spec(norm)};
  Task task{small_dataset(), small_spec(norm)};
  task.spec.model.name = model;
  if (model == "mlp") task.spec.model.options = {{"layers", 3}, {"width", 6}};
  if (model == "resnet20") {
    task.spec.data.pad_to = 0;
    task.spec.model.options = {{"width", 0.125}};
  }
  return task;
}

std::vector<at::Tensor> copies(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(tensor.detach().clone());
  return result;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return x.nbytes() == y.nbytes() && std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

/// All that a probe must leave as it was.
class State {
 public:
  explicit State(Network& network) : parameters_(copies(network.parameters())), buffers_(copies(network.buffers())) {
    for (const at::Tensor& parameter : network.parameters()) {
      places_.push_back(parameter.data_ptr());
      gradients_.push_back(parameter.grad().clone());
    }
    for (const auto& module : network.modules()) modes_.push_back(module->is_training());
    random_ = random_state();
  }

  /// What is no longer so, in words; empty if nothing.
  std::string changes(Network& network) const {
    std::string result;
    const auto compare = [&](bool same, const std::string& what) { result += same ? "" : what + " "; };
    const std::vector<at::Tensor> parameters = network.parameters(), buffers = network.buffers();
    for (size_t i = 0; i < parameters.size(); ++i) {
      const std::string number = std::to_string(i);
      compare(same_bits(parameters[i], parameters_[i]), "parameter" + number);
      compare(parameters[i].data_ptr() == places_[i] && parameters[i].requires_grad(), "storage" + number);
      compare(same_bits(parameters[i].grad(), gradients_[i]), "gradient" + number);
    }
    for (size_t i = 0; i < buffers.size(); ++i)
      compare(same_bits(buffers[i], buffers_[i]), "buffer" + std::to_string(i));
    size_t i = 0;
    for (const auto& module : network.modules()) compare(module->is_training() == modes_[i++], "mode");
    compare(same_bits(random_state(), random_), "random-state");
    compare(c10::GradMode::is_enabled(), "gradient-mode");
    compare(at::get_num_threads() == 1, "threads");
    return result;
  }

 private:
  static at::Tensor random_state() { return at::detail::getDefaultCPUGenerator().get_state(); }

  std::vector<at::Tensor> parameters_, buffers_, gradients_;
  std::vector<void*> places_;
  std::vector<bool> modes_;
  at::Tensor random_;
};

struct NetworkCase {
  std::string model, norm;
};

void PrintTo(const NetworkCase& network, std::ostream* out) {
  *out << network.model << " with " << network.norm;
}

std::vector<NetworkCase> all_networks() {
  std::vector<NetworkCase> result;
  for (const char* model : {"vgg11", "resnet20", "dln", "mlp"}) {
    for (const NormKind& norm : norm_kinds()) result.push_back({model, norm.kind});
  }
  return result;
}

class EveryNetwork : public ::testing::TestWithParam<NetworkCase> {};

/// Null if the probe refuses the network.
std::unique_ptr<StepObserver> probe_for(const ProbeKind& kind, const ProbeSetting& setting) {
  try {
    return testing::make_probe({kind.name, 0, 1, true, example_parameters(kind.name)}, setting);
  } catch (const SpecError&) {
    return nullptr;
  }
}

TEST_P(EveryNetwork, NoProbeLeavesATrace) {
  const auto [data_set, spec] = task(GetParam().model, GetParam().norm);
  at::set_num_threads(1);
  at::manual_seed(1);
  const TrainingData data(data_set, spec);
  const ProbeSetting setting = testing::probe_setting(spec, data);
  const auto network = build_network(spec, data.shape());
  Loader loader = data.training_loader();
  const Batch batch = loader.next();
  const at::Tensor loss = batch_loss(network->forward(batch.x), batch.y);
  loss.backward();
  network->layer(1).eval();  // modes may differ from module to module
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : network->parameters()) gradients.push_back(parameter.grad());
  const LossClosure loss_at(*network, batch);
  Recorder recorder = Recorder::dropping();
  const StepView view{{3, *network, data, spec, recorder},
                      batch,
                      network->parameters(),
                      gradients,
                      loss.item<double>(),
                      spec.optimizer.lr,
                      loss_at};
  std::set<std::string> refused;
  for (const ProbeKind& kind : probe_kinds()) {
    const auto probe = probe_for(kind, setting);
    if (!probe) {
      refused.insert(kind.name);
      continue;
    }
    const State before(*network);
    probe->observe(view);
    EXPECT_EQ(before.changes(*network), "") << kind.name;
    probe->observe_end(view);
    EXPECT_EQ(before.changes(*network), "") << kind.name << " at the end";
  }
  const bool rows = GetParam().model != "resnet20";
  std::set<std::string> expected;
  if (!rows) expected = {"bn-curvature", "bn-theory", "ics"};
  if (GetParam().norm != "batch") expected.insert("population-statistics");
  if (GetParam().norm != "batch" && GetParam().norm != "none") expected.insert("sgd-noise");
  EXPECT_EQ(refused, expected);
}

INSTANTIATE_TEST_SUITE_P(All, EveryNetwork, ::testing::ValuesIn(all_networks()), [](const auto& info) {
  std::string name = info.param.model + "_" + info.param.norm;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

class EveryProbe : public ::testing::TestWithParam<size_t> {
 protected:
  static const ProbeKind& kind() { return probe_kinds()[GetParam()]; }
  ProbeSpec probe(int64_t from, int64_t every, bool at_end) const {
    return {kind().name, from, every, at_end, example_parameters(kind().name)};
  }
  /// Of all rows but the training loop's own.
  std::set<int64_t> recorded_steps(const ProbeSpec& probe) {
    const auto folder = testing::probed_run(temp_ / std::to_string(++count_), small_dataset(),
                                            small_spec(norm_for(kind().name), 7), {probe});
    Database database(RunPaths{folder}.database(), Database::Mode::kReadOnly);
    Statement rows =
        database.prepare("SELECT step, probe FROM scalars WHERE probe != 'train' UNION SELECT step, probe FROM arrays");
    std::set<int64_t> steps;
    while (rows.next()) {
      steps.insert(rows.integer(0));
      EXPECT_EQ(rows.text(1), probe.name);
    }
    return steps;
  }
  testing::TempFolder temp_;
  int count_ = 0;
};

TEST_P(EveryProbe, RecordsTheStepsOfItsScheduleAndNoOthers) {
  EXPECT_EQ(recorded_steps(probe(1, 3, false)), (std::set<int64_t>{1, 4}));  // and not 7, the end
  const std::set<int64_t> with_end = recorded_steps(probe(4, 2, true));
  EXPECT_THAT(with_end, ::testing::AnyOf(std::set<int64_t>{4, 6}, std::set<int64_t>{4, 6, 7}));
  EXPECT_EQ(recorded_steps(probe(100, 1, false)), std::set<int64_t>{});
}

TEST_P(EveryProbe, ResumedAtAnyStepRecordsTheSame) {
  const TrainSpec spec = small_spec(norm_for(kind().name), 4);
  const auto whole = testing::probed_run(temp_ / "whole", small_dataset(), spec, {probe(0, 1, true)});
  for (int64_t at = 0; at < spec.steps - 1; ++at) {
    const auto folder = temp_ / ("pieces" + std::to_string(at));
    std::atomic<bool> stop{false};
    ExecutionOptions options;
    options.stop = &stop;
    options.progress = [&](int64_t step, int64_t, double) { stop = step == at; };
    testing::probed_run(folder, small_dataset(), spec, {probe(0, 1, true)}, options);
    testing::probed_run(folder, small_dataset(), spec, {probe(0, 1, true)});
    EXPECT_EQ(RunReader(folder).dump_rows(), RunReader(whole).dump_rows()) << "stopped after step " << at;
  }
}

TEST_P(EveryProbe, RefusesUnknownParameters) {
  const TrainSpec spec = small_spec("batch");
  const ProbeSetting setting = testing::probe_setting(spec, TrainingData(small_dataset(), spec));
  Json parameters = example_parameters(kind().name);
  EXPECT_NO_THROW(kind().complete(parameters, "p", setting));
  parameters["no_such_parameter"] = 1;
  EXPECT_THROW(kind().complete(parameters, "p", setting), SpecError);
}

TEST_P(EveryProbe, KnowsWhatItCostsAndWhetherItMayBeThinned) {
  const TrainSpec spec = small_spec("batch");
  const ProbeSetting setting = testing::probe_setting(spec, TrainingData(small_dataset(), spec));
  const Json parameters = kind().complete(example_parameters(kind().name), "p", setting);
  const double cost = kind().cost(parameters, setting);
  EXPECT_TRUE(cost > 0 && std::isfinite(cost)) << cost;
  EXPECT_EQ(kind().make({kind().name, 0, 1, false, parameters}, setting)->may_skip(), kind().thinnable);
}

INSTANTIATE_TEST_SUITE_P(All, EveryProbe, ::testing::Range<size_t>(0, probe_kinds().size()), [](const auto& info) {
  std::string name = probe_kinds()[info.param].name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(ProbeParameters, LayersMustExist) {
  const TrainSpec spec = small_spec("batch");
  const ProbeSetting setting = testing::probe_setting(spec, TrainingData(small_dataset(), spec));
  for (const char* name :
       {"activations", "moment-changes", "ics", "bn-theory", "bn-curvature", "unit-percentiles", "layer-gradients",
        "gradient-distribution", "moments-by-depth", "gradient-terms", "update-fractions"}) {
    const ProbeKind* kind = find_probe_kind(name);
    EXPECT_THROW(kind->complete({{"layers", {9}}}, "p", setting), SpecError) << name;
    EXPECT_THROW(kind->complete({{"layers", {0}}}, "p", setting), SpecError) << name;
  }
  EXPECT_THROW(find_probe_kind("activations")->complete(Json::object(), "p", setting), SpecError);
}

}  // namespace
}  // namespace bnlab
