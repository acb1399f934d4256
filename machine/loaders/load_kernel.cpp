// Detection of a kernel's format.
#include "machine/loaders/load_kernel.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "machine/loaders/elf32.h"

namespace ringshift {

namespace {
constexpr u32 kLinuxMagic = 0x53726448;  // "HdrS" at 202h (Linux/x86 boot protocol)
constexpr u16 kBootFlag = 0xaa55;        // at 1FEh
constexpr u32 kMultibootMagic = 0x1badb002;
constexpr u64 kMultibootSearch = 8192;  // the header lies within these first bytes, aligned to 4

template <class T>
T at(const std::vector<u8>& bytes, u64 offset) {
  T value{};
  if (offset + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// The offset of a multiboot header whose checksum is right, or -1.
i64 find_multiboot_header(const std::vector<u8>& start) {
  for (u64 offset = 0; offset + 12 <= start.size(); offset += 4) {
    if (at<u32>(start, offset) != kMultibootMagic) continue;
    if (kMultibootMagic + at<u32>(start, offset + 4) + at<u32>(start, offset + 8) == 0)
      return static_cast<i64>(offset);
  }
  return -1;
}
}  // namespace

Result<void> load_kernel(const BootFiles& files, PhysicalMap& map, const BootInfo& info, VcpuState& state) {
  const InputFile kernel = RS_TRY(InputFile::open(files.kernel, "kernel"));
  std::vector<u8> start(std::min(kernel.size(), kMultibootSearch));
  RS_TRY(kernel.read(0, start));

  BootMemory memory(map);
  if (memory.ram() < 2 * kHighMemory)
    return fail(ErrorKind::usage, "-m: booting a kernel needs at least 2M of guest RAM");
  if (at<u16>(start, 0x1fe) == kBootFlag && at<u32>(start, 0x202) == kLinuxMagic)
    return load_bzimage(kernel, files, info, memory, state);
  if (const i64 header = find_multiboot_header(start); header >= 0)
    return load_multiboot(kernel, static_cast<u64>(header), files, memory, state);
  if (at<u32>(start, 0) == kElfMagic) return load_elf32(kernel, files, memory, state);
  if (kernel.size() < 0x206)
    return fail(ErrorKind::input_file, "kernel {} is truncated: {} bytes hold no kernel", files.kernel,
                kernel.size());
  return fail(ErrorKind::input_file,
              "kernel {} is neither a Linux bzImage nor a multiboot nor an ELF32 kernel, or it is corrupt",
              files.kernel);
}

}  // namespace ringshift
