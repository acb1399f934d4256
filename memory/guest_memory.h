// GuestMemory: the guest's RAM, one memfd mapped flat.
//
// RAM starts at guest-physical 0 and ends below the PCI hole. gpa g of RAM stands at base() + g; the
// reservation is kReserved long, and what of it isn't RAM is inaccessible.
#pragma once

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace ringshift {

class GuestMemory {
 public:
  static constexpr u64 kReserved = u64{4} << 30;
  static constexpr u64 kMaxSize = u64{3} << 30;  // Up to the PCI hole.

  // size: bytes, a multiple of the page size, at most kMaxSize. Fails if the host does not give it.
  static Result<GuestMemory> create(u64 size);
  GuestMemory(GuestMemory&& other) noexcept;
  GuestMemory& operator=(GuestMemory&&) = delete;
  ~GuestMemory();

  u8* base() const { return base_; }
  u64 size() const { return size_; }
  // The memfd, for more mappings of the same memory (shadow windows, other processes).
  int fd() const { return fd_.get(); }
  bool contains(Gpa gpa, u64 length) const { return gpa < size_ && length <= size_ - gpa; }

 private:
  GuestMemory(UniqueFd fd, u8* base, u64 size) : fd_(std::move(fd)), base_(base), size_(size) {}
  UniqueFd fd_;
  u8* base_;
  u64 size_;
};

}  // namespace ringshift
