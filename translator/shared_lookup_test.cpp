// Lookups that several instructions share: which do, and that nobody sees it.
#include "translator/shared_lookup.h"

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class SharedLookupPlan : public BtFixture {
 protected:
  std::vector<SharedLookup> plan(const std::function<void(Asm&)>& write) {
    const std::vector<u8> bytes = assemble(kCode, write);
    block_.instructions.clear();
    for (std::size_t at = 0; at < bytes.size();) {
      GuestInstruction next{{}, static_cast<u32>(kCode + at)};
      const std::span<const u8> rest(bytes.data() + at, bytes.size() - at);
      EXPECT_EQ(decoder_.decode(rest, CodeMode::protected32, next.insn), DecodeStatus::ok);
      at += next.insn.length;
      block_.instructions.push_back(next);
    }
    std::vector<Step> steps;
    for (const GuestInstruction& next : block_.instructions)
      steps.push_back({&next, treatment_of(next.insn), TreatmentChoice::allow_list, false});
    return plan_shared_lookups(steps, ModeKey(cpu_));
  }

  Decoder decoder_{cpuid_};
  GuestBlock block_;
};

TEST_F(SharedLookupPlan, AFunctionsBeginningSharesOne) {
  const auto made = plan([](Asm& as) {
    as.push(ebp);
    as.mov(ebp, esp);
    as.push(ebx);
    as.sub(esp, 0x14);
    as.mov(eax, ptr(ebp, 8));
    as.mov(ptr(esp), eax);
    as.call(kCode + 0x100);
  });
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].first, 0u);
  EXPECT_EQ(made[0].last, 6u);
  EXPECT_EQ(made[0].base, kEsp);
  EXPECT_EQ(made[0].low, -0x20) << "the return address of the CALL";
  EXPECT_EQ(made[0].bytes, 0x28u);
  EXPECT_TRUE(made[0].write);
  constexpr i32 kNone = SharedLookup::kNotShared;
  EXPECT_EQ(made[0].offsets, (std::vector<i32>{0x1c, kNone, 0x18, kNone, 0x24, 4, 0}));
}

TEST_F(SharedLookupPlan, ARegisterThatIsWrittenIsAnother) {
  const auto made = plan([](Asm& as) {
    as.mov(eax, ptr(ebx));
    as.mov(ebx, ptr(ebx, 4));
    as.mov(edx, ptr(ebx, 8));
    as.mov(edx, ptr(ebx, 12));
  });
  ASSERT_EQ(made.size(), 2u);
  EXPECT_EQ(made[0].last, 1u);
  EXPECT_FALSE(made[0].write);
  EXPECT_EQ(made[1].first, 2u);
}

// What writes registers without naming them, or parts of them.
TEST_F(SharedLookupPlan, HiddenWritesCount) {
  const auto shares = [&](unsigned base, const std::function<void(Asm&)>& between) {
    return !plan([&](Asm& as) {
              as.mov(edi, ptr(gpd(base)));
              between(as);
              as.mov(edi, ptr(gpd(base), 4));
            }).empty();
  };
  EXPECT_TRUE(shares(kEdx, [](Asm& as) { as.cmp(edx, 5); }));
  EXPECT_TRUE(shares(kEdx, [](Asm& as) { as.inc(edx); }));
  EXPECT_FALSE(shares(kEdx, [](Asm& as) { as.mul(ecx); }));
  EXPECT_FALSE(shares(kEdx, [](Asm& as) { as.cdq(); }));
  EXPECT_FALSE(shares(kEax, [](Asm& as) { as.cmpxchg(dword_ptr(esi), ecx); }));
  EXPECT_FALSE(shares(kEcx, [](Asm& as) { as.xchg(eax, ecx); }));
  EXPECT_FALSE(shares(kEcx, [](Asm& as) { as.xadd(ecx, eax); }));
  EXPECT_FALSE(shares(kEbx, [](Asm& as) { as.mov(bh, 1); }));
  EXPECT_FALSE(shares(kEbx, [](Asm& as) { as.add(bx, 1); }));
  EXPECT_FALSE(shares(kEsi, [](Asm& as) { as.lodsd(); })) << "its lookups need r11";
  EXPECT_FALSE(shares(kEsi, [](Asm& as) { as.cpuid(); }));
  EXPECT_FALSE(shares(kEsi, [](Asm& as) { as.lea(esi, ptr(esi, eax)); }));
  EXPECT_FALSE(shares(kEbx, [](Asm& as) { as.pop(ebx); }));
}

TEST_F(SharedLookupPlan, FarApartIsApart) {
  EXPECT_TRUE(plan([](Asm& as) {
                as.mov(eax, ptr(ebx));
                as.mov(eax, ptr(ebx, 0x800));
              }).empty());
}

TEST_F(SharedLookupPlan, NoneUnderAWindow) {
  const auto made = plan([](Asm& as) {
    as.push(eax);
    as.push(eax);
  });
  EXPECT_EQ(made.size(), 1u);
  std::vector<Step> steps;
  for (const GuestInstruction& next : block_.instructions)
    steps.push_back({&next, treatment_of(next.insn), TreatmentChoice::allow_list, false});
  EXPECT_TRUE(plan_shared_lookups(steps, ModeKey(cpu_).with_window()).empty());
}

// By each way: windows say what must come out.
class SharedLookups : public BothMemories {
 protected:
  static constexpr u32 kPage = kData + 0x1000;
  void set_page(u32 gva, u32 entry) { poke<u32>(kTable + (gva >> kPageShift) * 4, entry); }
  // The frame of a fault with an error code, at CPL 0.
  u32 pushed(unsigned word) { return peek_at<u32>(reg(kEsp) + word * 4); }
};
INSTANTIATE_TEST_SUITE_P(EachWay, SharedLookups, kEachWay, way_name);

TEST_P(SharedLookups, ARangeInTwoPages) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ebx, kPage - 16);
    as.mov(ecx, 40);
    as.bind(loop);
    as.mov(ptr(ebx), ecx);
    as.mov(eax, ptr(ebx, -2));
    as.add(ptr(ebx, 4), eax);
    as.inc(ebx);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  // Written out: gcc 12 at -O2 gets a loop over these overlapping words wrong.
  std::vector<u8> expected(56);
  for (u8 at = 0; at < 40; ++at) expected[2 + at] = static_cast<u8>(40 - at);
  expected[45] = 9;
  expected[46] = 4;
  expected[47] = 1;
  for (unsigned at = 0; at < expected.size(); ++at)
    EXPECT_EQ(peek_at<u8>(kPage - 18 + at), expected[at]) << at;
}

// The first store is done, the second isn't, and the flags are those of between.
TEST_P(SharedLookups, TheSecondPageIsAbsent) {
  enter_paging();
  set_page(kPage, 0);
  std::size_t fault_at = 0;
  assemble(kCode, [&](Asm& as) {
    as.mov(ebx, kPage - 4);
    as.mov(eax, 1);
    as.mov(ptr(ebx), eax);
    as.cmp(eax, 2);  // CF SF AF PF
    fault_at = as.offset();
    as.mov(ptr(ebx, 4), eax);
    as.add(eax, 0x10);
    as.hlt();
  });
  run();
  ASSERT_EQ(vector(), 14u);
  EXPECT_EQ(cpu_.state.cr2, kPage);
  EXPECT_EQ(pushed(0), 2u);
  EXPECT_EQ(pushed(1), kCode + fault_at);
  EXPECT_EQ(pushed(3) & kArithmeticFlags, kFlagCf | kFlagSf | kFlagAf | kFlagPf);
  EXPECT_EQ(peek_at<u32>(kPage - 4), 1u);
  EXPECT_EQ(reg(kEax), 1u);
}

// The range is looked up for writing: a page that may be read only has its reads done all the same.
TEST_P(SharedLookups, APageThatMayBeReadOnly) {
  enter_paging();
  set_page(kPage, kPage | (kMapped & ~2u));
  poke<u32>(kPage, 0xffffffff);
  std::size_t fault_at = 0;
  assemble(kCode, [&](Asm& as) {
    as.mov(ebx, kPage);
    as.mov(eax, 1);
    as.add(eax, ptr(ebx));  // CF ZF AF PF
    as.mov(edx, ptr(ebx));
    fault_at = as.offset();
    as.mov(ptr(ebx, 4), eax);
    as.hlt();
  });
  run();
  ASSERT_EQ(vector(), 14u);
  EXPECT_EQ(pushed(0), 3u);
  EXPECT_EQ(pushed(1), kCode + fault_at);
  EXPECT_EQ(pushed(3) & kArithmeticFlags, kFlagCf | kFlagZf | kFlagAf | kFlagPf);
  EXPECT_EQ(reg(kEdx), 0xffffffffu);
}

// Both pages want the same entry of the Tlb: the second lookup takes it from the shared one.
TEST_P(SharedLookups, AnotherLookupMissesAmidst) {
  enter_paging();
  poke<u32>(kDirectory + 4, kOtherTable | 0x27);
  poke<u32>(kOtherTable + (kPage >> kPageShift) * 4, (kPage + 0x1000) | kMapped);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ebx, kPage);
    as.mov(esi, kPage + (4u << 20));
    as.mov(ecx, 5);
    as.bind(loop);
    as.inc(dword_ptr(ebx));
    as.cmp(ecx, 3);
    as.mov(ptr(esi), ecx);
    as.adc(dword_ptr(ebx, 4), 0);  // CF is CMP's
    as.mov(eax, ptr(esi));
    as.add(ptr(ebx, 8), eax);
    as.push(eax);
    as.pop(edx);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(peek_at<u32>(kPage), 5u);
  EXPECT_EQ(peek_at<u32>(kPage + 4), 2u);
  EXPECT_EQ(peek_at<u32>(kPage + 8), 15u);
  EXPECT_EQ(peek_at<u32>(kPage + 0x1000), 1u);
}

// A base near the end of the address space: offsets wrap, the range doesn't reach beyond its page.
TEST_P(SharedLookups, OffsetsWrap) {
  assemble(kCode, [](Asm& as) {
    as.mov(ebx, 0xfffffff0);
    as.mov(dword_ptr(ebx, kPage), 1);
    as.mov(dword_ptr(ebx, kPage + 4), 2);
    as.mov(eax, ptr(ebx, kPage));
    as.mov(ebx, 0xffffffff);
    as.mov(ecx, ptr(ebx, kPage - 15));
    as.mov(edx, ptr(ebx, kPage - 11));
    as.hlt();
  });
  run();
  EXPECT_EQ(peek_at<u32>(kPage - 16), 1u);
  EXPECT_EQ(reg(kEax), 1u);
  EXPECT_EQ(reg(kEcx), 1u);
  EXPECT_EQ(reg(kEdx), 2u);
}

// The store changes the code of its own span.
TEST_P(SharedLookups, CodeThatChangesItself) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label patched = as.newLabel(), loop = as.newLabel();
    as.xor_(ecx, ecx);
    as.mov(ebx, kCode);
    as.bind(loop);
    as.mov(eax, ptr(ebx));
    as.lea(edx, ptr(ecx, 1));
    as.mov(ptr(ebx, 0x20), dl);  // the immediate below
    as.nop();
    as.bind(patched);
    while (as.offset() < 0x1f) as.nop();
    as.db(0xb0);  // MOV AL, imm8
    as.db(0x77);
    as.add(ptr(ebx, 0x800), al);
    as.inc(ecx);
    as.cmp(ecx, 3);
    as.jb(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(peek_at<u8>(kCode + 0x800), 1 + 2 + 3);
}

}  // namespace
}  // namespace ringshift::bt
