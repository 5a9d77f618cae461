// Trains small networks, shows their last step to the probes "ics", "landscape" and "relative-loss", convolutional ones
// also to "update-fractions", those without normalization also to "bn-theory" and "bn-curvature", and writes to a file
// that torch.load() reads: the weights before that step, its batch, what the probes recorded, and products of the
// Hessian. Before training likewise: deep perceptrons with what "gradient-flow" and "layer-gradients" record; ResNet-20
// with what "gradient-distribution", "gradient-terms", "output-gradients", "moments-by-depth", "activation-rank" and
// "effective-rate" do. Of small perceptrons what "sgd-noise" and "curvature" record, and the batches that were drawn.
// check_probes.py computes the same numbers without any of our code. Usage: export_probes FOLDER
#include <torch/csrc/jit/serialization/pickle.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "bnlab/data/linear_task.h"
#include "bnlab/numerics/gradient_errors.h"
#include "bnlab/numerics/mean_loss.h"
#include "bnlab/probes/sgd_noise.h"
#include "bnlab/train/checkpoint.h"
#include "tests/probed_run.h"
#include "tests/small_run.h"

namespace {

using namespace bnlab;
using Tensors = c10::Dict<std::string, at::Tensor>;

constexpr int64_t kStep = 4;
constexpr int64_t kTheoryLayer = 5, kFractionsLayer = 6;
constexpr int64_t kPopulation = 32, kDraws = 20, kSeen = 480;

struct Case {
  std::string name;
  Dataset data;
  TrainSpec spec;
  int64_t layers;
};

std::filesystem::path run(const Case& test, int64_t steps, const std::vector<ProbeSpec>& probes,
                          const std::filesystem::path& folder) {
  TrainSpec spec = test.spec;
  spec.steps = steps;
  return testing::probed_run(folder, test.data, spec, probes);
}

at::Tensor doubles(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

/// The network's buffers, and the products of its Hessian with one vector in both modes of BN.
void export_hessian(Network& network, const Batch& batch, Tensors& tensors) {
  for (const auto& item : network.named_buffers()) tensors.insert("buffer." + item.key(), item.value().clone());
  make_double(network);
  std::vector<double> v(flattened(network.parameters()).size()), product(v.size());
  for (size_t i = 0; i < v.size(); ++i) v[i] = std::cos(static_cast<double>(i));
  tensors.insert("hessian.v", doubles(v));
  for (const auto& [name, statistics] :
       {std::pair("hessian.batch", BnStatistics::kBatch), std::pair("hessian.population", BnStatistics::kPopulation)}) {
    MeanLoss(network, {{batch.x, batch.y}}, batch_loss, statistics).hessian_product(v, product);
    tensors.insert(name, doubles(product));
  }
}

void insert_parameters(const Network& network, Tensors& tensors) {
  for (const auto& item : network.named_parameters()) {
    tensors.insert("parameter." + item.key(), item.value().detach().contiguous());
  }
}

void write(const Tensors& tensors, const std::filesystem::path& file) {
  const std::vector<char> bytes = torch::jit::pickle_save(tensors);
  std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<int64_t>(bytes.size()));
}

void export_flow(const std::string& activation, int64_t layers, const std::string& norm,
                 const std::filesystem::path& out) {
  Case test{"mlp-" + activation + "-" + norm, testing::small_dataset(), testing::small_spec(norm), layers};
  test.spec.data.pad_to = 0;
  test.spec.model.name = "mlp";
  test.spec.model.options = {{"layers", static_cast<double>(layers)}, {"width", 32}, {"activation", activation}};
  test.spec.batch = 64;
  const Json none = Json::object();
  RunReader reader(run(test, 1, {{"gradient-flow", 0, 1, false, none}, {"layer-gradients", 0, 1, false, none}},
                       out / (test.name + "-probed")));
  Tensors tensors;
  const TrainingData data(test.data, test.spec);
  insert_parameters(*build_network(test.spec, data.shape()), tensors);
  Loader loader = data.training_loader();
  const Batch batch = loader.next();
  tensors.insert("x", batch.x.contiguous());
  tensors.insert("y", batch.y);
  const auto insert_layers = [&](const std::string& probe, const std::string& what) {
    std::vector<double> values;
    for (int64_t layer = 1; layer <= layers; ++layer)
      values.push_back(reader.scalar_at({probe, layer, what}, 0).value());
    tensors.insert(probe + "." + what, doubles(values));
  };
  insert_layers("gradient-flow", "linear");
  insert_layers("gradient-flow", "weight");
  // Of the step itself, in float: behind 40 layers with BN its rounding has grown to a percent.
  if (layers <= 10) insert_layers("layer-gradients", "weight");
  write(tensors, out / (test.name + ".pt"));
}

/// A ResNet at its start, with what the probes of Bjorck et al.'s experiments see of it.
void export_start(const std::string& norm, const std::filesystem::path& out) {
  constexpr int64_t kLayers = 19, kImages = 32;
  Case test{"resnet-" + norm, testing::small_dataset(), testing::small_spec(norm), kLayers};
  test.spec.data.pad_to = 0;
  test.spec.model.name = "resnet20";
  test.spec.model.options = {{"width", 0.5}};
  test.spec.divergence_loss = std::nullopt;
  const std::vector<std::string> places = {"linear", "activation-input", "output"};
  std::vector<int64_t> all;
  for (int64_t layer = 1; layer <= kLayers; ++layer) all.push_back(layer);
  RunReader reader(run(test, 1,
                       {{"gradient-distribution", 0, 1, false, Json::object()},
                        {"gradient-terms", 0, 1, false, Json::object()},
                        {"output-gradients", 0, 1, false, Json::object()},
                        {"moments-by-depth", 0, 1, false, {{"layers", all}, {"images", kImages}, {"places", places}}},
                        {"activation-rank", 0, 1, false, {{"layers", all}, {"images", kImages}, {"places", places}}},
                        {"effective-rate", 0, 1, false, Json::object()}},
                       out / (test.name + "-probed")));
  Tensors tensors;
  const TrainingData data(test.data, test.spec);
  insert_parameters(*build_network(test.spec, data.shape()), tensors);
  Loader loader = data.training_loader();
  const Batch batch = loader.next();
  tensors.insert("x", batch.x.contiguous());
  tensors.insert("y", batch.y);
  tensors.insert("first", data.evaluation_loader(/*train_split=*/true, kImages).next().x.contiguous());
  const auto insert_layers = [&](const std::string& probe, const std::string& name) {
    std::vector<double> values;
    for (const int64_t layer : all) values.push_back(reader.scalar_at({probe, layer, name}, 0).value());
    tensors.insert(probe + "." + name, doubles(values));
  };
  for (const char* name : {"norm", "deviation", "kurtosis", "hill_20", "hill_50", "hill_100"}) {
    insert_layers("gradient-distribution", name);
  }
  for (const char* name : {"absolute", "sum"}) insert_layers("gradient-terms", name);
  tensors.insert("rate", doubles({test.spec.optimizer.lr}));
  for (const char* name : {"norm", "cosine", "effective_rate"}) insert_layers("effective-rate", name);
  for (const char* place : {"linear_", "", "output_"}) {
    for (const char* name : {"mean", "mean_spread", "variance", "variance_spread"}) {
      insert_layers("moments-by-depth", std::string(place) + name);
    }
    for (const char* name : {"stable_rank", "cosine"}) insert_layers("activation-rank", std::string(place) + name);
  }
  for (const char* name : {"cosine", "largest_class", "same_answer"}) {
    tensors.insert(std::string("output-gradients.") + name,
                   doubles({reader.scalar_at({"output-gradients", 0, name}, 0).value()}));
  }
  tensors.insert("output-gradients.gradients",
                 doubles(reader.arrays({"output-gradients", 0, "gradients"}).front().as_doubles()));
  write(tensors, out / (test.name + ".pt"));
}

void export_fractions(RunReader& reader, Tensors& tensors) {
  tensors.insert("fractions.loss", doubles(reader.arrays({"update-fractions", 0, "loss"}).front().as_doubles()));
  tensors.insert("fractions.length", doubles({reader.scalar_at({"update-fractions", 0, "length"}, kStep).value()}));
  for (const char* what : {"mean", "variance"}) {
    tensors.insert(std::string("fractions.") + what,
                   doubles(reader.arrays({"update-fractions", kFractionsLayer, what}).front().as_doubles()));
  }
}

at::Tensor rows_of(const std::vector<std::vector<int64_t>>& batches) {
  std::vector<at::Tensor> rows;
  for (const auto& batch : batches) rows.push_back(at::tensor(batch, at::kLong));
  return at::stack(rows);
}

/// All batches of one size, a row a batch, as "sgd-noise" drew them for its form.
at::Tensor draws_of(const TrainSpec& spec, const std::string& form, int64_t size) {
  if (form == "batch_with") {
    return rows_of(drawn_batches(kPopulation, size, kSeen / size, true, sgd_noise_key(spec.seed, kStep, 4)));
  }
  std::vector<at::Tensor> all;
  for (int64_t alpha = 0; alpha < 3; ++alpha) {
    const uint64_t key = sgd_noise_key(spec.seed, kStep, alpha);
    all.push_back(rows_of(drawn_batches(kPopulation, size, kDraws, form == "fixed_with", key)));
  }
  return at::cat(all);
}

void export_noise_and_curvature(const std::string& norm, const std::filesystem::path& out) {
  Case test{"noise-" + norm, testing::small_dataset(), testing::small_spec(norm), 2};
  test.spec.data.pad_to = 0;
  test.spec.model.name = "mlp";
  test.spec.model.options = {{"layers", 2}, {"width", 4}};
  const TrainingData data(test.data, test.spec);
  const auto network = build_network(test.spec, data.shape());
  load_network(read_file(RunPaths{run(test, kStep, {}, out / (test.name + "-before"))}.checkpoint()), *network);
  const std::vector<int64_t> sizes = {4, 16};
  RunReader reader(
      run(test, kStep + 1,
          {{"sgd-noise",
            kStep,
            1,
            false,
            {{"images", kPopulation}, {"batches", sizes}, {"draws", kDraws}, {"seen", kSeen}}},
           {"curvature", kStep, 1, false, {{"images", kPopulation}, {"batch", kPopulation}, {"tolerance", 1e-6}}}},
          out / (test.name + "-probed")));
  Tensors tensors;
  insert_parameters(*network, tensors);
  const Batch population = data.evaluation_loader(/*train_split=*/true, kPopulation).next();
  tensors.insert("x", population.x.contiguous());
  tensors.insert("y", population.y);
  const auto copy = [&](const char* probe, const std::string& name) {
    if (const auto value = reader.scalar_at({probe, 0, name}, kStep))
      tensors.insert(probe + ("." + name), doubles({*value}));
  };
  for (const char* name : {"C", "fixed_gradient", "batch_gradient", "planted"}) copy("sgd-noise", name);
  for (const int64_t size : sizes) {
    const std::string b = "_" + std::to_string(size);
    for (const std::string form : {"fixed_with", "fixed_without", "batch_with"}) {
      tensors.insert("draws." + form + b, draws_of(test.spec, form, size));
      copy("sgd-noise", form + "_ratio" + b);
    }
    for (const std::string form : {"fixed", "batch"}) copy("sgd-noise", form + "_bias2" + b);
  }
  for (const std::string mode : {"batch", "population"}) {
    for (const std::string kind : {"_", "_scaled_"}) {
      for (const char* top : {"top_1", "top_2", "top_3"}) copy("curvature", mode + kind + top);
    }
    for (const char* name : {"_loss", "_gradient_share"}) copy("curvature", mode + name);
  }
  write(tensors, out / (test.name + ".pt"));
}

void export_case(const Case& test, const std::filesystem::path& out) {
  Tensors tensors;
  const TrainingData data(test.data, test.spec);
  const auto network = build_network(test.spec, data.shape());
  load_network(read_file(RunPaths{run(test, kStep, {}, out / (test.name + "-before"))}.checkpoint()), *network);
  insert_parameters(*network, tensors);
  Loader loader = data.training_loader();
  for (int64_t i = 0; i < kStep; ++i) (void)loader.next();
  const Batch batch = loader.next();
  tensors.insert("x", batch.x.contiguous());
  tensors.insert("y", batch.y);
  const double rate = test.spec.optimizer.lr;
  tensors.insert("rate", doubles({rate}));
  std::vector<ProbeSpec> probes = {
      {"ics", kStep, 1, false, Json::object()},
      {"landscape", kStep, 1, false, {{"near", 0.5}, {"far", 4}, {"points", 4}}},
      {"relative-loss", kStep, 1, false, {{"near", 0.1 * rate}, {"far", 100 * rate}, {"points", 4}}}};
  const bool convolutional = test.name.starts_with("vgg");
  if (convolutional) {
    probes.push_back({"update-fractions", kStep, 1, false, {{"layers", {kFractionsLayer}}, {"points", 3}}});
  }
  const bool with_theory = test.name == "vgg-none";
  if (with_theory) {
    probes.push_back({"bn-theory", kStep, 1, false, {{"layers", {kTheoryLayer}}}});
    probes.push_back({"bn-curvature", kStep, 1, false, {{"layers", {kTheoryLayer}}, {"channels", 2}}});
  }
  RunReader reader(run(test, kStep + 1, probes, out / (test.name + "-probed")));
  if (with_theory) {
    for (const char* what : {"gradient", "bound", "weight_gradient"}) {
      tensors.insert(std::string("theory.") + what,
                     doubles(reader.arrays({"bn-theory", kTheoryLayer, what}).front().as_doubles()));
    }
    tensors.insert("theory.lambda", doubles({reader.scalar_at({"bn-theory", kTheoryLayer, "lambda"}, kStep).value()}));
    for (const char* what : {"curvature", "identity", "first", "second"}) {
      tensors.insert(std::string("curvature.") + what,
                     doubles(reader.arrays({"bn-curvature", kTheoryLayer, what}).front().as_doubles()));
    }
  }
  for (const char* what : {"l2", "cosine", "gradient_norm"}) {
    std::vector<double> values;
    for (int64_t layer = 1; layer <= test.layers; ++layer) {
      values.push_back(reader.scalar_at({"ics", layer, what}, kStep).value());
    }
    tensors.insert(std::string("ics.") + what, doubles(values));
  }
  for (const char* what : {"distance", "loss", "gradient_difference"}) {
    tensors.insert(std::string("landscape.") + what,
                   doubles(reader.arrays({"landscape", 0, what}).front().as_doubles()));
  }
  for (const char* what : {"alpha", "ratio"}) {
    tensors.insert(std::string("relative.") + what,
                   doubles(reader.arrays({"relative-loss", 0, what}).front().as_doubles()));
  }
  tensors.insert("relative.crossing", doubles({reader.scalar_at({"relative-loss", 0, "crossing"}, kStep).value()}));
  if (convolutional) {
    export_fractions(reader, tensors);
    export_hessian(*network, batch, tensors);
  }
  tensors.insert("landscape.beta", doubles({reader.scalar_at({"landscape", 0, "beta"}, kStep).value()}));
  write(tensors, out / (test.name + ".pt"));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: export_probes FOLDER\n");
    return 2;
  }
  for (const std::string norm : {"none", "batch"}) {
    export_flow("relu", 40, norm, argv[1]);
    export_flow("sigmoid", 10, norm, argv[1]);
    export_start(norm, argv[1]);
    export_noise_and_curvature(norm, argv[1]);
    export_case({"vgg-" + norm, testing::small_dataset(), testing::small_spec(norm), 8}, argv[1]);
    TrainSpec dln = testing::small_spec(norm);
    const Dataset task = make_linear_task({});
    dln.data = {"linear", task.digest, "none", 0, "none"};
    dln.model.name = "dln";
    dln.model.options = {{"layers", 25}, {"normalized", 24}};
    dln.model.init = "glorot-normal";
    dln.optimizer.lr = 1e-6;
    dln.batch = 1000;
    dln.divergence_loss = std::nullopt;
    export_case({"dln-" + norm, task, dln, 25}, argv[1]);
  }
  return 0;
}
