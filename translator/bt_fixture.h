// BtFixture: for tests, 32-bit guest programs, written with AsmJit, on a BtEngine with interrupts and faults.
#pragma once

#include <asmjit/x86.h>

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "cpu-model/cpu_fixture.h"
#include "cpu-model/empty_board.h"
#include "translator/bt_engine.h"

namespace ringshift::bt {

// How an engine is to run.
struct BtWay {
  BtWay(BtOptions::Memory way_to_memory, bool verified = false) : memory(way_to_memory), verify(verified) {}
  BtOptions::Memory memory;
  bool verify;
};

// An interrupt controller of one line.
class LineIo : public EmptyBoard {
 public:
  static constexpr u8 kVector = 0x20;
  explicit LineIo(RunControl& control) : control_(control) {}
  u32 port_in(u16, unsigned) override { return 0x5a5a5a5a; }
  int acknowledge_interrupt() override {
    control_.clear_event(kEventInterrupt);
    ++acknowledged;
    return kVector;
  }
  const TscScale* tsc_scale() override { return scale ? &*scale : nullptr; }

  int acknowledged = 0;
  std::optional<TscScale> scale;

 protected:
  RunControl& control_;
};

class CountSink final : public StatsSink {
 public:
  void count(std::string_view group, std::string_view name, u64 value) override {
    counts[std::string(group) + ": " + std::string(name)] = value;
  }
  void figure(std::string_view, std::string_view, double, std::string_view) override {}
  std::map<std::string, u64> counts;
};

// Flat protected mode at CPL 0; vector n of the IDT leads to a HLT at kStubs + n. Code at kCode, stack below
// kStackTop. RAM from kData on is a test's own.
class BtFixture : public CpuFixture {
 protected:
  using Asm = asmjit::x86::Assembler;
  static constexpr u32 kGdt = 0x1000, kIdt = 0x2000, kStubs = 0x3000, kStackTop = 0x8000;
  static constexpr u32 kDirectory = 0x9000, kTable = 0xa000, kOtherDirectory = 0xb000, kOtherTable = 0xc000;
  static constexpr u32 kCode = 0x10000, kData = 0x40000;

  BtFixture() {
    enter_flat_mode();
    poke<u64>(kGdt + 8, 0x00cf9b000000ffff);
    poke<u64>(kGdt + 16, 0x00cf93000000ffff);
    cpu_.state.gdtr = {kGdt, 0x17, 0};
    cpu_.state.idtr = {kIdt, 0x7ff, 0};
    for (u32 vector = 0; vector < 256; ++vector) {
      poke<u64>(kIdt + vector * 8, u64{kStubs + vector} | u64{8} << 16 | u64{0x8e00} << 32);
      poke<u8>(kStubs + vector, 0xf4);
    }
    cpu_.state.rip = kCode;
    cpu_.state.rflags = kFlagFixed;
    cpu_.state.set_reg32(kEsp, kStackTop);
  }

  // Writes code for gpa, and gives its bytes. Labels and relative branches are of the guest's addresses.
  std::vector<u8> assemble(u32 gpa, const std::function<void(Asm&)>& write, u32 gva = ~u32{0}) {
    asmjit::CodeHolder code;
    asmjit::Environment environment(asmjit::Arch::kX86);
    code.init(environment, gva == ~u32{0} ? gpa : gva);
    Asm as(&code);
    write(as);
    EXPECT_EQ(code.flatten(), asmjit::kErrorOk);
    EXPECT_EQ(code.resolveUnresolvedLinks(), asmjit::kErrorOk);
    EXPECT_EQ(code.relocateToBase(gva == ~u32{0} ? gpa : gva), asmjit::kErrorOk);
    std::vector<u8> bytes(code.codeSize());
    EXPECT_EQ(code.copyFlattenedData(bytes.data(), bytes.size()), asmjit::kErrorOk);
    EXPECT_TRUE(phys_.write(gpa, bytes.data(), bytes.size()));
    return bytes;
  }
  void write_code(u32 gpa, std::initializer_list<u8> bytes) {
    EXPECT_TRUE(phys_.write(gpa, std::data(bytes), bytes.size()));
  }

  void use(BtWay way, u64 cache_bytes = u64{4} << 20, bool count_instructions = false) {
    BtOptions options;
    options.count_instructions = count_instructions;
    options.memory = way.memory;
    options.verify = way.verify;
    options.cache_bytes = cache_bytes;
    engine_ = BtEngine::create(cpu_, options).value();
  }
  // Runs from where the state stands to a HLT.
  void run() {
    ASSERT_EQ(engine_->run(line_), ExitReason::halted);
    cpu_.state.halted = 0;
  }
  void run_from(u32 eip) {
    cpu_.state.rip = eip;
    run();
  }
  u32 reg(unsigned number) const { return cpu_.state.reg32(number); }
  u64 count(const char* name) const {
    CountSink sink;
    engine_->report(sink);
    return sink.counts.at(name);
  }
  // The vector that was delivered, if the CPU has halted in its stub.
  u32 vector() const { return cpu_.state.eip() - 1 - kStubs; }

  // 4 MiB of identity mappings, by 4 KiB pages, in two address spaces.
  void enter_paging() {
    for (const u32 table : {kTable, kOtherTable})
      for (u32 page = 0; page < 1024; ++page) poke<u32>(table + page * 4, page << kPageShift | 0x67);
    poke<u32>(kDirectory, kTable | 0x27);
    poke<u32>(kOtherDirectory, kOtherTable | 0x27);
    cpu_.state.cr0 |= kCr0Pg | kCr0Wp;
    cpu_.state.cr3 = kDirectory;
    cpu_.flush_all();
  }
  static constexpr u32 kMapped = 0x67;  // present, writable, user, accessed, dirty

  LineIo line_{control_};
  std::unique_ptr<BtEngine> engine_;
};

// The same with each way to memory, and under -d verify.
class BothMemories : public BtFixture, public ::testing::WithParamInterface<BtWay> {
 protected:
  BothMemories() { use(GetParam()); }
  // The verifier keeps blocks apart, so that there is nothing to count.
  static bool links() { return !GetParam().verify; }
};

inline const auto kEachWay =
    ::testing::Values(BtWay{BtOptions::Memory::soft}, BtWay{BtOptions::Memory::window},
                      BtWay{BtOptions::Memory::soft, true}, BtWay{BtOptions::Memory::window, true});
inline std::string way_name(const ::testing::TestParamInfo<BtWay>& info) {
  const char* const memory = info.param.memory == BtOptions::Memory::soft ? "soft" : "window";
  return std::string(memory) + (info.param.verify ? "_verified" : "");
}

}  // namespace ringshift::bt
