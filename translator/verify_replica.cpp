// Making of the replica, its steps, and the log of its writes.
#include "translator/verify_replica.h"

#include <cstring>
#include <utility>

#include "memory/ram_difference.h"

namespace ringshift::bt {

Result<std::unique_ptr<Replica>> Replica::create(Cpu& followed, const IoRecorder& recorder) {
  GuestMemory memory = RS_TRY(GuestMemory::create(followed.phys.memory().size()));
  return std::unique_ptr<Replica>(new Replica(followed, std::move(memory), recorder));
}

Replica::Replica(Cpu& followed, GuestMemory memory, const IoRecorder& recorder)
    : memory_(std::move(memory)),
      map_(memory_),
      cpu_(map_, followed.cpuid, control_, trace_),
      interpreter_(cpu_),
      io_(recorder) {
  for (Gpa page = 0; page < memory_.size(); page += kPageSize) {
    map_.set_kind(page, 1, followed.phys.kind(page));
    map_.add_attribute(page, kAttrDirtyLog);
  }
  map_.add_listener(&log_, kAttrDirtyLog);
  cpu_.observer = this;
  cpu_.io = &io_;
}

Replica::~Replica() { map_.remove_listener(&log_); }

void Replica::adopt_state(const VcpuState& state) {
  cpu_.state = state;
  cpu_.flush_all();
}

void Replica::adopt_memory(const GuestMemory& memory) {
  copy_ram(memory, memory_);
  // What the interpreter has decoded of it may be another's now.
  for (Gpa page = 0; page < memory_.size(); page += kPageSize)
    if ((map_.flags(page) & kAttrInterpCode) != 0) map_.note_write(page, kPageSize);
  clear_writes();
}

Replica::Step Replica::step() {
  const u64 retired = control_.retired;
  if (!interpreter_.step(true)) return Step::faulted;
  return control_.retired != retired ? Step::retired : Step::unfinished;
}

void Replica::clear_writes() {
  log_.pieces.clear();
  log_.overwritten.clear();
  log_.bytes.clear();
  entries_.clear();
}

void Replica::undo_writes() {
  const auto writes = std::exchange(log_.overwritten, {});
  for (auto at = writes.rbegin(); at != writes.rend(); ++at) {
    std::memcpy(memory_.base() + at->gpa, log_.bytes.data() + at->bytes_at, at->length);
    map_.note_write(at->gpa, at->length);  // decoded instructions
  }
  log_.bytes.clear();
}

void Replica::WriteLog::before_write(Gpa gpa, u32 length) {
  overwritten.push_back({gpa, length, bytes.size()});
  bytes.insert(bytes.end(), memory_.base() + gpa, memory_.base() + gpa + length);
}

void Replica::WriteLog::on_write(Gpa gpa, u32 length) {
  const auto first = static_cast<u32>(gpa / kPiece);
  const auto last = static_cast<u32>((gpa + length - 1) / kPiece);
  for (u32 piece = first; piece <= last; ++piece)
    if (pieces.empty() || pieces.back() != piece) pieces.push_back(piece);
}

}  // namespace ringshift::bt
