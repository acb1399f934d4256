// Making and mapping of guest RAM.
#include "memory/guest_memory.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace ringshift {

Result<GuestMemory> GuestMemory::create(u64 size) {
  if (size == 0 || size % kPageSize != 0 || size > kMaxSize)
    return fail(ErrorKind::usage, "-m: guest RAM must be between 1M and {}M", kMaxSize >> 20);
  UniqueFd fd(::memfd_create("guest-ram", MFD_CLOEXEC));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return fail(ErrorKind::internal, "cannot make {} MiB of guest RAM: {}", size >> 20, std::strerror(errno));
  void* base = ::mmap(nullptr, kReserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return fail(ErrorKind::internal, "cannot reserve address space for guest RAM: {}", std::strerror(errno));
  void* ram = ::mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd.get(), 0);
  if (ram == MAP_FAILED) {
    const int error = errno;
    ::munmap(base, kReserved);
    return fail(ErrorKind::internal, "cannot map {} MiB of guest RAM: {}; give a smaller -m", size >> 20,
                std::strerror(error));
  }
  return GuestMemory(std::move(fd), static_cast<u8*>(base), size);
}

GuestMemory::GuestMemory(GuestMemory&& other) noexcept
    : fd_(std::move(other.fd_)), base_(std::exchange(other.base_, nullptr)), size_(other.size_) {}

GuestMemory::~GuestMemory() {
  if (base_ != nullptr) ::munmap(base_, kReserved);
}

}  // namespace ringshift
