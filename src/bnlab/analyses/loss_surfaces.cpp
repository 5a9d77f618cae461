#include "bnlab/analyses/loss_surfaces.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/numerics/interpolation.h"
#include "bnlab/train/checkpoint.h"
#include "bnlab/train/evaluate.h"
#include "bnlab/train/loss_closure.h"

namespace bnlab {
namespace {

constexpr double kBeyond = 0.25;  // by which a plane reaches beyond its corners

struct SurfaceParameters {
  int64_t images = 500, parts = 10, hubs = 0, side = 0;
};

SurfaceParameters parse_surfaces(const AnalysisSpec& spec) {
  SurfaceParameters p;
  JsonFields fields(spec.parameters, "parameters");
  fields.optional("images", p.images).check(p.images >= 2, "images", "at least 2");
  fields.optional("parts", p.parts).check(p.parts >= 2 && p.parts % 2 == 0, "parts", "an even number above 0");
  fields.optional("hubs", p.hubs).check(p.hubs >= 0, "hubs", "a number of inputs, or 0 for all");
  fields.optional("side", p.side).check(p.side == 0 || (p.side > 1 && p.side % 6 == 1), "side", "0, 7, 13, 19, …");
  fields.finish();
  if (spec.inputs.size() < 2) {
    throw SpecError("inputs", "the analysis \"loss-surfaces\" takes two runs or more");
  }
  return p;
}

/// The inputs' specs. Throws SpecError if they are not of one network on the same data.
std::vector<TrainSpec> specs_of(const AnalysisView& view) {
  std::vector<TrainSpec> specs;
  for (const auto& input : view.inputs) {
    const auto* spec = std::get_if<TrainSpec>(&input->spec());
    if (!spec) throw SpecError("inputs", "the analysis \"loss-surfaces\" takes train runs, no analyses");
    specs.push_back(*spec);
    if (!(spec->model == specs.front().model && spec->data == specs.front().data)) {
      throw SpecError("inputs", "the analysis \"loss-surfaces\" takes runs of one network on the same data");
    }
  }
  return specs;
}

/// The loss of one batch where a network's parameters are.
class Surface {
 public:
  Surface(std::shared_ptr<Network> network, Batch batch) : network_(std::move(network)), batch_(std::move(batch)) {
    network_->train();
  }
  struct Value {
    double loss, accuracy;
  };
  Value at(const ParameterState& state) {
    const std::vector<at::Tensor> parameters = network_->parameters();
    for (size_t i = 0; i < parameters.size(); ++i) parameters[i].copy_(state[i]);
    const at::Tensor logits = network_->forward(batch_.x);
    const auto right = static_cast<double>(count_right(logits, batch_.y));
    return {batch_loss(logits, batch_.y).item<double>(), right / static_cast<double>(batch_.y.size(0))};
  }

 private:
  std::shared_ptr<Network> network_;
  Batch batch_;
};

double distance_between(const ParameterState& a, const ParameterState& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    squares += (a[i].to(at::kDouble) - b[i].to(at::kDouble)).square().sum().item<double>();
  }
  return std::sqrt(squares);
}

double norm_of_state(const ParameterState& a) {
  double squares = 0;
  for (const at::Tensor& part : a) squares += part.to(at::kDouble).square().sum().item<double>();
  return std::sqrt(squares);
}

/// Records `name`_loss and `name`_accuracy at a + t (b - a), t = 0, 1/parts … last/parts.
void record_line(Recorder& recorder, Surface& surface, int64_t layer, const std::string& name, const ParameterState& a,
                 const ParameterState& b, int64_t parts, int64_t last) {
  std::vector<double> losses, accuracies;
  for (int64_t k = 0; k <= last; ++k) {
    const auto [loss, accuracy] = surface.at(on_line(a, b, static_cast<double>(k) / static_cast<double>(parts)));
    losses.push_back(loss);
    accuracies.push_back(accuracy);
  }
  recorder.array(0, layer, name + "_loss", losses);
  recorder.array(0, layer, name + "_accuracy", accuracies);
}

/// `point`: the parameters at (s, t).
void record_plane(Recorder& recorder, Surface& surface, const std::string& name, int64_t side,
                  const std::function<ParameterState(double s, double t)>& point) {
  const auto place = [&](int64_t k) {
    return -kBeyond + (1 + 2 * kBeyond) * static_cast<double>(k) / static_cast<double>(side - 1);
  };
  std::vector<double> losses;
  for (int64_t row = 0; row < side; ++row) {
    for (int64_t column = 0; column < side; ++column) {
      losses.push_back(surface.at(point(place(column), place(row))).loss);
    }
  }
  recorder.array(0, 0, name + "_loss", losses, {side, side});
}

RunOutcome compute_surfaces(const AnalysisView& view) {
  const SurfaceParameters p = parse_surfaces(view.spec);
  const std::vector<TrainSpec> specs = specs_of(view);
  for (const auto& input : view.inputs) {
    if (input->state() != RunState::kFinished) return RunOutcome::kDone;
  }
  const auto stopped = [&] { return view.options.stop && *view.options.stop; };
  at::NoGradGuard no_grad;
  const TrainingData data = view.data(specs.front());
  std::vector<ParameterState> starts, ends;
  for (size_t i = 0; i < specs.size(); ++i) {
    const auto network = build_network(specs[i], data.shape());
    starts.push_back(parameter_state(*network));
    load_network(read_file(view.inputs[i]->paths().checkpoint()), *network);
    ends.push_back(parameter_state(*network));
  }
  Surface surface(build_network(specs.front(), data.shape()),
                  data.evaluation_loader(/*train_split=*/true, p.images).next());
  const size_t hubs = p.hubs == 0 ? ends.size() : std::min(ends.size(), static_cast<size_t>(p.hubs));
  for (size_t i = 0; i < ends.size(); ++i) {
    const auto layer = static_cast<int64_t>(i) + 1;
    view.recorder.scalar(0, layer, "norm", norm_of_state(ends[i]));
    view.recorder.scalar(0, layer, "travelled", distance_between(starts[i], ends[i]));
    record_line(view.recorder, surface, layer, "from_start", starts[i], ends[i], p.parts, p.parts * 3 / 2);
    for (size_t j = i + 1; i < hubs && j < ends.size(); ++j) {
      if (stopped()) return RunOutcome::kInterrupted;
      const std::string name = fmt::format("to_{}", j + 1);
      view.recorder.scalar(0, layer, name + "_distance", distance_between(ends[i], ends[j]));
      record_line(view.recorder, surface, layer, name, ends[i], ends[j], p.parts, p.parts);
    }
  }
  if (p.side == 0) return RunOutcome::kDone;
  record_plane(view.recorder, surface, "triangle", p.side,
               [&](double s, double t) { return on_triangle(starts[0], ends[0], ends[1], s, t); });
  if (stopped()) return RunOutcome::kInterrupted;
  if (ends.size() >= 4) {
    const std::array<ParameterState, 4> corners = {ends[0], ends[1], ends[2], ends[3]};
    record_plane(view.recorder, surface, "patch", p.side, [&](double s, double t) { return on_patch(corners, s, t); });
  }
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind loss_surfaces_analysis() {
  return {"loss-surfaces", "loss and accuracy on lines and planes between finished networks and their starts",
          [](const AnalysisSpec& spec) {
            const SurfaceParameters p = parse_surfaces(spec);
            return Json{{"images", p.images}, {"parts", p.parts}, {"hubs", p.hubs}, {"side", p.side}};
          },
          compute_surfaces};
}

}  // namespace bnlab
