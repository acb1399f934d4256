// HistoryListener: hears what becomes of translated blocks, for who asked: made, linked, failing, dropped.
//
// Nothing is called where none is set, and nothing on the hot path where one is. Calls come on the vCPU's
// thread, some of them from the handler of a fault in translated code. A block is known by its number, which
// no other has; it may be gone after on_dropped, if it isn't revived.
#pragma once

#include "translator/emitter.h"
#include "translator/failing_sites.h"

namespace ringshift::bt {

enum class DropReason : u8 {
  code_written,   // self-modifying code, a program loaded over another
  retranslation,  // one of its instructions has a remedy now
  roams,          // its page is mapped at a second address
  cache_full,     // the oldest go
  cache_cleared,
};

enum class UnlinkReason : u8 {
  block_dropped,    // it, or its target
  mapping_changed,  // INVLPG, MOV CR3 or CR0/CR4 with global pages: links between pages hold no longer
};

// What happened at an instruction of a block.
enum class BlockFault : u8 {
  window_filled,       // the window had no place for the page yet: mapped, and tried again
  window_failed,       // nor may it have it (a device, a page with an attribute): interpreted
  window_page_fault,   // the guest has no such page: the interpreter raises #PF, if it must
  host_exception,      // the host's CPU has raised a divide error or a floating-point exception
  lookup_filled,       // the software TLB had no entry: filled, and tried again
  lookup_interpreted,  // nor may it have one: interpreted
  lookup_page_fault,   // the guest's #PF
  fault,               // an interpreted instruction or a helper has raised an exception
};

class HistoryListener {
 public:
  // The stubs stand in the cache now.
  virtual void on_stubs(const RuntimeStubs&) {}
  // Where the block that is made next counts its executions; null: nowhere. For as long as it may run.
  virtual BlockCounters* counters_of_next() { return nullptr; }
  virtual void on_translated(const GuestBlock&, const TranslationBlock&, const EmissionNotes&) {}
  // The link's target is set.
  virtual void on_linked(const Link&) {}
  // From now on the branch goes through the jump table each time; `target` is where it went now.
  virtual void on_not_linkable(const Link&, const TranslationBlock& /*target*/) {}
  // The link's target is still set.
  virtual void on_unlinked(const Link&, UnlinkReason) {}
  virtual void on_dropped(const TranslationBlock&, DropReason) {}
  // A write has dropped it, and its bytes are back.
  virtual void on_revived(const TranslationBlock&) {}
  // By its physical address; the blocks that it is in are dropped next.
  virtual void on_remedy(const SiteChange&) {}
  virtual void on_fault(const TranslationBlock&, u32 /*guest_offset*/, BlockFault) {}
  // Of an instruction with a site, whose block may have been dropped by it.
  virtual void on_site_fault(const InterpretSite*) {}

 protected:
  ~HistoryListener() = default;
};

std::string_view name_of(DropReason reason);
std::string_view name_of(UnlinkReason reason);
std::string_view name_of(BlockFault fault);
std::string_view name_of(Remedy remedy);
std::string_view name_of(RemedyCause cause);

}  // namespace ringshift::bt
