// ZeroedArray: a large table that begins as zeros, and whose pages cost no memory and no time until they are
// used.
#pragma once

#include <cstdlib>
#include <memory>
#include <type_traits>

#include "base/check.h"

namespace ringshift {

// T: a type whose null or zero value is all zero bits on every host that this runs on, pointers among them. A
// std::vector writes its zeros, and so has the host make every page; calloc takes pages that are zero.
template <class T>
class ZeroedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_default_constructible_v<T>);

 public:
  explicit ZeroedArray(std::size_t count)
      : data_(static_cast<T*>(std::calloc(count, sizeof(T)))), size_(count) {
    RS_CHECK(data_ != nullptr);
  }

  T& operator[](std::size_t at) { return data_.get()[at]; }
  const T& operator[](std::size_t at) const { return data_.get()[at]; }
  std::size_t size() const { return size_; }
  T* begin() { return data_.get(); }
  T* end() { return data_.get() + size_; }

 private:
  struct Free {
    void operator()(T* data) const { std::free(data); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_;
};

}  // namespace ringshift
