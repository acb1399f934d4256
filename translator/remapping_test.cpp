// Code that changes under the translator: written, or mapped elsewhere.
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class Remapping : public BothMemories {};
INSTANTIATE_TEST_SUITE_P(Bt, Remapping, kEachWay, way_name);

// The immediate of the very next instruction.
TEST_P(Remapping, TheNextInstructionIsWritten) {
  for (u32 value = 2; value < 6; ++value) {
    poke<u32>(kCode + 11, 0);
    assemble(kCode, [&](Asm& as) {
      as.mov(dword_ptr(kCode + 11), value);  // 10 bytes
      as.mov(eax, 0);
      as.hlt();
    });
    run_from(kCode);
    EXPECT_EQ(reg(kEax), value);
  }
}

TEST_P(Remapping, ABlockRewritesItsOwnLoop) {
  // Counts in ECX; the fifth round turns the INC EAX at the loop's head into INC EBX.
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), on = as.newLabel();
    as.mov(ecx, 10);
    as.bind(loop);
    as.inc(eax);
    as.cmp(ecx, 6);
    as.jne(on);
    as.mov(byte_ptr(kCode + 5), 0x43);
    as.bind(on);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEax), 5u);
  EXPECT_EQ(reg(kEbx), 5u);
}

// Data beside hot code: the code survives, and the data is right.
TEST_P(Remapping, DataOnTheCodesPage) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, 1000);
    as.bind(loop);
    as.inc(dword_ptr(kCode + 0x800));
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(peek_at<u32>(kCode + 0x800), 1000u);
  EXPECT_LE(count("bt: blocks translated"), 12u);
}

TEST_P(Remapping, DmaIntoCodeDropsIt) {
  write_code(kCode, {0xb8, 1, 0, 0, 0, 0xf4});
  run_from(kCode);
  EXPECT_EQ(reg(kEax), 1u);
  write_code(kCode + 1, {9});
  run_from(kCode);
  EXPECT_EQ(reg(kEax), 9u);
}

// Calls the function at kFunction, changes its mapping, calls again.
class RemappedFunction : public Remapping {
 protected:
  static constexpr u32 kFunction = 0x20000, kReplacement = 0x30000;
  static constexpr u32 kStraddling =
      kFunction + kPageSize - 2;  // MOV EAX, imm32: two bytes here, three there
  RemappedFunction() {
    enter_paging();
    write_code(kFunction, {0xb8, 1, 0, 0, 0, 0xc3});     // MOV EAX, 1; RET
    write_code(kReplacement, {0xb8, 2, 0, 0, 0, 0xc3});  // MOV EAX, 2; RET
  }
  // `remap` is written between the two calls; EAX of the first call ends in EBX.
  void run_calls(const std::function<void(Asm&)>& remap) {
    assemble(kCode, [&](Asm& as) {
      const asmjit::Label warm = as.newLabel();
      as.mov(ecx, 5);
      as.bind(warm);
      as.call(kFunction);
      as.dec(ecx);
      as.jnz(warm);
      as.mov(ebx, eax);
      remap(as);
      as.call(kFunction);
      as.hlt();
    });
    run();
    EXPECT_EQ(reg(kEbx), 1u);
    EXPECT_EQ(reg(kEax), 2u);
  }
  static void write_entry(Asm& as, u32 table, u32 page, u32 entry) {
    as.mov(dword_ptr(table + (page >> kPageShift) * 4), entry);
  }
};
INSTANTIATE_TEST_SUITE_P(Bt, RemappedFunction, kEachWay, way_name);

TEST_P(RemappedFunction, ByInvlpg) {
  run_calls([](Asm& as) {
    write_entry(as, kTable, kFunction, kReplacement | kMapped);
    as.invlpg(ptr(kFunction));
  });
}

TEST_P(RemappedFunction, ByReloadingCr3) {
  run_calls([](Asm& as) {
    write_entry(as, kTable, kFunction, kReplacement | kMapped);
    as.mov(edx, cr3);
    as.mov(cr3, edx);
  });
}

TEST_P(RemappedFunction, ByAnotherAddressSpace) {
  poke<u32>(kOtherTable + (kFunction >> kPageShift) * 4, kReplacement | kMapped);
  cpu_.flush_all();
  run_calls([](Asm& as) {
    as.mov(edx, kOtherDirectory);
    as.mov(cr3, edx);
  });
}

TEST_P(RemappedFunction, ByTurningPagingOff) {
  poke<u32>(kTable + (kFunction >> kPageShift) * 4, kReplacement | kMapped);
  write_code(kFunction, {0xb8, 2, 0, 0, 0, 0xc3});
  write_code(kReplacement, {0xb8, 1, 0, 0, 0, 0xc3});
  cpu_.flush_all();
  run_calls([](Asm& as) {
    as.mov(edx, cr0);
    as.and_(edx, 0x7fffffff);
    as.mov(cr0, edx);
  });
}

TEST_P(RemappedFunction, UnmappedByInvlpgIsAPageFault) {
  assemble(kCode, [](Asm& as) {
    as.call(kFunction);
    as.call(kFunction);
    as.mov(dword_ptr(kTable + (kFunction >> kPageShift) * 4), 0);
    as.invlpg(ptr(kFunction));
    as.call(kFunction);
    as.hlt();
  });
  run();
  EXPECT_EQ(vector(), 14u);
  EXPECT_EQ(static_cast<u32>(cpu_.state.cr2), kFunction);
  EXPECT_EQ(peek_at<u32>(reg(kEsp) + 4), kFunction);
}

// Global pages outlive MOV CR3, as links between them may; INVLPG drops both.
TEST_P(RemappedFunction, GlobalPagesByInvlpg) {
  constexpr u32 kGlobalSupervisor = 0x163;
  cpu_.state.cr4 |= kCr4Pge;
  for (u32 page = 0; page < 1024; ++page)
    poke<u32>(kTable + page * 4, page << kPageShift | kGlobalSupervisor);
  cpu_.flush_all();
  run_calls([](Asm& as) {
    write_entry(as, kTable, kFunction, kReplacement | kGlobalSupervisor);
    as.invlpg(ptr(kFunction));
  });
}

// An instruction on two pages, of which only the second changes.
TEST_P(RemappedFunction, SecondPageOfAStraddlingInstruction) {
  constexpr u32 kSecond = kFunction + kPageSize;
  write_code(kStraddling, {0xb8, 1, 0, 0, 0, 0xc3});
  write_code(kReplacement, {0, 0, 0, 0x40, 0xc3});  // the upper bytes, INC EAX, RET
  assemble(kCode, [](Asm& as) {
    const asmjit::Label warm = as.newLabel();
    as.mov(ecx, 5);
    as.bind(warm);
    as.call(kStraddling);
    as.dec(ecx);
    as.jnz(warm);
    as.mov(ebx, eax);
    write_entry(as, kTable, kSecond, kReplacement | kMapped);
    as.invlpg(ptr(kSecond));
    as.call(kStraddling);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEbx), 1u);
  EXPECT_EQ(reg(kEax), 2u);
}

TEST_P(RemappedFunction, SecondPageOfAStraddlingInstructionIsWritten) {
  write_code(kStraddling, {0xb8, 1, 0, 0, 0, 0xc3});
  assemble(kCode, [](Asm& as) {
    as.call(kStraddling);
    as.mov(ebx, eax);
    as.mov(byte_ptr(kStraddling + 4), 7);
    as.call(kStraddling);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEbx), 1u);
  EXPECT_EQ(reg(kEax), 0x7000001u);
}

}  // namespace
}  // namespace ringshift::bt
