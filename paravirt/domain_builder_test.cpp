// Kernels as files: what the builder makes of a good one, and what it refuses.
#include "paravirt/domain_fixture.h"

namespace ringshift::xen {
namespace {

class XenDomainBuilder : public XenDomain {};

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
