// The look that all charts share: colours by name, and how an arm is drawn.
//
// A chart is written in the colours of a light page and carries those of a dark one beside them (specification.h).
#pragma once

#include <string>
#include <vector>

namespace bnlab {

/// Colours that can be told apart with the common kinds of colour blindness, on a light page and (as on_dark() gives
/// them) on a dark one. Arms that are to be compared should take them in the order of categories().
namespace colors {
inline constexpr char kBlue[] = "#2b4577";
inline constexpr char kRed[] = "#cb3907";
inline constexpr char kGreen[] = "#1c7a5a";
inline constexpr char kGold[] = "#ca9601";
inline constexpr char kPurple[] = "#895ab9";
inline constexpr char kSky[] = "#00a9f8";
inline constexpr char kGrey[] = "#8a8f94";   ///< what stands back: a precondition that fails, another kind of run
inline constexpr char kInk[] = "#22262a";    ///< what is no arm: a closed form, a bound, an interval
inline constexpr char kFaint[] = "#767d84";  ///< helping lines
inline constexpr char kPaper[] = "#ffffff";
}  // namespace colors

/// The six colours for arms, in the order in which they are to be used.
const std::vector<std::string>& categories();

/// The colour ("#rrggbb") that stands for this one on a dark page: the named colours have theirs, another is mixed with
/// white until it can be seen. Anything that is no such colour stays as it is.
std::string on_dark(const std::string& color);

/// `share` of the way from one colour to the other, 0 to 1.
std::string mixed(const std::string& from, const std::string& to, double share);

/// WCAG's contrast of two colours, 1 to 21.
double contrast(const std::string& one, const std::string& other);

/// The look of an arm: the same in all figures of an experiment.
struct ArmStyle {
  std::string arm;
  std::string color;           ///< "#rrggbb"
  std::vector<int> dash = {};  ///< empty: a solid line
};

/// Styles for arms that have none: the colours in order, then again with dashes.
std::vector<ArmStyle> styles_for(const std::vector<std::string>& arms);

}  // namespace bnlab
