// Singular values of products of random matrices: why a deep network is ill-conditioned before training. Bjorck et al.
// 2018, section 4 and Fig. 7. Run it: bnlab reproduce --only bjorck-fig7
//
// The paper cites for large matrices a theory of complex matrices; its law, Fuss-Catalan, holds for real ones, too.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bnlab/experiments/bjorck/bjorck.h"
#include "bnlab/study/curves.h"
#include "bnlab/study/evidence.h"

namespace bnlab {
namespace bjorck {
namespace {

constexpr char kProducts[] = "random-products";
const Arm kGaussian{{"random matrices", colors::kBlue}};

struct ProductProtocol {
  int64_t size;
  std::vector<int64_t> factors;  ///< rising; those up to kShallow are compared with Fuss-Catalan
};
constexpr int64_t kShallow = 10;

ProductProtocol product_protocol(Scale scale) {
  const std::vector<int64_t> all = {1, 2, 5, 10, 20, 50, 100};
  switch (scale) {
    case Scale::kSmoke:
      return {20, {1, 2, 5, 10, 20}};
    case Scale::kQuick:
      return {200, all};
    case Scale::kStandard:
      return {400, all};
    case Scale::kPaper:
      return {1000, all};
  }
  throw std::logic_error("no such scale");
}

std::vector<int64_t> shallow_factors(const ProductProtocol& p) {
  std::vector<int64_t> shallow;
  std::copy_if(p.factors.begin(), p.factors.end(), std::back_inserter(shallow),
               [](int64_t s) { return s <= kShallow; });
  return shallow;
}

Plan products_plan(const Setting& setting) {
  const ProductProtocol p = product_protocol(setting.scale);
  Plan plan(setting);
  for (const int64_t seed : setting.seeds) {
    plan.add(kGaussian.name(), seed, fmt::format("products of random matrices, seed {}", seed),
             AnalysisSpec{kProducts, {{"size", p.size}, {"factors", p.factors}}, {}, seed});
  }
  return plan;
}

std::vector<std::string> fig7_was_run(const Setting& setting) {
  const ProductProtocol p = product_protocol(setting.scale);
  return {
      fmt::format("Matrices of {0}×{0} independent normal numbers of variance 1/{0} (a layer that keeps the size of "
                  "its inputs, on average), {1} seed{2}: the singular values of one of them and of products of up "
                  "to {3}. No network and no data. The paper has matrices of 1000×1000 and ten repetitions.",
                  p.size, setting.seeds.size(), setting.seeds.size() == 1 ? "" : "s", p.factors.back()),
      "In double precision a product's small singular values drown in the rounding of its largest one, from a "
      "condition number of some 1e16 on. The smallest singular value is therefore taken as the reciprocal of the "
      "largest one of the product of the inverses. Theory: the Fuss-Catalan law for the squares of the singular "
      "values of large matrices, in closed form; and for many factors Newman's Lyapunov exponents, of which the "
      "condition number follows."};
}

PerSeed of_product(const ArmRuns& runs, int64_t factors, const std::string& name) {
  return each(runs, kGaussian, [&](RunReader& run) {
    return run.scalar_at({kProducts, factors, name}, 0).value_or(NAN);
  });
}

PerSeed growth_of_condition(const ArmRuns& runs, int64_t from, int64_t to) {
  PerSeed growth = minus(of_product(runs, to, "log_condition"), of_product(runs, from, "log_condition"));
  for (double& value : growth) value /= static_cast<double>(to - from);
  return growth;
}

std::vector<std::pair<Claim, Evidence>> fig7_claims(const ArmRuns& runs) {
  constexpr double kClose = 0.05, kTenth = 0.1;
  const ProductProtocol p = product_protocol(runs.setting().scale);
  const int64_t most = p.factors.back();
  PerSeed beside_newman = growth_of_condition(runs, kShallow, most);
  const PerSeed newman = of_product(runs, 0, "lyapunov_spread");
  for (size_t i = 0; i < beside_newman.size(); ++i) beside_newman[i] /= newman[i];
  std::vector<PerSeed> distances;
  for (const int64_t s : shallow_factors(p)) distances.push_back(of_product(runs, s, "distance"));
  return {
      {{.id = "follows-fuss-catalan",
        .sentence = "The singular values of a product are distributed as the Fuss-Catalan law says.",
        .quote =
            "(Section 4: the squared singular values of products of M Gaussian matrices follow, for large matrices, "
            "the Fuss-Catalan distribution; paraphrased.)",
        .statistic =
            "largest difference between the distribution function of the squared singular values and the law's; "
            "mean over the products; the bound is ours",
        .window = fmt::format("products of 1 to {} matrices", kShallow),
        .unit = "share of the singular values",
        .side = Side::below(kClose),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, {kGaussian}, {}, mean_of_all(distances))},
      {{.id = "heavier-tailed",
        .sentence = "The more matrices are multiplied, the heavier the tail of the singular values: the largest is "
                    "further from the rest.",
        .quote = "(Fig. 7: the distribution becomes more heavy-tailed as more matrices are multiplied; paraphrased.)",
        .statistic =
            fmt::format("ln of the largest over the median singular value, product of {} minus one matrix", kShallow),
        .window = fmt::format("1 and {} matrices", kShallow),
        .unit = "log ratio",
        .side = Side::above(0),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, {kGaussian}, {},
              minus(of_product(runs, kShallow, "log_spread"), of_product(runs, 1, "log_spread")))},
      {{.id = "condition-grows",
        .sentence = "With every further matrix the condition number grows.",
        .quote = "(Section 4: with many layers random initialization gives ill-conditioned products; paraphrased.)",
        .statistic =
            fmt::format("(ln of the condition number of a product of {} − that of one matrix) / {}", most, most - 1),
        .window = fmt::format("1 and {} matrices", most),
        .unit = "log ratio a matrix",
        .side = Side::above(0),
        .paper_value = {},
        .rank = Rank::kPrimary},
       paired(runs, {kGaussian}, {}, growth_of_condition(runs, 1, most))},
      {{.id = "condition-as-newman",
        .sentence = "In long products it grows by the factor that Newman's exponents give, to within a tenth of its "
                    "logarithm.",
        .quote = "(Newman 1986: Lyapunov exponents of products of Gaussian matrices, exact; paraphrased.)",
        .statistic = fmt::format("(ln of the condition number of a product of {} − that of {}) / {}, over theory's "
                                 "(ψ(N/2) − ψ(1/2))/2 for N×N matrices; the bounds are ours",
                                 most, kShallow, most - kShallow),
        .window = fmt::format("{} and {} matrices", kShallow, most),
        .unit = "measured over theory",
        .side = Side::within(1 - kTenth, 1 + kTenth),
        .paper_value = 1},
       paired(runs, {kGaussian}, {}, beside_newman)}};
}

std::string matrices(int64_t s) {
  return s == 1 ? "1 matrix" : fmt::format("{} matrices", s);
}

std::vector<double> values_of(RunReader& run, int64_t s, const char* name) {
  const auto records = run.arrays({kProducts, s, name});
  return records.empty() ? std::vector<double>{} : records.front().as_doubles();
}

PerSeed at_rank(const ArmRuns& runs, int64_t s, const char* name, int64_t rank) {
  return each(runs, kGaussian, [&](RunReader& run) {
    const std::vector<double> all = values_of(run, s, name);
    return all.empty() ? NAN : all.at(static_cast<size_t>(rank));
  });
}

Figure values_figure(const ArmRuns& runs) {
  constexpr int64_t kPoints = 40;
  const ProductProtocol p = product_protocol(runs.setting().scale);
  const std::vector<int64_t> shallow = shallow_factors(p);
  std::vector<BandPoint> points;
  std::vector<ArmStyle> styles;
  for (size_t i = 0; i < shallow.size(); ++i) {
    const int64_t s = shallow[i];
    const std::string measured = matrices(s), theory = measured + ", theory";
    styles.insert(styles.end(), {{measured, categories().at(i)}, {theory, colors::kInk, {3, 3}}});
    const int64_t every = std::max<int64_t>(1, p.size / kPoints);
    for (int64_t k = every / 2; k < p.size && !runs.of(kGaussian).empty(); k += every) {
      const double place = 100 * (static_cast<double>(k) + 0.5) / static_cast<double>(p.size);
      points.push_back(band_point(measured, place, at_rank(runs, s, "singular_values", k)));
      points.push_back(band_point(theory, place, at_rank(runs, s, "theory", k)));
    }
  }
  return {
      "a", "The singular values of products of random matrices, from the smallest to the largest",
      "A matrix stretches some directions and shrinks others; its singular values say by how much. They stand here in "
      "order, the smallest on the left, on a logarithmic axis: a level line would be a map that treats all "
      "directions alike. The more matrices are multiplied, the steeper the line: few directions are stretched, most "
      "are all but lost. Dotted: theory for large matrices (Fuss-Catalan); where it lies on the line, the theory "
      "holds. Line: mean over seeds, band: lowest to highest.",
      band_chart(points, styles, "place of the singular value (% of all are smaller)", "singular value (logarithmic)",
                 {.log_y = true})};
}

Figure histogram_figure(const ArmRuns& runs) {
  std::vector<HistogramSample> samples;
  std::vector<ArmStyle> styles;
  const std::vector<int64_t> shallow = shallow_factors(product_protocol(runs.setting().scale));
  for (size_t i = 0; i < shallow.size(); ++i) {
    styles.push_back({matrices(shallow[i]), categories().at(i)});
    HistogramSample& sample = samples.emplace_back(HistogramSample{matrices(shallow[i]), matrices(shallow[i]), {}});
    for (RunReader* run : runs.of(kGaussian)) {
      const std::vector<double> values = values_of(*run, shallow[i], "singular_values");
      sample.values.insert(sample.values.end(), values.begin(), values.end());
    }
  }
  return {"b", "The same as histograms, as the paper draws them",
          "Share of the singular values by size, all seeds together; each panel's axis ends at its largest value. One "
          "matrix: a quarter of a circle that ends at 2. More matrices: a heap at 0, and a tail that runs further and "
          "further to the right.",
          histogram_chart(samples, styles, "singular value", {.shares = true})};
}

Figure condition_figure(const ArmRuns& runs) {
  const ProductProtocol p = product_protocol(runs.setting().scale);
  const ArmStyle theory{"Newman's exponents", colors::kInk, {6, 4}},
      lost{"limit of double precision", colors::kGrey, {2, 3}};
  constexpr double kLost = 1e16;
  std::vector<BandPoint> points;
  for (const int64_t s : p.factors) {
    if (runs.of(kGaussian).empty()) break;
    const auto x = static_cast<double>(s);
    PerSeed conditions = of_product(runs, s, "log_condition");
    for (double& value : conditions) value = std::exp(value);
    BandPoint point = band_point(kGaussian.name(), x, conditions);
    point.mean = std::exp(mean_of(of_product(runs, s, "log_condition")));
    points.push_back(point);
    points.push_back(band_point(theory.arm, x, {std::exp(of_product(runs, 0, "lyapunov_spread").front() * x)}));
    points.push_back(band_point(lost.arm, x, {kLost}));
  }
  return {"c", "The condition number by the number of matrices",
          "The largest over the smallest singular value; logarithmic, so that a straight line is growth by the same "
          "factor with each matrix. Dashed: theory for long products, of which only the slope counts. Above the dotted "
          "line a singular value decomposition in double precision finds only rounding: the smallest singular value is "
          "taken from the product of the inverses. Line: geometric mean over seeds, band: lowest to highest.",
          band_chart(points, {kGaussian.style, theory, lost}, "number of matrices", "condition number (logarithmic)",
                     {.points = true, .log_y = true})};
}

Findings fig7_findings(const Setting& setting, Results& results) {
  const ArmRuns runs(setting, results);
  return {{values_figure(runs), histogram_figure(runs), condition_figure(runs)}, fig7_claims(runs), {}};
}

}  // namespace
}  // namespace bjorck

Experiment bjorck_fig7() {
  return {"bjorck-fig7",
          "Products of random matrices",
          {"M23"},
          bjorck::kSource,
          "Fig. 7",
          "How do the singular values of a product of random matrices spread as more are multiplied?",
          bjorck::products_plan,
          bjorck::fig7_was_run,
          bjorck::fig7_findings,
          {.plainly = "Before training, layers without activation functions are random matrices, and a deep network is "
                      "their product. The picture shows how far such a product stretches its directions: the steeper a "
                      "line, the fewer of them are left."}};
}

}  // namespace bnlab
