// The two mappings of the code cache.
#include "translator/code_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/bits.h"
#include "base/check.h"

namespace ringshift::bt {

Result<CodeCache> CodeCache::create(u64 bytes) {
  UniqueFd fd(::memfd_create("translations", MFD_CLOEXEC));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
    return fail(ErrorKind::engine_unavailable, "no memory for {} MiB of translations: {}", bytes >> 20,
                std::strerror(errno));
  void* writable = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  void* executable = ::mmap(nullptr, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd.get(), 0);
  if (writable == MAP_FAILED || executable == MAP_FAILED)
    return fail(ErrorKind::engine_unavailable,
                "this host does not map translations executable ({}); use -engine interp",
                std::strerror(errno));
  return CodeCache(std::move(fd), static_cast<u8*>(writable), static_cast<u8*>(executable), bytes);
}

CodeCache::CodeCache(UniqueFd fd, u8* writable, u8* executable, u64 size)
    : fd_(std::move(fd)), writable_(writable), executable_(executable), size_(size), limit_(size) {}

CodeCache::CodeCache(CodeCache&& other) noexcept
    : fd_(std::move(other.fd_)),
      writable_(std::exchange(other.writable_, nullptr)),
      executable_(std::exchange(other.executable_, nullptr)),
      size_(other.size_),
      kept_(other.kept_),
      used_(other.used_),
      limit_(other.limit_),
      highest_(other.highest_) {}

CodeCache::~CodeCache() {
  if (writable_ != nullptr) ::munmap(writable_, size_);
  if (executable_ != nullptr) ::munmap(executable_, size_);
}

const u8* CodeCache::append(std::span<const u8> code) {
  RS_CHECK(code.size() <= free_bytes());
  u8* const at = executable_ + used_;
  std::memcpy(writable_ + used_, code.data(), code.size());
  used_ = std::min(limit_, align_up(used_ + code.size() + kHead, u64{32}) - kHead);
  highest_ = std::max(highest_, used_);
  return at;
}

void CodeCache::patch32(const u8* executable, u32 value) {
  RS_CHECK(executable >= executable_ && executable + 4 <= executable_ + size_);
  __atomic_store_n(reinterpret_cast<u32*>(writable_ + (executable - executable_)), value, __ATOMIC_RELEASE);
}

}  // namespace ringshift::bt
