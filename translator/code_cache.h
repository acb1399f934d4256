// CodeCache: memory for emitted code, mapped twice: writable here, executable there, never both in one
// mapping.
//
// What is appended first (the stubs) is kept for good by keep(); the rest is a ring. Its owner says with
// rewind() and set_limit() what may be written over.
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

  // Where the next code goes (executable address). kHead bytes further on is a multiple of 32: loops run
  // steadier from there (docs/performance.md).
  static constexpr u64 kHead = 16;
  u8* next() const { return executable_ + used_; }
  // From there on, in one piece.
  u64 free_bytes() const { return limit_ - used_; }
  // How much ever held code.
  u64 used_bytes() const { return highest_; }
  u64 ring_bytes() const { return size_ - kept_; }
  bool contains(const void* pc) const {
    return static_cast<const u8*>(pc) >= executable_ && static_cast<const u8*>(pc) < executable_ + highest_;
  }
  // Appends code that was emitted for the address next(); it must fit in free_bytes().
  const u8* append(std::span<const u8> code);
  // Stores a 32-bit value at an executable address (a branch displacement), with one aligned or unaligned
  // store.
  void patch32(const u8* executable, u32 value);
  // What has been appended so far stays.
  void keep() { kept_ = used_; }
  // The next code goes behind what is kept.
  void rewind() { used_ = kept_; }
  // Code from here on is alive and may not be written over; null: room to the end.
  void set_limit(const u8* executable) {
    limit_ = executable == nullptr ? size_ : static_cast<u64>(executable - executable_);
  }

 private:
  CodeCache(UniqueFd fd, u8* writable, u8* executable, u64 size);
  UniqueFd fd_;
  u8* writable_;
  u8* executable_;
  u64 size_;
  u64 kept_ = 0;
  u64 used_ = 0;
  u64 limit_;
  u64 highest_ = 0;
};

}  // namespace ringshift::bt
