// RamHistory: guest RAM as it was after each of many steps: a copy, and the writes since.
#pragma once

#include <memory>
#include <vector>

#include "memory/guest_memory.h"
#include "memory/physical_map.h"

namespace ringshift {

class RamHistory final : public PhysicalMapListener {
 public:
  // Begins at the map's memory as it is, with step 0. Every page gets kAttrDirtyLog.
  static Result<std::unique_ptr<RamHistory>> create(PhysicalMap& map);
  RamHistory(const RamHistory&) = delete;
  ~RamHistory();

  // What is written from here on belongs to the next step.
  void next_step() { step_ends_.push_back(writes_.size()); }
  // RAM after that step, but for accessed and dirty bits; valid until the next call.
  const GuestMemory& after(std::size_t step);

  void on_write(Gpa gpa, u32 length) override;
  void on_page_changed(Gpa) override {}

 private:
  struct Write {
    Gpa gpa;
    u32 length;
    std::size_t bytes_at;
  };
  RamHistory(PhysicalMap& map, GuestMemory base, GuestMemory shown)
      : map_(map), base_(std::move(base)), shown_(std::move(shown)) {}

  PhysicalMap& map_;
  GuestMemory base_;
  GuestMemory shown_;
  std::vector<Write> writes_;
  std::vector<u8> bytes_;
  std::vector<std::size_t> step_ends_;  // of steps 0, 1, ...: how many writes
};

}  // namespace ringshift
