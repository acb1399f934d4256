// Asking the host.
#include "cli/doctor/host_facts.h"

#include <cpuid.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <x86intrin.h>

#include <cstring>
#include <fstream>

#include "base/bits.h"
#include "base/host_clock.h"
#include "base/unique_fd.h"

namespace ringshift {

namespace {
std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

u64 number_in(const char* path) {
  std::ifstream file(path);
  u64 value = 0;
  file >> value;
  return value;
}

// "always within_size [never]": never.
std::string chosen_word(const std::string& line) {
  const auto open = line.find('['), close = line.find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return line.substr(open + 1, close - open - 1);
}

std::string read_cpu_name() {
  unsigned words[12] = {};
  unsigned eax, ebx, ecx, edx;
  if (__get_cpuid(0x80000004, &eax, &ebx, &ecx, &edx) == 0) return {};
  for (unsigned i = 0; i < 3; ++i)
    __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
  char text[sizeof words + 1] = {};
  std::memcpy(text, words, sizeof words);
  const std::string name = text;
  const auto first = name.find_first_not_of(' ');
  return first == std::string::npos ? std::string() : name.substr(first);
}

std::string read_cpu_vendor() {
  unsigned eax, parts[3];
  if (__get_cpuid(0, &eax, &parts[0], &parts[2], &parts[1]) == 0) return {};
  return std::string(reinterpret_cast<const char*>(parts), sizeof parts);
}

bool tsc_is_invariant() {
  unsigned eax, ebx, ecx, edx;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && has_bit(edx, 8);
}

u64 measured_tsc_khz() {
  constexpr u64 kTenMilliseconds = 10'000'000;
  const u64 begun_ns = host_clock_ns(), begun = __rdtsc();
  u64 now_ns = begun_ns;
  while (now_ns - begun_ns < kTenMilliseconds) now_ns = host_clock_ns();
  return (__rdtsc() - begun) * 1'000'000 / (now_ns - begun_ns);
}

bool can_map_executable(int fd) {
  void* mapped = ::mmap(nullptr, kPageSize, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return false;
  ::munmap(mapped, kPageSize);
  return true;
}
}  // namespace

HostFacts HostFacts::of_this_host() {
  HostFacts facts;
  utsname name{};
  if (::uname(&name) == 0) facts.kernel = std::string(name.sysname) + " " + name.release;
  facts.cpu_vendor = read_cpu_vendor();
  facts.cpu_name = read_cpu_name();
  facts.invariant_tsc = tsc_is_invariant();
  facts.tsc_khz = measured_tsc_khz();
  facts.max_map_count = number_in("/proc/sys/vm/max_map_count");
  const UniqueFd memory(::memfd_create("doctor", MFD_CLOEXEC));
  facts.memfd = memory && ::ftruncate(memory.get(), kPageSize) == 0;
  facts.memfd_executable = facts.memfd && can_map_executable(memory.get());
  facts.shmem_huge_pages = chosen_word(first_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled"));
  facts.free_huge_pages = number_in("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
  return facts;
}

}  // namespace ringshift
