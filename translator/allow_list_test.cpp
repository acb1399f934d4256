// Every opcode of the one-byte, 0F, 0F38 and 0F3A maps, with every ModRM byte and prefix: what is emitted for
// it is decoded again, and holds nothing that could leave the sandbox.
#include <fmt/format.h>

#include "translator/block_translator.h"
#include "translator/bt_fixture.h"
#include "translator/emitted_code_check.h"
#include "translator/runtime_stubs.h"

namespace ringshift::bt {
namespace {

const u8* no_helper(BtContext*, const void*, u32, u32) { return nullptr; }

class AllowList : public BtFixture {
 protected:
  Decoder decoder_{cpuid_};
  Interpreter interpreter_{cpu_};
  CodeCache cache_ = CodeCache::create(1u << 20).value();
  RuntimeStubs stubs_ =
      emit_runtime_stubs(cache_, {no_helper, no_helper, no_helper, no_helper, no_helper, no_helper}).value();
  Listing listing_{tracer_};
  BlockTranslator translator_{cache_, stubs_, interpreter_, listing_};
  EmittedCodeCheck host_{stubs_};
  u64 checked_ = 0, live_blocks_ = 0;
  unsigned wrong_ = 0;
  bool among_shared_ = false, live_ = false;

  // MOV [EBX], EAX before it, and MOV EAX, [EBX + 16] behind it if it doesn't end the block.
  void put_among_shared(GuestBlock& guest) {
    const auto decoded = [&](std::initializer_list<u8> code) {
      std::vector<u8> bytes = code;
      bytes.resize(15);
      GuestInstruction made;
      EXPECT_EQ(decoder_.decode(bytes, guest.mode, made.insn), DecodeStatus::ok);
      return made;
    };
    guest.instructions.insert(guest.instructions.begin(), decoded({0x89, 0x03}));
    guest.instructions.push_back(decoded({0x8b, 0x43, 0x10}));
    u32 eip = guest.eip;
    for (GuestInstruction& next : guest.instructions) {
      next.eip = eip;
      eip += next.insn.length;
    }
  }

  void check(const Instruction& insn, ModeKey mode) {
    GuestBlock guest;
    guest.eip = mode.code16() ? 0x1000 : 0x401000;
    guest.linear = guest.eip + static_cast<u32>(cpu_.state.segment(Seg::cs).base);
    guest.mode = mode.code_mode();
    guest.pages[0] = 0x1000;
    guest.global = (checked_ & 1) != 0;
    guest.instructions.push_back({insn, guest.eip});
    if (among_shared_) put_among_shared(guest);
    if (live_) {
      guest.host = insn.bytes;
      guest.patched = true;
      guest.instructions.front().live = kLiveImmediate | kLiveDisplacement;
    }
    const auto block = translator_.translate(guest, mode, true);
    ASSERT_NE(block, nullptr);
    if (block->source != nullptr) live_blocks_ += !block->source->live.empty();
    const std::span<const u8> code =
        live_ ? std::span<const u8>(insn.bytes, insn.length) : std::span<const u8>();
    const std::string problem = host_.check(*block, treatment_of(insn), code);
    if (!problem.empty() && ++wrong_ < 20)
      ADD_FAILURE() << problem << "\n"
                    << list_guest(guest, 1) << describe(mode) << "\n"
                    << list_host(*block, {});
    cache_.rewind();
    ++checked_;
  }

  // All of an opcode's ModRM bytes; what follows them varies from one to the next.
  void check_opcode(std::vector<u8> bytes, ModeKey mode) {
    const std::size_t modrm_at = bytes.size();
    bytes.resize(15);
    for (unsigned modrm = 0; modrm < 256; ++modrm) {
      u32 random = (modrm_at * 256 + modrm) * 2654435761u + bytes[modrm_at - 1] * 40503u;
      bytes[modrm_at] = static_cast<u8>(modrm);
      for (std::size_t i = modrm_at + 1; i < bytes.size(); ++i) {
        random = random * 1664525u + 1013904223u;
        bytes[i] = static_cast<u8>(random >> 24);
      }
      Instruction insn;
      if (decoder_.decode(bytes, mode.code_mode(), insn) != DecodeStatus::ok) continue;
      check(insn, mode);
      if (!insn.has_modrm && insn.length <= modrm_at) return;
    }
  }

  void check_all(ModeKey mode) {
    const std::vector<std::vector<u8>> prefixes = {{}, {0x66}, {0xf2}, {0xf3}, {0x67}, {0xf0}, {0x64}};
    const std::vector<std::vector<u8>> maps = {{}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    for (const auto& prefix : prefixes) {
      for (const auto& map : maps) {
        for (unsigned opcode = 0; opcode < 256; ++opcode) {
          std::vector<u8> bytes = prefix;
          bytes.insert(bytes.end(), map.begin(), map.end());
          bytes.push_back(static_cast<u8>(opcode));
          check_opcode(bytes, mode);
        }
      }
    }
    EXPECT_EQ(wrong_, 0u);
    EXPECT_GT(checked_, 100000u);
  }
  // With SSE on; FS with a base.
  ModeKey mode_with(u8 cpl, u64 fs_base, bool downward) {
    cpu_.state.cr4 |= kCr4OsFxsr;
    cpu_.state.segment(Seg::fs).base = fs_base;
    if (downward) cpu_.state.rflags |= kFlagDf;
    set_cpl(cpl);
    return ModeKey(cpu_);
  }
};

TEST_F(AllowList, ByLookups) { check_all(mode_with(3, 0x1000, false)); }
TEST_F(AllowList, ThroughAWindow) { check_all(mode_with(3, 0x1000, false).with_window().with_direct_tsc()); }
TEST_F(AllowList, RelocatableThroughAWindow) {
  cpu_.state.cr0 |= kCr0Pg;
  check_all(mode_with(3, 0x1000, false).with_window());
}
TEST_F(AllowList, DownwardWithoutAnFpu) {
  cpu_.state.cr0 |= kCr0Ts;
  check_all(mode_with(0, 0, true).with_window());
}

// Each opcode again, between a store and a load that share a lookup, as its operand may.
TEST_F(AllowList, SharedLookups) {
  const ModeKey mode = mode_with(3, 0x1000, false);
  among_shared_ = true;
  check_all(mode);
}

// Each opcode with its immediate and its displacement read in place, as those of patched code are.
TEST_F(AllowList, LiveOperands) {
  const ModeKey mode = mode_with(3, 0x1000, false);
  live_ = true;
  check_all(mode);
  check_all(mode.with_window());
  EXPECT_GT(live_blocks_, 10000u);
}

// Segments of each shape, and 16-bit code on a 16-bit stack.
TEST_F(AllowList, SmallSegmentsByLookups) {
  cpu_.state.cr4 |= kCr4OsFxsr;
  cpu_.state.segment(Seg::cs) = {0x08, 0, 0x009b, 0xffff, 0, 0x20000};
  cpu_.state.segment(Seg::ss) = {0x10, 0, 0x0093, 0x7fff, 0, 0x30000};
  cpu_.state.segment(Seg::ds) = {0x10, 0, 0x0093, 0x7fff, 0, 0x30000};
  cpu_.state.segment(Seg::es) = {0x10, 0, 0x0097, 0x7fff, 0, 0x30000};
  cpu_.state.segment(Seg::fs) = {0x10, 0, 0x0091, 0x7fff, 0, 0x30000};
  check_all(ModeKey(cpu_));
}
TEST_F(AllowList, RealModeThroughAWindow) {
  cpu_.state.cr4 |= kCr4OsFxsr;
  cpu_.state.cr0 = kCr0Et;
  for (SegmentRegister& segment : cpu_.state.seg) segment = {0x1000, 0, 0x0093, 0xffff, 0, 0x10000};
  check_all(ModeKey(cpu_).with_window().with_direct_tsc());
}

// What CPUID lacks is undefined even where the host has it.
using Codes = std::vector<std::vector<u8>>;

void expect_undefined(const char* model, const Codes& codes) {
  const CpuidTable cpuid = CpuidTable::create(model).value();
  const Decoder decoder(cpuid);
  for (const auto& code : codes) {
    std::vector<u8> bytes = code;
    bytes.resize(15);
    Instruction insn;
    EXPECT_EQ(decoder.decode(bytes, CodeMode::protected32, insn), DecodeStatus::undefined)
        << fmt::format("{}: {:02x}", model, fmt::join(code, " "));
  }
}

TEST(AllowListDecoder, InstructionsThatCpuidLacks) {
  expect_undefined("n270", {
                               {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0},     // PCLMULQDQ
                               {0x0f, 0xc7, 0xf0},                    // RDRAND
                               {0x0f, 0xc7, 0xf8},                    // RDSEED
                               {0x0f, 0x01, 0xd0},                    // XGETBV
                               {0x0f, 0x01, 0xd9},                    // VMMCALL
                               {0x0f, 0x01, 0xc1},                    // VMCALL
                               {0x0f, 0x05},                          // SYSCALL
                               {0x0f, 0x0f, 0xc1, 0x9e},              // PFADD
                               {0xf3, 0x0f, 0xae, 0xd8},              // WRGSBASE
                               {0xf3, 0x0f, 0xae, 0xc8},              // RDGSBASE
                               {0x0f, 0x01, 0xf8},                    // SWAPGS
                               {0xc5, 0xf8, 0x77},                    // VZEROUPPER
                               {0x62, 0xf1, 0x7c, 0x48, 0x58, 0xc1},  // VADDPS zmm
                               {0x66, 0x0f, 0x38, 0xf6, 0xc1},        // ADCX
                               {0x0f, 0xae, 0x20},                    // XSAVE
                               {0x0f, 0x38, 0xf0, 0x00},              // MOVBE
                           });
  expect_undefined("core2", {
                                {0xf3, 0x0f, 0xb8, 0xc0},        // POPCNT
                                {0xf2, 0x0f, 0x38, 0xf1, 0xc0},  // CRC32
                                {0x66, 0x0f, 0x38, 0xdc, 0xc1},  // AESENC
                            });
  expect_undefined("pentium3", {
                                   {0x66, 0x0f, 0x38, 0x17, 0xc1},  // PTEST
                                   {0x0f, 0x38, 0x00, 0xc1},        // PSHUFB mm
                                   {0x66, 0x0f, 0x58, 0xc1},        // ADDPD
                                   {0xf3, 0x0f, 0x12, 0xc1},        // MOVSLDUP
                               });
}

}  // namespace
}  // namespace ringshift::bt
