#include "bnlab/train/training_data.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace bnlab {
namespace {

Dataset dataset_of(const at::Tensor& images) {
  const Split split{images, at::arange(images.size(0), at::kLong)};
  return {"made", "made", {}, split, split, "d"};
}

TrainSpec spec_for(const Dataset& dataset, int64_t pool) {
  TrainSpec spec;
  spec.data = {.set = dataset.name, .digest = dataset.digest, .pool = pool};
  spec.batch = dataset.train.count();
  return spec;
}

TEST(TrainingData, IsScaledByThePooledPixels) {
  const at::Tensor pixels = at::tensor({0, 4, 10, 20,    //
                                        8, 12, 30, 40,   //
                                        255, 255, 1, 0,  //
                                        255, 255, 0, 0},
                                       at::kLong);
  const Dataset dataset = dataset_of(pixels.to(at::kByte).view({1, 1, 4, 4}));
  // By hand: means over 2 x 2 pixels 6, 25, 255, 1/4; their mean 286.25/4, their squares' 65686.0625/4.
  const double mean = 71.5625, deviation = std::sqrt(16421.515625 - mean * mean);
  const std::vector<double> pooled = {6, 25, 255, 0.25};
  for (const bool train_split : {true, false}) {
    const TrainingData data(dataset, spec_for(dataset, 2));
    EXPECT_EQ(data.shape().size, 2);
    const at::Tensor x = data.evaluation_loader(train_split, 1).next().x.contiguous();
    ASSERT_EQ(x.sizes(), (std::vector<int64_t>{1, 1, 2, 2}));
    for (size_t i = 0; i < pooled.size(); ++i) {
      EXPECT_FLOAT_EQ(x.data_ptr<float>()[i], static_cast<float>((pooled[i] - mean) / deviation)) << i;
    }
  }
}

TEST(TrainingData, OfTheFirstExamplesIsScaledByAll) {
  const Dataset dataset = dataset_of(at::tensor({0, 1, 2, 3, 4, 5}, at::kByte).view({6, 1, 1, 1}));
  TrainSpec spec = spec_for(dataset, 1);
  spec.batch = 2;
  spec.data.train_examples = 3;
  const TrainingData data(dataset, spec);
  const auto one_epoch = [](Loader loader, int64_t most) {
    std::vector<int64_t> labels;
    for (int64_t seen = 0; seen < most;) {
      const at::Tensor y = loader.next().y;
      labels.insert(labels.end(), y.data_ptr<int64_t>(), y.data_ptr<int64_t>() + y.size(0));
      seen += y.size(0);
    }
    return labels;
  };
  EXPECT_EQ(one_epoch(data.evaluation_loader(true, 1), 3), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(one_epoch(data.evaluation_loader(false, 1), 6), (std::vector<int64_t>{0, 1, 2, 3, 4, 5}))
      << "the test split";
  for (const int64_t label : one_epoch(data.training_loader(), 20)) EXPECT_LT(label, 3);
  const at::Tensor x = data.evaluation_loader(true, 1).next().x;  // 0, of mean 2.5 and variance 35/12
  EXPECT_FLOAT_EQ(x.item<float>(), static_cast<float>(-2.5 / std::sqrt(35.0 / 12)));
  spec.batch = 4;
  EXPECT_THROW(TrainingData(dataset, spec), DataError);
}

TEST(TrainingData, PadsWhatIsPooled) {
  const Dataset dataset = dataset_of(at::full({1, 1, 4, 4}, 7, at::kByte));
  TrainSpec spec = spec_for(dataset, 2);
  spec.data.scaling = "none";
  spec.data.pad_to = 4;
  const at::Tensor x = TrainingData(dataset, spec).training_loader().next().x[0][0];
  EXPECT_EQ(x.sum().item<double>(), 4 * 7);
  EXPECT_EQ(x.slice(0, 1, 3).slice(1, 1, 3).sum().item<double>(), 4 * 7);
}

/// The most rows by which augmentation moves an image of 12 x 12 blocks of pool x pool pixels, in either direction.
std::pair<int64_t, int64_t> most_moved(int64_t pool) {
  constexpr int64_t kImages = 400, kRow = 6;
  const at::Tensor images = at::zeros({kImages, 1, 12 * pool, 12 * pool}, at::kByte);
  images.slice(2, kRow * pool, (kRow + 1) * pool).fill_(200);
  const Dataset dataset = dataset_of(images);
  TrainSpec spec = spec_for(dataset, pool);
  spec.data.scaling = "none";
  spec.data.augment = "flip-crop";
  const at::Tensor rows = TrainingData(dataset, spec).training_loader().next().x.amax({1, 3}).argmax(1);
  return {kRow - rows.min().item<int64_t>(), rows.max().item<int64_t>() - kRow};
}

TEST(TrainingData, CropsByAsMuchOfThePictureWhetherPooledOrNot) {
  EXPECT_EQ(most_moved(1), std::pair(int64_t{4}, int64_t{4}));
  EXPECT_EQ(most_moved(2), std::pair(int64_t{2}, int64_t{2}));
  EXPECT_EQ(most_moved(3), std::pair(int64_t{1}, int64_t{1}));
  EXPECT_EQ(most_moved(7), std::pair(int64_t{1}, int64_t{1}));
}

TEST(TrainingData, WhatDoesNotDivideIsRefused) {
  const Dataset dataset = dataset_of(at::zeros({1, 1, 4, 4}, at::kByte));
  EXPECT_THROW(TrainingData(dataset, spec_for(dataset, 3)), std::invalid_argument);
}

/// What the network gets of the pooled pixels 6, 25, 255, 1/4 (and of zeros around them, if padded).
at::Tensor scaled(const std::string& scaling, int64_t pad_to, bool bytes) {
  const at::Tensor pixels = at::tensor({0, 4, 10, 20, 8, 12, 30, 40, 255, 255, 1, 0, 255, 255, 0, 0}, at::kLong);
  const Dataset dataset = dataset_of(pixels.to(bytes ? at::kByte : at::kFloat).view({1, 1, 4, 4}));
  TrainSpec spec = spec_for(dataset, 2);
  spec.data.scaling = scaling;
  spec.data.pad_to = pad_to;
  const TrainingData data(dataset, spec);
  EXPECT_EQ(data.shape().size, pad_to == 0 ? 2 : pad_to);
  const at::Tensor x = data.evaluation_loader(false, 1).next().x[0][0].contiguous();
  EXPECT_TRUE(at::equal(data.training_loader().next().x[0][0].contiguous(), x));
  return x;
}

TEST(TrainingData, EveryScalingIsOfPooledAndPaddedPixels) {
  for (const bool bytes : {true, false}) {
    const float low = 0.25F, range = 254.75F;
    EXPECT_TRUE(at::allclose(scaled("min-max", 0, bytes).flatten(),
                             at::tensor({(6 - low) / range, (25 - low) / range, 1.F, 0.F})));
    for (const char* scaling : {"equalize", "equalize-image"}) {  // of one image they are the same
      EXPECT_TRUE(at::allclose(scaled(scaling, 0, bytes).flatten(), at::tensor({1 / 3.F, 2 / 3.F, 1.F, 0.F})));
      const at::Tensor padded = scaled(scaling, 4, bytes);
      EXPECT_TRUE(at::allclose(padded.slice(0, 1, 3).slice(1, 1, 3).flatten(), at::tensor({0.5F, 0.75F, 1.F, 0.25F})));
      EXPECT_FLOAT_EQ(padded.sum().item<float>(), 2.5F) << "what is added is 0";
    }
    const at::Tensor padded = scaled("min-max", 4, bytes);
    EXPECT_TRUE(at::allclose(padded.slice(0, 1, 3).slice(1, 1, 3).flatten(),
                             at::tensor({6 / 255.F, 25 / 255.F, 1.F, 0.25F / 255})));
  }
}

}  // namespace
}  // namespace bnlab
