// TranslationBlock: one piece of translated guest code, its links to others and its map back to the guest.
#pragma once

#include <algorithm>
#include <forward_list>
#include <memory>
#include <span>
#include <vector>

#include "base/types.h"
#include "cpu-model/interp/decode_cache.h"
#include "translator/block_source.h"
#include "translator/intrusive_list.h"
#include "translator/mode_key.h"

namespace ringshift::bt {

struct TranslationBlock;

// A direct branch out of a block. Its rel32 points at the block's own exit stub until it is linked.
// While it is linked, it is listed at its target.
struct Link : ListHook<Link, struct IncomingLinks> {
  TranslationBlock* source = nullptr;
  TranslationBlock* target = nullptr;  // null: not linked
  u32 target_eip = 0;
  u32 cross_page = kNotCrossPage;  // where it stands among the BlockTable's
  // Offsets in the source's code: of the rel32 field, and of the stubs that it may lead to.
  u16 patch_offset = 0;
  u16 exit_offset = 0;
  u16 lookup_offset = 0;  // for a target that may not be linked
  bool backward = false;  // enters the target where events are polled

  static constexpr u32 kNotCrossPage = ~u32{0};
  const u8* patch() const;
  const u8* exit_stub() const;
  const u8* lookup_stub() const;
};

// Where each guest instruction begins in the host code, for faults in the middle of it.
struct InstructionMark {
  u16 host_offset;
  u16 guest_offset;
  bool flags_saved;  // the guest's arithmetic flags are in r12, not in RFLAGS
  bool clipped;      // a REP, of whose count r10 holds a part (translate_string.cpp)
};

// An instruction in a block that the interpreter executes.
struct InterpretSite {
  DecodedInstruction decoded;
  u32 eip = 0;                  // as its block's
  bool loads_segments = false;  // by descriptors that DescriptorMemo may keep
  bool fpu = false;             // it may use x87, MMX or SSE state
  bool last = false;            // nothing of its block follows
  u8 unexecuted = 0;            // instructions from it to the end of its block
  const u8* resume = nullptr;   // the code of the instruction that follows; null: nothing does
  // What followed last time when that was elsewhere; valid while the epochs are the same.
  const TranslationBlock* usual = nullptr;
  u32 usual_eip = 0;
  u64 usual_epoch = 0;    // BlockTable::epoch()
  u32 usual_base = 0;     // CS's
  u64 usual_mapping = 0;  // Dispatcher::mapping_of()
};

inline constexpr Gpa kNoPage = ~Gpa{0};

// A block is listed by where it starts, at its page, and at the second page if it has one.
using BucketHook = ListHook<TranslationBlock, struct Bucket>;
using PageHook = ListHook<TranslationBlock, struct BlocksOfPage>;
using SecondPageHook = ListHook<TranslationBlock, struct BlocksIntoPage>;

// What a block was made for: a cache line, which is all that looking for one reads.
struct BlockIdentity : BucketHook {
  u32 eip = 0;         // for relocatable blocks: where it was made
  u16 first_byte = 0;  // gpa offset in pages[0]
  // Its code takes EIP from BtContext::page_eip: it stands for its bytes wherever their page is mapped.
  bool relocatable = false;
  ModeKey mode;
  Gpa pages[2] = {kNoPage, kNoPage};  // the guest-physical pages its bytes stand on
  Gva linear = 0;  // CS.base + eip when it was made; mode.shifting() blocks may be met elsewhere, too
  u16 guest_bytes = 0;
  u16 instructions = 0;

  Gpa gpa() const { return pages[0] + first_byte; }
  // Of guest_bytes, those on the first page.
  u32 bytes_on_first_page() const { return std::min<u32>(guest_bytes, kPageSize - first_byte); }
  // Of where a block starts, for tables.
  static u64 hash_of(Gpa gpa, ModeKey mode) { return ((gpa ^ mode.hash()) * 0x9e3779b97f4a7c15u) >> 48; }
};
static_assert(sizeof(BlockIdentity) == 64);

struct alignas(64) TranslationBlock : BlockIdentity, PageHook, SecondPageHook {
  bool valid = true;
  bool global = false;  // both pages are mapped global, supervisor: survives MOV CR3
  const u8* code = nullptr;
  u32 host_bytes = 0;
  u32 number = 0;                    // no other block of the engine has it
  const u8* polled_entry = nullptr;  // looks for events first
  const u8* entry = nullptr;
  const u8* landing = nullptr;  // sets BtContext::page_eip first, from r8d: for the jump table
  std::span<Link> links;
  u8 links_taken = 0;
  Link* incoming = nullptr;
  std::vector<InstructionMark> marks;
  std::vector<u16> starts;                 // of its instructions, in guest bytes; under exact count only
  std::forward_list<InterpretSite> sites;  // the code holds their addresses
  u32 site_count = 0;
  std::unique_ptr<BlockSource> source;  // of a page that was written to, of one page; else null

  void make_links(unsigned count) {
    link_memory_ = std::make_unique<Link[]>(count);
    links = {link_memory_.get(), count};
  }
  // The next one that leads nowhere yet.
  Link* take_link() { return &links[links_taken++]; }

  // What the block costs beside its code.
  u64 side_bytes() const {
    constexpr u64 kAllocations = 64;  // what the allocator adds
    return sizeof(TranslationBlock) + links.size() * sizeof(Link) +
           marks.capacity() * sizeof(InstructionMark) + starts.capacity() * sizeof(u16) +
           site_count * (sizeof(InterpretSite) + 16) + (source != nullptr ? source->side_bytes() : 0) +
           kAllocations;
  }
  // Instructions from the one at eip on; under exact count.
  u32 instructions_from(u32 at) const {
    const auto found = std::lower_bound(starts.begin(), starts.end(), (at - eip) & kPageOffsetMask);
    return static_cast<u32>(starts.end() - found);
  }
  // Whether the translation depends on any of the bytes [first, end) of the block.
  bool depends_on(u32 first, u32 end) const {
    if (source == nullptr) return true;
    bool hit = false;
    source->each_fixed([&](u32 from, u32 to) { hit = hit || (from < end && first < to); });
    return hit;
  }
  bool one_page() const { return pages[1] == kNoPage; }
  // Whether it may be entered at eip, when its bytes are found there.
  bool stands_at(u32 at) const { return relocatable || eip == at; }

 private:
  std::unique_ptr<Link[]> link_memory_;  // the code holds their addresses
};

inline const u8* Link::patch() const { return source->code + patch_offset; }
inline const u8* Link::exit_stub() const { return source->code + exit_offset; }
inline const u8* Link::lookup_stub() const { return source->code + lookup_offset; }

}  // namespace ringshift::bt
