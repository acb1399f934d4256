// The Linux/x86 boot protocol, 32-bit entry (Documentation/arch/x86/boot.rst).
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/bits.h"
#include "machine/loaders/load_kernel.h"

namespace ringshift {

namespace {
// Offsets into the zero page (struct boot_params, zero-page.rst). The setup header stands at 1F1h in the file
// and in the zero page alike.
constexpr u64 kExtMemK = 0x002;
constexpr u64 kAcpiRsdpAddr = 0x070;
constexpr u64 kAltMemK = 0x1e0;
constexpr u64 kE820Entries = 0x1e8;
constexpr u64 kSetupSects = 0x1f1;
constexpr u64 kHeaderEndByte = 0x201;  // the header ends at 202h plus this byte of the file
constexpr u64 kVersion = 0x206;
constexpr u64 kTypeOfLoader = 0x210;
constexpr u64 kLoadflags = 0x211;
constexpr u64 kCode32Start = 0x214;
constexpr u64 kRamdiskImage = 0x218;
constexpr u64 kRamdiskSize = 0x21c;
constexpr u64 kCmdLinePtr = 0x228;
constexpr u64 kInitrdAddrMax = 0x22c;
constexpr u64 kKernelAlignment = 0x230;
constexpr u64 kRelocatable = 0x234;
constexpr u64 kXloadflags = 0x236;
constexpr u64 kCmdlineSize = 0x238;
constexpr u64 kPrefAddress = 0x258;
constexpr u64 kInitSize = 0x260;
constexpr u64 kE820Table = 0x2d0;

constexpr u8 kLoadedHigh = 1;
constexpr u16 kXlfKernel64 = 1;
constexpr u8 kUndefinedLoader = 0xff;

constexpr Gpa kZeroPage = 0x10000;
constexpr Gpa kCommandLine = 0x20000;
constexpr u32 kOldInitrdMax = 0x37ffffff;  // before protocol 2.03

using ZeroPage = std::array<u8, kPageSize>;

template <class T>
T get(const ZeroPage& page, u64 offset) {
  T value;
  std::memcpy(&value, page.data() + offset, sizeof value);
  return value;
}

template <class T>
void put(ZeroPage& page, u64 offset, T value) {
  std::memcpy(page.data() + offset, &value, sizeof value);
}

// Copies the setup header out of the file, after checking that the kernel is one that can be started here.
Result<ZeroPage> read_setup_header(const InputFile& kernel) {
  ZeroPage page{};
  const u64 end = 0x202 + u64{RS_TRY(kernel.value<u8>(kHeaderEndByte))};
  RS_TRY(kernel.read(kSetupSects, {page.data() + kSetupSects, std::min(end, kE820Table) - kSetupSects}));
  const u16 version = get<u16>(page, kVersion);
  if (version < 0x202 || (get<u8>(page, kLoadflags) & kLoadedHigh) == 0)
    return fail(ErrorKind::input_file, "kernel {} is too old (boot protocol {}.{:02}); a bzImage is needed",
                kernel.path(), version >> 8, version & 0xff);
  if (version >= 0x20c && (get<u16>(page, kXloadflags) & kXlfKernel64) != 0)
    return fail(ErrorKind::input_file,
                "kernel {} is a 64-bit kernel; this machine's CPU is 32-bit: give an i386 kernel",
                kernel.path());
  return page;
}

// Where the kernel's own run-time memory ends, which an initrd must not touch: a relocatable kernel moves
// itself to its preferred address and unpacks there.
u64 kernel_end(const ZeroPage& page, u64 payload) {
  const u64 loaded_end = kHighMemory + payload;
  if (get<u16>(page, kVersion) < 0x20a) return loaded_end;
  u64 start = kHighMemory;
  const u64 preferred = get<u64>(page, kPrefAddress);
  if (get<u8>(page, kRelocatable) != 0) {
    const u32 alignment = get<u32>(page, kKernelAlignment);
    if (std::has_single_bit(alignment)) start = align_up(start, u64{alignment});
    start = std::max(start, preferred);
  } else {
    start = preferred;
  }
  start = std::min(start, u64{1} << 32);  // a corrupt header must not wrap around
  return std::max(loaded_end, start + get<u32>(page, kInitSize));
}

Result<void> place_command_line(ZeroPage& page, const std::string& text, BootMemory& memory) {
  const u32 limit = get<u16>(page, kVersion) >= 0x206 ? get<u32>(page, kCmdlineSize) : 255;
  if (text.size() > std::min(limit, 0xffffu))
    return fail(ErrorKind::usage, "-append: {} characters, and this kernel takes at most {}", text.size(),
                limit);
  memory.store_string(kCommandLine, text);
  put<u32>(page, kCmdLinePtr, kCommandLine);
  return {};
}

Result<void> place_initrd(ZeroPage& page, const std::string& path, u64 lowest, BootMemory& memory) {
  const InputFile initrd = RS_TRY(InputFile::open(path, "initrd"));
  const u32 highest = get<u16>(page, kVersion) >= 0x203 ? get<u32>(page, kInitrdAddrMax) : kOldInitrdMax;
  const u64 top = std::min(memory.ram(), u64{highest} + 1);
  const u64 at = initrd.size() > top ? 0 : align_down(top - initrd.size(), u64{kPageSize});
  if (at < lowest)
    return fail(
        ErrorKind::usage,
        "initrd {} ({} KiB) does not fit: the kernel needs {} KiB, and there is room up to {} KiB; give "
        "-m {}M or more",
        path, initrd.size() >> 10, lowest >> 10, top >> 10, ((lowest + initrd.size()) >> 20) + 16);
  RS_TRY(memory.load(initrd, 0, at, initrd.size()));
  put<u32>(page, kRamdiskImage, static_cast<u32>(at));
  put<u32>(page, kRamdiskSize, static_cast<u32>(initrd.size()));
  return {};
}

void describe_memory(ZeroPage& page, u64 ram) {
  u8 count = 0;
  for (const MemoryRange& range : memory_ranges(ram)) {
    const u64 entry = kE820Table + u64{count} * 20;
    put<u64>(page, entry, range.base);
    put<u64>(page, entry + 8, range.length);
    put<u32>(page, entry + 16, range.type);
    ++count;
  }
  put<u8>(page, kE820Entries, count);
  const u64 extended_kib = (ram - kHighMemory) >> 10;
  put<u16>(page, kExtMemK, static_cast<u16>(std::min<u64>(extended_kib, 0xfc00)));
  put<u32>(page, kAltMemK, static_cast<u32>(extended_kib));
}
}  // namespace

Result<void> load_bzimage(const InputFile& kernel, const BootFiles& files, const BootInfo& info,
                          BootMemory& memory, VcpuState& state) {
  ZeroPage page = RS_TRY(read_setup_header(kernel));
  const unsigned setup_sectors = get<u8>(page, kSetupSects) == 0 ? 4 : get<u8>(page, kSetupSects);
  const u64 payload_offset = (u64{setup_sectors} + 1) * 512;
  // syssize counts the protected-mode part in paragraphs: less in the file means that its end is missing.
  constexpr u64 kSyssize = 0x1f4;
  const u64 promised = u64{get<u32>(page, kSyssize)} * 16;
  if (payload_offset >= kernel.size() || kernel.size() - payload_offset + 16 < promised)
    return fail(ErrorKind::input_file, "kernel {} is truncated: {} bytes, and its header promises {}",
                kernel.path(), kernel.size(), payload_offset + promised);
  const u64 payload = kernel.size() - payload_offset;
  const u64 end = kernel_end(page, payload);
  if (end > memory.ram())
    return fail(ErrorKind::usage, "-m: kernel {} needs {}M of guest RAM to unpack itself, and there is {}M",
                kernel.path(), (end + (1 << 20) - 1) >> 20, memory.ram() >> 20);
  RS_TRY(memory.load(kernel, payload_offset, kHighMemory, payload));
  put<u8>(page, kTypeOfLoader, kUndefinedLoader);
  put<u32>(page, kCode32Start, kHighMemory);
  put<u64>(page, kAcpiRsdpAddr, info.acpi_rsdp);
  RS_TRY(place_command_line(page, files.append, memory));
  if (!files.initrd.empty()) RS_TRY(place_initrd(page, files.initrd, end, memory));
  describe_memory(page, memory.ram());
  memory.store(kZeroPage, page);
  enter_flat_mode(memory, state, static_cast<u32>(kHighMemory));
  state.set_reg32(kEsi, kZeroPage);
  return {};
}

}  // namespace ringshift
