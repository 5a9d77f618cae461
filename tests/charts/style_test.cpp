#include "bnlab/charts/style.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <set>

namespace bnlab {
namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

// Full protanopia, deuteranopia and tritanopia on linear RGB: Machado, Oliveira & Fernandes 2009, Table of
// severity 1.0.
constexpr std::array<Matrix, 3> kDeficiencies = {{
    {{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}},
    {{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}},
    {{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}},
}};

Vector linear_rgb(const std::string& color) {
  Vector rgb{};
  for (size_t i = 0; i < 3; ++i) {
    const double c = std::stoi(color.substr(1 + 2 * i, 2), nullptr, 16) / 255.0;
    rgb[i] = c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
  }
  return rgb;
}

Vector times(const Matrix& m, const Vector& v) {
  Vector product{};
  for (size_t i = 0; i < 3; ++i) product[i] = m[i][0] * v[0] + m[i][1] * v[1] + m[i][2] * v[2];
  return product;
}

Vector seen_with(const Matrix& deficiency, const Vector& rgb) {
  Vector seen = times(deficiency, rgb);
  for (double& c : seen) c = std::min(1.0, std::max(0.0, c));
  return seen;
}

// Ottosson 2020, "A perceptual color space for image processing".
Vector oklab(const Vector& rgb) {
  Vector lms = times({{{0.4122214708, 0.5363325363, 0.0514459929},
                       {0.2119034982, 0.6806995451, 0.1073969566},
                       {0.0883024619, 0.2817188376, 0.6299787005}}},
                     rgb);
  for (double& c : lms) c = std::cbrt(c);
  return times({{{0.2104542553, 0.7936177850, -0.0040720468},
                 {1.9779984951, -2.4285922050, 0.4505937099},
                 {0.0259040371, 0.7827717662, -0.8086757660}}},
               lms);
}

double distance(const Vector& a, const Vector& b) {
  return std::sqrt(std::pow(a[0] - b[0], 2) + std::pow(a[1] - b[1], 2) + std::pow(a[2] - b[2], 2));
}

/// The smallest distance of two of the colours as `seen`.
double closest(const std::vector<std::string>& all, const std::function<Vector(const Vector&)>& seen) {
  double least = INFINITY;
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      least = std::min(least, distance(oklab(seen(linear_rgb(all[i]))), oklab(seen(linear_rgb(all[j])))));
    }
  }
  return least;
}

std::vector<std::string> arm_colors(bool dark) {
  std::vector<std::string> all;
  for (const auto& color : categories()) all.push_back(dark ? on_dark(color) : color);
  all.push_back(dark ? on_dark(colors::kGrey) : colors::kGrey);
  return all;
}

TEST(Colors, CanBeToldApartWithEachDeficiencyOnBothPages) {
  for (const bool dark : {false, true}) {
    EXPECT_GE(closest(arm_colors(dark), [](const Vector& rgb) { return rgb; }), 0.15) << "dark: " << dark;
    for (const Matrix& deficiency : kDeficiencies) {
      EXPECT_GE(closest(arm_colors(dark), [&](const Vector& rgb) { return seen_with(deficiency, rgb); }), 0.09)
          << "dark: " << dark << ", deficiency " << &deficiency - kDeficiencies.data();
    }
  }
}

TEST(Colors, StandOutFromTheirPage) {
  for (const auto& color : arm_colors(false)) EXPECT_GE(contrast(color, colors::kPaper), 2.6) << color;
  for (const auto& color : arm_colors(true)) EXPECT_GE(contrast(color, on_dark(colors::kPaper)), 4) << color;
  for (const char* words : {colors::kInk, colors::kFaint}) {
    EXPECT_GE(contrast(words, colors::kPaper), 4) << words;
    EXPECT_GE(contrast(on_dark(words), on_dark(colors::kPaper)), 4.5) << words;
  }
}

TEST(Colors, ContrastIsThatOfTheWebGuidelines) {
  EXPECT_DOUBLE_EQ(contrast("#000000", "#ffffff"), 21);
  EXPECT_DOUBLE_EQ(contrast("#767676", "#767676"), 1);
  EXPECT_NEAR(contrast("#767676", "#ffffff"), 4.54, 0.005);
}

TEST(OnDark, AnotherColorIsMixedWithWhiteUntilItIsSeen) {
  EXPECT_EQ(on_dark("#ffe0e0"), "#ffe0e0");
  for (const char* color : {"#000000", "#1b1b1b", "#2d5d8c", "#8a5aa0"}) {
    EXPECT_GE(contrast(on_dark(color), on_dark(colors::kPaper)), 4) << color;
  }
}

TEST(OnDark, WhatIsNoColorStaysAsItIs) {
  for (const char* text : {"", "#fff", "red", "conv #1 ", "#12345g"}) EXPECT_EQ(on_dark(text), text);
}

TEST(Mixed, GoesFromOneColorToTheOther) {
  EXPECT_EQ(mixed("#204060", "#ffffff", 0), "#204060");
  EXPECT_EQ(mixed("#204060", "#ffffff", 1), "#ffffff");
  EXPECT_EQ(mixed("#000000", "#ffffff", 0.2), "#333333");
}

TEST(StylesFor, ManyArmsAllLookDifferent) {
  std::vector<std::string> arms;
  for (int i = 0; i < 18; ++i) arms.push_back(std::to_string(i));
  std::set<std::pair<std::string, std::vector<int>>> looks;
  for (const auto& style : styles_for(arms)) looks.insert({style.color, style.dash});
  EXPECT_EQ(looks.size(), 18u);
}

}  // namespace
}  // namespace bnlab
