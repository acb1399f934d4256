// The Multiboot Specification, version 0.6.96 (multiboot 1).
#include <algorithm>
#include <array>
#include <string>

#include "base/bits.h"
#include "machine/loaders/elf32.h"
#include "machine/loaders/load_kernel.h"

namespace ringshift {

namespace {
constexpr u32 kBootloaderMagic = 0x2badb002;
// Flags of the header (3.1.2): bits 0-15 are requirements that a loader must refuse when it can't meet them.
constexpr u32 kPageAligned = 1u << 0;
constexpr u32 kMemoryInfo = 1u << 1;
constexpr u32 kVideoMode = 1u << 2;  // taken as a wish: there is no display, and the info says so
constexpr u32 kHasAddresses = 1u << 16;
constexpr u32 kKnownRequirements = kPageAligned | kMemoryInfo | kVideoMode;

constexpr Gpa kInfo = kLoaderArea + 0x100;
constexpr Gpa kMemoryMap = kLoaderArea + 0x200;
constexpr Gpa kModules = kLoaderArea + 0x400;
constexpr Gpa kStrings = kLoaderArea + 0x1000;
constexpr u64 kStringsSize = 0x3000;
constexpr unsigned kMaxModules = 64;

// The information structure (3.3), as far as it is filled.
struct Info {
  u32 flags;
  u32 mem_lower, mem_upper;
  u32 boot_device;
  u32 cmdline;
  u32 mods_count, mods_addr;
  u32 symbols[4];
  u32 mmap_length, mmap_addr;
  u32 drives[2];
  u32 config_table;
  u32 boot_loader_name;
};
constexpr u32 kInfoMemory = 1u << 0;
constexpr u32 kInfoCmdline = 1u << 2;
constexpr u32 kInfoModules = 1u << 3;
constexpr u32 kInfoMap = 1u << 6;
constexpr u32 kInfoLoaderName = 1u << 9;

// size is of the entry less this field itself.
struct [[gnu::packed]] MapEntry {
  u32 size;
  u64 base, length;
  u32 type;
};

struct Module {
  u32 start, end, string, reserved;
};

struct Addresses {
  u32 header, load, load_end, bss_end, entry;
};

// Hands out the string area.
class StringArea {
 public:
  explicit StringArea(BootMemory& memory) : memory_(memory) {}
  Result<u32> add(const std::string& text) {
    if (text.size() + 1 > kStringsSize - used_)
      return fail(ErrorKind::usage, "-append, -initrd: the texts for the kernel are longer than {} bytes",
                  kStringsSize);
    const Gpa at = kStrings + used_;
    memory_.store_string(at, text);
    used_ += text.size() + 1;
    return static_cast<u32>(at);
  }

 private:
  BootMemory& memory_;
  u64 used_ = 0;
};

// The a.out kludge (3.1.3): the header itself says what to load where.
Result<ElfImage> load_by_addresses(const InputFile& kernel, u64 header, BootMemory& memory) {
  const auto fields = RS_TRY(kernel.value<Addresses>(header + 12));
  const u64 before = u64{fields.header} - fields.load;
  if (fields.load > fields.header || before > header ||
      (fields.load_end != 0 && fields.load_end < fields.load))
    return fail(ErrorKind::input_file, "kernel {} is corrupt: its multiboot addresses make no sense",
                kernel.path());
  const u64 offset = header - before;
  const u64 length = fields.load_end != 0 ? u64{fields.load_end} - fields.load : kernel.size() - offset;
  if (length > kernel.size() - offset)
    return fail(ErrorKind::input_file, "kernel {} is truncated: it should go on to byte {}", kernel.path(),
                offset + length);
  const u64 end = std::max(fields.load + length, u64{fields.bss_end});
  if (!memory.loadable(fields.load, end - fields.load))
    return fail(ErrorKind::input_file,
                "kernel {} wants to be at {:#x}-{:#x}, where this machine has no free RAM", kernel.path(),
                fields.load, end);
  RS_TRY(memory.load(kernel, offset, fields.load, length));
  memory.zero(fields.load + length, end - (fields.load + length));
  return ElfImage{fields.entry, end};
}

// One module of -initrd: "FILE ARGS", the whole text being its string.
Result<Module> load_module(const std::string& text, u64& at, StringArea& strings, BootMemory& memory) {
  const std::string path = text.substr(0, text.find(' '));
  const InputFile file = RS_TRY(InputFile::open(path, "initrd"));
  at = align_up(std::max(at, kHighMemory), u64{kPageSize});
  if (!memory.loadable(at, file.size()))
    return fail(ErrorKind::usage, "initrd {} ({} KiB) does not fit into guest RAM; give a larger -m", path,
                file.size() >> 10);
  RS_TRY(memory.load(file, 0, at, file.size()));
  const Module module{static_cast<u32>(at), static_cast<u32>(at + file.size()), RS_TRY(strings.add(text)), 0};
  at += file.size();
  return module;
}

Result<u32> load_modules(const std::string& list, u64 at, StringArea& strings, BootMemory& memory) {
  u32 count = 0;
  for (std::size_t from = 0; !list.empty() && from != std::string::npos;) {
    const auto comma = list.find(',', from);
    const std::string text = list.substr(from, comma == std::string::npos ? comma : comma - from);
    from = comma == std::string::npos ? comma : comma + 1;
    if (count == kMaxModules) return fail(ErrorKind::usage, "-initrd: more than {} modules", kMaxModules);
    const Module module = RS_TRY(load_module(text, at, strings, memory));
    memory.store_value(kModules + u64{count} * sizeof module, module);
    ++count;
  }
  return count;
}

u32 store_memory_map(BootMemory& memory) {
  u32 length = 0;
  for (const MemoryRange& range : memory_ranges(memory.ram())) {
    const MapEntry entry{sizeof(MapEntry) - 4, range.base, range.length, range.type};
    memory.store_value(kMemoryMap + length, entry);
    length += sizeof entry;
  }
  return length;
}
}  // namespace

Result<void> load_multiboot(const InputFile& kernel, u64 header, const BootFiles& files, BootMemory& memory,
                            VcpuState& state) {
  const u32 wants = RS_TRY(kernel.value<u32>(header + 4));
  if ((wants & 0xffff & ~kKnownRequirements) != 0)
    return fail(ErrorKind::input_file, "kernel {} asks for multiboot features that are unknown (flags {:#x})",
                kernel.path(), wants);
  const ElfImage image = (wants & kHasAddresses) != 0 ? RS_TRY(load_by_addresses(kernel, header, memory))
                                                      : RS_TRY(load_elf_segments(kernel, memory));
  StringArea strings(memory);
  Info info{};
  info.flags = kInfoMemory | kInfoCmdline | kInfoMap | kInfoLoaderName;
  info.mem_lower = static_cast<u32>(kConventionalEnd >> 10);
  info.mem_upper = static_cast<u32>((memory.ram() - kHighMemory) >> 10);
  info.cmdline = RS_TRY(strings.add(kernel.path() + (files.append.empty() ? "" : " " + files.append)));
  info.boot_loader_name = RS_TRY(strings.add("ringshift"));
  info.mods_count = RS_TRY(load_modules(files.initrd, image.end, strings, memory));
  info.mods_addr = static_cast<u32>(kModules);
  if (info.mods_count != 0) info.flags |= kInfoModules;
  info.mmap_length = store_memory_map(memory);
  info.mmap_addr = static_cast<u32>(kMemoryMap);
  memory.store_value(kInfo, info);
  enter_flat_mode(memory, state, image.entry);
  state.set_reg32(kEax, kBootloaderMagic);
  state.set_reg32(kEbx, static_cast<u32>(kInfo));
  return {};
}

}  // namespace ringshift
