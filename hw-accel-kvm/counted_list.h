// CountedList: a structure of KVM's that ends in an array, with room for so many elements.
#pragma once

#include <cstddef>

#include "base/types.h"

namespace ringshift {

template <class Head, class Entry, std::size_t kMost>
class CountedList {
 public:
  // What KVM is given.
  Head* head() { return reinterpret_cast<Head*>(bytes_); }
  const Head* head() const { return reinterpret_cast<const Head*>(bytes_); }
  Entry& operator[](std::size_t i) { return entries()[i]; }
  const Entry& operator[](std::size_t i) const { return const_cast<CountedList*>(this)->entries()[i]; }
  static constexpr std::size_t capacity() { return kMost; }

 private:
  Entry* entries() { return reinterpret_cast<Entry*>(bytes_ + sizeof(Head)); }
  static_assert(sizeof(Head) % alignof(Entry) == 0);
  alignas(8) u8 bytes_[sizeof(Head) + kMost * sizeof(Entry)] = {};
};

}  // namespace ringshift
