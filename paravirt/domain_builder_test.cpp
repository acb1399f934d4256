// Kernels as files: what the builder makes of a good one, and what it refuses.
#include "paravirt/domain_builder.h"

#include <gtest/gtest.h>

#include <cstring>

#include "cpu-model/memory_access.h"

namespace ringshift::xen {
namespace {

constexpr u32 kBase = 0xc0000000;
constexpr u32 kImage = 0x100000;  // physical
constexpr u32 kPages = 4;         // of the image
constexpr u32 kFileOffset = 0x1000;

struct Note {
  u32 type;
  std::vector<u8> value;
};
std::vector<u8> word(u32 value) {
  std::vector<u8> bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
std::vector<u8> words(std::string_view text) {
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

class XenDomainBuilder : public testing::Test {
 protected:
  static constexpr u64 kRam = u64{16} << 20;
  XenDomainBuilder()
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

TEST_F(XenDomainBuilder, PutsEverythingWhereItBelongs) {
  const std::vector<u8> module{1, 2, 3, 4, 5};
  const std::vector<u8> file = ElfFile().bytes();
  const auto built = build(file, module);
  ASSERT_TRUE(built.has_value()) << built.error().message;
  EXPECT_EQ(cpu_.state.cpl, 1);
  EXPECT_EQ(cpu_.state.eip(), kBase + kImage + 0x20);
  EXPECT_EQ(byte_at(kBase + kImage + 0x20), file[kFileOffset + 0x20]);
  // Hypercall 14: mov $14, %eax; int $0x82; ret.
  const Gva call = kBase + kImage + kPageSize + 14 * 32;
  EXPECT_EQ(byte_at(call), 0xb8);
  EXPECT_EQ(word_at(call + 1), 14u);
  EXPECT_EQ(word_at(call + 5) & 0xffffff, 0xc382cdu);

  xen32::start_info_x86_32 info{};
  ASSERT_TRUE(domain_->copy_from_guest(info, cpu_.state.reg32(kEsi)));
  EXPECT_STREQ(info.magic, "xen-3.0-x86_32p");
  EXPECT_STREQ(reinterpret_cast<const char*>(info.cmd_line), "a=b");
  EXPECT_EQ(info.mod_len, module.size());
  EXPECT_EQ(byte_at(info.mod_start + 4), 5);
  EXPECT_EQ(info.store_mfn, built->store_ring);
  EXPECT_EQ(info.console.domU.mfn, built->console_ring);
  EXPECT_EQ(info.shared_info, domain_->info.mfn() << kPageShift);
  EXPECT_EQ(info.nr_pages, domain_->domain_frames);
  // The P2M list is what maps the region, and M2P its inverse.
  for (u32 pfn = 0; pfn < 0x180; ++pfn) {
    const u32 mfn = word_at(info.mfn_list + pfn * 4);
    Gpa at = 0;
    ASSERT_TRUE(peek(cpu_, kBase + (pfn << kPageShift), &at));
    EXPECT_EQ(at >> kPageShift, mfn);
    EXPECT_EQ(word_at(kHypervisorStart + mfn * 4), pfn);
  }
  // Its tables are read-only, its stack isn't.
  EXPECT_FALSE(write_linear<u32>(cpu_, info.pt_base, 0, false).has_value());
  EXPECT_TRUE(write_linear<u32>(cpu_, cpu_.state.reg32(kEsp) - 4, 0, false).has_value());
  EXPECT_FALSE(write_linear<u32>(cpu_, kHypervisorStart, 0, false).has_value());
}

TEST_F(XenDomainBuilder, RefusesWhatCannotRun) {
  const auto refused = [this](const ElfFile& file) { return !build(file.bytes()).has_value(); };
  ElfFile good;
  ElfFile bad = good;
  bad.elf_class = 2;
  EXPECT_TRUE(refused(bad)) << "64 bits";
  bad = good;
  bad.machine = 40;
  EXPECT_TRUE(refused(bad)) << "ARM";
  bad = good;
  bad.notes.clear();
  EXPECT_TRUE(refused(bad)) << "no notes";
  bad = good;
  bad.notes.push_back({XEN_ELFNOTE_FEATURES, words("!writable_page_tables|pae_pgdir_above_4gb")});
  EXPECT_TRUE(refused(bad)) << "a feature that isn't offered";
  bad = good;
  bad.notes.push_back({XEN_ELFNOTE_PAE_MODE, words("no")});
  EXPECT_TRUE(refused(bad)) << "not PAE";
  bad = good;
  bad.file_size = 0x7fffffff;
  bad.memory_size = 0x7fffffff;
  EXPECT_TRUE(refused(bad)) << "larger than the file";
  bad = good;
  bad.memory_size = 0x30000000;
  EXPECT_TRUE(refused(bad)) << "larger than memory";
  bad = good;
  bad.physical = 0xfffff000;
  EXPECT_TRUE(refused(bad)) << "beyond 4 GiB";
  bad = good;
  bad.physical = 0x38000000;
  EXPECT_TRUE(refused(bad)) << "in the hypervisor's part";
  EXPECT_FALSE(build({}).has_value());
  const std::vector<u8> file = good.bytes();
  for (const std::size_t size : {std::size_t{3}, std::size_t{40}, std::size_t{60}, file.size() / 2})
    EXPECT_FALSE(build({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)}).has_value()) << size;
}

// The page must lie in the image: elsewhere it would stand where page tables or start_info do.
TEST_F(XenDomainBuilder, AHypercallPageOutsideOfTheImageIsLeftAlone) {
  for (const u32 page :
       {kBase + kImage + kPages * kPageSize, kBase, kBase - kPageSize, kBase + kImage + 8, 0u, ~0u}) {
    domain_.reset();
    std::memset(ram_.base(), 0, ram_.size());
    domain_.emplace(DomainSurroundings{cpu_, clock_, map_, power_, console_, [](const std::string&) {}});
    ElfFile file;
    file.notes.push_back({XEN_ELFNOTE_HYPERCALL_PAGE, word(page)});
    const std::vector<u8> bytes = file.bytes();
    const auto built = build(bytes);
    ASSERT_TRUE(built.has_value()) << page;
    EXPECT_EQ(byte_at(kBase + kImage + kPageSize), bytes[kFileOffset + kPageSize]);
  }
}

}  // namespace
}  // namespace ringshift::xen
