#include "bnlab/charts/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <utility>

namespace bnlab {
namespace {

using Rgb = std::array<double, 3>;  // 0 to 1, as written (not linear)

// web/src/theme.ts has the same paper.
constexpr char kDarkPaper[] = "#16191c";
constexpr double kSeen = 4;  // contrast with the dark page from which a colour is left as it is

constexpr std::array<std::pair<const char*, const char*>, 10> kOnDark = {{{colors::kBlue, "#3f85fb"},
                                                                          {colors::kRed, "#e35f3a"},
                                                                          {colors::kGreen, "#4cd991"},
                                                                          {colors::kGold, "#f5af24"},
                                                                          {colors::kPurple, "#bf56b9"},
                                                                          {colors::kSky, "#9de5ff"},
                                                                          {colors::kGrey, "#9aa1a8"},
                                                                          {colors::kInk, "#dde1e4"},
                                                                          {colors::kFaint, "#8b939b"},
                                                                          {colors::kPaper, kDarkPaper}}};

bool is_color(const std::string& text) {
  return text.size() == 7 && text[0] == '#' &&
         std::all_of(text.begin() + 1, text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

Rgb parsed(const std::string& color) {
  Rgb rgb{};
  for (size_t i = 0; i < 3; ++i) rgb[i] = std::stoi(color.substr(1 + 2 * i, 2), nullptr, 16) / 255.0;
  return rgb;
}

double luminance(const std::string& color) {
  const auto linear = [](double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); };
  const Rgb rgb = parsed(color);
  return 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
}

}  // namespace

const std::vector<std::string>& categories() {
  static const std::vector<std::string> all = {colors::kBlue, colors::kRed,    colors::kGreen,
                                               colors::kGold, colors::kPurple, colors::kSky};
  return all;
}

std::string mixed(const std::string& from, const std::string& to, double share) {
  const Rgb a = parsed(from), b = parsed(to);
  std::array<int, 3> c{};
  for (size_t i = 0; i < 3; ++i) c[i] = static_cast<int>(std::lround(255 * (a[i] + share * (b[i] - a[i]))));
  return fmt::format("#{:02x}{:02x}{:02x}", c[0], c[1], c[2]);
}

double contrast(const std::string& one, const std::string& other) {
  const auto [dark, light] = std::minmax({luminance(one), luminance(other)});
  return (light + 0.05) / (dark + 0.05);
}

std::string on_dark(const std::string& color) {
  if (!is_color(color)) return color;
  for (const auto& [light, dark] : kOnDark) {
    if (color == light) return dark;
  }
  std::string seen = color;
  for (double share = 0; contrast(seen, kDarkPaper) < kSeen && share < 1;)
    seen = mixed(color, "#ffffff", share += 0.05);
  return seen;
}

std::vector<ArmStyle> styles_for(const std::vector<std::string>& arms) {
  static const std::array<std::vector<int>, 3> dashes = {{{}, {6, 4}, {2, 3}}};
  const auto& order = categories();
  std::vector<ArmStyle> styles;
  for (size_t i = 0; i < arms.size(); ++i) {
    styles.push_back({arms[i], order[i % order.size()], dashes[i / order.size() % dashes.size()]});
  }
  return styles;
}

}  // namespace bnlab
