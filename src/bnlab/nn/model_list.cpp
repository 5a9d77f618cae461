#include "bnlab/nn/model_list.h"

#include "bnlab/nn/find_kind.h"
#include "bnlab/nn/models/caffenet.h"
#include "bnlab/nn/models/dln.h"
#include "bnlab/nn/models/mlp.h"
#include "bnlab/nn/models/nin.h"
#include "bnlab/nn/models/resnet.h"
#include "bnlab/nn/models/vgg.h"

namespace bnlab {

std::shared_ptr<Norm> NormChoice::make(int64_t channels) const {
  const NormKind& norm = find_norm_kind(kind);
  return norm.make(channels, complete_options(norm.options, options, "the normalization " + kind));
}

const std::vector<ModelKind>& model_kinds() {
  static const std::vector<ModelKind> kinds = {vgg11_kind(),    vgg16_kind(),    resnet20_kind(),  resnet32_kind(),
                                               resnet44_kind(), resnet56_kind(), resnet110_kind(), dln_kind(),
                                               mlp_kind(),      nin_kind(),      caffenet_kind()};
  return kinds;
}

const ModelKind& find_model_kind(const std::string& name) {
  return find_kind(model_kinds(), &ModelKind::name, name, "model");
}

std::shared_ptr<Network> make_network(const std::string& name, const Options& options, const NormChoice& norm,
                                      const TaskShape& shape) {
  const ModelKind& kind = find_model_kind(name);
  return kind.make(complete_options(kind.options, options, "the model " + name), norm, shape);
}

}  // namespace bnlab
