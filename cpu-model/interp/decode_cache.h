// DecodeCache: decoded instructions by guest-physical page and offset, kept true by the map's write notices.
//
// Only instructions within one page are kept. A page with any has kAttrInterpCode, so that every write to it
// comes by on_write, which drops exactly the instructions overlapped. Decoded instructions live in an arena
// and are never freed one by one: one that is executing stays valid while it overwrites itself, until the
// next insert().
#pragma once

#include <array>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <vector>

#include "cpu-model/cpu.h"
#include "cpu-model/instruction.h"
#include "cpu-model/interp/handlers.h"

namespace ringshift {

// An instruction ready to run.
struct DecodedInstruction {
  Handler handler;  // never null: what has none is #UD
  Instruction insn;
  CodeMode mode;
  bool quick;  // `handler` needs no snapshot (interp/quick.h)
};

class DecodeCache final : public PhysicalMapListener {
 public:
  explicit DecodeCache(PhysicalMap& phys);
  DecodeCache(const DecodeCache&) = delete;
  ~DecodeCache();

  // The decodes of one page: index into the arena by offset, 0 for none.
  struct Page {
    Gpa gpa;
    u32 count = 0;         // instructions cached
    u32 quiet_writes = 0;  // writes since it was last looked up
    u64 lines = 0;         // bit n: an instruction may touch bytes [64 n, 64 n + 64)
    std::array<u32, kPageSize> slot{};
  };

  // The page's decodes, made if absent (which sets the page's attribute, and so flushes it from the Tlb).
  // Valid until guest memory or its map is written, or reset().
  Page& page(Gpa gpa) { return current_->gpa == gpa ? *current_ : look_up(gpa); }

  const DecodedInstruction* find(const Page& page, u32 offset, CodeMode mode) const {
    const DecodedInstruction& entry = arena_[page.slot[offset]];
    return entry.mode == mode ? &entry : nullptr;
  }
  // Keeps an instruction that lies wholly in the page; null if the arena is full: then reset().
  const DecodedInstruction* insert(Page& page, u32 offset, const DecodedInstruction& decoded);

  // Forgets everything.
  void reset();

  void on_write(Gpa gpa, u32 length) override;
  void on_page_changed(Gpa gpa) override;

  struct Counters {
    u64 inserted = 0;
    u64 invalidated = 0;
    u64 pages_dropped = 0;
    u64 resets = 0;
  };
  const Counters& counters() const { return counters_; }

 private:
  static constexpr u32 kArenaEntries = 1u << 19;
  static constexpr u32 kQuietWrites = 256;
  // What slot 0 holds: of no mode, so that find() needs no test for it.
  static constexpr CodeMode kNoMode = static_cast<CodeMode>(0xff);

  Page& look_up(Gpa gpa);
  void drop(Gpa gpa);
  void invalidate(Page& page, u32 first, u32 end);

  PhysicalMap& phys_;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  // Left untouched until used: it is far larger than most guests need.
  std::unique_ptr<DecodedInstruction[], Free> arena_;
  u32 used_ = 1;
  // Stands in for a page that isn't there, so that no pointer here is ever null.
  Page none_{.gpa = ~Gpa{0}};
  Page* current_ = &none_;
  static constexpr unsigned kRecent = 256;
  std::array<Page*, kRecent> recent_;
  std::unordered_map<Gpa, std::unique_ptr<Page>> pages_;
  Counters counters_;
};

}  // namespace ringshift
