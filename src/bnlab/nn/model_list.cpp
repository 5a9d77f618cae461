#include "bnlab/nn/model_list.h"

#include "bnlab/nn/find_kind.h"
#include "bnlab/nn/models/dln.h"
#include "bnlab/nn/models/resnet.h"
#include "bnlab/nn/models/vgg.h"

namespace bnlab {

const std::vector<ModelKind>& model_kinds() {
  static const std::vector<ModelKind> kinds = {vgg11_kind(), vgg16_kind(), resnet20_kind(), resnet110_kind(),
                                               dln_kind()};
  return kinds;
}

const ModelKind& find_model_kind(const std::string& name) {
  return find_kind(model_kinds(), &ModelKind::name, name, "model");
}

}  // namespace bnlab
