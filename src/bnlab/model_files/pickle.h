// Python pickles as plain data: nothing of them is imported, called or run. What is no data becomes a named object with
// what it was made of. Formats: Lib/pickletools.py of CPython, torch/_utils.py and torch/serialization.py of PyTorch.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bnlab::model_files {

/// A place in Pickle's list of values. Values may hold each other in circles.
using Ref = std::uint32_t;
inline constexpr Ref kNoRef = ~Ref{0};

struct PickleValue {
  enum class Kind {
    kNone,
    kBool,     ///< integer
    kInt,      ///< integer
    kBigInt,   ///< text: little-endian two's complement
    kFloat,    ///< number
    kString,   ///< text: UTF-8
    kBytes,    ///< text
    kTuple,    ///< items
    kList,     ///< items
    kSet,      ///< items
    kDict,     ///< items: key, value, key, value, …; of two equal keys the later one holds
    kGlobal,   ///< text: "module.name"
    kObject,   ///< text: its class or the function that makes it, "module.name"; items: arguments, then what was put in
    kStorage,  ///< text: key; items: its type (kGlobal)
    kTensor    ///< items: storage, shape, strides (kTuple), and its type (kGlobal) if the storage has none; integer:
               ///< offset
  };
  Kind kind = Kind::kNone;
  bool is_plain = true;  ///< kTensor: false if its values are negated or conjugated when they are read
  std::int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<Ref> items;
  Ref state = kNoRef;  ///< what BUILD gave, e.g. a dict of attributes
};

struct Pickle {
  std::vector<PickleValue> values;
  Ref root = kNoRef;
  std::size_t bytes_read = 0;   ///< up to and with the STOP
  std::set<std::string> calls;  ///< what Python would have called or made: all but tensors and plain containers

  const PickleValue& at(Ref ref) const { return values[ref]; }
  /// The value of a string key in a dict, kNoRef if there is none.
  Ref find(Ref dict, std::string_view key) const;
};

/// Reads one pickle of protocol 2 to 5, as torch.save writes. Throws ModelFileError: damaged, another protocol, opcodes
/// that torch.save does not write, more than 4 million values.
Pickle read_pickle(std::string_view bytes);

}  // namespace bnlab::model_files
