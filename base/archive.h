// StateWriter and StateReader: the byte stream that save and restore use, for CPUs and devices alike.
#pragma once

#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace ringshift {

// Appends little-endian plain values.
class StateWriter {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    put_bytes({reinterpret_cast<const u8*>(&value), sizeof value});
  }
  void put_bytes(std::span<const u8> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  const std::vector<u8>& bytes() const { return bytes_; }

 private:
  std::vector<u8> bytes_;
};

// Reads what StateWriter wrote, in the same order. Past the end every read gives zero and failed() is true.
class StateReader {
 public:
  explicit StateReader(std::span<const u8> bytes) : rest_(bytes) {}

  template <class T>
  void get(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    get_bytes({reinterpret_cast<u8*>(&value), sizeof value});
  }
  void get_bytes(std::span<u8> out) {
    if (out.size() > rest_.size()) {
      failed_ = true;
      rest_ = {};
      std::memset(out.data(), 0, out.size());
      return;
    }
    std::memcpy(out.data(), rest_.data(), out.size());
    rest_ = rest_.subspan(out.size());
  }
  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const u8> rest_;
  bool failed_ = false;
};

}  // namespace ringshift
