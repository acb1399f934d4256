// Listing: guest and host code as text, and the blocks entered, for -d in_asm, out_asm and exec.
//
// Blocks that are chained pass no dispatcher: with exec on, nothing is linked and no jump table filled, so
// that every entry is seen. (Turn it on before the guest starts: what is linked then stays so.)
#pragma once

#include <span>
#include <string>

#include "base/trace.h"
#include "translator/guest_block.h"
#include "translator/translation_block.h"

namespace ringshift::bt {

// Where the host code of a guest instruction begins. kCold: the stubs behind the block.
struct InstructionStart {
  static constexpr u32 kCold = ~u32{0};
  u32 host_offset;
  u32 guest_offset;
};

// The first `count` guest instructions: address, bytes, Intel syntax.
std::string list_guest(const GuestBlock& guest, unsigned count);
// A block's host code, with headings where each guest instruction begins.
std::string list_host(const TranslationBlock& block, std::span<const InstructionStart> starts);
// The mode's bits in words.
std::string describe(ModeKey mode);

// Sees each block as it is made.
class TranslationObserver {
 public:
  virtual void on_translated(const GuestBlock& guest, const TranslationBlock& block,
                             std::span<const InstructionStart> starts) = 0;

 protected:
  ~TranslationObserver() = default;
};

class Listing {
 public:
  explicit Listing(Tracer& trace) : trace_(trace) {}

  void set_observer(TranslationObserver* observer) { observer_ = observer; }
  bool traces_entries() const { return trace_.on(TracePoint::exec); }
  void translated(const GuestBlock& guest, const TranslationBlock& block,
                  std::span<const InstructionStart> starts) {
    if (trace_.on(TracePoint::in_asm) || trace_.on(TracePoint::out_asm)) list(guest, block, starts);
    if (observer_ != nullptr) observer_->on_translated(guest, block, starts);
  }
  // The dispatcher enters the block.
  void entered(const TranslationBlock& block, u32 eip) {
    if (traces_entries()) list_entry(block, eip);
  }

 private:
  void list(const GuestBlock& guest, const TranslationBlock& block, std::span<const InstructionStart> starts);
  void list_entry(const TranslationBlock& block, u32 eip);

  Tracer& trace_;
  TranslationObserver* observer_ = nullptr;
};

}  // namespace ringshift::bt
