// Running one machine of a lockstep run, and comparing courses.
#include "machine/lockstep/lockstep_side.h"

#include <fmt/format.h>

#include <cstring>

#include "machine/engine_factory.h"
#include "memory/ram_difference.h"
#include "translator/verify_compare.h"

namespace ringshift {

namespace {

std::string io_difference(std::span<const bt::IoEvent> left, std::span<const bt::IoEvent> right) {
  const auto show = [](std::span<const bt::IoEvent> events, std::size_t i) {
    return i < events.size() ? bt::describe(events[i]) : std::string("nothing");
  };
  const auto same = [](const bt::IoEvent& a, const bt::IoEvent& b) {
    return a.kind == b.kind && a.size == b.size && a.address == b.address && a.value == b.value;
  };
  for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i)
    if (i >= left.size() || i >= right.size() || !same(left[i], right[i]))
      return fmt::format("I/O: {} / {}", show(left, i), show(right, i));
  return {};
}

// Both halves of an entry of 8 bytes are entries of 4 as far as these bits go: they stand in the low one.
std::string word_difference(const u8* left, const u8* right, Gpa page) {
  constexpr u32 kAccessedAndDirty = 0x60;
  for (u32 at = 0; at < kPageSize; at += 4) {
    u32 a, b;
    std::memcpy(&a, left + page + at, 4);
    std::memcpy(&b, right + page + at, 4);
    if (((a ^ b) & ~kAccessedAndDirty) != 0)
      return fmt::format("memory at gpa {:08x}: {:08x} / {:08x}", page + at, a, b);
  }
  return {};
}

std::string ram_difference(const GuestMemory& left, const GuestMemory& right) {
  for (const RamRange& range : ranges_held(left, right)) {
    for (u64 page = range.first; page < range.end; page += kPageSize) {
      if (std::memcmp(left.base() + page, right.base() + page, kPageSize) == 0) continue;
      std::string text = word_difference(left.base(), right.base(), page);
      if (!text.empty()) return text;
    }
  }
  return {};
}

// KVM gives G back as the limit suggests it, whatever the descriptor said; nothing shows a loaded segment's
// G.
VcpuState without_granularity(VcpuState state) {
  for (SegmentRegister& segment : state.seg) segment.attributes &= ~kSegGranular;
  state.ldtr.attributes &= ~kSegGranular;
  state.tr.attributes &= ~kSegGranular;
  return state;
}

std::string state_difference(const Course& left, const Course& right) {
  if (!left.by_kvm && !right.by_kvm)
    return bt::first_difference(left.state, right.state, bt::FxStates::compare);
  return bt::first_difference(without_granularity(left.state), without_granularity(right.state),
                              bt::FxStates::compare);
}

std::string end_text(const Course& course) {
  const std::string text =
      fmt::format("{} after {} instructions", outcome_name(course.ended), course.retired);
  return course.failure.empty() ? text : fmt::format("{} ({})", text, course.failure);
}

class NoteSink final : public StatsSink {
 public:
  std::string text;
  void count(std::string_view group, std::string_view name, u64 value) override {
    if (group == "kvm") text += fmt::format("kvm: {} {}\n", value, name);
  }
  void figure(std::string_view, std::string_view, double, std::string_view) override {}
};

}  // namespace

std::string difference_of(const Course& left, const Course& right) {
  if (left.ended != right.ended || left.retired != right.retired)
    return fmt::format("{} / {}", end_text(left), end_text(right));
  std::string text = state_difference(left, right);
  if (text.empty()) text = io_difference(left.io, right.io);
  if (text.empty()) text = ram_difference(left.ram, right.ram);
  const bool known = !left.devices.empty() && !right.devices.empty();
  if (text.empty() && known &&
      !std::equal(left.devices.begin(), left.devices.end(), right.devices.begin(), right.devices.end()))
    text = "the devices' state";
  return text;
}

Result<std::unique_ptr<LockstepSide>> LockstepSide::create(MachineConfig config, EngineKind engine,
                                                           MachineBackends backends) {
  config.engines = {engine};
  std::unique_ptr<LockstepSide> side(new LockstepSide);
  side->by_kvm_ = engine == EngineKind::kvm;
  side->machine_ = RS_TRY(Machine::create(std::move(config), std::move(backends), Tracer{}));
  side->machine_->record_io(&side->io_);
  return side;
}

bool LockstepSide::run_to(u64 retired) {
  if (outcome_.kind == RunOutcome::Kind::reached) outcome_ = machine_->run_to(retired);
  return outcome_.kind == RunOutcome::Kind::reached;
}

Course LockstepSide::course() {
  devices_ = machine_->device_state();
  return {outcome_.kind,
          machine_->cpu().control.retired,
          machine_->cpu().state,
          io_.events(),
          machine_->memory(),
          devices_,
          failure(),
          by_kvm_};
}

std::string_view LockstepSide::failure() const {
  return outcome_.error ? std::string_view(outcome_.error->message) : std::string_view();
}

std::string LockstepSide::notes() const {
  NoteSink sink;
  if (by_kvm_) machine_->report(sink);
  return sink.text;
}

}  // namespace ringshift
