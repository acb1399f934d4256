// Reservation of window ranges, and the system calls that change what is mapped there.
#include "mmu-shadow/window_range.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace ringshift {

namespace {

// 24 TiB up: below a third of 47 bits (the legacy layout's start), above where programs and heaps stand.
constexpr u64 kArea = u64{0x1800} << 32;
// A slot holds one range with its guards; the range is its upper half.
constexpr u64 kSlot = 2 * WindowRange::kSize;
constexpr u64 kSlots = 1024;

constexpr int kBackground = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

bool claim(u8* start, u64 length) {
  void* got = ::mmap(start, length, PROT_NONE, kBackground | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == start) return true;
  // A kernel before 4.17 takes the address as a hint only.
  if (got != MAP_FAILED) ::munmap(got, length);
  return false;
}

}  // namespace

Result<WindowRange> WindowRange::reserve() {
  for (u64 i = 0; i < kSlots; ++i) {
    u8* const base = reinterpret_cast<u8*>(kArea + i * kSlot + kSize);
    // Another window's guard stands in its slot, so that the claim of a slot in use always fails.
    if (!claim(base - kGuard, kSize + 2 * kGuard)) continue;
    RS_CHECK(::munmap(base, kSize) == 0);
    return WindowRange(base);
  }
  return fail(ErrorKind::internal, "no 4 GiB of address space is free for a shadow window: {}",
              std::strerror(errno));
}

WindowRange::WindowRange(WindowRange&& other) noexcept : base_(std::exchange(other.base_, nullptr)) {}

WindowRange::~WindowRange() {
  if (base_ != nullptr) RS_CHECK(::munmap(base_ - kGuard, kSize + 2 * kGuard) == 0);
}

bool WindowRange::map(u64 at, u64 length, int fd, u64 offset, bool writable, bool populate) {
  RS_CHECK(at < kSize && length <= kSize - at);
  const int protection = PROT_READ | (writable ? PROT_WRITE : 0);
  const int flags = MAP_SHARED | MAP_FIXED | (populate ? MAP_POPULATE : 0);
  return ::mmap(base_ + at, length, protection, flags, fd, static_cast<off_t>(offset)) != MAP_FAILED;
}

bool WindowRange::protect(u64 at, u64 length, bool writable) {
  RS_CHECK(at < kSize && length <= kSize - at);
  return ::mprotect(base_ + at, length, PROT_READ | (writable ? PROT_WRITE : 0)) == 0;
}

bool WindowRange::unmap(u64 at, u64 length) {
  RS_CHECK(at < kSize && length <= kSize - at);
  return ::munmap(base_ + at, length) == 0;
}

void WindowRange::unmap_all() { RS_CHECK(::munmap(base_, kSize) == 0); }

}  // namespace ringshift
