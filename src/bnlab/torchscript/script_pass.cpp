#include "bnlab/torchscript/script_pass.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <cmath>
#include <cstring>

#include "bnlab/kernels/moments.h"
#include "bnlab/model_files/model_bytes.h"
#include "bnlab/model_files/model_error.h"
#include "bnlab/model_files/reader_list.h"

namespace bnlab::torchscript {
namespace {

using model_files::ModelFileError;
using torch::jit::Module;
using torch::jit::Stack;

constexpr const char* kObserve = "bnlab_observe::input";

const ObservedPass::Look* looking = nullptr;
bool ended_early = false;

struct EndOfPass : std::exception {};

void observe(Stack& stack) {
  const std::int64_t norm = torch::jit::pop(stack).toInt();
  const at::Tensor input = torch::jit::pop(stack).toTensor();
  if (looking == nullptr || !(*looking)(static_cast<std::size_t>(norm), input)) return;
  ended_early = true;
  throw EndOfPass();  // the interpreter wraps it, so `ended_early` tells
}

void register_observer() {
  static const bool once = [] {
    // CONSERVATIVE: it has effects, so it is neither removed nor moved.
    torch::jit::registerOperator(torch::jit::Operator(std::string(kObserve) + "(Tensor x, int norm) -> ()", observe,
                                                      c10::AliasAnalysisKind::CONSERVATIVE));
    return true;
  }();
  (void)once;
}

at::ScalarType scalar_type_of(const model_files::Element& element) {
  switch (element.type) {
    case model_files::ElementType::kFloat64:
      return at::kDouble;
    case model_files::ElementType::kFloat32:
      return at::kFloat;
    case model_files::ElementType::kFloat16:
      return at::kHalf;
    case model_files::ElementType::kBfloat16:
      return at::kBFloat16;
    case model_files::ElementType::kInt64:
      return at::kLong;
    case model_files::ElementType::kInt32:
      return at::kInt;
    case model_files::ElementType::kUint8:
      return at::kByte;
    default:
      throw ModelFileError(fmt::format("has inputs of type {}, which no layer takes", element.name));
  }
}

model_files::StateDict state_of(const model_files::ModelBytes& file) {
  for (const model_files::FileReader& reader : model_files::reader_list()) {
    if (reader.state != nullptr && reader.claims(file)) return reader.state(file, {});
  }
  throw ModelFileError("is no file of tensors; save them: torch.save({\"inputs\": x}, FILE)");
}

at::Tensor tensor_of(const model_files::StateDict& state, const model_files::StoredTensor& stored) {
  const at::Tensor result = at::empty(stored.shape, scalar_type_of(stored.element));
  char* to = static_cast<char*>(result.data_ptr());
  const char* end = to + result.nbytes();
  state.read_storages({stored.storage}, [&](const std::string&, std::string_view bytes) {
    model_files::visit_elements(stored, bytes, [&](const char* element) {
      if (to + stored.element.bytes > end) throw ModelFileError("is damaged: more values than its shape has");
      std::memcpy(to, element, stored.element.bytes);
      to += stored.element.bytes;
    });
  });
  if (to != end) throw ModelFileError("is damaged: fewer values than its shape has");
  return result;
}

void add_tensors(const c10::IValue& output, std::vector<at::Tensor>& tensors) {
  if (output.isTensor()) {
    tensors.push_back(output.toTensor());
  } else if (output.isTuple()) {
    for (const c10::IValue& each : output.toTupleRef().elements()) add_tensors(each, tensors);
  } else if (output.isList()) {
    for (const c10::IValue& each : output.toListRef()) add_tensors(each, tensors);
  } else if (output.isGenericDict()) {
    for (const auto& entry : output.toGenericDict()) add_tensors(entry.value(), tensors);
  } else if (!output.isNone()) {
    throw ModelFileError("returns something other than tensors, so its outputs cannot be compared");
  }
}

void compare(const at::Tensor& before, const at::Tensor& after, kernels::Moments& spread, double& largest) {
  if (!before.sizes().equals(after.sizes())) throw ModelFileError("returns outputs of another shape afterwards");
  const at::Tensor values = before.to(at::kDouble).reshape(-1), others = after.to(at::kDouble).reshape(-1);
  if (values.numel() == 0) return;
  // Infinities and NaN on both sides count as equal.
  const at::Tensor finite = at::isfinite(values), still = at::isfinite(others);
  if (!finite.equal(still)) throw ModelFileError("has outputs that are finite before the repair or after it alone");
  const at::Tensor was = values.masked_select(finite), is = others.masked_select(finite);
  if (was.numel() == 0) return;
  largest = std::max(largest, (is - was).abs().max().item<double>());
  const double mean = was.mean().item<double>();
  spread = kernels::merge(spread, {was.numel(), mean, (was - mean).square().sum().item<double>()});
}

}  // namespace

at::Tensor load_inputs(const ScriptData& data) {
  const std::string name = data.path.filename().string();
  try {
    const model_files::MappedFile mapped(data.path);
    const model_files::ModelBytes file = model_files::model_bytes(mapped.bytes(), name);
    const model_files::StateDict state = state_of(file);
    for (const model_files::StoredTensor& stored : state.tensors) {
      if (stored.name != "inputs") continue;
      if (stored.shape.empty() || stored.shape[0] < 2) throw ModelFileError("has fewer than two samples in inputs");
      model_files::element_count(stored);  // refuses what no memory holds
      return tensor_of(state, stored);
    }
    throw ModelFileError("has no tensor named inputs; save it so: torch.save({\"inputs\": x}, FILE)");
  } catch (const ModelFileError& error) {
    throw ModelFileError(fmt::format("needs data, and {} {}", name, error.what()));
  }
}

void for_each_batch(const at::Tensor& inputs, std::int64_t size, const std::function<void(const at::Tensor&)>& visit) {
  for (std::int64_t begin = 0; begin < inputs.size(0); begin += size) {
    visit(inputs.narrow(0, begin, std::min(size, inputs.size(0) - begin)));
  }
}

ObservedPass::ObservedPass(const ScriptGraph& script) : graph_(script.graph->copy()) {
  if (graph_->inputs().size() != 2) {
    throw ModelFileError(
        fmt::format("has a forward() of {} arguments, and only one of a single tensor can be run here; "
                    "use bnlab.doctor(model, loader).recalibrate() in Python",
                    graph_->inputs().size() - 1));
  }
  register_observer();
  const ScriptGraph copy = {script.module, graph_, {}};
  const std::vector<ScriptNorm> norms = norms_of(copy);
  for (std::size_t i = 0; i < norms.size(); ++i) {
    torch::jit::WithInsertPoint here(norms[i].node);
    torch::jit::Value* index = graph_->insertConstant(static_cast<std::int64_t>(i));
    torch::jit::Node* look = graph_->create(c10::Symbol::fromQualString(kObserve), {norms[i].node->input(0), index}, 0);
    look->insertBefore(norms[i].node);
  }
}

c10::IValue ObservedPass::run(const Module& module, const at::Tensor& batch, const Look& look) const {
  const at::NoGradGuard no_gradients;
  // SIMPLE: no specialization, whose fused code would compute in another order.
  torch::jit::GraphExecutor executor(graph_->copy(), "forward", torch::jit::ExecutorExecutionMode::SIMPLE);
  Stack stack = {module._ivalue(), batch};
  looking = &look;
  ended_early = false;
  try {
    executor.run(stack);
  } catch (const ModelFileError&) {
    looking = nullptr;
    throw;
  } catch (const std::exception& error) {
    looking = nullptr;
    if (ended_early) return {};
    const std::string text = error.what();
    const auto reason = text.rfind("RuntimeError: ");
    throw ModelFileError(fmt::format("cannot be run on these inputs: {}",
                                     reason == std::string::npos ? text : text.substr(reason + 14)));
  }
  looking = nullptr;
  return stack.at(0);
}

double output_change(const Module& before, const Module& after, const at::Tensor& inputs, std::int64_t batch) {
  const ObservedPass first(script_graph(before)), second(script_graph(after));
  const ObservedPass::Look nothing = [](std::size_t, const at::Tensor&) { return false; };
  kernels::Moments spread;
  double largest = 0;
  for_each_batch(inputs, batch, [&](const at::Tensor& part) {
    std::vector<at::Tensor> was, is;
    add_tensors(first.run(before, part, nothing), was);
    add_tensors(second.run(after, part, nothing), is);
    if (was.size() != is.size() || was.empty()) throw ModelFileError("returns no tensors that can be compared");
    for (std::size_t i = 0; i < was.size(); ++i) compare(was[i], is[i], spread, largest);
  });
  const double deviation = spread.count > 0 ? std::sqrt(spread.m2 / static_cast<double>(spread.count)) : 0;
  if (largest == 0) return 0;
  return deviation > 0 ? largest / deviation : std::numeric_limits<double>::infinity();
}

}  // namespace bnlab::torchscript
