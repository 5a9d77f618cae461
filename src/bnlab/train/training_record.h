// What the training loop writes down: into its run, or, on all ranks but the first, nowhere.
#pragma once

#include <functional>
#include <string>

#include "bnlab/record/run_store.h"
#include "bnlab/train/step_observer.h"

namespace bnlab {

class TrainingRecord {
 public:
  /// `writer`: null to drop everything.
  explicit TrainingRecord(RunWriter* writer) : writer_(writer) {}

  [[nodiscard]] bool is_kept() const { return writer_ != nullptr; }
  [[nodiscard]] std::string get_meta(const char* key) const { return writer_ ? writer_->get_meta(key) : ""; }
  void set_meta(const char* key, const std::string& value) {
    if (writer_) writer_->set_meta(key, value);
  }
  void scalar(int64_t step, const Key& key, double value) {
    if (writer_) writer_->scalar(step, key, value);
  }
  void trajectory_frame(int64_t step, const std::vector<float>& values) {
    if (writer_) writer_->trajectory_frame(step, values);
  }
  [[nodiscard]] Recorder of_probe(const std::string& name) {
    return writer_ ? Recorder(*writer_, name) : Recorder::dropping();
  }
  void commit() {
    if (writer_) writer_->commit();
  }
  void checkpoint(int64_t step, const std::function<std::string()>& content) {
    if (writer_) writer_->checkpoint(step, content());
  }
  void finish(int64_t step, const std::function<std::string()>& content, int64_t diverged_at) {
    if (writer_) writer_->finish(step, content(), diverged_at);
  }

 private:
  RunWriter* writer_;
};

}  // namespace bnlab
