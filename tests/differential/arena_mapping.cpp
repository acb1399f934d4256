// ArenaMapping: protections as the guest's page tables have them.
#include "tests/differential/arena_mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace ringshift::differential {

namespace {

void* address_of(const Arena& arena) {
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(arena.base));
}

// MAP_FIXED_NOREPLACE is a hint to old kernels.
bool map_at(const Arena& arena, int protection, int flags, int file, u64 offset) {
  void* const got = mmap(address_of(arena), arena.size(), protection, flags | MAP_FIXED_NOREPLACE, file,
                         static_cast<off_t>(offset));
  if (got == address_of(arena)) return true;
  if (got != MAP_FAILED) munmap(got, arena.size());
  return false;
}

}  // namespace

Result<void> ArenaMapping::map(int file, u64 first) {
  for (unsigned i = 0; i < kArenaCount; ++i) {
    const Arena& arena = kArenas[i];
    int protection = PROT_READ;
    if (arena.writable) protection |= PROT_WRITE;
    if (arena.executable) protection |= PROT_EXEC;
    mapped_[i] = map_at(arena, protection, MAP_SHARED | MAP_POPULATE, file, first + arena_offset(i));
    if (!mapped_[i] && i != kLow)
      return fail(ErrorKind::internal, "the {} arena at {:#x} can't be had: {}", arena.name, arena.base,
                  std::strerror(errno));
  }
  return {};
}

ArenaMapping::~ArenaMapping() {
  for (unsigned i = 0; i < kArenaCount; ++i)
    if (mapped_[i]) munmap(address_of(kArenas[i]), kArenas[i].size());
}

bool may_have_low_arena() {
  const Arena& low = kArenas[kLow];
  if (!map_at(low, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) return false;
  munmap(address_of(low), low.size());
  return true;
}

}  // namespace ringshift::differential
