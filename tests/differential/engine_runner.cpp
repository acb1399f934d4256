// EngineRunner: PAE page tables (NX, so that data can't be run), CPL 3, and an IDT of HLTs in ring 0.
//
// Every exception ends in `HLT` at kStubs + vector, where the engine returns `halted`; vector, error code and
// the interrupted state are then read from EIP and the ring 0 stack.
#include "tests/differential/engine_runner.h"

#include <optional>

#include <cstring>

#include "base/check.h"
#include "cpu-model/segmentation.h"
#include "tests/differential/endless_watch.h"
#include "tests/differential/small_segments.h"

namespace ringshift::differential {

namespace {

constexpr u64 kMemorySize = u64{4} << 20;
// Guest-physical places.
constexpr u64 kPdpt = 0x1000;
constexpr u64 kDirectories = 0x2000;  // four
constexpr u64 kTables = 0x6000;
constexpr u64 kSystem = 0x10000;  // GDT, IDT, TSS, stubs, stack: a page each
constexpr u32 kGdt = kSystemLinear, kIdt = kSystemLinear + 0x1000, kTss = kSystemLinear + 0x2000;
constexpr u32 kStubs = kSystemLinear + 0x3000, kStackTop = kSystemLinear + 0x5000;
constexpr u32 kLdtOffset = 0x800;  // in the GDT's page
constexpr u16 kKernelCs = 0x08, kKernelDs = 0x10, kTssSelector = 0x40;

constexpr u64 kPresent = 1, kWritable = 2, kUser = 4, kAccessed = 0x20, kDirty = 0x40;
constexpr u64 kNoExecute = u64{1} << 63;

u64 descriptor(u32 base, u32 limit, u8 access, u8 flags) {
  return (limit & 0xffff) | (u64{base & 0xffffff} << 16) | (u64{access} << 40) |
         (u64{(limit >> 16) & 0xf} << 48) | (u64{flags} << 52) | (u64{base >> 24} << 56);
}

u64 gate(u32 offset, u8 dpl) {
  return (offset & 0xffff) | (u64{kKernelCs} << 16) | (u64{0x8eu | (dpl << 5)} << 40) |
         (u64{offset & 0xffff0000} << 32);
}

SegmentRegister flat(u16 selector, u8 access) { return {selector, 0, 0xc000u | access, 0xffffffff, 0, 0}; }

SegmentRegister segment_of(u16 selector) {
  if (const SmallSegment* const small = small_segment(selector)) {
    const u64 bits = small_descriptor(*small);
    return segment_from(selector, {static_cast<u32>(bits), static_cast<u32>(bits >> 32)});
  }
  if (selector == kUserCs) return flat(kUserCs, 0xfb);
  return selector == kUserDs ? flat(kUserDs, 0xf3) : SegmentRegister{0, 0, kSegUnusable, 0, 0, 0};
}

}  // namespace

Result<std::unique_ptr<EngineRunner>> EngineRunner::create(const EngineFactory& factory, bool low_arena) {
  GuestMemory memory = RS_TRY(GuestMemory::create(kMemorySize));
  CpuidTable cpuid = RS_TRY(CpuidTable::create("n270"));
  std::unique_ptr<EngineRunner> runner(new EngineRunner(std::move(memory), std::move(cpuid)));
  runner->build_tables(low_arena);
  runner->prepare_base_state();
  runner->engine_ = RS_TRY(factory.create(runner->cpu_));
  return runner;
}

EngineRunner::EngineRunner(GuestMemory memory, CpuidTable cpuid)
    : memory_(std::move(memory)),
      physical_(memory_),
      cpuid_(std::move(cpuid)),
      cpu_(physical_, cpuid_, control_, tracer_),
      next_table_(kTables) {}

void EngineRunner::put(u64 physical, const void* data, u32 size) {
  RS_CHECK(physical_.write(physical, data, size));
}

void EngineRunner::map_page(u32 linear, u64 physical, u64 flags) {
  const u64 directory_entry = kDirectories + u64{linear >> 30} * 0x1000 + ((linear >> 21) & 511) * 8;
  u64 entry = 0;
  physical_.read(directory_entry, &entry, 8);
  if (entry == 0) {
    entry = next_table_ | kPresent | kWritable | kUser | kAccessed;
    next_table_ += kPageSize;
    RS_CHECK(next_table_ <= kSystem);
    put64(directory_entry, entry);
  }
  put64((entry & 0xfffff000) + ((linear >> 12) & 511) * 8, physical | flags | kPresent);
}

void EngineRunner::build_tables(bool low_arena) {
  for (u64 i = 0; i < 4; ++i) put64(kPdpt + i * 8, (kDirectories + i * 0x1000) | kPresent);
  for (unsigned i = 0; i < kArenaCount; ++i) {
    if (i == kLow && !low_arena) continue;
    const Arena& arena = kArenas[i];
    u64 flags = kUser;
    if (arena.writable) flags |= kWritable;
    if (!arena.executable) flags |= kNoExecute;
    for (u32 page = 0; page < arena.pages; ++page)
      map_page(arena.base + page * kPageSize, arena_physical(i) + page * kPageSize, flags);
  }
  for (u32 page = 0; page < kSystemPages; ++page)
    map_page(kSystemLinear + page * kPageSize, kSystem + page * kPageSize, kWritable | kAccessed | kDirty);

  const u64 gdt = kSystem;
  put64(gdt + kKernelCs, descriptor(0, 0xfffff, 0x9b, 0xc));
  put64(gdt + kKernelDs, descriptor(0, 0xfffff, 0x93, 0xc));
  put64(gdt + (kUserCs & ~7), descriptor(0, 0xfffff, 0xfb, 0xc));
  put64(gdt + (kUserDs & ~7), descriptor(0, 0xfffff, 0xf3, 0xc));
  put64(gdt + kTssSelector, descriptor(kTss, 0x67, 0x8b, 0));
  for (unsigned i = 0; i < kSmallSegments.size(); ++i)
    put64(gdt + kLdtOffset + u64{i} * 8, small_descriptor(kSmallSegments[i]));
  // User code may raise vectors 3 and 4 only, as under Linux.
  for (u32 vector = 0; vector < 256; ++vector)
    put64(kSystem + 0x1000 + vector * 8, gate(kStubs + vector, vector == 3 || vector == 4 ? 3 : 0));
  const u32 stack_of_ring0[2] = {kStackTop, kKernelDs};
  put(kSystem + 0x2000 + 4, stack_of_ring0, sizeof stack_of_ring0);
  const u16 no_port_bitmap = 0x68;  // past the limit: every port is #GP at CPL 3
  put(kSystem + 0x2000 + 0x66, &no_port_bitmap, sizeof no_port_bitmap);
  std::array<u8, kPageSize> hlts;
  hlts.fill(0xf4);
  put(kSystem + 0x3000, hlts.data(), hlts.size());
}

void EngineRunner::prepare_base_state() {
  base_ = cpu_.state;
  base_.cr0 = kCr0Pe | kCr0Mp | kCr0Et | kCr0Ne | kCr0Wp | kCr0Am | kCr0Pg;
  base_.cr3 = kPdpt;
  base_.cr4 = kCr4Pae | kCr4OsFxsr | kCr4OsXmmExcpt;
  base_.efer = kEferNxe;
  for (u64 i = 0; i < 4; ++i) base_.pdpte[i] = (kDirectories + i * 0x1000) | kPresent;
  base_.segment(Seg::fs) = base_.segment(Seg::gs) = {0, 0, kSegUnusable, 0, 0, 0};
  base_.ldtr = {0x48, 0, 0x82, kSmallSegments.size() * 8 - 1, 0, kGdt + kLdtOffset};
  base_.tr = {kTssSelector, 0, 0x8b, 0x67, 0, kTss};
  base_.gdtr = {kGdt, kLdtOffset - 1, 0};
  base_.idtr = {kIdt, 0x7ff, 0};
  base_.cpl = 3;
}

void EngineRunner::write(u32 address, std::span<const u8> bytes) {
  for (unsigned i = 0; i < kArenaCount; ++i) {
    const Arena& arena = kArenas[i];
    if (address < arena.base || address >= arena.base + arena.size()) continue;
    put(arena_physical(i) + (address - arena.base), bytes.data(), static_cast<u32>(bytes.size()));
    return;
  }
  RS_PANIC("write outside the arenas: {:#x}", address);
}

const u8* EngineRunner::arena(ArenaIndex index) const { return memory_.base() + arena_physical(index); }

RunResult EngineRunner::run(const UserState& user) {
  VcpuState state = base_;
  for (unsigned i = 0; i < 8; ++i) state.gpr[i] = user.gpr[i];
  state.rip = user.eip;
  state.rflags = user.eflags;
  std::memcpy(state.fx.bytes, user.fx.data(), user.fx.size());
  state.segment(Seg::cs) = segment_of(user.cs);
  state.segment(Seg::ss) = segment_of(user.ss);
  state.segment(Seg::ds) = segment_of(user.ds);
  state.segment(Seg::es) = segment_of(user.es);
  engine_->restore(state);
  std::optional<EndlessWatch> watch;
  if (tells_endless_) watch.emplace(control_);
  const ExitReason reason = engine_->run(*this);
  engine_->save(state);
  RunResult result = read_stop(state);
  if (reason != ExitReason::halted) result.stop.vector = 0x1000 + static_cast<u32>(reason);
  if (watch && watch->ended() && reason == ExitReason::requested) result.stop.vector = kEndless;
  control_.clear_event(kEventExit);
  return result;
}

RunResult EngineRunner::read_stop(const VcpuState& state) const {
  RunResult result;
  result.stop.vector = state.eip() - 1 - kStubs;
  result.stop.address = static_cast<u32>(state.cr2);
  std::memcpy(result.state.fx.data(), state.fx.bytes, sizeof state.fx.bytes);
  for (unsigned i = 0; i < 8; ++i) result.state.gpr[i] = state.reg32(i);
  result.state.ds = state.segment(Seg::ds).selector;
  result.state.es = state.segment(Seg::es).selector;

  u32 esp = state.reg32(kEsp);
  if (result.stop.vector > 255 || esp < kStackTop - kPageSize || esp > kStackTop - 20) {
    result.stop.vector = 0x2000;  // not where a handler should be
    return result;
  }
  const u8* stack = memory_.base() + kSystem + (esp - kSystemLinear);
  if (has_error_code(result.stop.vector)) {
    std::memcpy(&result.stop.error, stack, 4);
    stack += 4;
  }
  u32 frame[5];  // EIP CS EFLAGS ESP SS
  std::memcpy(frame, stack, sizeof frame);
  result.state.eip = frame[0];
  result.state.cs = static_cast<u16>(frame[1]);
  result.state.ss = static_cast<u16>(frame[4]);
  result.state.eflags = frame[2];
  result.state.gpr[kEsp] = frame[3];
  return result;
}

}  // namespace ringshift::differential
