// TranslationBlock: one piece of translated guest code, its links to others and its map back to the guest.
#pragma once

#include <vector>

#include "base/types.h"
#include "cpu-model/interp/decode_cache.h"
#include "translator/mode_key.h"

namespace ringshift::bt {

struct TranslationBlock;

// A direct branch out of a block. Its rel32 points at the block's own exit stub until it is linked.
struct Link {
  TranslationBlock* source = nullptr;
  u32 target_eip = 0;
  bool backward = false;      // enters the target where events are polled
  const u8* patch = nullptr;  // the rel32 field
  const u8* exit_stub = nullptr;
  const u8* lookup_stub = nullptr;     // for a target that may not be linked
  TranslationBlock* target = nullptr;  // null: not linked
  Link* next_incoming = nullptr;       // of the target's incoming list
};

// Where each guest instruction begins in the host code, for faults in the middle of it.
struct InstructionMark {
  u16 host_offset;
  u16 guest_offset;
  bool flags_saved;  // the guest's arithmetic flags are in r12, not in RFLAGS
};

// An instruction in a block that the interpreter executes.
struct InterpretSite {
  DecodedInstruction decoded;
  u32 eip = 0;
  bool loads_segments = false;  // by descriptors that DescriptorMemo may keep
  bool fpu = false;             // it may use x87, MMX or SSE state
  const u8* resume = nullptr;   // the code of the instruction that follows; null: it ends the block
  // What followed last time when that was elsewhere; valid while the epochs are the same.
  const TranslationBlock* usual = nullptr;
  u64 usual_epoch = 0;    // BlockTable::epoch()
  u64 usual_mapping = 0;  // Dispatcher::mapping_of()
};

inline constexpr Gpa kNoPage = ~Gpa{0};

struct TranslationBlock {
  u32 eip = 0;
  ModeKey mode;
  Gpa pages[2] = {kNoPage, kNoPage};  // the guest-physical pages its bytes stand on
  u32 first_byte = 0;                 // gpa offset in pages[0]
  u16 guest_bytes = 0;
  u16 instructions = 0;
  bool valid = true;
  bool global = false;  // both pages are mapped global, supervisor: survives MOV CR3
  const u8* polled_entry = nullptr;
  const u8* entry = nullptr;
  u32 host_bytes = 0;  // from polled_entry
  Link links[2];
  Link* incoming = nullptr;
  std::vector<InstructionMark> marks;

  bool one_page() const { return pages[1] == kNoPage; }
};

}  // namespace ringshift::bt
