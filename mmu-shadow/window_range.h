// WindowRange: 4 GiB of host address space, aligned to 4 GiB, between two guards; the mmap calls on it.
//
// What is not mapped is a hole, not PROT_NONE: a background would take a second VMA beside every run of
// pages, and vm.max_map_count is what limits windows. So that nothing else of this process is ever put into
// the holes, ranges lie far below where the kernel places mappings of its own choice: it searches downwards
// from the stack (or, in the legacy layout, upwards from a third of the address space), and would have to
// find some 100 TiB full first.
#pragma once

#include "base/result.h"
#include "base/types.h"
#include "mmu-shadow/window_target.h"

namespace ringshift {

class WindowRange final : public WindowTarget {
 public:
  static constexpr u64 kSize = u64{4} << 30;
  // Wider than any operand that begins inside, and than a displacement of generated code.
  static constexpr u64 kGuard = 64 * 1024;
  static constexpr u64 kGuardVmas = 2;

  static Result<WindowRange> reserve();
  WindowRange(WindowRange&& other) noexcept;
  WindowRange& operator=(WindowRange&&) = delete;
  ~WindowRange() override;

  u8* base() const { return base_; }
  // Inside, or in a guard.
  bool covers(const void* host) const {
    const auto* at = static_cast<const u8*>(host);
    return at >= base_ - kGuard && at < base_ + kSize + kGuard;
  }
  bool inside(const void* host) const {
    const auto* at = static_cast<const u8*>(host);
    return at >= base_ && at < base_ + kSize;
  }

  bool map(u64 at, u64 length, int fd, u64 offset, bool writable, bool populate) override;
  bool protect(u64 at, u64 length, bool writable) override;
  bool unmap(u64 at, u64 length) override;
  // Splits no VMA, and so can't fail.
  void unmap_all() override;

 private:
  explicit WindowRange(u8* base) : base_(base) {}
  u8* base_;
};

}  // namespace ringshift
