#include "bnlab/train/checkpoint.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/optim/optimizer.h>
#include <torch/serialize/input-archive.h>
#include <torch/serialize/output-archive.h>

#include <sstream>

#include "bnlab/record/run_store.h"

namespace bnlab {
namespace {

using torch::serialize::InputArchive;
using torch::serialize::OutputArchive;

std::string observer_key(size_t index) {
  return "observer" + std::to_string(index);
}

InputArchive open_archive(const std::string& content) {
  InputArchive archive;
  archive.load_from(content.data(), content.size());
  return archive;
}

int64_t read_integer(InputArchive& archive, const char* key) {
  c10::IValue value;
  archive.read(key, value);
  return value.toInt();
}

[[noreturn]] void does_not_fit(const c10::Error& error) {
  throw StoreError(std::string("the checkpoint does not fit this bnlab's network or optimizer (") +
                   error.what_without_backtrace() + "); use --force to compute the run anew");
}

}  // namespace

std::string save_checkpoint(const TrainingState& state) {
  OutputArchive archive, network, optimizer, observers;
  state.network.save(network);
  state.optimizer.save(optimizer);
  for (size_t i = 0; i < state.observers.size(); ++i) {
    observers.write(observer_key(i), c10::IValue(state.observers[i]->state()));
  }
  const LoaderPosition position = state.loader.position();
  archive.write("network", network);
  archive.write("optimizer", optimizer);
  archive.write("observers", observers);
  archive.write("random", at::detail::getDefaultCPUGenerator().get_state());
  archive.write("loader_epoch", c10::IValue(position.epoch));
  archive.write("loader_position", c10::IValue(position.position));
  archive.write("step", c10::IValue(state.step));
  std::ostringstream stream;
  archive.save_to(stream);
  return std::move(stream).str();
}

void load_network(const std::string& content, Network& network) try {
  InputArchive archive = open_archive(content), nested;
  archive.read("network", nested);
  network.load(nested);
} catch (const c10::Error& error) {
  does_not_fit(error);
}

int64_t load_checkpoint(const std::string& content, TrainingState& state) try {
  load_network(content, state.network);
  InputArchive archive = open_archive(content), optimizer, observers;
  archive.read("optimizer", optimizer);
  state.optimizer.load(optimizer);
  archive.read("observers", observers);
  for (size_t i = 0; i < state.observers.size(); ++i) {
    c10::IValue value;
    observers.read(observer_key(i), value);
    state.observers[i]->restore(value.toStringRef());
  }
  at::Tensor random;
  archive.read("random", random);
  at::Generator(at::detail::getDefaultCPUGenerator()).set_state(random);
  state.loader.seek({read_integer(archive, "loader_epoch"), read_integer(archive, "loader_position")});
  state.step = read_integer(archive, "step");
  return state.step;
} catch (const c10::Error& error) {
  does_not_fit(error);
}

}  // namespace bnlab
