// CodeCache: memory for emitted code, mapped twice: writable here, executable there, never both in one
// mapping.
#pragma once

#include <span>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace ringshift::bt {

class CodeCache {
 public:
  static Result<CodeCache> create(u64 bytes);
  CodeCache(CodeCache&& other) noexcept;
  CodeCache& operator=(CodeCache&&) = delete;
  ~CodeCache();

  // Where the next code goes (executable address), aligned to 16.
  u8* next() const { return executable_ + used_; }
  u64 free_bytes() const { return size_ - used_; }
  u64 used_bytes() const { return used_; }
  bool contains(const void* pc) const {
    return static_cast<const u8*>(pc) >= executable_ && static_cast<const u8*>(pc) < executable_ + used_;
  }
  // Appends code that was emitted for the address next(); it must fit in free_bytes().
  const u8* append(std::span<const u8> code);
  // Stores a 32-bit value at an executable address (a branch displacement), with one aligned or unaligned
  // store.
  void patch32(const u8* executable, u32 value);
  // Gives back everything beyond `used` bytes (the stubs at the start stay).
  void truncate(u64 used) { used_ = used; }

 private:
  CodeCache(UniqueFd fd, u8* writable, u8* executable, u64 size);
  UniqueFd fd_;
  u8* writable_;
  u8* executable_;
  u64 size_;
  u64 used_ = 0;
};

}  // namespace ringshift::bt
