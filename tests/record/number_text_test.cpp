#include "bnlab/record/number_text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bnlab {
namespace {

TEST(FixedText, HasItsDecimalsAndNoSignOfZero) {
  EXPECT_EQ(fixed_text(-0.04, 1), "0.0");
  EXPECT_EQ(fixed_text(0.04, 1), "0.0");
  EXPECT_EQ(fixed_text(-0.0, 2), "0.00");
  EXPECT_EQ(fixed_text(-0.4, 0), "0");
  EXPECT_EQ(fixed_text(-0.06, 1), "-0.1");
  EXPECT_EQ(fixed_text(-0.04, 2), "-0.04");
  EXPECT_EQ(fixed_text(-10, 1), "-10.0");
  EXPECT_EQ(fixed_text(12.345, 1), "12.3");
}

TEST(SignedText, ShowsThePlusOfWhatIsAboveZero) {
  EXPECT_EQ(signed_text(-0.04, 1), "0.0");
  EXPECT_EQ(signed_text(0.04, 1), "0.0");
  EXPECT_EQ(signed_text(0, 1), "0.0");
  EXPECT_EQ(signed_text(0.06, 1), "+0.1");
  EXPECT_EQ(signed_text(-0.06, 1), "-0.1");
  EXPECT_EQ(signed_text(20, 0), "+20");
}

TEST(SignedText, HidesNothingThatIsNoNumber) {
  EXPECT_EQ(signed_text(std::nan(""), 1), "+nan");
  EXPECT_EQ(fixed_text(-INFINITY, 1), "-inf");
}

}  // namespace
}  // namespace bnlab
