// HandlerMarks: makes KVM come back where the guest's handlers of exceptions and interrupts begin.
//
// The first byte of each is a HLT for as long as the guest runs towards it: unlike INT3 it leaves the guest
// on every host, an emulated one too. It can only stand where handlers run at CPL 0.
#pragma once

#include <optional>
#include <vector>

#include "cpu-model/cpu.h"

namespace ringshift {

class HandlerMarks {
 public:
  explicit HandlerMarks(Cpu& cpu) : cpu_(cpu) {}
  HandlerMarks(const HandlerMarks&) = delete;
  ~HandlerMarks() { remove(); }

  // False: the vector's handler isn't one that can be marked (no gate, a task gate, another CPL, not in RAM,
  // or the very instruction at CS:EIP).
  bool add(u8 vector);
  void remove();
  // Whether a mark stands at this linear address.
  bool at(Gva linear) const;

 private:
  struct Mark {
    Gva linear;
    Gpa gpa;
    u8 byte;
  };
  Cpu& cpu_;
  std::vector<Mark> marks_;
};

// Where the event enters by the IDT or the vector table, if that is at CPL 0.
struct HandlerEntry {
  Gva linear;
  bool wide;  // a frame of 32 bits
};
std::optional<HandlerEntry> handler_entry(const Cpu& cpu, u8 vector);

}  // namespace ringshift
