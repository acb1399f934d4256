// The trap engine: what traps and what the guest gets, events, paging, x87 state, what another engine
// watches.
#include "direct-exec/trap_engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "direct-exec/trap_fixture.h"

namespace ringshift {
namespace {

using Vectors = std::vector<unsigned>;

class TrapEngineTest : public TrapFixture {};

TEST_F(TrapEngineTest, PortsAndHalt) {
  code({0xe5, 0x42, 0x40, 0xe7, 0x43, 0xf4});  // in eax, 42h; inc eax; out 43h, eax; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_.written, (std::vector<std::pair<u16, u32>>{{0x43, 0x43}}));
  EXPECT_EQ(state_.halted, 1);
  EXPECT_EQ(state_.rip, kCode + 6);
}

TEST_F(TrapEngineTest, MmioAndRom) {
  phys_.set_kind(0x30000, 1, PageKind::rom);
  memory_.base()[0x30000] = 1;
  // mov byte [30000h], 55h; mov al, [30000h]; mov ah, [0a0012h]; hlt
  code({0xc6, 0x05, 0, 0, 3, 0, 0x55, 0xa0, 0, 0, 3, 0, 0x8a, 0x25, 0x12, 0, 0x0a, 0, 0xf4});
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(state_.reg16(kEax), 0x1201);
}

struct Exception {
  const char* name;
  std::vector<u8> code;
  unsigned vector;
  bool with_code;
  u32 eip;  // after kCode
};

TEST_F(TrapEngineTest, ExceptionsAtTheirInstructions) {
  const Exception cases[] = {
      {"div by 0", {0x31, 0xc9, 0xf7, 0xf1}, 0, false, 2},
      {"int3", {0x90, 0xcc}, 3, false, 2},
      {"int 3 of two bytes", {0x90, 0xcd, 0x03}, 3, false, 3},
      {"into", {0xb0, 0x7f, 0x04, 0x01, 0xce, 0x90}, 4, false, 5},
      {"bound", {0xb8, 9, 0, 0, 0, 0x62, 0x05, 0, 0, 5, 0}, 5, false, 5},
      {"ud2", {0x90, 0x0f, 0x0b}, 6, false, 1},
      {"int 0x40", {0xcd, 0x40}, 0x40, false, 2},
      {"int 0x80", {0xcd, 0x80}, 0x80, false, 2},
      {"mov ss, 0", {0x31, 0xc0, 0x8e, 0xd0}, 13, true, 2},
  };
  for (const Exception& one : cases) {
    SCOPED_TRACE(one.name);
    SetUp();
    ports_.written.clear();
    code(one.code);
    EXPECT_EQ(run(), ExitReason::halted);
    EXPECT_EQ(vectors(), Vectors{one.vector});
    EXPECT_EQ(saved_eip(one.with_code), kCode + one.eip);
  }
}

TEST_F(TrapEngineTest, UserCodeMayNot) {
  enable_paging();
  for (const std::vector<u8>& bytes : {std::vector<u8>{0xfa}, {0xf4}, {0xe6, 0x10}, {0x0f, 0x20, 0xc0}}) {
    SetUp();
    enable_paging();
    user_mode();
    ports_.written.clear();
    code(bytes);
    EXPECT_EQ(run(), ExitReason::halted);
    EXPECT_EQ(vectors(), Vectors{13});
    EXPECT_EQ(saved_eip(true), kCode);
  }
}

TEST_F(TrapEngineTest, UserCodeDoesNotReachSupervisorPages) {
  enable_paging();
  user_mode();
  poke<u32>(0x400000, 0x5ec2e7);
  code({0xa1, 0, 0, 0x40, 0});  // mov eax, [400000h]
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{14});
  EXPECT_EQ(state_.cr2, 0x400000u);
  EXPECT_EQ(peek_at<u32>(state_.reg32(kEsp)), 5u);
  EXPECT_NE(state_.reg32(kEax), 0x5ec2e7u);
}

TEST_F(TrapEngineTest, AccessedAndDirtyBits) {
  enable_paging();
  // mov eax, [400000h]; out 1, al; mov [800000h], eax; hlt
  code({0xa1, 0, 0, 0x40, 0, 0xe6, 1, 0xa3, 0, 0, 0x80, 0, 0xf4});
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(peek_at<u32>(kDirectory + 4) & 0x60, 0x20u);
  EXPECT_EQ(peek_at<u32>(kDirectory + 8) & 0x60, 0x60u);
  EXPECT_EQ(peek_at<u32>(kDirectory + 12) & 0x60, 0u);
}

TEST_F(TrapEngineTest, AddressSpacesAndInvlpg) {
  enable_paging();
  constexpr u32 kSecond = 0x21000;
  for (u32 i = 0; i < 4; ++i) poke<u32>(kSecond + i * 4, peek_at<u32>(kDirectory + i * 4));
  poke<u32>(kSecond + 4, 0x800083);
  poke<u32>(0x400000, 0x11);
  poke<u32>(0x800000, 0x22);
  poke<u32>(0xc00000, 0x33);
  code({
      0x8b, 0x1d, 0,    0,    0x40, 0,                          // mov ebx, [400000h]
      0xb8, 0,    0x10, 2,    0,    0x0f, 0x22, 0xd8,           // mov cr3, kSecond
      0x03, 0x1d, 0,    0,    0x40, 0,                          // add ebx, [400000h]
      0xc7, 0x05, 4,    0x10, 2,    0,    0x83, 0,    0xc0, 0,  // its entry: c00000h
      0x0f, 0x01, 0x3d, 0,    0,    0x40, 0,                    // invlpg [400000h]
      0x03, 0x1d, 0,    0,    0x40, 0,                          // add ebx, [400000h]
      0xb8, 0,    0,    2,    0,    0x0f, 0x22, 0xd8,           // mov cr3, kDirectory
      0x03, 0x1d, 0,    0,    0x40, 0,    0xf4,                 // add ebx, [400000h]; hlt
  });
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(state_.reg32(kEbx), 0x11u + 0x22 + 0x33 + 0x11);
}

TEST_F(TrapEngineTest, SavedSegmentRegistersAreRestored) {
  // push ds; mov eax, 23h; mov ds, eax; pop ds; mov eax, [20000h]; out 1, al; hlt
  poke<u32>(0x30000, 0x77);
  code({0x1e, 0xb8, 0x23, 0, 0, 0, 0x8e, 0xd8, 0x1f, 0xa1, 0, 0, 3, 0, 0xe6, 1, 0xf4});
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_.written, (std::vector<std::pair<u16, u32>>{{1, 0x77}}));
  EXPECT_EQ(state_.segment(Seg::ds).selector, 0x10);
}

TEST_F(TrapEngineTest, SegmentBasesAndLimits) {
  state_.segment(Seg::fs) = {0x30, 0, 0x4093, 0xfff, 0, 0x30000};
  poke<u32>(0x30010, 0x1234);
  // mov eax, fs:[10h]; out 1, eax; mov eax, fs:[ffdh]
  code({0x64, 0xa1, 0x10, 0, 0, 0, 0xe7, 1, 0x64, 0xa1, 0xfd, 0x0f, 0, 0});
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_.written[0], (std::pair<u16, u32>{1, 0x1234}));
  EXPECT_EQ(vectors(), (Vectors{1, 13}));
  EXPECT_EQ(saved_eip(true), kCode + 8);
}

TEST_F(TrapEngineTest, VectorRegistersFollowTheGuest) {
  enable_paging();
  state_.cr4 |= kCr4OsFxsr;
  // movd xmm1, eax; fld1; hlt
  code({0x66, 0x0f, 0x6e, 0xc8, 0xd9, 0xe8, 0xf4});
  state_.gpr[kEax] = 0xabcd;
  EXPECT_EQ(run(), ExitReason::halted);
  u32 xmm1 = 0;
  std::memcpy(&xmm1, state_.fx.bytes + 160 + 16, 4);
  EXPECT_EQ(xmm1, 0xabcdu);
  // In user code, that is in another process: movd ebx, xmm1; fstp dword [30000h]; int 40h
  user_mode();
  state_.halted = 0;
  state_.rip = kCode + 0x100;
  code({0x66, 0x0f, 0x7e, 0xcb, 0xd9, 0x1d, 0, 0, 3, 0, 0xcd, 0x40}, kCode + 0x100);
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(vectors(), Vectors{0x40});
  EXPECT_EQ(state_.reg32(kEbx), 0xabcdu);
  EXPECT_EQ(peek_at<float>(0x30000), 1.0f);
}

TEST_F(TrapEngineTest, InterruptReachesCodeThatSpins) {
  ports_.vector = 0x21;
  state_.rflags |= kFlagIf;
  code({0xeb, 0xfe});  // jmp $
  std::thread device([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    control_.raise_event(kEventInterrupt);
  });
  EXPECT_EQ(run(), ExitReason::halted);
  device.join();
  EXPECT_EQ(vectors(), Vectors{0x21});
  EXPECT_EQ(saved_eip(false), kCode);
}

TEST_F(TrapEngineTest, InterruptWaitsForSti) {
  ports_.vector = 0x21;
  control_.raise_event(kEventInterrupt);
  code({0x40, 0xe6, 1, 0xfb, 0x90, 0x90});  // inc eax; out 1, al; sti; nop; nop
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(vectors(), (Vectors{1, 0x21}));
  EXPECT_EQ(saved_eip(false), kCode + 5);  // after the instruction behind STI
}

TEST_F(TrapEngineTest, RequestedExitAndOn) {
  code({0xeb, 0xfe});
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    engine_->request_exit();
  });
  EXPECT_EQ(run(), ExitReason::requested);
  other.join();
  EXPECT_EQ(state_.rip, kCode);
  code({0xf4});
  EXPECT_EQ(again(), ExitReason::halted);
}

TEST_F(TrapEngineTest, AnotherThreadMayRunIt) {
  code({0x40, 0xf4, 0x40, 0xf4});
  EXPECT_EQ(run(), ExitReason::halted);
  state_.halted = 0;
  std::thread([&] { EXPECT_EQ(run(), ExitReason::halted); }).join();
  EXPECT_EQ(state_.reg32(kEax), 2u);
}

// As a translator learns that its code is overwritten, in a set of engines.
TEST_F(TrapEngineTest, WritesToWatchedPagesAreTold) {
  struct Listener final : PhysicalMapListener {
    std::vector<Gpa> written;
    void on_write(Gpa gpa, u32) override { written.push_back(gpa); }
    void on_page_changed(Gpa) override {}
  } listener;
  phys_.add_listener(&listener, kAttrBtCode);
  // mov [30000h], eax; out 1, al; mov [30004h], eax; hlt
  code({0xa3, 0, 0, 3, 0, 0xe6, 1, 0xa3, 4, 0, 3, 0, 0xf4});
  EXPECT_EQ(run(), ExitReason::halted);
  phys_.add_attribute(0x30000, kAttrBtCode);
  state_.halted = 0;
  state_.rip = kCode;
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(listener.written, (std::vector<Gpa>{0x30000, 0x30004}));
  phys_.remove_listener(&listener);
}

TEST_F(TrapEngineTest, RealModeRunsByTheInterpreter) {
  reset_vcpu(state_, 0x106c2);
  state_.segment(Seg::cs).base = 0;
  state_.segment(Seg::cs).selector = 0;
  state_.rip = 0x7000;
  code({0xb8, 0x34, 0x12, 0xe7, 0x10, 0xf4}, 0x7000);  // mov ax, 1234h; out 10h, ax; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_.written, (std::vector<std::pair<u16, u32>>{{0x10, 0x1234}}));
}

}  // namespace
}  // namespace ringshift
