#include "bnlab/model_files/unpickler.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "bnlab/model_files/model_error.h"

namespace bnlab::model_files {
namespace {

constexpr std::size_t kMostValues = 4'000'000, kMostItems = 16'000'000;
constexpr std::size_t kLongestName = 1000;
constexpr std::uint64_t kNewestProtocol = 5;

/// Opcodes by the names that pickletools gives them.
struct Op {
  enum : unsigned char {
    kMark = '(',
    kStop = '.',
    kPop = '0',
    kPopMark = '1',
    kDup = '2',
    kBinFloat = 'G',
    kBinInt = 'J',
    kBinInt1 = 'K',
    kBinInt2 = 'M',
    kNone = 'N',
    kBinPersId = 'Q',
    kReduce = 'R',
    kBinString = 'T',
    kShortBinString = 'U',
    kBinUnicode = 'X',
    kAppend = 'a',
    kBuild = 'b',
    kGlobal = 'c',
    kDict = 'd',
    kEmptyDict = '}',
    kAppends = 'e',
    kBinGet = 'h',
    kLongBinGet = 'j',
    kList = 'l',
    kEmptyList = ']',
    kBinPut = 'q',
    kLongBinPut = 'r',
    kSetItem = 's',
    kTuple = 't',
    kEmptyTuple = ')',
    kSetItems = 'u',
    kBinBytes = 'B',
    kShortBinBytes = 'C',
    kProto = 0x80,
    kNewObj = 0x81,
    kTuple1 = 0x85,
    kTuple2 = 0x86,
    kTuple3 = 0x87,
    kNewTrue = 0x88,
    kNewFalse = 0x89,
    kLong1 = 0x8a,
    kLong4 = 0x8b,
    kShortBinUnicode = 0x8c,
    kBinUnicode8 = 0x8d,
    kBinBytes8 = 0x8e,
    kEmptySet = 0x8f,
    kAddItems = 0x90,
    kFrozenSet = 0x91,
    kNewObjEx = 0x92,
    kStackGlobal = 0x93,
    kMemoize = 0x94,
    kFrame = 0x95,
    kByteArray8 = 0x96
  };
};

[[noreturn]] void throw_broken() {
  throw ModelFileError("its pickle is damaged; save the model again");
}

PickleValue integer_value(std::int64_t value) {
  PickleValue made;
  made.kind = PickleValue::Kind::kInt;
  made.integer = value;
  return made;
}

PickleValue value_of(PickleValue::Kind kind, std::string text = {}, std::vector<Ref> items = {}) {
  PickleValue made;
  made.kind = kind;
  made.text = std::move(text);
  made.items = std::move(items);
  return made;
}

}  // namespace

Pickle read_pickle(std::string_view bytes) {
  return Unpickler(bytes).run();
}

Ref Pickle::find(Ref dict, std::string_view key) const {
  if (dict == kNoRef || at(dict).kind != PickleValue::Kind::kDict) return kNoRef;
  const std::vector<Ref>& items = at(dict).items;
  for (std::size_t i = items.size(); i >= 2; i -= 2) {
    const PickleValue& name = at(items[i - 2]);
    if (name.kind == PickleValue::Kind::kString && name.text == key) return items[i - 1];
  }
  return kNoRef;
}

Pickle Unpickler::run() {
  while (true) {
    const auto opcode = static_cast<unsigned char>(take(1).front());
    if (opcode == Op::kStop) break;
    if (opcode == Op::kProto) {
      if (number(1) > kNewestProtocol) throw ModelFileError("is a pickle of a protocol that is not known yet");
    } else if (opcode == Op::kFrame) {
      number(8);  // only for readers of streams
    } else if (!constant(opcode) && !text(opcode) && !container(opcode) && !fill(opcode) && !memo(opcode) &&
               !object(opcode) && !stack(opcode)) {
      throw ModelFileError(
          fmt::format("its pickle holds opcode 0x{:02x}, which torch.save does not write; load it and torch.save() the "
                      "state_dict again",
                      opcode));
    }
  }
  pickle_.root = pop();
  pickle_.bytes_read = at_;
  return std::move(pickle_);
}

std::string_view Unpickler::take(std::uint64_t count) {
  if (count > bytes_.size() - at_) throw ModelFileError("its pickle is cut off; copy or save the file again");
  const std::string_view taken = bytes_.substr(at_, count);
  at_ += count;
  return taken;
}

std::string_view Unpickler::line() {
  const std::size_t end = bytes_.find('\n', at_);
  if (end == std::string_view::npos) throw ModelFileError("its pickle is cut off; copy or save the file again");
  const std::string_view taken = take(end - at_);
  take(1);
  return taken;
}

std::uint64_t Unpickler::number(std::size_t bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, take(bytes).data(), bytes);
  return value;
}

Ref Unpickler::add(PickleValue value) {
  if (pickle_.values.size() == kMostValues) {
    throw ModelFileError(fmt::format(
        "its pickle holds more than the {} values that are read; save model.state_dict() alone", kMostValues));
  }
  count_items(value.items.size());
  pickle_.values.push_back(std::move(value));
  return static_cast<Ref>(pickle_.values.size() - 1);
}

void Unpickler::count_items(std::size_t items) {
  items_ += items;
  if (items_ > kMostItems) {
    throw ModelFileError(
        fmt::format("its pickle's lists hold more than the {} entries that are read; save "
                    "model.state_dict() alone",
                    kMostItems));
  }
}

Ref Unpickler::global(std::string name) {
  if (name.size() > kLongestName) throw_broken();
  return add(value_of(Kind::kGlobal, std::move(name)));
}

Ref Unpickler::pop() {
  const Ref ref = top();
  stack_.pop_back();
  return ref;
}

Ref Unpickler::top() const {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) throw_broken();
  return stack_.back();
}

std::vector<Ref> Unpickler::pop_to_mark() {
  if (marks_.empty()) throw_broken();
  const auto from = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Ref> items(from, stack_.end());
  stack_.erase(from, stack_.end());
  marks_.pop_back();
  return items;
}

bool Unpickler::constant(unsigned char opcode) {
  PickleValue value;
  switch (opcode) {
    case Op::kNone:
      break;
    case Op::kNewTrue:
    case Op::kNewFalse:
      value.kind = Kind::kBool;
      value.integer = opcode == Op::kNewTrue;
      break;
    case Op::kBinInt:
      value = integer_value(static_cast<std::int32_t>(number(4)));
      break;
    case Op::kBinInt1:
      value = integer_value(static_cast<std::int64_t>(number(1)));
      break;
    case Op::kBinInt2:
      value = integer_value(static_cast<std::int64_t>(number(2)));
      break;
    case Op::kBinFloat: {
      value.kind = Kind::kFloat;
      value.number = std::bit_cast<double>(__builtin_bswap64(number(8)));  // the one that is big-endian
      break;
    }
    case Op::kLong1:
      push_long(take(number(1)));
      return true;
    case Op::kLong4:
      push_long(take(number(4)));
      return true;
    default:
      return false;
  }
  push(std::move(value));
  return true;
}

void Unpickler::push_long(std::string_view bytes) {
  if (bytes.size() > 8) return push(value_of(Kind::kBigInt, std::string(bytes)));
  std::uint64_t bits = !bytes.empty() && (bytes.back() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  std::memcpy(&bits, bytes.data(), bytes.size());
  push(integer_value(static_cast<std::int64_t>(bits)));
}

bool Unpickler::text(unsigned char opcode) {
  const auto of = [&](Kind kind, std::size_t length_bytes) {
    push(value_of(kind, std::string(take(number(length_bytes)))));
    return true;
  };
  switch (opcode) {
    case Op::kShortBinUnicode:
    case Op::kShortBinString:  // Python 2's, in which names are ASCII
      return of(Kind::kString, 1);
    case Op::kBinUnicode:
    case Op::kBinString:
      return of(Kind::kString, 4);
    case Op::kBinUnicode8:
      return of(Kind::kString, 8);
    case Op::kShortBinBytes:
      return of(Kind::kBytes, 1);
    case Op::kBinBytes:
      return of(Kind::kBytes, 4);
    case Op::kBinBytes8:
    case Op::kByteArray8:
      return of(Kind::kBytes, 8);
    default:
      return false;
  }
}

bool Unpickler::container(unsigned char opcode) {
  const auto of = [&](Kind kind, std::vector<Ref> items = {}) { push(value_of(kind, {}, std::move(items))); };
  switch (opcode) {
    case Op::kEmptyList:
      of(Kind::kList);
      break;
    case Op::kList:
      of(Kind::kList, pop_to_mark());
      break;
    case Op::kEmptyTuple:
      of(Kind::kTuple);
      break;
    case Op::kTuple:
      of(Kind::kTuple, pop_to_mark());
      break;
    case Op::kTuple1:
    case Op::kTuple2:
    case Op::kTuple3:
      tuple_of(opcode - Op::kTuple1 + 1u);
      break;
    case Op::kEmptyDict:
      of(Kind::kDict);
      break;
    case Op::kDict:
      of(Kind::kDict, pop_to_mark());
      if (pickle_.at(top()).items.size() % 2 != 0) throw_broken();
      break;
    case Op::kEmptySet:
      of(Kind::kSet);
      break;
    case Op::kFrozenSet:
      of(Kind::kSet, pop_to_mark());
      break;
    default:
      return false;
  }
  return true;
}

void Unpickler::tuple_of(std::size_t count) {
  std::vector<Ref> items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = pop();
  push(value_of(Kind::kTuple, {}, std::move(items)));
}

bool Unpickler::fill(unsigned char opcode) {
  switch (opcode) {
    case Op::kAppend:
      append({pop()}, false);
      return true;
    case Op::kAppends:
    case Op::kAddItems:
      append(pop_to_mark(), false);
      return true;
    case Op::kSetItem: {
      const Ref value = pop();
      append({pop(), value}, true);
      return true;
    }
    case Op::kSetItems:
      append(pop_to_mark(), true);
      return true;
    default:
      return false;
  }
}

void Unpickler::append(const std::vector<Ref>& items, bool pairs) {
  PickleValue& to = pickle_.values[top()];
  const bool fits =
      to.kind == Kind::kObject || (pairs ? to.kind == Kind::kDict : to.kind == Kind::kList || to.kind == Kind::kSet);
  if (!fits || (pairs && items.size() % 2 != 0)) throw_broken();
  count_items(items.size());
  to.items.insert(to.items.end(), items.begin(), items.end());
}

bool Unpickler::memo(unsigned char opcode) {
  switch (opcode) {
    case Op::kBinPut:
      put(number(1));
      return true;
    case Op::kLongBinPut:
      put(number(4));
      return true;
    case Op::kMemoize:
      put(memo_.size());
      return true;
    case Op::kBinGet:
      get(number(1));
      return true;
    case Op::kLongBinGet:
      get(number(4));
      return true;
    default:
      return false;
  }
}

void Unpickler::put(std::uint64_t key) {
  memo_[key] = top();
}

void Unpickler::get(std::uint64_t key) {
  const auto found = memo_.find(key);
  if (found == memo_.end()) throw_broken();
  stack_.push_back(found->second);
}

bool Unpickler::object(unsigned char opcode) {
  switch (opcode) {
    case Op::kGlobal: {
      const std::string module(line());
      stack_.push_back(global(module + "." + std::string(line())));
      return true;
    }
    case Op::kStackGlobal: {
      const Ref name = pop(), module = pop();
      if (pickle_.at(name).kind != Kind::kString || pickle_.at(module).kind != Kind::kString) throw_broken();
      if (pickle_.at(module).text.size() > kLongestName || pickle_.at(name).text.size() > kLongestName) throw_broken();
      stack_.push_back(global(pickle_.at(module).text + "." + pickle_.at(name).text));
      return true;
    }
    case Op::kNewObjEx:
      pop();  // arguments by name
      [[fallthrough]];
    case Op::kReduce:
    case Op::kNewObj: {
      const Ref arguments = pop();
      stack_.push_back(call(pop(), arguments));
      return true;
    }
    case Op::kBuild: {
      const Ref state = pop();
      pickle_.values[top()].state = state;
      return true;
    }
    case Op::kBinPersId:
      stack_.push_back(persistent(pop()));
      return true;
    default:
      return false;
  }
}

bool Unpickler::stack(unsigned char opcode) {
  switch (opcode) {
    case Op::kMark:
      marks_.push_back(stack_.size());
      return true;
    case Op::kPop:
      if (!marks_.empty() && stack_.size() == marks_.back()) {
        marks_.pop_back();
      } else {
        pop();
      }
      return true;
    case Op::kPopMark:
      pop_to_mark();
      return true;
    case Op::kDup:
      stack_.push_back(top());
      return true;
    default:
      return false;
  }
}

}  // namespace bnlab::model_files
