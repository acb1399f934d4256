// TableBytes: little-endian bytes of firmware tables, with the checksums they carry.
#pragma once

#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace ringshift {

class TableBytes {
 public:
  void u8_(unsigned value) { bytes_.push_back(static_cast<u8>(value)); }
  void u16_(u32 value) { number(value, 2); }
  void u32_(u64 value) { number(value, 4); }
  void u64_(u64 value) { number(value, 8); }
  // Characters, filled up with `fill` to `width`.
  void text(std::string_view characters, std::size_t width, char fill = ' ') {
    for (std::size_t i = 0; i < width; ++i)
      u8_(static_cast<u8>(i < characters.size() ? characters[i] : fill));
  }
  void zeros(std::size_t count) { bytes_.resize(bytes_.size() + count); }
  void append(const std::vector<u8>& more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  void align(std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
  }

  void patch32(std::size_t at, u64 value) {
    for (unsigned i = 0; i < 4; ++i) bytes_.at(at + i) = static_cast<u8>(value >> (8 * i));
  }
  void patch16(std::size_t at, u64 value) {
    for (unsigned i = 0; i < 2; ++i) bytes_.at(at + i) = static_cast<u8>(value >> (8 * i));
  }
  // Sets the byte at `at` so that [first, first + length) sums to zero.
  void checksum(std::size_t at, std::size_t first, std::size_t length) {
    RS_CHECK(first + length <= bytes_.size() && at < bytes_.size());
    bytes_[at] = 0;
    u8 sum = 0;
    for (std::size_t i = first; i < first + length; ++i) sum = static_cast<u8>(sum + bytes_[i]);
    bytes_[at] = static_cast<u8>(-sum);
  }

  std::size_t size() const { return bytes_.size(); }
  const std::vector<u8>& bytes() const { return bytes_; }

 private:
  void number(u64 value, unsigned width) {
    for (unsigned i = 0; i < width; ++i) u8_(static_cast<u8>(value >> (8 * i)));
  }
  std::vector<u8> bytes_;
};

}  // namespace ringshift
