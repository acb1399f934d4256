// Replica: a second CPU with RAM of its own, that the interpreter keeps in step with the engine's (-d
// verify).
//
// It shares nothing with the CPU that it follows: its own Tlb, page attributes, and A and D bits. All of its
// pages carry kAttrDirtyLog, so that each store of the interpreter is told to it.
#pragma once

#include <memory>
#include <vector>

#include "cpu-model/interp/interpreter.h"
#include "translator/verify_io.h"

namespace ringshift::bt {

class Replica final : MmuObserver {
 public:
  // Of the CPU as it stands; memory and state come with adopt().
  static Result<std::unique_ptr<Replica>> create(Cpu& followed, const IoRecorder& recorder);
  Replica(const Replica&) = delete;
  ~Replica();

  Cpu& cpu() { return cpu_; }
  VcpuState& state() { return cpu_.state; }
  const VcpuState& state() const { return cpu_.state; }
  GuestMemory& memory() { return memory_; }
  IoReplay& io() { return io_; }
  PhysicalMap& map() { return map_; }

  void adopt_state(const VcpuState& state);
  void adopt_memory(const GuestMemory& memory);

  // What executing one instruction came to.
  enum class Step : u8 { retired, unfinished, faulted };
  Step step();

  // What was written since clear_writes(), by aligned pieces of kPiece bytes (a piece may be listed twice),
  // and the paging entries that walks marked.
  static constexpr u32 kPiece = 256;
  const std::vector<u32>& pieces_written() const { return log_.pieces; }
  const std::vector<Gpa>& entries_marked() const { return entries_; }
  void clear_writes();
  // Takes back all writes since clear_writes(), but for A and D bits.
  void undo_writes();

 private:
  Replica(Cpu& followed, GuestMemory memory, const IoRecorder& recorder);
  void on_flush_all() override {}
  void on_flush_address_space() override {}
  void on_flush_page(Gva) override {}
  void on_entry_marked(Gpa entry) override { entries_.push_back(entry); }

  class WriteLog final : public PhysicalMapListener {
   public:
    explicit WriteLog(const GuestMemory& memory) : memory_(memory) {}
    void before_write(Gpa gpa, u32 length) override;
    void on_write(Gpa gpa, u32 length) override;
    void on_page_changed(Gpa) override {}

    struct Overwritten {
      Gpa gpa;
      u32 length;
      std::size_t bytes_at;  // in `bytes`
    };
    std::vector<u32> pieces;
    std::vector<Overwritten> overwritten;
    std::vector<u8> bytes;

   private:
    const GuestMemory& memory_;
  };

  GuestMemory memory_;
  PhysicalMap map_;
  WriteLog log_{memory_};
  RunControl control_;
  Tracer trace_;  // off: what happens is traced by the CPU that is followed
  Cpu cpu_;
  Interpreter interpreter_;
  IoReplay io_;
  std::vector<Gpa> entries_;
};

}  // namespace ringshift::bt
