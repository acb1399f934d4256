// XenDomain: a fixture with a domain and its CPU, and kernels as files to build it of.
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "cpu-model/memory_access.h"
#include "paravirt/domain_builder.h"

namespace ringshift::xen {

inline constexpr u32 kBase = 0xc0000000;
inline constexpr u32 kImage = 0x100000;  // physical
inline constexpr u32 kPages = 4;         // of the image
inline constexpr u32 kFileOffset = 0x1000;

struct Note {
  u32 type;
  std::vector<u8> value;
};
inline std::vector<u8> word(u32 value) {
  std::vector<u8> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
inline std::vector<u8> words(std::string_view text) {
  std::vector<u8> bytes(text.begin(), text.end());
  bytes.push_back(0);
  return bytes;
}

// An ELF32 file with one segment to load, whose bytes count up, and notes.
class ElfFile {
 public:
  u8 elf_class = 1;
  u16 machine = 3;
  u32 physical = kImage;
  u32 file_size = kPages * kPageSize;
  u32 memory_size = kPages * kPageSize;
  std::vector<Note> notes = {{XEN_ELFNOTE_XEN_VERSION, words("xen-3.0")},
                             {XEN_ELFNOTE_VIRT_BASE, word(kBase)},
                             {XEN_ELFNOTE_ENTRY, word(kBase + kImage + 0x20)},
                             {XEN_ELFNOTE_HYPERCALL_PAGE, word(kBase + kImage + kPageSize)},
                             {XEN_ELFNOTE_PAE_MODE, words("yes")}};

  std::vector<u8> bytes() const {
    std::vector<u8> file(kFileOffset + kPages * kPageSize);
    for (std::size_t i = kFileOffset; i < file.size(); ++i) file[i] = static_cast<u8>(i * 7);
    const u32 notes_at = static_cast<u32>(file.size());
    for (const Note& note : notes) add_note(file, note);
    const u32 notes_size = static_cast<u32>(file.size()) - notes_at;
    const u8 magic[] = {0x7f, 'E', 'L', 'F', elf_class, 1, 1};
    std::memcpy(file.data(), magic, sizeof magic);
    put<u16>(file, 16, 2);
    put<u16>(file, 18, machine);
    put<u32>(file, 24, physical);
    put<u32>(file, 28, 52);  // program headers
    put<u16>(file, 42, 32);
    put<u16>(file, 44, 2);
    const u32 load[] = {1, kFileOffset, kBase + physical, physical, file_size, memory_size, 7, kPageSize};
    const u32 note[] = {4, notes_at, 0, 0, notes_size, 0, 0, 4};
    std::memcpy(file.data() + 52, load, sizeof load);
    std::memcpy(file.data() + 84, note, sizeof note);
    return file;
  }

 private:
  template <class T>
  static void put(std::vector<u8>& file, std::size_t at, T value) {
    std::memcpy(file.data() + at, &value, sizeof value);
  }
  static void add_note(std::vector<u8>& file, const Note& note) {
    const u32 header[] = {4, static_cast<u32>(note.value.size()), note.type};
    const auto append = [&file](const void* data, std::size_t size) {
      const auto* bytes = static_cast<const u8*>(data);
      file.insert(file.end(), bytes, bytes + size);
    };
    append(header, sizeof header);
    append("Xen", 4);
    append(note.value.data(), note.value.size());
    while (file.size() % 4 != 0) file.push_back(0);
  }
};

class NoTime final : public TimeSource {
 public:
  u64 now_ns() override { return 0; }
};
class NoPower final : public PowerControl {
 public:
  void power_off() override {}
  void reset() override {}
  void exit_with(int) override {}
};

class XenDomain : public testing::Test {
 protected:
  static constexpr u64 kRam = u64{16} << 20;
  XenDomain()
      : ram_(*GuestMemory::create(kRam)),
        map_(ram_),
        cpuid_(*CpuidTable::create("n270")),
        cpu_(map_, cpuid_, control_, tracer_) {
    map_.set_kind(0, kRam >> kPageShift, PageKind::ram);
    domain_.emplace(DomainSurroundings{cpu_, clock_, map_, power_, console_, [](const std::string&) {}});
  }

  Result<BuiltDomain> build(const std::vector<u8>& file, std::span<const u8> module = {}) {
    return build_domain(
        *domain_, {.kernel = file, .kernel_name = "test", .module = module, .command_line = "a=b", .utc = 0});
  }
  u8 byte_at(Gva va) { return *read_linear<u8>(cpu_, va, false); }
  u32 word_at(Gva va) { return *read_linear<u32>(cpu_, va, false); }

  GuestMemory ram_;
  PhysicalMap map_;
  CpuidTable cpuid_;
  RunControl control_;
  Tracer tracer_;
  Cpu cpu_;
  NoTime time_;
  Clock clock_{time_};
  NoPower power_;
  NullBackend console_;
  std::optional<Domain> domain_;
};

}  // namespace ringshift::xen
