// The host's memory limits.
#include "machine/host_memory.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cstdio>

namespace ringshift {

namespace {
// memory.max of the own control group as a container sees it (cgroup v2), or no limit.
u64 control_group_limit() {
  u64 limit = ~u64{0};
  if (std::FILE* file = std::fopen("/sys/fs/cgroup/memory.max", "re")) {
    unsigned long long value;
    if (std::fscanf(file, "%llu", &value) == 1) limit = value;
    std::fclose(file);
  }
  return limit;
}
}  // namespace

Result<void> check_host_memory(u64 bytes) {
  struct sysinfo info {};
  if (::sysinfo(&info) != 0) return {};
  const u64 host = (u64{info.totalram} + info.totalswap) * info.mem_unit;
  const u64 limit = std::min(host, control_group_limit());
  if (bytes > limit)
    return fail(ErrorKind::usage,
                "-m: {} MiB of guest RAM, and this host has {} MiB in all; give a smaller -m", bytes >> 20,
                limit >> 20);
  return {};
}

}  // namespace ringshift
