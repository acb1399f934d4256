// GrantTable: what a back end may reach, the hypercall's commands, and what a hostile guest writes into
// entries.
#include "paravirt/grants/grant_table.h"

#include <random>

#include "paravirt/test_domain.h"

namespace ringshift::xen::test {
namespace {

using xen32::grant_entry_v1;

struct GrantRig {
  static constexpr Mfn kTable = FakeDomain::kFirst + 1;
  static constexpr Mfn kPage = FakeDomain::kFirst + 5;
  FakeDomain domain;
  GrantTable grants{domain, {kTable, kTable + 1}, FakeDomain::kDomain};

  grant_entry_v1& entry(u32 reference) { return (&domain.as<grant_entry_v1>(kTable))[reference]; }
  template <class Argument>
  int op(u32 command, Argument& argument, u32 count = 1) {
    std::memcpy(domain.arguments.data(), &argument, sizeof argument);
    const int result = grants.op(command, FakeDomain::kArguments, count);
    std::memcpy(&argument, domain.arguments.data(), sizeof argument);
    return result;
  }
  bool can_read(u32 reference) {
    u8 byte;
    return grants.read(reference, 0, &byte, 1);
  }
  bool can_write(u32 reference) { return grants.write(reference, 0, "x", 1); }
};

TEST(GrantTable, ABackEndReachesWhatIsGranted) {
  GrantRig rig;
  rig.entry(9) = {GTF_permit_access, 0, rig.kPage};
  std::memcpy(rig.domain.page(rig.kPage) + 100, "granted", 7);
  char text[7];
  ASSERT_TRUE(rig.grants.read(9, 100, text, 7));
  EXPECT_EQ(std::string(text, 7), "granted");
  ASSERT_TRUE(rig.grants.write(9, kPageSize - 4, "last", 4));
  EXPECT_EQ(std::memcmp(rig.domain.page(rig.kPage) + kPageSize - 4, "last", 4), 0);

  rig.entry(9).flags |= GTF_readonly;
  EXPECT_TRUE(rig.can_read(9));
  EXPECT_FALSE(rig.can_write(9));
  EXPECT_FALSE(rig.grants.map(9));
}

TEST(GrantTable, NothingElseIsGranted) {
  GrantRig rig;
  const u16 refused[] = {GTF_invalid, GTF_accept_transfer, GTF_transitive, GTF_permit_access | GTF_sub_page,
                         GTF_transitive | GTF_sub_page};
  for (const u16 flags : refused) {
    rig.entry(9) = {flags, 0, rig.kPage};
    EXPECT_FALSE(rig.can_read(9)) << flags;
    EXPECT_FALSE(rig.can_write(9)) << flags;
    EXPECT_FALSE(rig.grants.map(9)) << flags;
  }
  for (const u16 domain : {u16{FakeDomain::kDomain}, u16{2}, u16{DOMID_SELF}}) {
    rig.entry(9) = {GTF_permit_access, domain, rig.kPage};
    EXPECT_FALSE(rig.can_read(9)) << domain;
  }
}

TEST(GrantTable, AGrantGivesNoMoreThanTheDomainHas) {
  GrantRig rig;
  for (const Mfn frame :
       {u32{0}, FakeDomain::kFirst - 1, FakeDomain::kFirst + FakeDomain::kFrames, u32{0xffff'ffff}}) {
    rig.entry(9) = {GTF_permit_access, 0, frame};
    EXPECT_FALSE(rig.can_read(9));
    EXPECT_FALSE(rig.can_write(9));
    EXPECT_FALSE(rig.grants.map(9));
    EXPECT_EQ(rig.entry(9).flags, GTF_permit_access);
  }
  rig.entry(9) = {GTF_permit_access, 0, rig.kPage};
  rig.domain.page_tables.insert(rig.kPage);
  EXPECT_TRUE(rig.can_read(9));
  EXPECT_FALSE(rig.can_write(9)) << "a page table";
  EXPECT_FALSE(rig.grants.map(9));
}

TEST(GrantTable, ReferencesEndWithTheTable) {
  GrantRig rig;
  const u32 beyond = GrantTable::kEntriesPerFrame;  // in the second frame, which isn't active yet
  rig.domain.as<grant_entry_v1>(rig.kTable + 1) = {GTF_permit_access, 0, rig.kPage};
  EXPECT_FALSE(rig.can_read(beyond));
  xen32::gnttab_setup_table setup{DOMID_SELF, 2, 1, FakeDomain::kArguments + 64};
  ASSERT_EQ(rig.op(GNTTABOP_setup_table, setup), 0);
  EXPECT_TRUE(rig.can_read(beyond));
  for (const u32 reference : {beyond * 2, u32{0x8000'0000}, u32{0xffff'ffff}}) {
    EXPECT_FALSE(rig.can_read(reference));
    EXPECT_FALSE(rig.can_write(reference));
    EXPECT_FALSE(rig.grants.map(reference));
  }
}

TEST(GrantTable, AMappedPageShowsInItsEntryAndKeepsItsFrame) {
  GrantRig rig;
  rig.entry(9) = {GTF_permit_access, 0, rig.kPage};
  {
    const auto mapped = rig.grants.map(9);
    ASSERT_TRUE(mapped);
    EXPECT_EQ(rig.entry(9).flags, GTF_permit_access | GTF_reading | GTF_writing);
    rig.entry(9) = {GTF_permit_access, 0, rig.kPage + 1};  // behind the back end's back
    const auto again = rig.grants.map(9);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->frame(), rig.kPage);
  }
  EXPECT_EQ(rig.entry(9).flags, GTF_permit_access);
}

TEST(GrantTable, SetupTableGivesTheFrames) {
  GrantRig rig;
  xen32::gnttab_setup_table setup{DOMID_SELF, 2, 1, FakeDomain::kArguments + 64};
  ASSERT_EQ(rig.op(GNTTABOP_setup_table, setup), 0);
  EXPECT_EQ(setup.status, GNTST_okay);
  Mfn frames[2];
  std::memcpy(frames, &rig.domain.arguments[64], sizeof frames);
  EXPECT_EQ(frames[0], rig.kTable);
  EXPECT_EQ(frames[1], rig.kTable + 1);

  for (const u32 count : {u32{3}, u32{0xffff'ffff}}) {
    setup.nr_frames = count;
    ASSERT_EQ(rig.op(GNTTABOP_setup_table, setup), 0);
    EXPECT_EQ(setup.status, GNTST_general_error);
  }
  setup = {DOMID_SELF, 2, 1, 0xffff'fffc};
  ASSERT_EQ(rig.op(GNTTABOP_setup_table, setup), 0);
  EXPECT_EQ(setup.status, GNTST_bad_virt_addr);
  setup = {0, 1, 1, FakeDomain::kArguments + 64};
  ASSERT_EQ(rig.op(GNTTABOP_setup_table, setup), 0);
  EXPECT_EQ(setup.status, GNTST_permission_denied);
  setup.dom = 77;
  ASSERT_EQ(rig.op(GNTTABOP_setup_table, setup), 0);
  EXPECT_EQ(setup.status, GNTST_bad_domain);
  EXPECT_EQ(rig.op(GNTTABOP_setup_table, setup, 2), -xen32::XEN_EINVAL);

  xen32::gnttab_query_size query{DOMID_SELF, 0, 0, 1};
  ASSERT_EQ(rig.op(GNTTABOP_query_size, query), 0);
  EXPECT_EQ(query.nr_frames, 2u);
  EXPECT_EQ(query.max_nr_frames, 2u);
  EXPECT_EQ(query.status, GNTST_okay);
}

TEST(GrantTable, OnlyVersion1) {
  GrantRig rig;
  xen32::gnttab_set_version version{1};
  EXPECT_EQ(rig.op(GNTTABOP_set_version, version), 0);
  version.version = 2;
  EXPECT_EQ(rig.op(GNTTABOP_set_version, version), -xen32::XEN_ENOSYS);
  EXPECT_EQ(version.version, 1u);
  version.version = 3;
  EXPECT_EQ(rig.op(GNTTABOP_set_version, version), -xen32::XEN_EINVAL);
  xen32::gnttab_get_version get{DOMID_SELF, 0, 0};
  EXPECT_EQ(rig.op(GNTTABOP_get_version, get), 0);
  EXPECT_EQ(get.version, 1u);
  get.dom = 0;
  EXPECT_EQ(rig.op(GNTTABOP_get_version, get), -xen32::XEN_EPERM);
}

TEST(GrantTable, CopyBetweenOwnPages) {
  GrantRig rig;
  rig.entry(9) = {GTF_permit_access, FakeDomain::kDomain, rig.kPage};
  std::memcpy(rig.domain.page(rig.kPage), "copied", 6);
  xen32::gnttab_copy copy{};
  copy.source = {{9}, DOMID_SELF, 0};
  copy.dest = {{rig.kPage + 1}, DOMID_SELF, 4090};
  copy.len = 6;
  copy.flags = GNTCOPY_source_gref;
  ASSERT_EQ(rig.op(GNTTABOP_copy, copy), 0);
  EXPECT_EQ(copy.status, GNTST_okay);
  EXPECT_EQ(std::memcmp(rig.domain.page(rig.kPage + 1) + 4090, "copied", 6), 0);

  const auto status_with = [&](auto change) {
    xen32::gnttab_copy changed = copy;
    change(changed);
    EXPECT_EQ(rig.op(GNTTABOP_copy, changed), 0);
    return changed.status;
  };
  EXPECT_EQ(status_with([](auto& c) { c.len = 7; }), GNTST_bad_copy_arg);
  EXPECT_EQ(status_with([](auto& c) { c.source.offset = 0xffff; }), GNTST_bad_copy_arg);
  EXPECT_EQ(status_with([](auto& c) { c.source.domid = 0; }), GNTST_bad_gntref);
  EXPECT_EQ(status_with([](auto& c) { c.dest.domid = 0; }), GNTST_permission_denied);
  EXPECT_EQ(status_with([](auto& c) { c.source.u.ref = 10; }), GNTST_bad_gntref);
  EXPECT_EQ(status_with([](auto& c) { c.dest.u.gmfn = 1; }), GNTST_bad_page);
  rig.domain.page_tables.insert(rig.kPage + 1);
  EXPECT_EQ(status_with([](auto&) {}), GNTST_bad_page);
}

TEST(GrantTable, HostileCalls) {
  GrantRig rig;
  xen32::gnttab_map_grant_ref map{};
  map.dom = 0;
  ASSERT_EQ(rig.op(GNTTABOP_map_grant_ref, map), 0);
  EXPECT_EQ(map.status, GNTST_bad_gntref);
  map.dom = 5;
  ASSERT_EQ(rig.op(GNTTABOP_map_grant_ref, map), 0);
  EXPECT_EQ(map.status, GNTST_bad_domain);
  xen32::gnttab_unmap_grant_ref unmap{};
  ASSERT_EQ(rig.op(GNTTABOP_unmap_grant_ref, unmap), 0);
  EXPECT_EQ(unmap.status, GNTST_bad_handle);

  EXPECT_EQ(rig.grants.op(GNTTABOP_copy, FakeDomain::kArguments, 0xffff'ffff), -xen32::XEN_E2BIG);
  EXPECT_EQ(rig.grants.op(GNTTABOP_copy, FakeDomain::kArguments, 1000), -xen32::XEN_EFAULT)
      << "beyond the page";
  EXPECT_EQ(rig.grants.op(GNTTABOP_transfer, FakeDomain::kArguments, 1), -xen32::XEN_ENOSYS);
  EXPECT_EQ(rig.grants.op(0xffff'ffff, FakeDomain::kArguments, 1), -xen32::XEN_ENOSYS);
  for (u32 command = 0; command <= GNTTABOP_get_version; ++command) {
    const int result = rig.grants.op(command, 0xffff'ffff, 1);
    EXPECT_TRUE(result == -xen32::XEN_EFAULT || result == -xen32::XEN_ENOSYS) << command;
  }
  rig.domain.read_only_arguments = true;
  EXPECT_EQ(rig.grants.op(GNTTABOP_map_grant_ref, FakeDomain::kArguments, 1), -xen32::XEN_EFAULT);
}

// Entries of random bytes: whatever is reached is the domain's and isn't a page table.
TEST(GrantTable, RandomEntries) {
  GrantRig rig;
  rig.domain.page_tables.insert(rig.kPage);
  const std::vector<u8> page(rig.domain.page(rig.kPage), rig.domain.page(rig.kPage) + kPageSize);
  std::mt19937 random(4);
  std::vector<MappedGrant> held;
  for (int i = 0; i < 100'000; ++i) {
    const u32 reference = random() % 600;
    if (reference < GrantTable::kEntriesPerFrame)
      rig.entry(reference) = {static_cast<u16>(random() % 512), static_cast<u16>(random() % 3),
                              FakeDomain::kFirst + static_cast<u32>(random() % (FakeDomain::kFrames + 2))};
    std::array<u8, 64> bytes;
    rig.grants.read(random() % 1200, random() % kPageSize / 64 * 64, bytes.data(), 64);
    if (reference % 3 == 0) rig.can_write(reference);
    if (auto mapped = rig.grants.map(reference)) held.push_back(std::move(*mapped));
    if (held.size() > 8) held.pop_back();
  }
  EXPECT_EQ(std::memcmp(rig.domain.page(rig.kPage), page.data(), kPageSize), 0);
}

}  // namespace
}  // namespace ringshift::xen::test
