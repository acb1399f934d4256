// -d verify: programs that pass, translations that were spoilt in the cache, and memory written unseen.
#include <cstdio>
#include <cstring>

#include "cpu-model/empty_board.h"
#include "translator/bt_fixture.h"
#include "translator/verify_notes.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class Verify : public BtFixture, public ::testing::WithParamInterface<BtOptions::Memory> {
 protected:
  Verify() { use({GetParam(), true}); }

  // Changes emitted code: one of the `times` places in the cache where `from` stands.
  static void spoil(const std::vector<u8>& from, const std::vector<u8>& to, unsigned which = 0,
                    unsigned times = 1) {
    ASSERT_EQ(from.size(), to.size());
    const auto [base, size] = writable_cache();
    ASSERT_NE(base, nullptr);
    std::vector<u8*> found;
    for (u8* at = base; at + from.size() <= base + size; ++at)
      if (std::memcmp(at, from.data(), from.size()) == 0) found.push_back(at);
    ASSERT_EQ(found.size(), times);
    std::memcpy(found[which], to.data(), to.size());
  }
  // Runs into a difference; gives what the engine says of it.
  std::string run_to_failure(u32 eip = kCode) {
    cpu_.state.rip = eip;
    EXPECT_EQ(engine_->run(line_), ExitReason::failed);
    return engine_->failure();
  }
  static bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

 private:
  // The code cache's writable mapping: the test's way around CodeCache.
  static std::pair<u8*, std::size_t> writable_cache() {
    std::FILE* const maps = std::fopen("/proc/self/maps", "r");
    char line[512];
    std::pair<u8*, std::size_t> found{};
    while (std::fgets(line, sizeof line, maps) != nullptr) {
      unsigned long first = 0, end = 0;
      char rights[8] = {};
      if (std::sscanf(line, "%lx-%lx %7s", &first, &end, rights) != 3) continue;
      if (std::strstr(line, "memfd:translations") == nullptr || rights[1] != 'w') continue;
      found = {reinterpret_cast<u8*>(first), end - first};
    }
    std::fclose(maps);
    return found;
  }
};
INSTANTIATE_TEST_SUITE_P(Bt, Verify, ::testing::Values(BtOptions::Memory::soft, BtOptions::Memory::window),
                         [](const auto& way) {
                           return way.param == BtOptions::Memory::soft ? "soft" : "window";
                         });

TEST_P(Verify, EachInstructionIsDoneByBoth) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, 100);
    as.bind(loop);
    as.add(dword_ptr(kData), ecx);
    as.rdtsc();
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(peek_at<u32>(kData), 5050u);
  // Two stretches a round, one on either side of RDTSC; HLT's page is RDTSC's.
  EXPECT_GE(count("verify: stretches of translated code"), 200u);
  EXPECT_EQ(count("verify: instructions in them"), 1u + 100 * 3);
  EXPECT_EQ(count("verify: interpreted by both"), 101u);
  EXPECT_EQ(count("verify: followed again with a fresh Tlb"), 0u);
  EXPECT_GE(count("verify: sweeps of all memory"), 1u);
  EXPECT_EQ(engine_->failure(), "");
}

TEST_P(Verify, AWrongRegisterIsNamed) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, 1);
    as.add(eax, 0x11223344);
    as.mov(edx, 7);
    as.hlt();
  });
  run();
  spoil({0x05, 0x44, 0x33, 0x22, 0x11}, {0x05, 0x45, 0x33, 0x22, 0x11});
  const std::string failure = run_to_failure();
  EXPECT_TRUE(has(failure, "block 00010000")) << failure;
  EXPECT_TRUE(has(failure, "EAX: 11223346 / 11223345")) << failure;
}

TEST_P(Verify, AWrongFlagIsNamed) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, 0x11223344);
    as.cmp(eax, 0x11223344);
    as.mov(edx, 7);
    as.hlt();
  });
  run();
  spoil({0x3d, 0x44, 0x33, 0x22, 0x11}, {0x3d, 0x43, 0x33, 0x22, 0x11});
  const std::string failure = run_to_failure();
  // ZF and PF are gone.
  EXPECT_TRUE(has(failure, "EFLAGS: 00000002 / 00000046 (differ in 44)")) << failure;
}

TEST_P(Verify, AWrongByteOfMemoryIsNamed) {
  assemble(kCode, [](Asm& as) {
    as.mov(dword_ptr(kData), 0x11223344);
    as.hlt();
  });
  run();
  spoil({0x44, 0x33, 0x22, 0x11}, {0x44, 0x33, 0x99, 0x11});
  const std::string failure = run_to_failure();
  EXPECT_TRUE(has(failure, "memory at gpa 00040002: 99 / 22")) << failure;
}

TEST_P(Verify, AWrongSseRegisterIsNamed) {
  cpu_.state.cr4 |= kCr4OsFxsr;
  poke<u32>(kData, 0x3f800000);
  poke<u32>(kData + 4, 0x40000000);
  assemble(kCode, [](Asm& as) {
    as.movss(xmm3, dword_ptr(kData));
    as.addss(xmm3, xmm3);
    as.hlt();
  });
  run();
  spoil({0xf3, 0x0f, 0x58, 0xdb}, {0xf3, 0x0f, 0x59, 0xdb});  // MULSS
  const std::string failure = run_to_failure();
  EXPECT_TRUE(has(failure, "XMM3: 0000000000000000000000003f800000 / 00000000000000000000000040000000"))
      << failure;
}

TEST_P(Verify, AMissedExceptionIsNamed) {
  assemble(kCode, [](Asm& as) {
    as.mov(ecx, 0x11223300);
    as.and_(ecx, 0xff);
    as.mov(eax, 5);
    as.cdq();
    as.div(ecx);
    as.hlt();
  });
  run();
  EXPECT_EQ(vector(), 0u);
  spoil({0xb9, 0x00, 0x33, 0x22, 0x11}, {0xb9, 0x01, 0x33, 0x22, 0x11});
  const std::string failure = run_to_failure();
  EXPECT_TRUE(has(failure, "an exception at instruction 5 of the block")) << failure;
}

TEST_P(Verify, AWrongBranchIsNamed) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label over = as.newLabel();
    as.cmp(eax, 0x11223344);
    as.jne(over);
    as.inc(edx);
    as.bind(over);
    as.hlt();
  });
  run();
  // Register and flags come out the same: CMP EAX, 11223343, and EAX one less.
  cpu_.state.set_reg32(kEax, 0x11223344);
  run_from(kCode);
  spoil({0x3d, 0x44, 0x33, 0x22, 0x11, 0x0f, 0x85}, {0x3d, 0x44, 0x33, 0x22, 0x11, 0x0f, 0x84});
  const std::string failure = run_to_failure();
  EXPECT_TRUE(has(failure, "EDX: ")) << failure;
}

// A tight loop is emitted four times over: any of its rounds may be the one that is left.
TEST_P(Verify, EachRoundOfATightLoopIsFollowed) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.bind(loop);
    as.add(eax, 0x11223344);
    as.mov(dword_ptr(kData, ecx, 2), eax);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  u64 rounds = 0;
  for (u32 count = 1; count <= 9; ++count) {
    cpu_.state.set_reg32(kEcx, count);
    run_from(kCode);
    rounds += count;
  }
  EXPECT_EQ(count("verify: instructions in them"), 4 * rounds);
  EXPECT_LT(count("verify: stretches of translated code"), rounds);
  spoil({0x05, 0x44, 0x33, 0x22, 0x11}, {0x05, 0x44, 0x33, 0x22, 0x12}, 2, 4);
  for (u32 count = 1; count <= 2; ++count) {
    cpu_.state.set_reg32(kEcx, count);
    run_from(kCode);
  }
  cpu_.state.set_reg32(kEcx, 3);
  EXPECT_TRUE(has(run_to_failure(), "EAX: "));
}

// Nothing tells of it but the comparison of all memory.
class UnseenWriter final : public EmptyBoard {
 public:
  UnseenWriter(LineIo& line, std::function<void()> act) : line_(line), act_(std::move(act)) {}
  u32 port_in(u16 port, unsigned size) override { return line_.port_in(port, size); }
  void port_out(u16, unsigned, u32) override { act_(); }
  u64 mmio_read(Gpa gpa, unsigned size) override { return line_.mmio_read(gpa, size); }
  int acknowledge_interrupt() override { return line_.acknowledge_interrupt(); }
  u64 read_tsc() override { return ++tsc_; }

 private:
  LineIo& line_;
  std::function<void()> act_;
  u64 tsc_ = 0;
};

TEST_P(Verify, AStoreThatOnlyTranslatedCodeMadeIsFoundAtTheEnd) {
  assemble(kCode, [](Asm& as) {
    as.out(0x80, al);
    as.hlt();
  });
  UnseenWriter io(line_, [this] { poke<u8>(0x123456, 0x5a); });
  EXPECT_EQ(engine_->run(io), ExitReason::failed);
  const std::string failure = engine_->failure();
  EXPECT_TRUE(has(failure, "memory at gpa 00123456: 5a / 00")) << failure;
}

TEST_P(Verify, WhatDevicesWriteIsTakenOver) {
  assemble(kCode, [](Asm& as) {
    as.out(0x80, al);
    as.mov(eax, dword_ptr(kData));
    as.hlt();
  });
  UnseenWriter io(line_, [this] {
    const u32 value = 0x5eed;
    EXPECT_TRUE(phys_.write(kData, &value, sizeof value));
  });
  EXPECT_EQ(engine_->run(io), ExitReason::halted);
  EXPECT_EQ(reg(kEax), 0x5eedu);
}

TEST_P(Verify, TimeAndPortsAreReadOnce) {
  assemble(kCode, [](Asm& as) {
    as.rdtsc();
    as.mov(ebx, eax);
    as.rdtsc();
    as.in(al, 0x40);
    as.hlt();
  });
  UnseenWriter io(line_, [] {});
  EXPECT_EQ(engine_->run(io), ExitReason::halted);
  EXPECT_EQ(reg(kEbx), 1u);
  EXPECT_EQ(reg(kEax), 0x5au);
  EXPECT_EQ(io.read_tsc(), 3u);
}

// The guest has changed an entry and not flushed it: a CPU may use either.
TEST_P(Verify, StaleTranslationsAreNoDifference) {
  enter_paging();
  poke<u32>(kData + 0x1000, 0x01d);
  poke<u32>(kData + 0x2000, 0x4e3);
  assemble(kCode, [](Asm& as) {
    as.mov(eax, dword_ptr(kData + 0x1000));
    as.mov(dword_ptr(kTable + ((kData + 0x1000) >> kPageShift) * 4), (kData + 0x2000) | kMapped);
    as.out(0x80, al);
    as.mov(ebx, dword_ptr(kData + 0x1000));
    as.hlt();
  });
  // Only the engine forgets its translations.
  UnseenWriter io(line_, [this] { cpu_.flush_all(); });
  EXPECT_EQ(engine_->run(io), ExitReason::halted);
  EXPECT_EQ(reg(kEbx), 0x4e3u);
  EXPECT_EQ(count("verify: followed again with a fresh Tlb"), 1u);
}

TEST_P(Verify, InterruptsAndExceptionsAreDeliveredToBoth) {
  enter_paging();
  poke<u32>(kTable + ((kData + 0x2000) >> kPageShift) * 4, 0);
  poke<u8>(kStubs + LineIo::kVector, 0xcf);  // IRET
  assemble(kCode, [](Asm& as) {
    as.sti();
    as.nop();
    as.out(0x80, al);
    as.mov(ecx, 0x600);
    as.mov(edi, kData + 0x1000);
    as.mov(eax, 0x77777777);
    as.db(0xf3);
    as.db(0xab);  // REP STOSD runs into the hole
    as.hlt();
  });
  UnseenWriter io(line_, [this] { control_.raise_event(kEventInterrupt); });
  EXPECT_EQ(engine_->run(io), ExitReason::halted) << engine_->failure();
  EXPECT_EQ(vector(), 14u);
  EXPECT_EQ(line_.acknowledged, 1);
  EXPECT_EQ(reg(kEcx), 0x200u);
  EXPECT_EQ(reg(kEdi), kData + 0x2000);
  EXPECT_GE(count("verify: events attended to by both"), 1u);
}

// In the pauses blocks are linked; a slice must see each entry again, and what the pauses did to memory.
TEST_P(Verify, InSlicesAPartIsVerified) {
  BtOptions options;
  options.memory = GetParam();
  options.verify = true;
  options.verify_part = 10;
  options.verify_slice = 100;
  engine_ = BtEngine::create(cpu_, options).value();
  static constexpr u32 kRounds = 20000;
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), callee = as.newLabel();
    as.mov(ecx, kRounds);
    as.bind(loop);
    as.call(callee);
    as.out(0x80, al);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
    as.bind(callee);
    as.add(dword_ptr(kData), ecx);
    as.ret();
  });
  UnseenWriter io(line_, [this] { control_.raise_event(kEventService); });  // leads to the dispatcher
  EXPECT_EQ(engine_->run(io), ExitReason::halted) << engine_->failure();
  EXPECT_EQ(peek_at<u32>(kData), kRounds * (kRounds + 1) / 2);
  const u64 all = 6 * kRounds, verified = count("verify: instructions in them");
  EXPECT_GT(verified, all / 20);
  EXPECT_LT(verified, all / 5);
  EXPECT_GT(count("bt: links made"), 10u);
}

TEST_P(Verify, ReportShowsBothCodesAndTheStateBefore) {
  char path[] = "/tmp/ringshift-verify-XXXXXX";
  const UniqueFd file(::mkstemp(path));
  ASSERT_TRUE(tracer_.enable("verify"));
  ASSERT_TRUE(tracer_.open(path));
  assemble(kCode, [](Asm& as) {
    as.add(ebx, 0x11223344);
    as.hlt();
  });
  run();
  spoil({0x81, 0xc3, 0x44, 0x33, 0x22, 0x11}, {0x81, 0xc3, 0x44, 0x33, 0x22, 0x10});
  run_to_failure();
  tracer_ = Tracer{};
  std::string text(65536, 0);
  text.resize(
      static_cast<std::size_t>(std::max<ssize_t>(0, ::pread(file.get(), text.data(), text.size(), 0))));
  ::unlink(path);
  EXPECT_TRUE(has(text, "00010000: 81 c3 44 33 22 11              add ebx, 0x11223344")) << text;
  EXPECT_TRUE(has(text, "add ebx, 0x10223344")) << text;
  EXPECT_TRUE(has(text, "state before:\nEAX=00000000 EBX=11223344")) << text;
  EXPECT_EQ(text.find("-d verify:"), text.rfind("-d verify:"));
}

TEST(BlockNote, FindsInstructionsAndRepeats) {
  BlockNote note;
  note.eip = 0x1000;
  note.code = {0x40, 0xf3, 0xa5, 0x66, 0xf2, 0xae, 0xa4, 0xf3, 0x0f, 0x10, 0xc0};
  note.offsets = {0, 1, 3, 6, 7, 11};
  EXPECT_EQ(note.index_of(0x1000), 0u);
  EXPECT_EQ(note.index_of(0x1003), 2u);
  EXPECT_EQ(note.index_of(0x100b), 5u);
  EXPECT_EQ(note.index_of(0x1002), std::nullopt);
  EXPECT_EQ(note.index_of(0x100c), std::nullopt);
  EXPECT_EQ(note.index_of(0xfff), std::nullopt);
  EXPECT_FALSE(note.repeats(0x1000));
  EXPECT_TRUE(note.repeats(0x1001));
  EXPECT_TRUE(note.repeats(0x1003));
  EXPECT_FALSE(note.repeats(0x1006));
  EXPECT_FALSE(note.repeats(0x1007));  // MOVSS
}

}  // namespace
}  // namespace ringshift::bt
