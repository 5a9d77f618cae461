#include "bnlab/bench/shapes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace bnlab::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ParseShapes, ReadsNamesAndSizesAndLeavesCommentsOut) {
  const auto shapes =
      parse_shapes("# all of it\n\nstem 32 64 112 56  # 1 layer\r\n\t matrix\t128 1000 1 1\n", "net", "f");
  ASSERT_EQ(shapes.size(), 2u);
  EXPECT_EQ(shapes[0], (NamedShape{"net", "stem", 32, 64, 112, 56}));
  EXPECT_EQ(shapes[0].full_name(), "net/stem");
  EXPECT_EQ(shapes[0].elements(), 32 * 64 * 112 * 56);
  EXPECT_EQ(shapes[0].count(), 32 * 112 * 56);
  EXPECT_FALSE(shapes[0].is_matrix());
  EXPECT_EQ(shapes[1], (NamedShape{"net", "matrix", 128, 1000, 1, 1}));
  EXPECT_TRUE(shapes[1].is_matrix());
}

TEST(ParseShapes, RefusesWhatIsNoShapeAndNamesTheLine) {
  const std::map<std::string, std::string> wrong = {{"a 1 2 3", "f:2: expected NAME N C H W"},
                                                    {"a 1 2 3 4 5", "f:2: expected NAME N C H W"},
                                                    {"a 1 2 3 x", "f:2: expected NAME N C H W"},
                                                    {"a 8 2 3 0", "f:2: sizes must be at least 1"},
                                                    {"a 8 -2 3 3", "f:2: sizes must be at least 1"},
                                                    {"a 1 8 1 1", "f:2: training needs two values per channel"},
                                                    {"a 65536 65536 2 2", "f:2: more than 2^31 elements"}};
  for (const auto& [line, message] : wrong) {
    try {
      (void)parse_shapes("good 2 2 2 2\n" + line, "net", "f");
      ADD_FAILURE() << line;
    } catch (const ShapeError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
  EXPECT_THROW((void)parse_shapes("# nothing\n", "net", "f"), ShapeError);
}

/// The layers that the comments count, "# 6 layers", are all of a network's.
TEST(SharedShapes, CountTheLayersOfTheirNetworks) {
  std::map<std::string, int> layers;
  for (const ShapeListText& list : kShapeLists) {
    std::istringstream lines(list.text);
    for (std::string line; std::getline(lines, line);) {
      const std::size_t comment = line.find('#');
      if (comment == 0) continue;
      layers[list.name] += comment == std::string::npos ? 1 : std::stoi(line.substr(comment + 1));
    }
  }
  EXPECT_EQ(layers["vgg-a"], 8);
  EXPECT_EQ(layers["resnet-110"], 109);
  EXPECT_EQ(layers["resnet-50"], 53);
}

TEST(SharedShapes, HaveAllListsAndNoNameTwice) {
  std::set<std::string> lists, names;
  for (const NamedShape& shape : shared_shapes()) {
    lists.insert(shape.list);
    EXPECT_TRUE(names.insert(shape.full_name()).second) << shape.full_name();
  }
  EXPECT_THAT(lists, ElementsAre("mlp", "odd", "resnet-110", "resnet-50", "small-batch", "vgg-a"));
}

}  // namespace
}  // namespace bnlab::bench
