#include "bnlab/study/experiment.h"

namespace bnlab {

std::string title_of(Chapter chapter) {
  switch (chapter) {
    case Chapter::kWhat:
      return "What batch normalization is";
    case Chapter::kConvolutions:
      return "In convolutions";
    case Chapter::kWhy:
      return "Why one would want it";
    case Chapter::kResults:
      return "What it brings";
    case Chapter::kWhyItWorks:
      return "Why it works";
    case Chapter::kBackward:
      return "Backward";
    case Chapter::kQuestions:
      return "Questions and answers";
  }
  return "";
}

}  // namespace bnlab
