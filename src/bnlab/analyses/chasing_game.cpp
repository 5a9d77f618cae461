#include "bnlab/analyses/chasing_game.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "bnlab/data/random.h"

namespace bnlab {
namespace {

constexpr size_t kBelow = 6;  // numbers that go into the layer below
constexpr double kMeanBelow = 1, kNoise = 0.3, kEps = 1e-12;

struct ChasingRules {
  bool bn = false, frozen = false;
  int64_t points = 120, steps = 100;
  double rate = 0.03;
};

ChasingRules parse_chasing_game(const AnalysisSpec& spec) {
  ChasingRules rules;
  JsonFields fields(spec.parameters, "parameters");
  fields.optional("bn", rules.bn).optional("frozen", rules.frozen);
  fields.optional("points", rules.points).check(rules.points >= 10, "points", "at least 10");
  fields.optional("steps", rules.steps).check(rules.steps >= 1, "steps", "at least 1");
  fields.optional("rate", rules.rate).check(rules.rate > 0, "rate", "a number above 0");
  fields.finish();
  if (!spec.inputs.empty()) throw SpecError("inputs", "the analysis \"chasing-game\" takes no runs");
  return rules;
}

using Below = std::array<double, kBelow>;
using Place = std::array<double, 2>;
using Cloud = std::vector<Place>;
using Line = std::array<double, 3>;  // w1, w2, b

double output(const Line& line, const Place& x) {
  return line[0] * x[0] + line[1] * x[1] + line[2];
}

/// The a that makes the mean of (a·row - y)² least, by Gaussian elimination of the normal equations, with the largest
/// pivot.
template <size_t N>
std::array<double, N> least_squares(const std::vector<std::array<double, N>>& rows, const std::vector<double>& y) {
  std::array<std::array<double, N + 1>, N> m{};
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t r = 0; r < N; ++r) {
      for (size_t c = 0; c < N; ++c) m[r][c] += rows[i][r] * rows[i][c];
      m[r][N] += rows[i][r] * y[i];
    }
  }
  for (size_t k = 0; k < N; ++k) {
    const auto largest = std::max_element(
        m.begin() + k, m.end(), [&](const auto& a, const auto& b) { return std::abs(a[k]) < std::abs(b[k]); });
    std::swap(m[k], *largest);
    for (size_t r = k + 1; r < N; ++r) {
      const double factor = m[r][k] / m[k][k];
      for (size_t c = k; c <= N; ++c) m[r][c] -= factor * m[k][c];
    }
  }
  std::array<double, N> a{};
  for (size_t k = N; k-- > 0;) {
    a[k] = m[k][N];
    for (size_t c = k + 1; c < N; ++c) a[k] -= m[k][c] * a[c];
    a[k] /= m[k][k];
  }
  return a;
}

struct ChasingTask {
  std::vector<Below> s;
  std::vector<double> labels;

  ChasingTask(uint64_t seed, int64_t points) {
    Random random(mix(seed, "chasing-game", 0));
    Below across{};
    double length = 0;
    for (double& value : across) length += std::pow(value = random.normal(), 2);
    for (int64_t i = 0; i < points; ++i) {
      Below at{};
      double side = kNoise * random.normal();
      for (size_t d = 0; d < kBelow; ++d) {
        const double off = random.normal();
        at[d] = kMeanBelow + off;
        side += off * across[d] / std::sqrt(length);
      }
      s.push_back(at);
      labels.push_back(side > 0 ? 1 : -1);
    }
  }

  /// The mean squared error of the best plane.
  double least_loss() const {
    std::vector<std::array<double, kBelow + 1>> rows;
    for (const Below& at : s) {
      auto& row = rows.emplace_back();
      std::copy(at.begin(), at.end(), row.begin());
      row.back() = 1;
    }
    const auto plane = least_squares(rows, labels);
    double loss = 0;
    for (size_t i = 0; i < rows.size(); ++i) {
      double y = 0;
      for (size_t d = 0; d <= kBelow; ++d) y += plane[d] * rows[i][d];
      loss += std::pow(y - labels[i], 2) / static_cast<double>(rows.size());
    }
    return loss;
  }
};

/// The layer below and the unit, and a pass through them.
class Chase {
 public:
  Chase(const ChasingTask& task, const ChasingRules& rules, uint64_t seed) : task_(task), rules_(rules) {
    Random random(mix(seed, "chasing-game", 1));
    for (Below& row : w_) {
      for (double& weight : row) weight = random.normal() * std::sqrt(2.0 / (kBelow + 2));
    }
    for (size_t k = 0; k < 2; ++k) line_[k] = random.normal() * std::sqrt(0.5);
    pass();
  }

  const Cloud& cloud() const { return x_; }
  const Line& line() const { return line_; }
  const Place& mean() const { return mean_; }
  const Place& deviation() const { return deviation_; }

  Line target() const {
    std::vector<std::array<double, 3>> rows;
    for (const Place& x : x_) rows.push_back({x[0], x[1], 1});
    return least_squares(rows, task_.labels);
  }

  double loss() const {
    double sum = 0;
    for (size_t i = 0; i < x_.size(); ++i) sum += std::pow(output(line_, x_[i]) - task_.labels[i], 2);
    return sum / points();
  }

  void step() {
    Line gradient{};
    Cloud dx;
    for (size_t i = 0; i < x_.size(); ++i) {
      const double dy = 2 * (output(line_, x_[i]) - task_.labels[i]) / points();
      gradient[0] += dy * x_[i][0];
      gradient[1] += dy * x_[i][1];
      gradient[2] += dy;
      dx.push_back({dy * line_[0], dy * line_[1]});
    }
    for (size_t k = 0; k < 3; ++k) line_[k] -= rules_.rate * gradient[k];
    if (rules_.frozen) return;
    for (size_t k = 0; k < 2; ++k) step_below(k, dx);
    pass();
  }

 private:
  double points() const { return static_cast<double>(x_.size()); }

  /// One of the two numbers; `dx` is turned into the gradient in front of BN.
  void step_below(size_t k, Cloud& dx) {
    if (rules_.bn) {
      double dgamma = 0, dbeta = 0;
      for (size_t i = 0; i < dx.size(); ++i) {
        dgamma += dx[i][k] * xhat_[i][k];
        dbeta += dx[i][k];
      }
      for (size_t i = 0; i < dx.size(); ++i) {
        dx[i][k] = gamma_[k] / sigma_[k] * (dx[i][k] - dbeta / points() - xhat_[i][k] * dgamma / points());
      }
      gamma_[k] -= rules_.rate * dgamma;
      beta_[k] -= rules_.rate * dbeta;
    }
    for (size_t i = 0; i < dx.size(); ++i) {
      for (size_t d = 0; d < kBelow; ++d) w_[k][d] -= rules_.rate * dx[i][k] * task_.s[i][d];
      c_[k] -= rules_.rate * dx[i][k];
    }
  }

  void pass() {
    x_.clear();
    for (const Below& s : task_.s) {
      Place& x = x_.emplace_back(c_);
      for (size_t k = 0; k < 2; ++k) {
        for (size_t d = 0; d < kBelow; ++d) x[k] += w_[k][d] * s[d];
      }
    }
    measure();
    if (!rules_.bn) return;
    sigma_ = deviation_;
    for (size_t k = 0; k < 2; ++k) sigma_[k] = std::sqrt(std::pow(deviation_[k], 2) + kEps);
    xhat_ = x_;
    for (size_t i = 0; i < x_.size(); ++i) {
      for (size_t k = 0; k < 2; ++k) {
        xhat_[i][k] = (x_[i][k] - mean_[k]) / sigma_[k];
        x_[i][k] = gamma_[k] * xhat_[i][k] + beta_[k];
      }
    }
    measure();
  }

  void measure() {
    mean_ = deviation_ = {};
    for (size_t k = 0; k < 2; ++k) {
      for (const Place& x : x_) mean_[k] += x[k] / points();
      for (const Place& x : x_) deviation_[k] += std::pow(x[k] - mean_[k], 2) / points();
      deviation_[k] = std::sqrt(deviation_[k]);
    }
  }

  const ChasingTask& task_;
  ChasingRules rules_;
  std::array<Below, 2> w_{};
  Place c_{}, gamma_{1, 1}, beta_{}, sigma_{};
  Line line_{};
  Cloud x_, xhat_;
  Place mean_{}, deviation_{};
};

double apart(const Line& a, const Line& b, const Cloud& cloud) {
  double sum = 0;
  for (const Place& x : cloud) sum += std::pow(output(a, x) - output(b, x), 2);
  return std::sqrt(sum / static_cast<double>(cloud.size()));
}

std::vector<double> flat(const Cloud& cloud) {
  std::vector<double> values;
  for (const Place& x : cloud) values.insert(values.end(), x.begin(), x.end());
  return values;
}

RunOutcome compute_chasing_game(const AnalysisView& view) {
  const ChasingRules rules = parse_chasing_game(view.spec);
  const auto seed = static_cast<uint64_t>(view.spec.seed);
  const ChasingTask task(seed, rules.points);
  Chase chase(task, rules, seed);
  const double least = task.least_loss(), first = chase.loss();
  double travel = 0;
  view.recorder.array(0, 0, "labels", task.labels);
  for (int64_t step = 0; step <= rules.steps; ++step) {
    const Cloud cloud = chase.cloud();
    const Line target = chase.target();
    const Place mean = chase.mean(), deviation = chase.deviation();
    view.recorder.array(step, 0, "cloud", flat(cloud), {rules.points, 2});
    view.recorder.array(step, 0, "line", std::vector<double>(chase.line().begin(), chase.line().end()));
    view.recorder.array(step, 0, "target", std::vector<double>(target.begin(), target.end()));
    view.recorder.scalar(step, 0, "travel", travel);
    view.recorder.scalar(step, 0, "distance", apart(chase.line(), target, cloud));
    view.recorder.scalar(step, 0, "left", (chase.loss() - least) / (first - least));
    if (step == rules.steps) break;
    chase.step();
    view.recorder.scalar(step, 0, "target_move", apart(chase.target(), target, cloud));
    travel += std::hypot((chase.mean()[0] - mean[0]) / deviation[0], (chase.mean()[1] - mean[1]) / deviation[1]);
  }
  return RunOutcome::kDone;
}

}  // namespace

AnalysisKind chasing_game_analysis() {
  return {"chasing-game", "a unit behind a layer that also learns: its line, and the line that it chases",
          [](const AnalysisSpec& spec) {
            const ChasingRules rules = parse_chasing_game(spec);
            return Json{{"bn", rules.bn},
                        {"frozen", rules.frozen},
                        {"points", rules.points},
                        {"steps", rules.steps},
                        {"rate", rules.rate}};
          },
          compute_chasing_game};
}

}  // namespace bnlab
