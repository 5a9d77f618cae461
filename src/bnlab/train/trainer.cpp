#include "bnlab/train/trainer.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/optim/optimizer.h>

#include <algorithm>
#include <cmath>

#include "bnlab/data/random.h"
#include "bnlab/nn/batch_norm.h"
#include "bnlab/ops/convolutions.h"
#include "bnlab/record/parse_json.h"
#include "bnlab/train/checkpoint.h"
#include "bnlab/train/evaluate.h"
#include "bnlab/train/optimizer.h"
#include "bnlab/train/probe_schedule.h"
#include "bnlab/train/rank_share.h"
#include "bnlab/train/training_record.h"
#include "bnlab/train/trajectory_keeper.h"

namespace bnlab {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kCommitInterval{2};

/// Processor seconds spent in each probe, kept beside the run's results.
class ProbeCosts {
 public:
  explicit ProbeCosts(TrainingRecord& record) : record_(record) {
    const std::string before = record.get_meta("probe_seconds");
    if (!before.empty()) seconds_ = parse_json(before, "probe_seconds of the run").get<std::map<std::string, double>>();
  }
  template <class Work>
  void time(const std::string& probe, const Work& work) {
    const double start = cpu_seconds();
    work();
    seconds_[probe] += cpu_seconds() - start;
  }
  double total() const {
    double sum = 0;
    for (const auto& [probe, seconds] : seconds_) sum += seconds;
    return sum;
  }
  void store() { record_.set_meta("probe_seconds", Json(seconds_).dump()); }

 private:
  TrainingRecord& record_;
  std::map<std::string, double> seconds_;
};

class Training {
 public:
  /// `writer`: of `spec`'s run; null on all ranks but the first.
  Training(const TrainSpec& spec, RunWriter* writer, const TrainingData& data,
           std::vector<std::unique_ptr<StepObserver>> observers, const ExecutionOptions& options)
      : record_(writer),
        spec_(spec),
        data_(data),
        observers_(std::move(observers)),
        options_(options),
        network_(build_network(spec_, data.shape())),
        parameters_(network_->parameters()),
        optimizer_(make_optimizer(spec_.optimizer, parameters_)),
        loader_(data.training_loader()),
        costs_(record_) {
    at::manual_seed(mix(static_cast<uint64_t>(spec_.seed), "noise"));
    std::optional<std::string> start = writer ? writer->resume_from() : std::nullopt;
    if (options.ranks) {
      share_.emplace(options.ranks, spec_, *network_);
      start = share_->agree_on_start(start);
    }
    if (start) {
      TrainingState state = this->state();
      step_ = load_checkpoint(*start, state);
    }
    look_seconds_.assign(observers_.size(), 0);
    schedule_.emplace(record_, observers_, spec_.steps, spec_.probe_budget, step_);
  }

  RunOutcome run() {
    while (step_ < spec_.steps) {
      if (stopped()) {
        checkpoint();
        return RunOutcome::kInterrupted;
      }
      if (!make_step()) {
        costs_.store();
        record_.finish(step_, content(), step_);
        return RunOutcome::kDone;
      }
      ++step_;
      save_now_and_then();
    }
    show_end();
    costs_.store();
    record_.finish(step_, content(), -1);
    return RunOutcome::kDone;
  }

 private:
  TrainingState state() { return {step_, *network_, *optimizer_, loader_, observers_}; }
  std::function<std::string()> content() {
    return [this] { return save_checkpoint(state()); };
  }

  void checkpoint() {
    costs_.store();
    record_.checkpoint(step_, content());
  }

  bool told_to_stop() const { return options_.stop && *options_.stop; }
  /// All ranks at the same step: when each knows, from the last step's totals, that one of them has been told to.
  bool stopped() const { return share_ ? totals_.stop : told_to_stop(); }

  void save_now_and_then() {
    const auto now = Clock::now();
    if (now - last_checkpoint_ >= options_.checkpoint_interval && step_ < spec_.steps) {
      checkpoint();
      last_checkpoint_ = last_commit_ = Clock::now();
    } else if (now - last_commit_ >= kCommitInterval) {
      record_.commit();
      last_commit_ = now;
    }
  }

  bool diverged(double loss) const {
    return !std::isfinite(loss) || (spec_.divergence_loss && loss > *spec_.divergence_loss);
  }

  /// False if the loss met the divergence criterion; the weights are then still those before the step.
  bool make_step() {
    const double start = cpu_seconds();
    const Batch batch = loader_.next();
    const Batch part = share_ ? share_->part(batch) : batch;
    if (share_) share_->begin_step(step_);
    optimizer_->zero_grad();
    const at::Tensor logits = network_->forward(part.x);
    const at::Tensor loss = batch_loss(logits, part.y);
    total(part, logits.detach(), loss.item<double>());
    record_.scalar(step_, {"train", 0, "loss"}, totals_.loss);
    if (!batch.y.is_floating_point()) {
      const auto examples = static_cast<double>(batch.y.size(0));
      record_.scalar(step_, {"train", 0, "accuracy"}, static_cast<double>(totals_.right) / examples);
    }
    if (options_.progress) options_.progress(step_, spec_.steps, totals_.loss);
    if (diverged(totals_.loss)) return false;
    if (share_) {
      share_->backward(loss, part);
    } else {
      loss.backward();
    }
    const double lr = learning_rate(spec_.optimizer, step_, spec_.steps);
    show_step(batch, totals_.loss, lr, cpu_seconds() - start);
    keep_trajectory(record_, spec_.trajectory, step_, parameters_, static_cast<uint64_t>(spec_.seed));
    set_learning_rate(*optimizer_, lr);
    optimizer_->step();
    advance_step();
    return true;
  }

  /// Of the whole batch, from what a part of it gave, which is all of it unless there are several ranks.
  void total(const Batch& part, const at::Tensor& logits, double loss) {
    const int64_t right = part.y.is_floating_point() ? 0 : count_right(logits, part.y);
    totals_ = {loss, right, false};
    if (share_) totals_ = share_->totals(loss, right, told_to_stop(), part);
  }

  /// `seconds`: of processors, what the step has cost until here, which is nearly all of it.
  void show_step(const Batch& batch, double loss, double lr, double seconds) {
    std::vector<at::Tensor> gradients;
    for (const auto& parameter : parameters_) gradients.push_back(parameter.grad());
    const LossClosure loss_at(*network_, batch);
    const auto show = [&](StepObserver& observer, Recorder recorder) {
      const StepView view{{step_, *network_, data_, spec_, recorder}, batch, parameters_, gradients, loss, lr, loss_at};
      const double before = costs_.total();
      costs_.time(observer.name(), [&] { observer.observe(view); });
      return costs_.total() - before;
    };
    if (schedule_->to_be_chosen(step_seconds_.size())) choose_schedule(show);
    for (size_t i = 0; i < observers_.size(); ++i) {
      if (schedule_->due(i, step_)) {
        look_seconds_[i] = show(*observers_[i], record_.of_probe(observers_[i]->name()));
      }
    }
    if (warm_ && step_seconds_.size() < ProbeSchedule::kWarmSteps) step_seconds_.push_back(seconds);
    warm_ = true;
  }

  /// By the median of the timed steps and by each probe's last look; a probe that has had none is shown this step,
  /// without recording it.
  void choose_schedule(const std::function<double(StepObserver& observer, Recorder recorder)>& show) {
    for (size_t i = 0; i < observers_.size(); ++i) {
      if (look_seconds_[i] > 0) continue;
      const std::string state = observers_[i]->state();
      look_seconds_[i] = show(*observers_[i], Recorder::dropping());
      observers_[i]->restore(state);
    }
    std::sort(step_seconds_.begin(), step_seconds_.end());
    schedule_->choose(step_, step_seconds_[step_seconds_.size() / 2], look_seconds_, costs_.total());
  }

  void show_end() {
    keep_trajectory(record_, spec_.trajectory, step_, parameters_, static_cast<uint64_t>(spec_.seed));
    for (const auto& observer : observers_) {
      if (!observer->wants_end()) continue;
      Recorder recorder = record_.of_probe(observer->name());
      costs_.time(observer->name(), [&] { observer->observe_end({step_, *network_, data_, spec_, recorder}); });
    }
  }

  TrainingRecord record_;
  const TrainSpec& spec_;
  const TrainingData& data_;
  std::vector<std::unique_ptr<StepObserver>> observers_;
  const ExecutionOptions& options_;
  std::shared_ptr<Network> network_;
  std::vector<at::Tensor> parameters_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  Loader loader_;
  ProbeCosts costs_;
  std::optional<RankShare> share_;  ///< none: all of each batch
  RankShare::Totals totals_;        ///< of the last step
  std::optional<ProbeSchedule> schedule_;
  std::vector<double> look_seconds_;  ///< of processors, as all costs: of each probe's last look
  std::vector<double> step_seconds_;  ///< of the first steps without probes, but for the process's first
  bool warm_ = false;
  int64_t step_ = 0;
  Clock::time_point last_commit_ = Clock::now(), last_checkpoint_ = last_commit_;
};

}  // namespace

std::shared_ptr<Network> build_network(const TrainSpec& spec, const TaskShape& shape) {
  const NormChoice norm{spec.model.norm.kind, spec.model.norm.place == "after-activation", spec.model.norm.options};
  auto network = make_network(spec.model.name, spec.model.options, norm, shape);
  init_parameters(*network, spec.model.init, mix(static_cast<uint64_t>(spec.seed), "weights"), spec.model.init_scale);
  if (spec.memory_format == "channels-last") {
    at::NoGradGuard no_grad;
    for (auto& parameter : network->parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
    }
  }
  network->train();
  return network;
}

RunOutcome train(RunWriter& writer, const TrainingData& data, std::vector<std::unique_ptr<StepObserver>> observers,
                 const ExecutionOptions& options) {
  prepare_libtorch(threads_of(writer.spec()));
  return Training(std::get<TrainSpec>(writer.spec()), &writer, data, std::move(observers), options).run();
}

RunOutcome train_beside_first(const TrainSpec& spec, const TrainingData& data,
                              std::vector<std::unique_ptr<StepObserver>> observers, const ExecutionOptions& options) {
  prepare_libtorch(spec.threads);
  return Training(spec, nullptr, data, std::move(observers), options).run();
}

void prepare_libtorch(int64_t threads) {
  at::set_num_threads(static_cast<int>(threads));
  if (ops::avoid_wrong_convolutions()) TORCH_WARN("bnlab: ", ops::kConvolutionsWereWrong);
}

}  // namespace bnlab
