// The machine that a pickle's opcodes drive: a stack, marks, a memo.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "bnlab/model_files/pickle.h"

namespace bnlab::model_files {

class Unpickler {
 public:
  explicit Unpickler(std::string_view bytes) : bytes_(bytes) {}
  Pickle run();

 private:
  using Kind = PickleValue::Kind;

  // Each takes an opcode of its group and returns whether it was one.
  bool constant(unsigned char opcode);
  bool text(unsigned char opcode);
  bool container(unsigned char opcode);
  bool fill(unsigned char opcode);
  bool memo(unsigned char opcode);
  bool object(unsigned char opcode);
  bool stack(unsigned char opcode);

  std::string_view take(std::uint64_t count);
  std::string_view line();
  std::uint64_t number(std::size_t bytes);  // little-endian

  Ref add(PickleValue value);
  void count_items(std::size_t items);
  Ref global(std::string name);
  void push(PickleValue value) { stack_.push_back(add(std::move(value))); }
  Ref pop();
  Ref top() const;
  std::vector<Ref> pop_to_mark();
  void put(std::uint64_t key);
  void get(std::uint64_t key);
  void push_long(std::string_view bytes);
  void tuple_of(std::size_t count);
  void append(const std::vector<Ref>& items, bool pairs);

  /// What calling `callable` with the tuple `arguments` makes, or stands for (pickle_calls.cpp).
  Ref call(Ref callable, Ref arguments);
  Ref tensor(const std::vector<Ref>& arguments, bool has_type);
  Ref dict_of(const std::vector<Ref>& arguments);
  Ref object_of(const std::string& name, const std::vector<Ref>& arguments);
  Ref persistent(Ref id);

  std::string_view bytes_;
  std::size_t at_ = 0;
  Pickle pickle_;
  std::vector<Ref> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Ref> memo_;
  std::size_t items_ = 0;  // of all values together: a short pickle can copy a long list many times
};

}  // namespace bnlab::model_files
