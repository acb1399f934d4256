// BtContext: what translated code reaches through r15 while it runs.
//
// Host registers inside the cache: RAX..RDI hold guest EAX..EDI (ESP in RSP), RFLAGS the guest's arithmetic
// flags (the host's DF is 0 but within a REP), r13 the VcpuState, r14 the Tlb table of the current privilege,
// r15 this; r8-r11 are scratch and r12 holds the arithmetic flags while a lookup clobbers them
// (translator/emitter.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <type_traits>

#include "base/tsc_scale.h"
#include "base/zeroed_array.h"
#include "cpu-model/cpu.h"
#include "cpu-model/descriptor_memo.h"

namespace ringshift::bt {

// Guest flags that live in RFLAGS inside the cache; the others are in VcpuState::rflags only.
inline constexpr u32 kHostFlags = kArithmeticFlags;

class ModeSwitch;
class CodeWrites;
struct InterpretSite;

// An entry of the jump table: indirect branches and links that can't be fixed find their target here.
struct JumpEntry {
  // -(generation << 32 | eip) - 1, so that added to the tag looked for and BtContext::quiet it gives 0. A
  // generation is never 0: an empty entry cannot match.
  u64 negated_tag;
  const u8* target;
};
inline constexpr unsigned kJumpEntries = 1u << 16;  // by the low 16 bits of eip

// What a lookup that misses says of its access (r9d of RuntimeStubs::access and write).
struct AccessInfo {
  static constexpr u32 kWrite = 1u << 16;
  static constexpr u32 kFpu =
      1u << 17;  // the instruction uses x87/SSE state, should interp have to execute it
  static constexpr u32 kSizeMask = 0xffff;
  // For a store: from where to retry to behind the lookup, in bytes.
  static constexpr u32 kBehindShift = 18;
};

struct BtContext {
  // Read by emitted code on every block. RunControl's quiet word: 1, or 0 when events are there. The jump
  // table's lookup reads it and the generation as one word.
  alignas(8) std::atomic<u32> quiet{1};
  u32 jump_generation = 0;  // of the current mode and address space
  // EIP of the first byte of the page that a relocatable block stands on (translator/translation_block.h).
  u32 page_eip = 0;
  TlbEntry* tlb_table = nullptr;
  const u8* window_base = nullptr;  // what GS base is where the mode has a window
  VcpuState* state = nullptr;

  // Used by the stubs that leave and enter the cache.
  u64 host_rsp = 0;
  u64 saved_r12 = 0;
  u32 host_mxcsr = 0;
  u32 guest_mxcsr = 0;
  u32 mxcsr_now = 0;
  void* engine = nullptr;
  alignas(16) u8 xmm[8][16] = {};
  bool exact_rf = false;  // under exact count and the verifier: what an IRET makes of RF must be seen
  // For the light helpers (translator/light_transitions.h), and where they may go on.
  Cpu* cpu = nullptr;
  ModeSwitch* modes = nullptr;
  const DescriptorMemo* memo = nullptr;
  const u8* to_lookup = nullptr;       // r8d: EIP, by the jump table
  const u8* to_dispatcher = nullptr;   // r10d: EIP
  const u8* to_interpreter = nullptr;  // r10d: EIP, r11: the site
  const u8* to_access = nullptr;       // as RuntimeStubs::access
  // For stores to pages of code (translator/light_writes.cpp): what a store's lookup left in r11, what the
  // helper wants in r9 and r11, and the store's address.
  CodeWrites* writes = nullptr;
  u64 saved_r11 = 0;
  u64 write_r9 = 0, write_r11 = 0;
  u32 write_gva = 0;
  const InterpretSite* light_site = nullptr;
  const u8* continuation = nullptr;
  u64 executed = 0;  // guest instructions, counted by block
  i64 budget = 0;    // counted down instead, under exact count (translator/exact_count.h)
  TscScale tsc;      // CpuIo's, as it stands; of use where ModeKey::direct_tsc()
  // A segment load has left its block for another mode: what comes next is the instruction behind it, not the
  // block's end. For the verifier.
  bool left_amid = false;
  JumpEntry jump_table[kJumpEntries];  // not written at first: see BtContextPages

  u64 jump_tag(u32 eip) const { return u64{jump_generation} << 32 | eip; }
};
static_assert(offsetof(BtContext, jump_generation) == offsetof(BtContext, quiet) + 4);

// A context on pages that are zero until they are used: a megabyte of jump table is written by none of them
// before it has an entry there.
class BtContextPages {
 public:
  BtContextPages() : context_(new (memory_.begin()) BtContext) {}
  BtContext& context() { return *context_; }

 private:
  static_assert(std::is_trivially_destructible_v<BtContext> &&
                alignof(BtContext) <= alignof(std::max_align_t));
  ZeroedArray<unsigned char> memory_{sizeof(BtContext)};
  BtContext* context_;
};

}  // namespace ringshift::bt
