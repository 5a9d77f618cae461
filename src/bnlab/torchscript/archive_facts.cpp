// Archives of torch::serialize, such as bnlab's own checkpoints: TorchScript's container with tensors and no code.
#include "bnlab/torchscript/archive_facts.h"

#include "bnlab/model_files/state_dict.h"

namespace bnlab::torchscript {
namespace {

using model_files::Element;
using model_files::ElementType;

Element element_of(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return {ElementType::kFloat64, 8, "float64"};
    case at::kFloat:
      return {ElementType::kFloat32, 4, "float32"};
    case at::kHalf:
      return {ElementType::kFloat16, 2, "float16"};
    case at::kBFloat16:
      return {ElementType::kBfloat16, 2, "bfloat16"};
    case at::kLong:
      return {ElementType::kInt64, 8, "int64"};
    default:
      return {ElementType::kOther, at::elementSize(type), at::toString(type)};
  }
}

}  // namespace

doctor::Facts archive_facts(const torch::jit::Module& module, const std::string& name) {
  model_files::StateDict state;
  std::map<std::string, at::Tensor> tensors;
  for (const auto& attribute : module.named_attributes(/*recurse=*/true)) {
    if (!attribute.value.isTensor() || !attribute.value.toTensor().defined()) continue;
    const at::Tensor tensor = attribute.value.toTensor().detach().to(at::kCPU).contiguous();
    if (!tensors.emplace(attribute.name, tensor).second) continue;
    const std::vector<std::int64_t> shape = tensor.sizes().vec();
    state.tensors.push_back({attribute.name, element_of(tensor.scalar_type()), shape,
                             model_files::row_major_strides(shape), attribute.name, 0});
  }
  state.read_storages = [&tensors](const std::set<std::string>& names, const model_files::StorageVisit& visit) {
    for (const std::string& each : names) {
      const at::Tensor& tensor = tensors.at(each);
      visit(each, {static_cast<const char*>(tensor.data_ptr()), tensor.nbytes()});
    }
  };
  return model_files::facts_of_state(state, name);
}

}  // namespace bnlab::torchscript
