// Generator: the state that a case begins in, then user-level code with system items among it.
#include "tests/supervisor/generator.h"

#include <cstring>

#include "tests/differential/random_values.h"
#include "tests/supervisor/layout.h"
#include "tests/supervisor/real_items.h"
#include "tests/supervisor/system_items.h"

namespace ringshift::supervisor {

using differential::Item;
using differential::kCode;
using differential::kData;
using differential::Random;

namespace {

SegmentRegister flat(u16 selector, u32 attributes) {
  return {selector, 0, 0xc000u | attributes, ~u32{0}, 0, 0};
}

void draw_control(Random& random, VcpuState& state) {
  const bool pae = random.chance(50);
  state.cr0 = kCr0Pe | kCr0Mp | kCr0Et | kCr0Ne | kCr0Pg;
  if (random.chance(80)) state.cr0 |= kCr0Wp;
  if (random.chance(30)) state.cr0 |= kCr0Am;
  if (random.chance(8)) state.cr0 |= kCr0Ts;
  state.cr4 = kCr4OsFxsr | kCr4OsXmmExcpt;
  if (pae) state.cr4 |= kCr4Pae;
  for (const u32 bit : {kCr4Pge, kCr4Pse}) state.cr4 |= random.chance(50) ? bit : 0;
  for (const u32 bit : {kCr4De, kCr4Tsd, kCr4Vme, kCr4Pvi}) state.cr4 |= random.chance(8) ? bit : 0;
  state.efer = pae && random.chance(80) ? kEferNxe : 0;
  state.cr3 = pae ? kPdpt : kDirectory;
  for (u64 i = 0; i < 4; ++i) state.pdpte[i] = pae ? (kDirectories + i * kPageSize) | 1 : 0;
}

void draw_segments(Random& random, VcpuState& state) {
  const u32 kind = random.below(100);
  state.cpl = kind < 62 ? 0 : kind < 66 ? 1 : 3;
  const u32 dpl = u32{state.cpl} << kSegDplShift;
  const u16 code[] = {kKernelCode, kRing1Code | 1, 0, kUserCode | 3};
  const u16 data[] = {kKernelData, kRing1Data | 1, 0, kUserData | 3};
  state.segment(Seg::cs) = flat(code[state.cpl], 0x9b | dpl);
  for (const Seg segment : {Seg::ss, Seg::ds, Seg::es, Seg::fs, Seg::gs})
    state.segment(segment) = flat(data[state.cpl], 0x93 | dpl);
  if (random.chance(30)) state.segment(Seg::gs) = {0, 0, kSegUnusable, 0, 0, 0};
}

void set_real_segments(VcpuState& state, Mode mode) {
  const auto segment = [&](u32 linear, u32 attributes) {
    return SegmentRegister{
        real_selector(linear), 0, mode == Mode::v8086 ? 0xf3 : attributes, 0xffff, 0, linear};
  };
  state.segment(Seg::cs) = segment(kRealCode, 0x9b);
  for (const Seg each : {Seg::ds, Seg::es, Seg::fs, Seg::gs}) state.segment(each) = segment(kRealData, 0x93);
  state.segment(Seg::ss) = segment(kRealStack, 0x93);
  state.cpl = mode == Mode::v8086 ? 3 : 0;
  state.set_reg32(kEsp, state.reg32(kEsp) & 0xffff);
  if (mode == Mode::real) state.cr4 = kCr4OsFxsr | kCr4OsXmmExcpt;
}

void draw_system_registers(Random& random, VcpuState& state) {
  state.gdtr = {kGdt, kSelectorEnd - 1, 0};
  state.idtr = {kIdt, kVectorEnd * 8 - 1, 0};
  state.ldtr = {kLdtSelector, 0, 0x82, 0x1f, 0, kLdt};
  state.tr = {kTssSelector, 0, 0x8b, 0x87, 0, kTss};
  state.sysenter_cs = random.chance(95) ? kKernelCode : kNull;
  state.sysenter_esp = kRing0Top;
  state.sysenter_eip = handler_at(Handler::sysexit);
}

}  // namespace

void Generator::draw_items(Random& random, Case& test) const {
  using differential::InstructionSource;
  std::vector<Item>& items = test.sequence.items;
  differential::RegisterKnowledge knowledge{0xe8 | 0x10, 0};
  std::vector<differential::Generator::Loop> loops;
  const bool real = test.mode != Mode::protected32;
  const InstructionSource::Place place = real ? InstructionSource::Place{.low_arena = false,
                                                                         .small = true,
                                                                         .code16 = true,
                                                                         .data_base = kArenas[kData].base}
                                              : InstructionSource::Place{.low_arena = true};
  const u32 wanted = 1 + random.below(14);
  while (items.size() < wanted) {
    if (random.chance(45)) {
      user_.append_user_code(random, knowledge, place, items, loops);
      continue;
    }
    if (real)
      append_real_item(random, items);
    else
      append_system_item(random, test.state.cpl == 3, test.pae(), items);
    knowledge.pointers &= 0xf8;  // EAX, ECX and EDX are anything now
    knowledge.small = 0;
  }
  differential::Generator::bound_targets(items, loops);
  if (test.ending == Ending::stop) return;
  constexpr u8 kNop = 0x90;
  for (Item& item : items)
    item.bytes.resize((item.bytes.size() + kResumeStep - 1) / kResumeStep * kResumeStep, kNop);
}

// False: it is too long, or a branch doesn't reach.
bool Generator::place(Random& random, Case& test) const {
  differential::Sequence& sequence = test.sequence;
  const bool real = test.mode != Mode::protected32;
  sequence.code16 = real;
  sequence.base = real ? kRealCode : 0;
  const auto probe = sequence.assemble();
  constexpr u32 kLongest = 1200;
  if (!probe || probe->size() > kLongest) return false;
  const u32 length = static_cast<u32>(probe->size());
  u32 offset = random.below(kArenas[kCode].size() - length);
  if (random.chance(20)) offset = kPageSize - 1 - random.below(length);
  if (test.ending == Ending::resume) offset &= ~(kResumeStep - 1);
  sequence.start = (real ? kRealCode : kArenas[kCode].base) + offset;
  test.state.rip = sequence.start - sequence.base;
  return sequence.assemble().has_value();
}

Case Generator::generate(u64 seed, u64 number, const VcpuState& base) const {
  Random random(seed * 0x9e3779b97f4a7c15 + number);
  for (;;) {
    Case test;
    test.state = base;
    test.memory_seed = seed + number / 64;
    test.interrupt = random.chance(15);
    const u32 kind = random.below(100);
    test.mode = kind < 75 ? Mode::protected32 : kind < 87 ? Mode::real : Mode::v8086;
    test.ending = test.mode != Mode::real && random.chance(60) ? Ending::resume : Ending::stop;
    differential::UserState user;
    random_registers(random, user, test.mode == Mode::protected32);
    random_fx(random, user.fx);
    for (unsigned i = 0; i < 8; ++i) test.state.set_reg32(i, user.gpr[i]);
    std::memcpy(test.state.fx.bytes, user.fx.data(), user.fx.size());
    if (test.mode != Mode::real) draw_control(random, test.state);
    if (test.mode == Mode::protected32)
      draw_segments(random, test.state);
    else
      set_real_segments(test.state, test.mode);
    if (test.mode != Mode::real) draw_system_registers(random, test.state);
    test.state.rflags = (user.eflags & ~kFlagIf) | random.below(4) << 12;
    if (!test.interrupt && random.chance(70)) test.state.rflags |= kFlagIf;
    if (test.mode == Mode::v8086) {
      test.state.rflags |= kFlagVm;
      if (random.chance(60)) test.state.rflags |= kFlagIopl;
    }
    draw_items(random, test);
    if (place(random, test)) return test;
  }
}

}  // namespace ringshift::supervisor
