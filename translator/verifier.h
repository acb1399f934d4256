// Verifier: -d verify: a replica of the machine's CPU and RAM follows the engine, moved by the interpreter.
//
// The engine runs first. Whenever translated code comes back to the dispatcher, the interpreter executes the
// same instructions on the replica, and the two are compared: the whole VcpuState, the I/O, and each page
// that the interpreter wrote. Blocks are neither linked nor in the jump table, so a stretch is one run of one
// block, or of a part between two callouts. What the engine does by C++ code (an interpreted instruction, an
// exception, the delivery of an event) is done to the replica as well, and compared. All of RAM is compared
// every few hundred thousand stretches and at the end: stores to pages that the interpreter did not write.
//
// With part > 1 it follows in slices, so that about one instruction in `part` is verified; between them the
// engine runs as it does without, but for RDTSC.
#pragma once

#include <functional>

#include "memory/ram_difference.h"
#include "translator/bt_engine.h"
#include "translator/verify_compare.h"
#include "translator/verify_notes.h"
#include "translator/verify_replica.h"

namespace ringshift::bt {

class Verifier final : PhysicalMapListener {
 public:
  static Result<std::unique_ptr<Verifier>> create(Cpu& cpu, const BtOptions& options);
  Verifier(const Verifier&) = delete;
  ~Verifier();

  TranslationObserver& notes() { return notes_; }
  // Blocks may have been dropped since the last was entered.
  void forget_block() { block_ = nullptr; }

  bool active() const { return active_; }
  // Whether it is time to begin or end a slice, at this count of instructions executed.
  bool turn_due(u64 executed) const {
    return part_ != 1 && (active_ ? counters_.stretches >= slice_end_ : executed >= pause_end_);
  }
  // Begins or ends one. If one begins, VcpuState must be whole, and links and jump table go.
  void turn(u64 executed);

  // --- the dispatcher's run()
  // The door that the engine's CPU is to use.
  CpuIo& begin_run(CpuIo& machine);
  void end_run(bool halted);
  // Memory and state come from elsewhere.
  void forget() { fresh_ = false; }

  // --- what the engine has done
  // VcpuState must be whole, x87 and SSE included, but after translated code that uses neither.
  bool fpu_used() const { return note_->fpu; }
  // Translated code is about to be entered: at the block's start, or amid the block entered last.
  void enter(const TranslationBlock& block);
  void enter_again();
  // It has come back: before the instruction at EIP, by a host fault of that instruction, or from the block's
  // end.
  enum class Stop : u8 { amid, at_fault, at_end };
  void code_left(Stop stop);
  // The interpreter has executed an instruction, or raised the fault of its fetch.
  void stepped();
  // Delivers what is pending, to both.
  void deliver_pending();
  // A walk for the engine's CPU has marked a paging entry.
  void on_entry_marked(Gpa entry) { entries_.push_back(entry); }

  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }
  // All that there is to say about it.
  const std::string& report_text() const { return report_; }
  void report(StatsSink& sink) const;

 private:
  Verifier(Cpu& cpu, const BtOptions& options)
      : cpu_(cpu),
        decoder_(cpu.cpuid),
        part_(options.verify_part),
        slice_(options.verify_slice),
        slice_end_(options.verify_slice) {}
  void adopt();
  // PhysicalMapListener, of the engine's map
  void on_write(Gpa, u32) override {}
  void on_page_changed(Gpa page) override;
  void on_device_write(Gpa gpa, u64 length) override;

  // What the replica does to follow, and what was unexpected in it.
  using Course = std::function<std::string()>;
  // Whether the replica can go on to another place that the engine may stand at; it has done so.
  using Another = std::function<bool()>;
  static bool no_other() { return false; }
  // Runs the course, compares; fails with `what` and the difference if no other place agrees either.
  void follow(const char* what, FxStates fx, const Course& course, const Another& another = no_other);
  std::string try_to_follow(FxStates fx, const Course& course, const Another& another);
  std::string run_and_compare(FxStates fx, const Course& course);
  std::string follow_code(Stop stop);
  // Once more round a tight loop: which of its rounds was left isn't known.
  bool follow_round(Stop stop);
  void adopt_what_is_early(Stop stop);
  // One instruction of the replica, all rounds of it; false: a fault was delivered.
  bool step_replica();
  // As many elements of the REP instruction at EIP as translated code has done.
  bool follow_elements();
  void follow_devices();
  void settle_entries();
  std::string memory_difference() const;
  std::string difference_in_ram(RamRange range) const;
  void sweep();
  void fail(const char* what, std::string difference);

  Cpu& cpu_;
  Decoder decoder_;
  IoRecorder recorder_;
  std::unique_ptr<Replica> replica_;
  BlockNotes notes_;
  const TranslationBlock* block_ = nullptr;
  const BlockNote* note_ = nullptr;  // of block_
  // EIP of the block's first instruction, which its note may have at another place.
  u32 base_ = 0;
  u32 noted(u32 eip) const { return eip - base_ + note_->eip; }
  u32 entered_at_ = 0;
  unsigned rounds_left_ = 0;
  bool fresh_ = false;  // the replica is as the CPU was when it was left
  VcpuState before_{};
  std::vector<Gpa> entries_;

  unsigned part_;
  u64 slice_;  // stretches
  bool active_ = true;
  u64 slice_end_;               // counted in stretches
  u64 slice_instructions_ = 0;  // verified before it
  u64 pause_end_ = 0;           // instructions executed

  u64 since_sweep_ = 0;
  u64 swept_bytes_ = 0;
  std::string failure_;
  std::string report_;
  struct Counters {
    u64 stretches = 0, instructions = 0, steps = 0, deliveries = 0, sweeps = 0, entries = 0, stale = 0;
  };
  Counters counters_;
};

}  // namespace ringshift::bt
