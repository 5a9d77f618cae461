#include "bnlab/probes/curvature.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bnlab/data/random.h"
#include "bnlab/numerics/eigenvalues.h"
#include "bnlab/numerics/mean_loss.h"
#include "bnlab/numerics/population_statistics.h"
#include "bnlab/numerics/spectral_density.h"
#include "bnlab/numerics/trace.h"
#include "bnlab/probes/probe.h"

namespace bnlab {
namespace {

struct HessianParameters {
  int64_t images = 128, batch = 0, count = 3, products = 500, probes = 20, steps = 0, starts = 2;
  double tolerance = 1e-3;
  bool scaled = true;

  int64_t batch_of(int64_t own) const { return batch == 0 ? own : batch; }
};

HessianParameters parse_hessian(const Json& json, const std::string& where) {
  HessianParameters p;
  JsonFields fields(json, where);
  fields.optional("images", p.images).check(p.images >= 2, "images", "at least 2");
  fields.optional("batch", p.batch).check(p.batch >= 0, "batch", "a size, or 0 for the run's own");
  fields.optional("count", p.count).check(p.count >= 1, "count", "at least 1");
  fields.optional("products", p.products).check(p.products > 2 * p.count, "products", "more than twice the count");
  fields.optional("tolerance", p.tolerance).check(p.tolerance > 0, "tolerance", "a number above 0");
  fields.optional("probes", p.probes).check(p.probes >= 2, "probes", "at least 2");
  fields.optional("steps", p.steps).check(p.steps >= 0, "steps", "at least 0");
  fields.optional("starts", p.starts).check(p.starts >= 1, "starts", "at least 1");
  fields.optional("scaled", p.scaled).finish();
  return p;
}

Json complete_hessian(const Json& json, const std::string& where, const ProbeSetting& setting) {
  const HessianParameters p = parse_hessian(json, where);
  const int64_t batch = p.batch_of(setting.spec.batch);
  if (p.images > setting.train_count || p.images % batch != 0) {
    throw SpecError(where + ".images",
                    fmt::format("expected a multiple of the batch size {}, at most the {} training images, got {}",
                                batch, setting.train_count, p.images));
  }
  return {{"images", p.images},     {"batch", p.batch},         {"count", p.count},
          {"products", p.products}, {"tolerance", p.tolerance}, {"probes", p.probes},
          {"steps", p.steps},       {"starts", p.starts},       {"scaled", p.scaled}};
}

bool has_batch_norm(const Network& network) {
  const auto modules = network.modules();
  return std::any_of(modules.begin(), modules.end(),
                     [](const auto& module) { return dynamic_cast<const BatchNorm*>(module.get()) != nullptr; });
}

/// For each element of the parameters the norm of its tensor.
std::vector<double> tensor_norms(const Network& network) {
  std::vector<double> norms;
  for (const at::Tensor& parameter : network.parameters()) {
    norms.insert(norms.end(), static_cast<size_t>(parameter.numel()), parameter.norm().item<double>());
  }
  return norms;
}

/// Of ‖g‖², what lies in the space of these orthonormal vectors; NaN if there are none.
double share_within(const std::vector<Eigenpair>& pairs, const std::vector<double>& g) {
  if (pairs.empty()) return NAN;
  double within = 0;
  for (const Eigenpair& pair : pairs) {
    within += std::pow(std::inner_product(g.begin(), g.end(), pair.vector.begin(), 0.0), 2);
  }
  return within / std::inner_product(g.begin(), g.end(), g.begin(), 0.0);
}

class Curvature : public Probe {
 public:
  explicit Curvature(const ProbeSpec& spec) : Probe(spec), p_(parse_hessian(spec.parameters, "parameters")) {}

  void observe(const StepView& view) override { look(view); }
  void observe_end(const NetworkView& view) override { look(view); }

 private:
  void look(const NetworkView& view) const {
    const NoTrace no_trace(view.network);
    const int64_t size = p_.batch_of(view.spec.batch);
    Loader loader = view.data.evaluation_loader(/*train_split=*/true, size);
    std::vector<WeightedBatch> batches;
    std::vector<at::Tensor> inputs;
    for (int64_t i = 0; i < p_.images / size; ++i) {
      const Batch batch = loader.next();
      batches.push_back({batch.x, batch.y});
      inputs.push_back(batch.x);
    }
    record_mode(view, "batch", MeanLoss(view.network, batches, batch_loss, BnStatistics::kBatch));
    if (!has_batch_norm(view.network)) return;
    set_population_statistics(view.network, inputs);
    record_mode(view, "population", MeanLoss(view.network, batches, batch_loss, BnStatistics::kPopulation));
  }

  void record_mode(const NetworkView& view, const std::string& mode, const MeanLoss& loss) const {
    view.recorder.scalar(view.step, 0, mode + "_loss", loss.value());
    const auto pairs = record_operator(view, mode + "_", loss.hessian(), p_.count);
    view.recorder.scalar(view.step, 0, mode + "_gradient_share", share_within(pairs, loss.gradient()));
    if (p_.steps > 0) record_density(view, mode + "_", loss.hessian());
    if (p_.scaled) record_operator(view, mode + "_scaled_", scaled(loss.hessian(), tensor_norms(view.network)), 1);
  }

  static uint64_t seed_of(const NetworkView& view) {
    return mix(static_cast<uint64_t>(view.spec.seed), "curvature", view.step);
  }

  std::vector<Eigenpair> record_operator(const NetworkView& view, const std::string& name,
                                         const LinearOperator& hessian, int64_t most) const {
    const auto record = [&](const std::string& what, double value) {
      view.recorder.scalar(view.step, 0, name + what, value);
    };
    const uint64_t seed = seed_of(view);
    const int64_t count = std::min(most, hessian.dimension);
    const Eigenpairs top = top_eigenpairs(
        hessian,
        {.count = count, .tolerance = p_.tolerance, .most_products = p_.products, .vectors = true, .seed = seed});
    for (size_t i = 0; i < top.pairs.size(); ++i) record(fmt::format("top_{}", i + 1), top.pairs[i].value);
    record("residual", top.pairs.empty() ? NAN : top.residual / std::abs(top.pairs.front().value));
    record("converged", top.converged ? 1 : 0);
    const TraceEstimate trace = hutchinson_trace(
        hessian, {.least_probes = std::min<int64_t>(10, p_.probes), .most_probes = p_.probes, .seed = seed});
    record("trace", trace.value);
    record("trace_error", trace.standard_error);
    return top.pairs;
  }

  void record_density(const NetworkView& view, const std::string& name, const LinearOperator& hessian) const {
    const SpectralDensity density =
        spectral_density(hessian, {.probes = p_.starts, .steps = p_.steps, .seed = seed_of(view)});
    std::vector<double> nodes, weights;
    for (const Quadrature& probe : density.probes) {
      nodes.insert(nodes.end(), probe.nodes.begin(), probe.nodes.end());
      weights.insert(weights.end(), probe.weights.begin(), probe.weights.end());
    }
    view.recorder.array(view.step, 0, name + "nodes", nodes);
    view.recorder.array(view.step, 0, name + "weights", weights);
    view.recorder.scalar(view.step, 0, name + "density_residual", density.residual);
  }

  HessianParameters p_;
};

/// By what Lanczos usually takes.
double hessian_cost(const Json& json, const ProbeSetting& setting) {
  constexpr double kOfProduct = 2.5;  // passes
  const HessianParameters p = parse_hessian(json, "parameters");
  const auto eigenvalues = [&](int64_t count) { return std::min(p.products, 15 + 10 * count); };
  const int64_t raw = eigenvalues(p.count) + p.probes + p.starts * p.steps,
                scaled = p.scaled ? eigenvalues(1) + p.probes : 0;
  const double modes = setting.spec.model.norm.kind == "none" ? 1 : 2;
  const int64_t size = p.batch_of(setting.spec.batch);
  return modes * static_cast<double>((raw + scaled) * (p.images / size)) * kOfProduct * pass_cost(size, setting);
}

}  // namespace

ProbeKind curvature_probe() {
  return {"curvature",
          "top eigenvalues, trace and spectral density of the Hessian, with BN as in training and evaluation",
          complete_hessian,
          [](const ProbeSpec& spec, const ProbeSetting&) { return std::make_unique<Curvature>(spec); }, hessian_cost};
}

}  // namespace bnlab
